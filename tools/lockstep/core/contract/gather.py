"""The contracts of a bundle as its files are now: of a commit, or of a working copy that is being edited.

Releases read theirs by the ids of their inputs (`pinned`); here nothing is pinned yet, and whatever can be judged is.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lockstep.core.bundle import call_findings
from lockstep.core.component import Component
from lockstep.core.contract.contract import Contract, parse_contract
from lockstep.core.contract.edges import Call, Contracts
from lockstep.core.contract.fields import fields_of
from lockstep.core.contract.finding import Level
from lockstep.core.contract.referred import files_referred, referred_problem
from lockstep.core.document import InvalidDocument
from lockstep.core.errors import Finding, Refused
from lockstep.core.names import ComponentName
from lockstep.core.source import component_path, load_bundle, load_components
from lockstep.core.tree import Tree, TreeEntry

Read = Callable[[Sequence[str]], Mapping[str, bytes]]
RULE = "contract/text"
_FILES = {"100644", "100755"}  # Git's modes
_LONG, _LONG_NAME = 1000, 255  # characters of a path, bytes of a name


@dataclass(frozen=True)
class Gathered:
    """What a bundle promises and needs.

    Args:
        bundle: Its name.
        entry: The component that takes outside traffic.
        components: Every component, by name.
        contracts: Contracts and use files that could be read.
        levels: Levels that the team has chosen, by rule.
        problems: Why others could not, and calls that lead nowhere; sorted.
    """

    bundle: ComponentName
    entry: ComponentName
    components: Mapping[ComponentName, Component]
    contracts: Contracts
    levels: Mapping[str, Level]
    problems: tuple[Finding, ...]

    @property
    def calls(self) -> tuple[Call, ...]:
        """Who calls whom, sorted; both ends are components."""
        return tuple(
            (name, callee)
            for name, component in sorted(self.components.items())
            for callee in sorted(component.calls)
            if callee in self.components
        )

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of every file that was read, sorted."""
        known = (*self.contracts.promised.values(), *self.contracts.uses.values())
        return tuple(sorted({path for contract in known for path in contract.files}))


def gather(tree: Tree) -> Gathered:
    """The contracts and use files of a tree.

    Raises:
        Refused, InvalidDocument: lockstep.yaml is not valid.
    """
    bundle = load_bundle(tree)
    try:
        components = load_components(tree)
    except Refused as error:
        return Gathered(bundle.name, bundle.entry, {}, Contracts({}, {}), {}, error.findings)
    problems = list(call_findings(bundle.entry, components))
    paths = {
        (name, callee): component_path(name, path)
        for name, component in sorted(components.items())
        for callee, path in ((None, component.contract), *sorted(component.calls.items()))
    }
    files = _read_ahead(tree, paths.values())
    entries = tree.look([*paths.values(), *files])
    promised: dict[ComponentName, Contract] = {}
    uses: dict[Call, Contract] = {}
    for (name, callee), path in paths.items():
        found = _contract(files, entries, path, name)
        if not isinstance(found, Contract):
            problems += found
        elif callee is None:
            promised[name] = found
        else:
            uses[name, callee] = found
    levels = bundle.contracts.levels
    return Gathered(
        bundle.name, bundle.entry, components, Contracts(promised, uses), levels, tuple(sorted(set(problems)))
    )


def _read_ahead(tree: Tree, paths: Iterable[str]) -> dict[str, bytes]:
    """These files and all that they refer to: the tree is asked as often as references are deep, not for each file."""
    found: dict[str, bytes] = {}
    asked: set[str] = set()
    waiting = set(paths)
    while waiting:
        asked |= waiting
        new = tree.read(sorted(waiting))
        found |= new
        waiting = {other for path, data in new.items() for other in _others_of(data, path)} - asked
    return found


def _others_of(data: bytes, path: str) -> tuple[str, ...]:
    with contextlib.suppress(InvalidDocument):  # it is told where the contract is parsed
        return tuple(filter(_is_name, files_referred(data, path)))
    return ()


def _contract(
    files: Mapping[str, bytes], entries: Mapping[str, TreeEntry], path: str, name: ComponentName
) -> Contract | list[Finding]:
    """The contract in a file of a component, with what it refers to, all of which must be the component's own."""
    if path not in entries:
        what = f"components/{name}/component.yaml names it, and it is not there"
        return [Finding(RULE, path, what, f"create {path} and git add it, or correct the path", name)]
    if entries[path].mode not in _FILES or path not in files:
        return [Finding(RULE, path, "it is no file", "put the file itself there", name)]
    found = contract_at(lambda asked: {one: files[one] for one in asked if one in files}, path, name)
    if not isinstance(found, Contract):
        return found
    wrong = [problem for other in found.files if (problem := referred_problem(name, other, entries.get(other)))]
    return [Finding("contract/reference", path, *problem, name) for problem in wrong] or found


def contract_at(read: Read, path: str, name: str = "") -> Contract | list[Finding]:
    """The contract in a file that is there; if it cannot be read, everything that is wrong with it.

    Args:
        read: Gives the bytes of files by their paths; absent ones are left out.
        path: The contract's own file.
        name: The component that the findings are about.
    """
    files = dict(read([path]))
    waiting = [path]
    problems: list[Finding] = []
    for here in waiting:
        try:
            others = [one for one in files_referred(files[here], here) if one not in files and _is_name(one)]
        except InvalidDocument as error:
            problems.append(Finding(RULE, error.where, error.what, error.fix, name))
            continue
        files |= read(others)
        waiting += [other for other in others if other in files]
    if problems:
        return problems
    try:
        contract = parse_contract(files, path)
        fields_of(contract)  # what it says of its models is understood, or told here
    except InvalidDocument as error:
        return [Finding(RULE, error.where, error.what, error.fix, name)]
    except Refused as error:
        return list(_named(error.findings, name))
    return contract


def _is_name(path: str) -> bool:
    """Whether a file can have that path: what no file system and no Git tree takes is not asked for."""
    is_text = not any(ord(char) < ord(" ") or "\ud800" <= char <= "\udfff" for char in path)
    return is_text and len(path) < _LONG and all(len(part.encode()) <= _LONG_NAME for part in path.split("/"))


def _named(findings: Sequence[Finding], name: str) -> Iterator[Finding]:
    return (Finding(one.rule, one.where, one.what, one.fix, name) for one in findings)
