"""Everything of the relation outside schemas: paths and methods, and what they lead to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from lockstep.core.contract.bodies import body_findings
from lockstep.core.contract.case import Case, Pair, Reader, malformed_findings
from lockstep.core.contract.contract import Contract, Node
from lockstep.core.contract.judge import Judge
from lockstep.core.contract.lifecycle import (
    deprecation_findings,
    invalid_stability,
    is_promised,
    removed_operation,
    stability_findings,
)
from lockstep.core.contract.parameters import Hosted, parameter_findings
from lockstep.core.contract.responses import response_findings
from lockstep.core.contract.security import security_findings
from lockstep.core.contract.unjudged import METHODS, OPERATION, PATH_ITEM, ROOT, unjudged

_VARIABLE = re.compile(r"\{[^{}]*?(\*?)\}")


def operation_findings(judge: Judge) -> None:
    """Notes what is found about everything that is needed, schemas apart."""
    case = Case(judge, Reader(judge.provider), Reader(judge.needed))
    root = Pair(judge.provider.root, judge.needed.root)
    if isinstance(root.provider.value, dict) and isinstance(root.needed.value, dict):
        _paths(case, root)
        unjudged(case, root, ROOT)
    malformed_findings(case)


def operations_of(contract: Contract) -> dict[str, Node]:
    """Every operation by method and path."""
    reader = Reader(contract)
    return {
        f"{method.upper()} {path}": hosted.node
        for path, item in reader.patterned(contract.root.get("paths")).items()
        for method, hosted in _operations(reader, path, item)
    }


def _operations(reader: Reader, path: str, item: Node) -> Iterator[tuple[str, Hosted]]:
    for method in METHODS:
        if (node := reader.mapping(item.get(method))) is not None:
            yield method, Hosted(path, item, node)


def _paths(case: Case, root: Pair) -> None:
    """Notes what is found about every path."""
    ours = case.provider.patterned(root.provider.get("paths"))
    theirs = case.needed.patterned(root.needed.get("paths"))
    at, names, met = root.below("paths"), _by_template(ours), set()
    for path, item in theirs.items():
        found = path if path in ours else names.get(template_of(path))
        if found is None:
            for method, hosted in _operations(case.needed, path, item):
                _removed(_of(case, method, path), Pair(at.provider, hosted.node), is_path=True)
        else:
            met.add(found)
            _path(case, (found, ours[found]), (path, item))
    for path, item in ours.items():
        if path not in met:
            for method, hosted in _operations(case.provider, path, item):
                _added(_of(case, method, path), Pair(hosted.node, at.needed))


def template_of(path: str) -> str:
    """A path without the names of its variables: those are chosen by whoever writes it."""
    return _VARIABLE.sub(r"{\1}", path)


def _by_template(paths: Mapping[str, Node]) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted(paths):
        found.setdefault(template_of(path), path)
    return found


def _of(case: Case, method: str, path: str) -> Case:
    return Case(case.judge, case.provider, case.needed, f"{method.upper()} {path}")


def _added(case: Case, at: Pair) -> None:
    case.add("endpoint-added", f"{case.operation} is there too", at)


def _removed(case: Case, at: Pair, *, is_path: bool) -> None:
    if not case.is_edge:
        invalid_stability(case, at.needed, at)
    if case.is_edge or is_promised(at.needed):
        removed_operation(case, at, is_path=is_path)


def _path(case: Case, provider: tuple[str, Node], needed: tuple[str, Node]) -> None:
    ours, theirs = dict(_operations(case.provider, *provider)), dict(_operations(case.needed, *needed))
    at = Pair(provider[1], needed[1])
    unjudged(case, at, PATH_ITEM)
    for method in METHODS:
        here = _of(case, method, needed[0])
        if method in ours and method in theirs:
            _operation(here, ours[method], theirs[method])
        elif method in theirs:
            _removed(here, Pair(at.provider, theirs[method].node), is_path=False)
        elif method in ours:
            _added(here, Pair(ours[method].node, at.needed))


def _operation(case: Case, provider: Hosted, needed: Hosted) -> None:
    """Notes what is found about an operation that both sides have."""
    pair = Pair(provider.node, needed.node)
    stability_findings(case, pair)
    if not case.is_edge and not is_promised(provider.node):
        return
    deprecation_findings(case, pair)
    _names(case, pair)
    security_findings(case, pair)
    parameter_findings(case, provider, needed)
    body_findings(case, pair)
    response_findings(case, pair)
    unjudged(case, pair, OPERATION)


def _names(case: Case, pair: Pair) -> None:
    """Notes other names: programs that are generated from a contract have them in their code."""
    old, new = case.needed.text(pair.needed, "operationId"), case.provider.text(pair.provider, "operationId")
    if old != new:
        rule = "removed" if old else "added"
        what = f"the operation id was `{old}` and is `{new}`" if old else f"the operation id is `{new}`"
        case.add(f"api-operation-id-{rule}", what, pair.below("operationId"), old=old or None, new=new or None)
    before, after = _tags(case.needed, pair.needed), _tags(case.provider, pair.provider)
    for tag in sorted(before - after):
        case.add("api-tag-removed", f"the tag `{tag}` is gone", pair.below("tags"), old=tag)
    for tag in sorted(after - before):
        case.add("api-tag-added", f"the tag `{tag}` is new", pair.below("tags"), new=tag)


def _tags(reader: Reader, node: Node) -> set[str]:
    return {item.value for item in reader.listed(node.get("tags")) if isinstance(item.value, str)}
