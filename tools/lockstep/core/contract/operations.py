"""Everything of the relation outside schemas: paths and methods, and what they lead to."""

from __future__ import annotations

from lockstep.core.contract.bodies import body_findings
from lockstep.core.contract.case import Case, Pair, Reader, malformed_findings
from lockstep.core.contract.contract import Contract, Node
from lockstep.core.contract.judge import Judge
from lockstep.core.contract.lifecycle import (
    deprecation_findings,
    invalid_stability,
    removed_operation,
    stability_findings,
)
from lockstep.core.contract.notice import is_promised, stability_of
from lockstep.core.contract.parameters import parameter_findings
from lockstep.core.contract.paths import (
    Hosted,
    operations_in,
    path_items,
    prefixes_of,
    routes,
    server_findings,
)
from lockstep.core.contract.responses import response_findings
from lockstep.core.contract.schemes import scheme_findings, scheme_names
from lockstep.core.contract.security import security_findings
from lockstep.core.contract.unjudged import METHODS, OPERATION, PATH_ITEM, ROOT, unjudged
from lockstep.core.contract.webhooks import call_findings, callback_findings


def operation_findings(judge: Judge) -> None:
    """Notes what is found about everything that is needed, schemas apart."""
    case = Case(judge, Reader(judge.provider), Reader(judge.needed))
    root = Pair(judge.provider.root, judge.needed.root)
    case.schemes.update(scheme_names(case, root))
    _paths(case, root)
    _webhooks(case, root)
    scheme_findings(case, root)
    _schemas_gone(case, root)
    unjudged(case, root, ROOT)
    malformed_findings(case)


def operations_of(contract: Contract) -> dict[str, Node]:
    """Every operation by method and path."""
    reader = Reader(contract)
    return {
        f"{method.upper()} {path}": hosted.node
        for path, item in path_items(reader, contract.root.get("paths")).items()
        for method, hosted in operations_in(reader, path, item)
    }


def _paths(case: Case, root: Pair) -> None:
    """Notes what is found about every path."""
    ours = path_items(case.provider, root.provider.get("paths"))
    theirs = path_items(case.needed, root.needed.get("paths"))
    before, after = _prefixes(case, root)
    addresses, plain = routes(ours, after), routes(ours, "")
    at, met, is_elsewhere = root.below("paths"), set(), False
    for path, item in theirs.items():
        found = addresses.find(before + path)
        if found is None and (found := plain.find(path)) is not None:
            is_elsewhere = True
        if found is not None:
            met.add(found)
            _path(case, (found, ours[found]), (path, item))
        else:
            for method, hosted in operations_in(case.needed, path, item):
                _removed(_of(case, method, path), Pair(at.provider, hosted.node), is_path=True)
    for path in (path for path in ours if path not in met):
        for method, hosted in operations_in(case.provider, path, ours[path]):
            _added(_of(case, method, path), Pair(hosted.node, at.needed))
    if is_elsewhere or not theirs:
        server_findings(case, root)


def _prefixes(case: Case, root: Pair) -> tuple[str, str]:
    """What needed and provided paths begin with, if each side's servers say one thing: `/v1`, as in `/v1/a`."""
    theirs, ours = prefixes_of(case.needed, root.needed), prefixes_of(case.provider, root.provider)
    if theirs is None or ours is None or len(theirs) != 1 or len(ours) != 1:
        return ("", "")
    return (theirs[0], ours[0])


def _of(case: Case, method: str, path: str) -> Case:
    return case.of(f"{method.upper()} {path}")


def _added(case: Case, at: Pair) -> None:
    case.add("endpoint-added", f"{case.operation} is there too", at)


def _removed(case: Case, at: Pair, *, is_path: bool) -> None:
    if not case.is_edge:
        invalid_stability(case, at.needed, at)
    if case.is_edge or is_promised(at.needed):
        removed_operation(case, at, is_path=is_path)


def _path(case: Case, provider: tuple[str, Node], needed: tuple[str, Node]) -> None:
    ours, theirs = dict(operations_in(case.provider, *provider)), dict(operations_in(case.needed, *needed))
    at = Pair(provider[1], needed[1])
    unjudged(case, at, PATH_ITEM)
    server_findings(case, at)
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
    if not _told(case, pair):
        return
    security_findings(case, pair)
    parameter_findings(case, provider, needed)
    body_findings(case, pair)
    response_findings(case, pair)
    callback_findings(case, pair)
    server_findings(case, pair)
    unjudged(case, pair, OPERATION)


def _told(case: Case, pair: Pair) -> bool:
    """Notes what is said about an operation; whether the rest of it is promised at all."""
    stability_findings(case, pair)
    if not case.is_edge and not is_promised(pair.provider):
        return False
    if stability_of(pair.provider) is not None:
        deprecation_findings(case, pair)
    _names(case, pair)
    return True


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


def _webhooks(case: Case, root: Pair) -> None:
    """Notes what is found about the calls that the provider makes by itself."""
    ours = path_items(case.provider, root.provider.get("webhooks"))
    theirs = path_items(case.needed, root.needed.get("webhooks"))
    at = root.below("webhooks")
    for name, item in theirs.items():
        if name not in ours:
            case.add("webhook-removed", f"the webhook `{name}` is not called any more", Pair(at.provider, item))
            continue
        was, now = dict(operations_in(case.needed, name, item)), dict(operations_in(case.provider, name, ours[name]))
        unjudged(case, Pair(ours[name], item), PATH_ITEM)
        for method in METHODS:
            here = _of(case, method, f"webhook:{name}")
            if method in was and method in now:
                if _told(here, Pair(now[method].node, was[method].node)):
                    call_findings(here, now[method], was[method])
            elif method in was:
                _removed(here, Pair(ours[name], was[method].node), is_path=False)
            elif method in now:
                _added(here, Pair(now[method].node, item))
    for name in (name for name in ours if name not in theirs):
        case.add("webhook-added", f"the webhook `{name}` is called too", Pair(ours[name], at.needed))


def _schemas_gone(case: Case, root: Pair) -> None:
    ours, theirs = root.provider.get("components", "schemas"), root.needed.get("components", "schemas")
    names = {name for name, _ in ours.items()} if ours else set()
    for name, node in theirs.items() if theirs and not case.is_edge else ():
        if name not in names:
            what = f"the schema `{name}` has no place of its own any more"
            case.add("api-schema-removed", what, Pair(ours or root.provider, node))
