"""The port through which files of one commit are read, and the values that it answers with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from lockstep.core.names import GitOid


@dataclass(frozen=True, order=True)
class TreeEntry:
    """One name in a Git tree.

    Args:
        path: Path in the bundle.
        mode: Git's mode: 100644, 100755, 120000 (symlink), 040000 (folder), 160000 (submodule).
        oid: Id of the blob, tree or commit.
        size: Bytes of a blob; 0 for anything else or where it was not asked for.
    """

    path: str
    mode: str
    oid: GitOid
    size: int = 0


class Tree(Protocol):
    """The files of one commit, below the bundle's folder."""

    def look(self, paths: Sequence[str]) -> Mapping[str, TreeEntry]:
        """The entries at these paths; absent ones are left out."""
        ...

    def read(self, paths: Sequence[str]) -> Mapping[str, bytes]:
        """The bytes of these files; absent ones are left out."""
        ...

    def below(self, folders: Sequence[str]) -> tuple[TreeEntry, ...]:
        """Every file below these folders, with sizes, sorted by path."""
        ...

    def names(self, folder: str) -> tuple[TreeEntry, ...]:
        """What lies directly in a folder, sorted; nothing if it is absent."""
        ...
