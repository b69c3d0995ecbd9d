"""Git, reading: commits, trees and history, by a handful of plumbing commands whose cost does not grow with the
repository.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lockstep.adapters import process
from lockstep.core.errors import OutsideError, UsageError
from lockstep.core.names import GitOid, GitSha
from lockstep.core.tree import TreeEntry

_LARGE_INDEX = 4_000_000  # bytes
_PLAIN = {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}


@dataclass(frozen=True)
class Repository:
    """A Git repository and the bundle's folder in it.

    Args:
        top: The working tree's top folder.
        prefix: The bundle's path below it, empty or ending in `/`.
        git_folder: Where Git keeps its own files.
    """

    top: Path
    prefix: str
    git_folder: Path

    def git(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """Standard output of a git command that must succeed."""
        return process.checked(["git", *arguments], folder=self.top, stdin=stdin, environment=_PLAIN)

    def ask(self, *arguments: str) -> process.Output:
        """The output of a git command whose exit code is an answer."""
        return process.run(["git", *arguments], folder=self.top, environment=_PLAIN)

    def resolve(self, revision: str) -> GitSha | None:
        """The commit that a revision names; None if there is none."""
        found = self.ask("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        return GitSha(found.stdout.decode().strip()) if found.code == 0 else None

    def is_ancestor(self, old: GitSha, new: GitSha) -> bool:
        """Whether `old` is `new` or one of its ancestors; False when this clone does not have it."""
        return self.ask("merge-base", "--is-ancestor", old, new).code == 0

    @property
    def is_shallow(self) -> bool:
        """Whether history was cut off when this was cloned."""
        return (self.git_folder / "shallow").exists()

    @property
    def current_branch(self) -> str | None:
        """The branch that is checked out; None when HEAD is detached."""
        found = self.ask("symbolic-ref", "--quiet", "--short", "HEAD")
        return found.stdout.decode().strip() if found.code == 0 else None

    def branch(self, name: str) -> GitSha | None:
        """The commit of a local branch, or of `origin`'s where there is no local one (as in CI)."""
        return self.resolve(f"refs/heads/{name}") or self.resolve(f"refs/remotes/origin/{name}")

    def remote_of(self, branch: str) -> str:
        """The remote that a branch follows, else `origin`; empty in a repository without either."""
        followed = self.ask("config", "--get", f"branch.{branch}.remote").stdout.decode().strip()
        return followed or ("origin" if b"origin" in self.ask("remote").stdout.split() else "")

    def remote_tip(self, remote: str, branch: str) -> GitSha | None:
        """The commit that a branch of a remote has there now; None if there is no such branch.

        Raises:
            OutsideError: the remote cannot be asked.
        """
        said = self.git("ls-remote", "--", remote, f"refs/heads/{branch}").decode().split()
        return GitSha(said[0]) if said else None

    def tree(self, commit: GitSha) -> GitTree:
        """The files of a commit, below the bundle's folder."""
        return GitTree(self, commit)

    def blobs(self, names: Sequence[str]) -> list[bytes | None]:
        """The content of each named object (`<commit>:<path>` or an id), in order; None for what is not there or is
        no blob.

        Source: git-cat-file(1), "BATCH OUTPUT".
        """
        if any("\n" in name for name in names):
            raise OutsideError("a path with a line break cannot be read from Git", fix="rename the file")
        output = self.git(
            "cat-file", "--batch", stdin="".join(f"{name}\n" for name in names).encode("utf-8", "surrogateescape")
        )
        found: list[bytes | None] = []
        position = 0
        for _ in names:
            end = output.index(b"\n", position)
            head = output[position:end].rsplit(b" ", 2)
            position = end + 1
            if len(head) == 3 and head[2].isdigit():
                size = int(head[2])
                found.append(output[position : position + size] if head[1] == b"blob" else None)
                position += size + 1
            else:
                found.append(None)
        return found

    def uncommitted(self) -> tuple[str, ...] | None:
        """Tracked files that differ from HEAD; None in a working tree too large to look at for a note.

        Looking costs a call per file, and what Lockstep does costs the same in any repository: past the limit of
        Git's index (about 40,000 files) it does not look.
        """
        index = self.git_folder / "index"
        if index.exists() and index.stat().st_size > _LARGE_INDEX:
            return None
        found = self.ask("diff", "--name-only", "--no-ext-diff", "-z", "HEAD", "--")
        return tuple(name for name in found.stdout.decode(errors="replace").split("\0") if name)

    def unclean(self) -> tuple[str, ...]:
        """Files of the bundle's folder that are not as HEAD has them, or that it does not have and Git does not
        ignore; by their paths in the bundle. Every file is looked at.
        """
        folder = f":(top,literal){self.prefix}"
        options = ("--porcelain=v1", "-z", "--no-renames", "--untracked-files=all")
        found = self.git("status", *options, "--", folder).decode("utf-8", "surrogateescape")
        return tuple(sorted(entry[3:].removeprefix(self.prefix) for entry in found.split("\0") if entry))

    def changed(self, old: GitSha, new: GitSha, folder: str = "") -> Mapping[str, str]:
        """What differs below a folder of the bundle between two commits: A added, M changed, D deleted, by path."""
        options = ("-r", "-z", "--name-status", "--no-renames", old, new)
        found = self.git("diff-tree", *options, "--", f":(top,literal){self.prefix}{folder}")
        words = found.decode("utf-8", "surrogateescape").split("\0")
        return {
            path.removeprefix(self.prefix): status[:1] for status, path in zip(words[::2], words[1::2], strict=False)
        }

    def has_seen(self, remote: str, commit: GitSha) -> bool:
        """Whether a branch of a remote has a commit, as far as this clone knows; nobody is asked."""
        return bool(self.git("for-each-ref", "--count=1", f"--contains={commit}", f"refs/remotes/{remote}/"))


