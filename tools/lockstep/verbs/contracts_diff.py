"""contracts diff: two contracts, from files as they lie there or from commits. No bundle is needed for files."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lockstep.adapters.folder import read_at_most
from lockstep.adapters.git import Repository, open_repository
from lockstep.core.contract.contract import Contract
from lockstep.core.contract.finding import ContractFinding
from lockstep.core.contract.gather import Read, contract_at
from lockstep.core.contract.reading import LIMIT_BYTES
from lockstep.core.contract.weigh import Asking, Levels, weigh
from lockstep.core.errors import Finding, UsageError
from lockstep.core.names import ComponentName, GitSha
from lockstep.core.source import component_path, load_components
from lockstep.core.version import Bump
from lockstep.verbs.workspace import Workspace

_NOBODY = ComponentName("contract")  # a contract without a component is compared as that of an entry


@dataclass(frozen=True)
class Side:
    """One of two contracts, not read yet.

    Args:
        path: Path of its file.
        revision: What it is read from, as it was typed; empty for a file as it lies there.
        read: Gives the bytes of files by their paths.
    """

    path: str
    revision: str
    read: Read

    @property
    def name(self) -> str:
        """As Git writes it: `v1.4.0:path`, or the path alone."""
        return f"{self.revision}:{self.path}" if self.revision else self.path


@dataclass(frozen=True)
class Compared:
    """What the newer of two contracts does to whoever relies on the older one.

    Args:
        old: What was promised.
        new: What is promised now.
        findings: What was found, the heaviest first.
        bump: The bump that it requires at the entry; None if nothing was compared.
        problems: Why files cannot be read; then nothing was compared.
    """

    old: Side
    new: Side
    findings: tuple[ContractFinding, ...] = ()
    bump: Bump | None = None
    problems: tuple[Finding, ...] = ()


def compare(old: Side, new: Side, levels: Levels) -> Compared:
    """Whether the new contract satisfies everything that the old one promised.

    Args:
        old: What was promised.
        new: What is promised now.
        levels: Levels that the team has chosen, by rule.
    """
    before, after = contract_at(old.read, old.path), contract_at(new.read, new.path)
    if isinstance(before, Contract) and isinstance(after, Contract):
        weighed = weigh(after, before, Asking(_NOBODY, is_entry=True, levels=levels))
        same = sorted(before.files.values()) == sorted(after.files.values())
        return Compared(old, new, weighed.findings, Bump.NONE if same and not weighed.findings else weighed.bump)
    wrong = [one for found in (before, after) if not isinstance(found, Contract) for one in found]
    return Compared(old, new, problems=tuple(sorted(set(wrong))))


def side_of(text: str, folder: Path) -> Side:
    """What OLD or NEW names: a file, else `REF:path`; both from the folder where one works.

    Raises:
        UsageError: there is no such file, revision or repository.
    """
    if (folder / text).exists():
        return _file_side(text, folder)
    revision, colon, path = text.partition(":")
    if not colon:
        fix = "name a file, or one of a commit: v1.4.0:path; of a component: --component NAME with two commits"
        raise UsageError(f"there is no file {text}", where=str(folder), fix=fix)
    repository = open_repository(folder)
    return _there(Side(posixpath.normpath(path), revision, _reading(repository, _commit(repository, revision))))


def component_side(workspace: Workspace, revision: str, name: str) -> Side:
    """The contract that a component has in a commit.

    Raises:
        UsageError: there is no such commit, or no such component in it.
        Refused: a component.yaml there is not valid.
    """
    tree = workspace.repository.tree(_commit(workspace.repository, revision))
    components = {str(one): component for one, component in load_components(tree).items()}
    if name not in components:
        fix = f"choose from: {', '.join(sorted(components))}"
        raise UsageError(f"there is no component {name} in {revision}", where=f"{revision}:components/", fix=fix)
    return _there(Side(component_path(name, components[name].contract), revision, tree.read))


def _commit(repository: Repository, revision: str) -> GitSha:
    commit = repository.resolve(revision)
    if commit is None:
        raise UsageError(f"{revision!r} names no commit here", where=str(repository.top), fix="git fetch --all --tags")
    return commit


def _there(side: Side) -> Side:
    """The same, once it is sure that the contract's own file is there."""
    if not side.read([side.path]):
        where, fix = side.name, f"git ls-tree -r --name-only {side.revision}"
        raise UsageError(f"there is no file {side.path} in {side.revision}", where=where, fix=f"choose from: {fix}")
    return side


def _file_side(text: str, folder: Path) -> Side:
    """A file as it lies there; what it refers to is read where it is a file too, and no device or pipe."""
    own = os.path.normpath(text)
    if (folder / own).is_dir():
        raise UsageError(f"{text} is a folder", where=str(folder / own), fix="name the contract's file in it")

    def read(paths: Sequence[str]) -> dict[str, bytes]:
        there = [path for path in paths if path == own or (folder / path).is_file()]
        return {path: read_at_most(folder / path, LIMIT_BYTES) for path in there}

    return Side(own, "", read)


def _reading(repository: Repository, commit: GitSha) -> Read:
    """Reads files of a commit by their paths from the folder where one works; also from beside that."""
    tree = replace(repository, prefix="").tree(commit)

    def read(paths: Sequence[str]) -> dict[str, bytes]:
        places = {path: posixpath.normpath(repository.prefix + path) for path in paths}
        found = tree.read([place for place in places.values() if not place.startswith("../")])
        return {path: found[place] for path, place in places.items() if place in found}

    return read
