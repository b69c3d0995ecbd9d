"""Encodings: how the fields of a form, or the parts of a multipart message, are written."""

from __future__ import annotations

from lockstep.core.contract.case import Case, Pair
from lockstep.core.contract.contract import Node
from lockstep.core.contract.schemas import Direction, Spot
from lockstep.core.contract.serialization import written

_HOW = ("style", "explode", "allowReserved")


def encoding_findings(case: Case, spot: Spot, pair: Pair) -> None:
    """Notes fields that are written in another way than they are read."""
    ours = case.provider.entries(pair.provider.get("encoding"))
    theirs = case.needed.entries(pair.needed.get("encoding"))
    for name in sorted(ours.keys() | theirs.keys()):
        old = _said(case, theirs.get(name), is_provider=False)
        new = _said(case, ours.get(name), is_provider=True)
        if old != new:
            side = "request" if spot.direction is Direction.REQUEST else "response"
            rule = f"{side}-body-encoding-changed" if name in ours and name in theirs else "not-judged"
            what = f"the field `{name}` of {spot.name} is written as {old} and now as {new}"
            at = Pair(ours.get(name, pair.provider), theirs.get(name, pair.needed))
            case.add(rule, what, at, old=old, new=new)


def _said(case: Case, node: Node | None, *, is_provider: bool) -> str:
    """What is said about a field, in words that are equal where the bytes are."""
    if node is None:
        return "its type has it"
    reader = case.provider if is_provider else case.needed
    kind = reader.text(node, "contentType").replace(" ", "").lower()
    how = written(reader, node, "field", is_plain=False) if any(key in node.value for key in _HOW) else ""
    return ", ".join(part for part in (kind, how) if part) or "its type has it"
