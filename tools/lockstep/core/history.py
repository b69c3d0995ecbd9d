"""What happened to an environment, read from its commits: what each did is told by the files that it changed, not by
its message.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from lockstep.core.names import GitSha, InstanceId
from lockstep.core.version import Version

Served = tuple[InstanceId, Version]
"""What the front names: a root and the release that it is."""


class EditKind(StrEnum):
    """The edits of an environment."""

    STAGE = "stage"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    RETIRE = "retire"
    BIND = "bind"


@dataclass(frozen=True)
class Commit:
    """One commit that touched an environment.

    Args:
        sha: Its id.
        time: Committer time, seconds since 1970 UTC.
        author: Name of its author.
        subject: First line of its message.
        added: Instances whose files it added.
        removed: Instances whose files it removed.
        front: Root and release that the front names after it, None if there is no front.
        front_before: The same before it.
    """

    sha: GitSha
    time: int
    author: str
    subject: str
    added: tuple[InstanceId, ...]
    removed: tuple[InstanceId, ...]
    front: Served | None
    front_before: Served | None


@dataclass(frozen=True)
class Event:
    """What one commit did. A move of the front is a rollback if its root served before and another one since, or
    the same root served as a later version: the final of a pre-release is a promote, its revert a rollback.
    """

    kind: EditKind
    commit: Commit


def events(commits: Iterable[Commit]) -> tuple[Event, ...]:
    """What each commit did, in the order given (oldest first). A commit that did two things gives two events."""
    found: list[Event] = []
    stack: tuple[Served, ...] = ()
    for commit in commits:
        if commit.added:
            found.append(Event(EditKind.STAGE, commit))
        if commit.front != commit.front_before:
            moved = _after(stack, commit.front)
            found.append(Event(EditKind.ROLLBACK if _is_back(stack, moved) else EditKind.PROMOTE, commit))
            stack = moved
        if commit.removed:
            found.append(Event(EditKind.RETIRE, commit))
        if not commit.added and not commit.removed and commit.front == commit.front_before:
            found.append(Event(EditKind.BIND, commit))
    return tuple(found)


def front_moves(history: tuple[Event, ...]) -> tuple[Commit, ...]:
    """The commits that moved the front, oldest first."""
    return tuple(event.commit for event in history if event.kind in {EditKind.PROMOTE, EditKind.ROLLBACK})


def served_stack(history: tuple[Event, ...]) -> tuple[Served, ...]:
    """What the front named, oldest first and what it names now last, without what was taken back.

    A promote adds to the end; a move to a root that is already there takes back everything after it. So two rollbacks
    in a row go two steps back, and never forward again to what was taken back.
    """
    stack: tuple[Served, ...] = ()
    for commit in front_moves(history):
        stack = _after(stack, commit.front)
    return stack


def previous_root(history: tuple[Event, ...]) -> InstanceId | None:
    """The root that a rollback would go back to; None if there is none."""
    stack = served_stack(history)
    return stack[-2][0] if len(stack) > 1 else None


def never_served(history: tuple[Event, ...], roots: Iterable[InstanceId]) -> tuple[InstanceId, ...]:
    """Those of the roots that the front never named: staged, and still to be promoted."""
    named = {commit.front[0] for commit in front_moves(history) if commit.front}
    return tuple(sorted(root for root in roots if root not in named))


def _after(stack: tuple[Served, ...], front: Served | None) -> tuple[Served, ...]:
    if front is None:
        return ()
    place = next((index for index, served in enumerate(stack) if served[0] == front[0]), None)
    return (*stack, front) if place is None else (*stack[:place], front)


def _is_back(old: tuple[Served, ...], new: tuple[Served, ...]) -> bool:
    return len(new) < len(old) or (len(new) == len(old) and new[-1][1] < old[-1][1])