@dataclass(frozen=True)
class GitTree:
    """Implements core.tree.Tree on a repository's commit."""

    repository: Repository
    commit: GitSha

    def look(self, paths: Sequence[str]) -> Mapping[str, TreeEntry]:
        """The entries at these paths; absent ones are left out."""
        if not paths:
            return {}
        found = self._entries(
            "ls-tree",
            "-z",
            "--full-tree",
            self.commit,
            "--",
            *(self.repository.prefix + path for path in sorted(set(paths))),
        )
        return {entry.path: entry for entry in found}

    def names(self, folder: str) -> tuple[TreeEntry, ...]:
        """What lies directly in a folder, sorted; nothing if it is absent."""
        return self._entries(
            "ls-tree", "-z", "--full-tree", self.commit, "--", f"{self.repository.prefix}{folder.rstrip('/')}/"
        )

    def below(self, folders: Sequence[str]) -> tuple[TreeEntry, ...]:
        """Every file below these folders, with sizes, sorted by path."""
        if not folders:
            return ()
        return self._entries(
            "ls-tree",
            "-r",
            "-l",
            "-z",
            "--full-tree",
            self.commit,
            "--",
            *(self.repository.prefix + folder for folder in sorted(set(folders))),
        )

    def read(self, paths: Sequence[str]) -> Mapping[str, bytes]:
        """The bytes of these files; absent ones are left out."""
        names = sorted(set(paths))
        found = (
            self.repository.blobs([f"{self.commit}:{self.repository.prefix}{path}" for path in names]) if names else []
        )
        return {path: data for path, data in zip(names, found, strict=True) if data is not None}

    def _entries(self, *command: str) -> tuple[TreeEntry, ...]:
        lines = self.repository.git(*command).split(b"\0")
        return tuple(sorted(self._entry(line.decode("utf-8", "surrogateescape")) for line in lines if line))

    def _entry(self, line: str) -> TreeEntry:
        meta, _, path = line.partition("\t")
        mode, _, oid, *size = meta.split()
        return TreeEntry(
            path.removeprefix(self.repository.prefix), mode, GitOid(oid), int(size[0]) if size and size[0] != "-" else 0
        )


def open_repository(folder: Path) -> Repository:
    """The repository that a folder is in, with that folder's path in it as prefix.

    Raises:
        UsageError: the folder is in no Git repository, or that has no commit yet.
    """
    found = process.run(
        ["git", "rev-parse", "--show-toplevel", "--show-prefix", "--absolute-git-dir"],
        folder=folder,
        environment=_PLAIN,
    )
    if found.code:
        raise UsageError(
            "this folder is in no Git repository",
            where=str(folder),
            fix="go into a bundle, or make one: lockstep init my-bundle",
        )
    top, prefix, git_folder = found.stdout.removesuffix(b"\n").split(b"\n")
    return Repository(Path(os.fsdecode(top)), prefix.decode(), Path(os.fsdecode(git_folder)))


def bundle_folder(start: Path) -> Path:
    """The nearest folder, from `start` upwards, that has a lockstep.yaml.

    Raises:
        UsageError: there is none.
    """
    for folder in (start, *start.parents):
        if (folder / "lockstep.yaml").is_file():
            return folder
    raise UsageError(
        "no lockstep.yaml here or in a folder above",
        where=os.fspath(start),
        fix="go into a bundle, or make one: lockstep init my-bundle",
    )
