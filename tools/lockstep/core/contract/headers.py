"""Headers of an answer."""

from __future__ import annotations

from lockstep.core.contract.case import Case, Pair
from lockstep.core.contract.contract import Node
from lockstep.core.contract.media import one_media_type
from lockstep.core.contract.schemas import Direction, Part, Spot, schema_findings
from lockstep.core.contract.serialization import both_written
from lockstep.core.contract.unjudged import HEADER, unjudged


def header_findings(case: Case, status: str, pair: Pair) -> None:
    """Notes what is found about the headers of an answer. Names are the same in any case (RFC 9110, section 5.1)."""
    ours = _named(case.provider.entries(pair.provider.get("headers")))
    theirs = _named(case.needed.entries(pair.needed.get("headers")))
    at = pair.below("headers")
    for key, (name, node) in theirs.items():
        if key in ours:
            _one_header(case, f"the header `{name}` of the answer {status}", Pair(ours[key][1], node))
        else:
            is_required = case.needed.flag(node, "required")
            rule = "required-response-header-removed" if is_required else "optional-response-header-removed"
            case.add(rule, f"the header `{name}` of the answer {status} is not there", Pair(at.provider, node))
    for key, (name, node) in ours.items():
        if key not in theirs:
            what = f"the header `{name}` of the answer {status} is there too"
            case.add("response-header-added", what, Pair(node, at.needed))


def _named(headers: dict[str, Node]) -> dict[str, tuple[str, Node]]:
    return {name.lower(): (name, headers[name]) for name in sorted(headers)}


def _one_header(case: Case, name: str, pair: Pair) -> None:
    if case.needed.flag(pair.needed, "required") and not case.provider.flag(pair.provider, "required"):
        at = pair.below("required")
        case.add("response-header-became-optional", f"{name} may be missing", at, old=True, new=False)
    unjudged(case, pair, HEADER)
    spot = Spot(case.operation, Direction.RESPONSE, Part.HEADER, name)
    if one_media_type(case, spot, pair, "response-header-serialization-changed"):
        return
    old, new = both_written(case, pair, "header")
    if old != new:
        what = f"{name} was written as {old} and is written as {new}"
        case.add("response-header-serialization-changed", what, pair.below("explode"), old=old, new=new)
    ours, theirs = pair.provider.get("schema"), pair.needed.get("schema")
    if ours is not None and theirs is not None:
        schema_findings(case.judge, spot, ours, theirs)
    elif theirs is not None and theirs.value not in (True, {}):
        what = f"{name} has no schema any more"
        case.add("response-header-schema-removed", what, Pair(pair.provider, theirs), old=theirs.value)
