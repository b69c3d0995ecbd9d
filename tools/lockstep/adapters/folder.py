"""Files as they lie in a folder, committed or not; read only."""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lockstep.adapters.files import wrapped
from lockstep.core.names import GitOid
from lockstep.core.tree import TreeEntry

# What Git says of a file whose content has no id yet. Source: git-diff-index(1), "Raw output format".
_NO_OID = GitOid("0" * 40)
_FILE, _PROGRAM, _LINK, _FOLDER = "100644", "100755", "120000", "040000"


@dataclass(frozen=True)
class FolderTree:
    """Implements core.tree.Tree on a bundle's folder. As in a commit, nothing is beyond a symlink or above the folder;
    files have neither ids nor sizes.

    Args:
        folder: The bundle's folder.
        limit: Bytes; of a longer file one byte more than that is read, so that whoever reads it sees it.
    """

    folder: Path
    limit: int

    def look(self, paths: Sequence[str]) -> Mapping[str, TreeEntry]:
        """The entries at these paths; absent ones are left out."""
        return {path: TreeEntry(path, mode, _NO_OID) for path in sorted(set(paths)) if (mode := self._mode(path))}

    def read(self, paths: Sequence[str]) -> Mapping[str, bytes]:
        """The bytes of these files; absent ones are left out. Of a symlink the path where it points, as in a commit."""
        found: dict[str, bytes] = {}
        for path, entry in self.look(paths).items():
            if entry.mode == _LINK:
                with wrapped(self.folder / path):
                    found[path] = str((self.folder / path).readlink()).encode("utf-8", "surrogateescape")
            elif entry.mode in {_FILE, _PROGRAM}:
                found[path] = read_at_most(self.folder / path, self.limit)
        return found

    def below(self, folders: Sequence[str]) -> tuple[TreeEntry, ...]:
        """Every file below these folders, sorted by path."""
        found: set[TreeEntry] = set()
        waiting = list(folders)
        while waiting:
            entries = self.names(waiting.pop())
            waiting += [entry.path for entry in entries if entry.mode == _FOLDER]
            found |= {entry for entry in entries if entry.mode != _FOLDER}
        return tuple(sorted(found))

    def names(self, folder: str) -> tuple[TreeEntry, ...]:
        """What lies directly in a folder, sorted; nothing if it is absent."""
        if self._mode(folder) != _FOLDER:
            return ()
        with wrapped(self.folder / folder):
            names = sorted(child.name for child in (self.folder / folder).iterdir())
        return tuple(self.look([f"{folder.rstrip('/')}/{name}" for name in names]).values())

    def _mode(self, path: str) -> str:
        """Git's mode of what is there; empty for nothing, and for what Git does not keep (a socket, a device)."""
        parts = PurePosixPath(path).parts
        if not parts or ".." in parts or parts[0] == "/":
            return ""
        here = self.folder
        for part in parts[:-1]:
            here /= part
            if here.is_symlink():
                return ""
        try:
            mode = (here / parts[-1]).lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return ""
        file = _PROGRAM if mode & stat.S_IXUSR else _FILE
        return {stat.S_IFREG: file, stat.S_IFLNK: _LINK, stat.S_IFDIR: _FOLDER}.get(stat.S_IFMT(mode), "")


def read_at_most(path: Path, limit: int) -> bytes:
    """The bytes of a file; of one that is longer than the limit one byte more than that.

    Raises:
        OutsideError: it cannot be read.
    """
    with wrapped(path), path.open("rb") as stream:
        return stream.read(limit + 1)
