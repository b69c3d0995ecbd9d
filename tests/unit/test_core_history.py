"""What happened to an environment, told from what its commits changed; the messages are nobody's business."""

from __future__ import annotations

import pytest

from lockstep.core.history import Commit, EditKind, Event, events, front_moves, never_served, previous_root
from lockstep.core.names import GitSha, InstanceId
from lockstep.core.version import Version

A, B, C = (InstanceId(f"gateway-{letter * 10}") for letter in "abc")
ROOTS = {"a": (A, "1.0.0"), "b": (B, "1.1.0"), "c": (C, "1.2.0"), "r": (B, "1.1.0-rc.1")}
STAGE, PROMOTE, ROLLBACK, RETIRE, BIND = EditKind


def _served(letter: str) -> tuple[InstanceId, Version] | None:
    return (ROOTS[letter][0], Version(ROOTS[letter][1])) if letter != "-" else None


def _history(*steps: str) -> tuple[Event, ...]:
    """Commits in words: `+b` stages B, `-a` retires A, `>b` moves the front to B (`>-`: away), `.` binds."""
    commits, front = [], None
    for number, step in enumerate(steps):
        before, words = front, step.split()
        moved = [word[1] for word in words if word[0] == ">"]
        front = _served(moved[0]) if moved else front
        added = tuple(ROOTS[word[1]][0] for word in words if word[0] == "+")
        removed = tuple(ROOTS[word[1]][0] for word in words if word[0] == "-")
        commits.append(
            Commit(GitSha(f"{number:040x}"), number, "Ada", "whatever it says", added, removed, front, before)
        )
    return events(commits)


@pytest.mark.parametrize(
    ("steps", "kinds"),
    [
        ([], []),
        (["+a", ">a"], [STAGE, PROMOTE]),
        (["+a", ">a", "+b", ">b", ">a"], [STAGE, PROMOTE, STAGE, PROMOTE, ROLLBACK]),
        (["+a >a"], [STAGE, PROMOTE]),
        (["+a", ">a", ">-"], [STAGE, PROMOTE, ROLLBACK]),
        ([">a", ">b", ">a", ">b"], [PROMOTE, PROMOTE, ROLLBACK, PROMOTE]),
        ([">a", ">b", ">c", ">a"], [PROMOTE, PROMOTE, PROMOTE, ROLLBACK]),
        ([">a", ">b", "-a", "."], [PROMOTE, PROMOTE, RETIRE, BIND]),
        ([">a", ">r", ">b", ">r"], [PROMOTE, PROMOTE, PROMOTE, ROLLBACK]),
        ([">a", "+a >b -a"], [PROMOTE, STAGE, PROMOTE, RETIRE]),
    ],
)
def test_events_tell_each_edit_from_what_changed(steps: list[str], kinds: list[EditKind]) -> None:
    assert [event.kind for event in _history(*steps)] == kinds


def test_a_revert_of_a_revert_promotes_again_whatever_its_message_says() -> None:
    history = _history(">a", ">b", ">a", ">b")

    assert history[-1].kind is PROMOTE
    assert previous_root(history) == A
    assert len(front_moves(history)) == 4


@pytest.mark.parametrize(
    ("steps", "root"),
    [
        ([], None),
        (["+a"], None),
        ([">a"], None),
        ([">a", ">b"], A),
        ([">a", ">b", "+c", "."], A),
        ([">a", ">b", ">a"], None),
        ([">a", ">b", ">c", ">b"], A),
        ([">a", ">b", ">c", ">a", ">c"], A),
        ([">a", ">-"], None),
        ([">a", ">r", ">b"], A),
        ([">r", ">b"], None),
    ],
)
def test_previous_root_is_what_a_rollback_goes_back_to(steps: list[str], root: InstanceId | None) -> None:
    """Never forward again to what was taken back; and a pre-release and its final are one root, so one step."""
    assert previous_root(_history(*steps)) == root


def test_never_served_are_the_staged_roots_that_the_front_never_named() -> None:
    assert never_served(_history("+a", ">a", "+b", "+c", ">c", ">a"), [C, B, A]) == (B,)
