"""Where commits go: to this clone's branch of releases; or to a remote's, and then this clone's follows; or to a branch
of their own that the server is asked to merge.

For a remote an edit starts from what the remote has now, and its commits are pushed by compare-and-swap before
anything moves here. If somebody else was first, nothing of ours is there, and the edit starts again from theirs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from lockstep.core.edits import Edit
from lockstep.core.errors import Conflict, UsageError
from lockstep.core.names import GitSha
from lockstep.verbs.workspace import Workspace

if TYPE_CHECKING:
    from lockstep.verbs.asking import Asking

T = TypeVar("T")
_ATTEMPTS = 5


@dataclass(frozen=True)
class Writing:
    """How to write.

    Args:
        dry: Not at all.
        remote: The remote whose branch is written to, and then this clone's; empty for this clone's alone.
        asking: The cluster to ask before, if one is known.
        proposes: To a branch of its own instead, as a merge request.
        gathers: Commits are only made: who called lands them together.
    """

    dry: bool = False
    remote: str = ""
    asking: Asking | None = None
    proposes: bool = False
    gathers: bool = False


def aimed(workspace: Workspace, writing: Writing, asking: Asking | None = None) -> Writing:
    """How to write here: releases that live in a repository of their own are written there and nowhere else."""
    remote = workspace.bundle.state.repository or writing.remote
    if writing.proposes and not remote:
        raise UsageError("--mr asks a remote for a merge request", where="--mr", fix="say which: --push origin --mr")
    return replace(writing, remote=remote, asking=asking)


def started(workspace: Workspace, writing: Writing, act: Callable[[Workspace], T]) -> T:
    """What `act` gives, done where the remote's branch is now, if there is a remote; again when somebody else was
    first.

    Raises:
        Conflict: somebody else was first each time.
        UsageError: this clone's branch and the remote's have gone different ways.
    """
    if not writing.remote:
        return act(workspace)
    for _ in range(1, _ATTEMPTS):
        try:
            return _from_there(workspace, writing, act)
        except Conflict as error:
            workspace.say(f"{error.what}; starting again from there")
    return _from_there(workspace, writing, act)


def _from_there(workspace: Workspace, writing: Writing, act: Callable[[Workspace], T]) -> T:
    """What `act` gives; where it had nothing to write, this clone's branch catches up all the same."""
    start = workspace.upstream(writing.remote).start()
    done = act(workspace.at(start))
    here = workspace.repository.resolve(workspace.branch.ref)
    if not writing.dry and here and here != start and workspace.repository.is_ancestor(here, start):
        workspace.branch.follow(start, start)
    return done


def write(workspace: Workspace, edits: tuple[Edit, ...], message: str, writing: Writing) -> GitSha:
    """The commit of some edits on what `workspace.state` saw; landed, unless commits are gathered.

    Raises:
        Conflict: somebody else moved the branch first; nothing was written.
    """
    parent = workspace.state.commit
    if not writing.remote:
        return workspace.branch.commit(edits, message, parent)
    new = workspace.branch.draft(edits, message, parent)
    if not writing.gathers:
        land(workspace, new, writing, message.partition("\n")[0])
    return new


def land(workspace: Workspace, new: GitSha, writing: Writing, title: str) -> None:
    """Brings commits to the remote, from where `workspace` started, and this clone's branch after it; or proposes them
    there.

    Raises:
        Conflict: somebody else moved the branch first; nothing was written.
    """
    upstream = workspace.upstream(writing.remote)
    if writing.proposes:
        branch = f"lockstep/{re.sub('[^A-Za-z0-9.]+', '-', title)}"
        upstream.propose(new, branch, title)
        workspace.say(f"proposed: {branch} of {writing.remote}, to be merged into {upstream.name}")
        return
    upstream.push(new)
    workspace.branch.follow(workspace.state.commit, new)
