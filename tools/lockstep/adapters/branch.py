"""Git, writing: one commit on a branch, made without the working tree and moved to by compare-and-swap.

The order makes every step safe to be killed after:
1. objects and the commit are written under a private ref (nothing refers to them from a branch);
2. who wants them elsewhere pushes them now (upstream.py); a rejection ends here and the branch is as it was;
3. a note of old and new commit is kept, so that step 5 can be finished by the next run;
4. the branch moves if it is still where it was (one transaction of Git);
5. if the branch is checked out, its working copy follows; then the note goes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lockstep.adapters import files, process
from lockstep.adapters.git import Repository
from lockstep.core.edits import Edit
from lockstep.core.errors import Conflict, OutsideError, UsageError
from lockstep.core.names import GitSha

_ZERO = "0" * 40
_PRIVATE = "refs/lockstep/"
RERUN = "run the same command again: it starts from what the other one wrote"


@dataclass(frozen=True)
class Branch:
    """A branch that Lockstep writes to.

    Args:
        repository: Where it is.
        ref: Its full name, such as refs/heads/main.
    """

    repository: Repository
    ref: str

    @property
    def name(self) -> str:
        """Such as main."""
        return self.ref.split("/", 2)[2]

    def commit(self, edits: Sequence[Edit], message: str, parent: GitSha) -> GitSha:
        """A new commit on the branch with these edits (paths in the bundle); the branch must still be at `parent`.

        Raises:
            Conflict: somebody else moved the branch; nothing changed.
            OutsideError: Git failed; the branch is as it was.
        """
        with files.locked(self._lock):
            self._finish()
            private = self._private
            try:
                new = self._written(edits, message, parent, private)
                self._moved(parent, new)
            finally:
                self.repository.ask("update-ref", "-d", private)
            self._followed()
        return new

    def draft(self, edits: Sequence[Edit], message: str, parent: GitSha) -> GitSha:
        """A new commit that no branch has: Git keeps such objects for two weeks. Source: git-gc(1), `--prune`."""
        with files.locked(self._lock):
            self._finish()
            private = self._private
            try:
                return self._written(edits, message, parent, private)
            finally:
                self.repository.ask("update-ref", "-d", private)

    def follow(self, start: GitSha, new: GitSha) -> None:
        """Moves the branch to `new`, which descends from `start`, from there or from an ancestor of it.

        Raises:
            Conflict: the branch has commits that `start` has not.
        """
        with files.locked(self._lock):
            self._finish()
            here = self.repository.resolve(self.ref) or start
            self._moved(here if self.repository.is_ancestor(here, start) else start, new)
            self._followed()

    @property
    def _private(self) -> str:
        return f"{_PRIVATE}{os.getpid()}"

    def finish(self) -> GitSha | None:
        """The commit that an earlier run was killed after, once the working copy follows it; None if there was none."""
        if not self._note.exists():
            return None
        with files.locked(self._lock):
            return self._finish()

    def _finish(self) -> GitSha | None:
        """As `finish`; what killed runs left of their private refs goes as well: nobody else has the lock."""
        left = self.repository.ask("for-each-ref", "--format=%(refname)", _PRIVATE).stdout.decode().split()
        for name in left:
            self.repository.ask("update-ref", "-d", name)
        return self._followed()

    def _followed(self) -> GitSha | None:
        if not self._note.exists():
            return None
        ref, old, new = files.read(self._note).decode().split()
        at = self.repository.resolve(ref)
        if at == new and f"refs/heads/{self.repository.current_branch}" == ref and not self._is_bare():
            self._follow(old, new)
        files.remove(self._note)
        return at if at == new else None

    @property
    def _lock(self) -> Path:
        """Held while a commit is made and followed, so that two runs in one clone cannot take each other's note."""
        return self.repository.git_folder / "lockstep.lock"

    @property
    def _note(self) -> Path:
        return self.repository.git_folder / "lockstep-move"

    def _is_bare(self) -> bool:
        return self.repository.ask("rev-parse", "--is-bare-repository").stdout.strip() == b"true"

    def _written(self, edits: Sequence[Edit], message: str, parent: GitSha, private: str) -> GitSha:
        """The commit, written by fast-import: its cost follows the edits, not the size of the tree. Source: git-fast-
        import(1).
        """
        who, author = identity(self.repository.top, "COMMITTER"), identity(self.repository.top, "AUTHOR")
        text = message.encode()
        stream = [
            f"reset {private}\nfrom {parent}\n\ncommit {private}\n".encode(),
            b"author " + author + b"\ncommitter " + who + b"\n",
            b"data %d\n" % len(text) + text + b"\n",
            f"from {parent}\n".encode(),
            *(self._change(edit) for edit in edits),
            b"done\n",
        ]
        self.repository.git("fast-import", "--quiet", "--done", "--force", stdin=b"".join(stream))
        new = self.repository.resolve(private)
        if new is None:
            raise OutsideError("git fast-import wrote no commit", where=private, fix="git fsck")
        return new

    def _change(self, edit: Edit) -> bytes:
        path = _quoted(self.repository.prefix + edit.path)
        if edit.new is None:
            return f"D {path}\n".encode()
        return f"M 100644 inline {path}\ndata {len(edit.new)}\n".encode() + edit.new + b"\n"

    def _moved(self, parent: GitSha, new: GitSha) -> None:
        files.write(self._note, f"{self.ref}\n{parent}\n{new}\n".encode())
        local = self.repository.resolve(self.ref)
        expected = parent if local is not None else _ZERO
        output = self.repository.ask("update-ref", "-m", "lockstep", self.ref, new, expected)
        if output.code == 0:
            return
        if self.repository.resolve(self.ref) != local or local != parent:
            raise Conflict(
                f"somebody else moved {self.name} first; nothing of ours was written", where=self.ref, fix=RERUN
            )
        raise OutsideError(
            f"cannot move {self.name}: {output.stderr.decode(errors='replace').strip()}",
            where=self.ref,
            fix="see the message of git, then run the same command again",
        )

    def _follow(self, old: str, new: str) -> None:
        """Two-tree merge: files that differ between the two commits change, everything else stays. Source: git-read-
        tree(1).
        """
        self.repository.ask("update-index", "-q", "--refresh")
        found = self.repository.ask("read-tree", "-m", "-u", old, new)
        if found.code:
            reason = found.stderr.decode(errors="replace").strip()
            raise OutsideError(
                f"{self.name} is at {new[:10]}, but the working copy could not follow: {reason}",
                where=str(self.repository.top),
                fix="git stash && git reset --hard && git stash pop, or remove the file that is in the way",
            )


def identity(folder: Path, role: Literal["COMMITTER", "AUTHOR"]) -> bytes:
    """Name, address and time of whoever commits in a folder, as Git writes them into a commit.

    Raises:
        UsageError: Git does not know who that is.
    """
    found = process.run(["git", "var", f"GIT_{role}_IDENT"], folder=folder)
    if found.code:
        raise UsageError(
            "Git does not know who you are, so nothing can be committed",
            where=str(folder),
            fix="git config --global user.name 'Your Name' && git config --global user.email you@example.com",
        )
    return found.stdout.strip()


def _quoted(path: str) -> str:
    """A path as fast-import wants it: quoted in C style where it has odd characters."""
    if path.startswith('"') or "\n" in path:
        raise OutsideError(f"the path {path!r} cannot be committed", fix="rename the file")
    return path
