"""The local files that contracts refer to: they belong to the component, and are pinned as its contract is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from lockstep.core.contract.contract import referenced
from lockstep.core.document import InvalidDocument
from lockstep.core.errors import Finding, refuse_if
from lockstep.core.inputs import Input, InputKind
from lockstep.core.names import ComponentName
from lockstep.core.tree import Tree, TreeEntry

_REFERENCE = re.compile(rb"\$ref")
_TO_ITSELF = re.compile(rb"""\$ref["']?\s*:\s*["']?#""")
_FILE = "100"  # Git's modes of files begin so; links, folders and submodules do not
Paths = Mapping[ComponentName, tuple[str, ...]]


def referred_inputs(tree: Tree, paths: Paths) -> dict[ComponentName, tuple[Input, ...]]:
    """What the contracts and use files of each component refer to, as inputs; those that refer to nothing are left out.

    Args:
        tree: The commit.
        paths: Bundle paths of each component's contract and use files.

    Raises:
        Refused: a file that is not there, is a link, or lies outside of the component's folder; a contract that
            cannot be read.
    """
    known: dict[str, ComponentName] = {}
    waiting = {path: name for name, own in paths.items() for path in own}
    found: list[Finding] = []
    beside: dict[ComponentName, list[Input]] = {}
    while waiting:
        known |= waiting
        others, wrong = _others(tree, waiting)
        entries = tree.look([path for path in others if path not in known])
        waiting = {}
        found += wrong
        for path, (name, origin) in others.items():
            if path in known:
                continue
            if problem := referred_problem(name, path, entries.get(path)):
                found.append(Finding("contract/reference", origin, *problem, name))
            else:
                beside.setdefault(name, []).append(Input(kind=InputKind.CONTRACT, path=path, oid=entries[path].oid))
                waiting[path] = name
    refuse_if(found, "some contracts refer to files that cannot be pinned with them")
    return {name: tuple(items) for name, items in beside.items()}


def _others(
    tree: Tree, paths: Mapping[str, ComponentName]
) -> tuple[dict[str, tuple[ComponentName, str]], list[Finding]]:
    """What some files refer to: whose it is and who says so; and a finding for each file that cannot be read."""
    others: dict[str, tuple[ComponentName, str]] = {}
    wrong: list[Finding] = []
    for path, data in tree.read(list(paths)).items():
        try:
            others |= dict.fromkeys(files_referred(data, path), (paths[path], path))
        except InvalidDocument as error:
            wrong.append(Finding("contract/text", error.where, str(error), error.fix, paths[path]))
    return others, wrong


def files_referred(data: bytes, path: str) -> tuple[str, ...]:
    """What `referenced` gives, without reading files whose references all plainly begin with `#`.

    Raises:
        InvalidDocument: the file cannot be read.
    """
    if len(_REFERENCE.findall(data)) == len(_TO_ITSELF.findall(data)):
        return ()
    return referenced(data, path)


def referred_problem(name: ComponentName, path: str, entry: TreeEntry | None) -> tuple[str, str] | None:
    """What is wrong with a file that a component's contract refers to, and the fix; None if nothing is."""
    own = f"components/{name}/"
    if not path.startswith(own):
        return f"it refers to {path}, which is not in {own}", f"copy that file into {own}contract/"
    if entry is None:
        return f"it refers to {path}, which is not in the commit", f"git add {path} && git commit"
    if not entry.mode.startswith(_FILE):
        return f"it refers to {path}, which is no file", "put the file itself there"
    return None


def closure(paths: Iterable[str], files: Mapping[str, bytes]) -> frozenset[str]:
    """These paths and everything that they refer to, as far as it is among the files.

    Raises:
        InvalidDocument: a file cannot be read.
    """
    return frozenset(_walk(paths, files))


def _walk(paths: Iterable[str], files: Mapping[str, bytes]) -> Iterator[str]:
    waiting = list(paths)
    for path in waiting:
        yield path
        if path in files:
            waiting += [other for other in files_referred(files[path], path) if other not in waiting]
