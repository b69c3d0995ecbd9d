"""Where a command works: the repository, the bundle's folder, its branch of releases and its store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from lockstep.adapters import files
from lockstep.adapters.branch import Branch
from lockstep.adapters.git import GitTree, Repository, bundle_folder, open_repository
from lockstep.adapters.upstream import Upstream
from lockstep.core.bundle import Bundle
from lockstep.core.edits import Edit
from lockstep.core.environment import Environment, Files, parse_environment
from lockstep.core.errors import Finding, Refused, UsageError
from lockstep.core.names import EnvironmentName, GitSha
from lockstep.core.release import Release, parse_release
from lockstep.core.source import CHART, TEMPLATES, load_bundle
from lockstep.core.version import Version

_SEEN = "refs/lockstep-state"


class Say(Protocol):
    """Where progress goes: one line of words for people."""

    def __call__(self, line: str, /) -> None:
        """Shows a line."""
        ...


def silent(line: str, /) -> None:
    """Shows nothing."""


@dataclass(frozen=True)
class Workspace:
    """A bundle in a repository.

    Args:
        folder: The bundle's folder (with lockstep.yaml).
        repository: Its repository, with the folder as prefix.
        say: Where progress goes.
        start: The commit whose releases count; None for the newest of the branch of releases here.
    """

    folder: Path
    repository: Repository
    say: Say = silent
    start: GitSha | None = None

    @property
    def local(self) -> Path:
        """Lockstep's own folder in the bundle: store, caches, the runner's state. Git ignores it."""
        return self.folder / ".lockstep"

    @property
    def store(self) -> Path:
        """The bundle's own store, an image layout."""
        return self.local / "store"

    @property
    def store_lock(self) -> Path:
        """What whoever writes to the own store holds together with others, and whoever deletes from it alone."""
        return self.local / "store.lock"

    @property
    def registry(self) -> str:
        """Host and path of the bundle's registry.

        Raises:
            UsageError: lockstep.yaml names none but the own store.
        """
        name = self.bundle.registry
        if not self.bundle.has_registry:
            raise UsageError(
                f"`registry: {name}` stands for the store in .lockstep: there is no other",
                where="lockstep.yaml",
                fix="write `registry: HOST/PATH` of a registry there, commit it, then run the same command again",
            )
        return name

    def using_store(self, owner: str) -> AbstractContextManager[None]:
        """As long as the block lasts nothing is deleted from the own store: what was found there stays."""
        return files.held_together(self.store_lock, owner)

    @cached_property
    def bundle(self) -> Bundle:
        """lockstep.yaml as the branch of releases has it (HEAD's before that branch exists)."""
        head = self.repository.resolve("HEAD")
        if head is None:
            raise UsageError(
                "the repository has no commit", where=str(self.folder), fix="git add -A && git commit -m 'first'"
            )
        return load_bundle(self.repository.tree(head))

    @cached_property
    def state(self) -> StateTree:
        """The branch of releases as it is now, or as it is at `start`."""
        name = self.bundle.state.branch
        if self.bundle.state.repository:
            seen = self.start or self.upstream(self.bundle.state.repository).seen(self.say)
            return StateTree(self.repository.tree(seen), self.bundle, self._head)
        tip = self.start or self.repository.branch(name)
        if tip is None:
            raise UsageError(
                f"there is no branch `{name}`, where lockstep.yaml says that releases live",
                where="lockstep.yaml",
                fix=f"git branch {name}, or correct `state: {{branch: …}}`",
            )
        return StateTree(self.repository.tree(tip), self.bundle)

    @property
    def _head(self) -> GitTree:
        return self.repository.tree(GitSha(self.repository.resolve("HEAD") or ""))

    @property
    def branch(self) -> Branch:
        """The branch of releases in this clone; of a repository of their own under a name that nobody checks out."""
        state = self.bundle.state
        return Branch(self.repository, f"{_SEEN if state.repository else 'refs/heads'}/{state.branch}")

    def upstream(self, remote: str) -> Upstream:
        """The same branch of a remote."""
        return Upstream(self.repository, remote, self.branch)

    def settle(self) -> GitSha | None:
        """The commit that an earlier run was killed after, once the working copy follows it; None if there was none."""
        return self.branch.finish()

    def at(self, commit: GitSha) -> Workspace:
        """The same place, with the releases of a commit."""
        return Workspace(self.folder, self.repository, self.say, commit)


