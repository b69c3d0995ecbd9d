"""contracts check, contracts edges: the contracts of a commit, or of the working copy, and every call judged."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from lockstep.adapters.folder import FolderTree
from lockstep.core.contract.edges import Call, Edge, edge_of
from lockstep.core.contract.gather import Gathered, gather
from lockstep.core.contract.reading import LIMIT_BYTES
from lockstep.core.names import GitSha
from lockstep.core.tree import Tree
from lockstep.verbs.workspace import Workspace

_PAUSE = 2.0  # seconds between two lines


@dataclass(frozen=True)
class Checked:
    """What was read, and what was found.

    Args:
        commit: The commit; None for the working copy.
        gathered: Its components and contracts.
        edges: Every call whose two ends could be read.
    """

    commit: GitSha | None
    gathered: Gathered
    edges: tuple[Edge, ...]

    @property
    def unasked(self) -> dict[Call, str]:
        """Calls of which one end could not be read, and why."""
        asked = {(edge.caller, edge.callee) for edge in self.edges}
        problems = self.gathered.problems
        return {
            call: next((f"{one.where}: {one.what}" for one in problems if one.component in call), "")
            for call in self.gathered.calls
            if call not in asked
        }


def check_contracts(workspace: Workspace, commit: GitSha | None) -> Checked:
    """The contracts of a commit, for None of the working copy as it lies there.

    Raises:
        Refused, InvalidDocument: lockstep.yaml is not valid.
    """
    tree: Tree = workspace.repository.tree(commit) if commit else FolderTree(workspace.folder, LIMIT_BYTES)
    gathered = gather(tree)
    return Checked(commit, gathered, tuple(_judged(workspace, gathered)))


def _judged(workspace: Workspace, gathered: Gathered) -> Iterator[Edge]:
    """Each call; now and then how many were judged is said."""
    said = time.monotonic()
    contracts = gathered.contracts
    for number, (call, use) in enumerate(sorted(contracts.uses.items(), key=lambda item: item[0])):
        if time.monotonic() - said >= _PAUSE:
            said = time.monotonic()
            workspace.say(f"contracts: {number} of {len(contracts.uses)} calls judged")
        if (promised := contracts.promised.get(call[1])) is not None:
            yield edge_of(call, promised, use, gathered.levels)