@dataclass(frozen=True)
class StateTree:
    """The releases and environments of one commit."""

    tree: GitTree
    bundle: Bundle
    source: GitTree | None = None

    @property
    def charts(self) -> GitTree:
        """Where charts/environment is: beside releases/, unless that lives elsewhere."""
        return self.source or self.tree

    @property
    def commit(self) -> GitSha:
        """The commit."""
        return self.tree.commit

    @cached_property
    def versions(self) -> tuple[Version, ...]:
        """Every release, smallest first.

        Raises:
            Refused: a folder below releases/ begins like a version and is none.
        """
        names = (entry.path.rpartition("/")[2] for entry in self.tree.names("releases"))
        return tuple(sorted(_version(name) for name in names if name[:1].isdigit()))

    def release(self, version: Version) -> Release:
        """A release.

        Raises:
            UsageError: there is none of that version.
        """
        return self.releases([version])[version]

    def releases(self, versions: Sequence[Version]) -> dict[Version, Release]:
        """Releases by their versions; however many, they are read at once.

        Raises:
            UsageError: there is none of one of these versions.
        """
        paths = {version: release_path(version) for version in versions}
        found = self.tree.read(list(paths.values()))
        for version, path in paths.items():
            if path not in found:
                known = ", ".join(str(item) for item in self.versions[-5:]) or "none yet"
                raise UsageError(
                    f"there is no release {version}",
                    where=path,
                    fix=f"choose one of: {known}; or make it: lockstep release {version}",
                )
        return {version: parse_release(found[path].decode(), path) for version, path in paths.items()}

    def environment(self, name: EnvironmentName) -> Environment:
        """An environment; an empty one before the first stage.

        Raises:
            UsageError: lockstep.yaml does not name it.
        """
        if name not in self.bundle.environments:
            raise UsageError(
                f"lockstep.yaml names no environment `{name}`",
                where="lockstep.yaml",
                fix="choose one of: " + ", ".join(sorted(self.bundle.environments)),
            )
        return parse_environment(name, self.environment_files(name))

    def environment_files(self, name: EnvironmentName) -> Files:
        """The files of releases/<env>/ by path below it."""
        return files_below(self.tree, f"releases/{name}")

    def chart(self) -> Files:
        """The files of charts/environment by path below it."""
        return files_below(self.charts, CHART)


def _version(name: str) -> Version:
    try:
        return Version(name)
    except ValueError as error:
        where = f"releases/{name}"
        fix = f"git rm -r {where}, or give it the version of its release"
        finding = Finding("release/place", where, str(error), fix)
        raise Refused("a folder below releases/ is no release", [finding]) from error


def files_below(tree: GitTree, folder: str) -> Files:
    """Every file below a folder, by path below it."""
    data = tree.read([entry.path for entry in tree.below([folder])])
    return {path.removeprefix(folder + "/"): content for path, content in data.items()}


def templates_at(repository: Repository, release: Release) -> dict[str, str]:
    """The object templates as a release had them, checked against the digests that it pins.

    Raises:
        UsageError: this clone lacks the release's commit, or the templates there are not those of the release.
    """
    from lockstep.core.names import digest_of  # noqa: PLC0415

    commit = repository.resolve(release.commit)
    if commit is None:
        raise UsageError(
            f"this clone does not have the commit {release.commit[:10]} of release {release.version}",
            where=release_path(release.version),
            fix="git fetch --unshallow --tags" if repository.is_shallow else "git fetch --all --tags",
        )
    found = {
        path: data
        for path, data in files_below(repository.tree(commit), TEMPLATES).items()
        if path in release.templates
    }
    wrong = [
        path for path, digest in release.templates.items() if path not in found or digest_of(found[path]) != digest
    ]
    if wrong:
        raise UsageError(
            f"{', '.join(wrong)} at {commit[:10]} is not what release {release.version} pinned",
            where=release_path(release.version),
            fix=f"lockstep verify {release.version}",
        )
    return {path: data.decode() for path, data in found.items()}


def release_path(version: Version) -> str:
    """The bundle path of a release.yaml."""
    return f"releases/{version}/release.yaml"


def below(folder: str, changes: tuple[Edit, ...]) -> tuple[Edit, ...]:
    """Edits with their paths put below a folder."""
    return tuple(Edit(f"{folder}/{edit.path}", edit.old, edit.new) for edit in changes)


def again(workspace: Workspace) -> Workspace:
    """The same place, with the branch read anew."""
    return Workspace(workspace.folder, workspace.repository, workspace.say)


def open_workspace(start: Path, say: Say = silent) -> Workspace:
    """The workspace of the bundle that `start` lies in.

    Raises:
        UsageError: no bundle or no repository.
    """
    folder = bundle_folder(start.resolve())
    return Workspace(folder, open_repository(folder), say)


Clock = Callable[[], float]
