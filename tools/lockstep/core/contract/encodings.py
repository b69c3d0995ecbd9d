"""Encodings: how the fields of a form, or the parts of a multipart message, are written."""

from __future__ import annotations

from lockstep.core.contract.case import Case, Pair, Reader
from lockstep.core.contract.contract import Node
from lockstep.core.contract.schemas import Spot
from lockstep.core.contract.serialization import how_written
from lockstep.core.contract.unjudged import ENCODING, unjudged

_HOW = ("style", "explode")


def has_fields(kind: str, subtype: str) -> bool:
    """Whether encodings mean anything for a media type (OpenAPI 3.1.1, section 4.8.14.1)."""
    return kind == "multipart" or (kind, subtype) == ("application", "x-www-form-urlencoded")


def encoding_findings(case: Case, spot: Spot, pair: Pair) -> None:
    """Notes fields of a request that are written in another way than they are read."""
    ours = case.provider.entries(pair.provider.get("encoding"))
    theirs = case.needed.entries(pair.needed.get("encoding"))
    for name in sorted(ours.keys() | theirs.keys()):
        at = Pair(ours.get(name, pair.provider), theirs.get(name, pair.needed))
        old, new = _said(case.needed, theirs.get(name)), _said(case.provider, ours.get(name))
        if not _is_read(old, new):
            rule = "request-body-encoding-changed" if name in ours and name in theirs else "not-judged"
            what = f"the field `{name}` of {spot.name} is written as {_text(old)}, and read as {_text(new)}"
            case.add(rule, what, at, old=_text(old), new=_text(new))
        if name in ours and name in theirs:
            unjudged(case, at, ENCODING)


def _said(reader: Reader, node: Node | None) -> tuple[frozenset[str], str]:
    """The media types of a field, empty if its schema decides, and how it is written, empty likewise."""
    if node is None:
        return frozenset(), ""
    kinds = frozenset(part.strip().lower() for part in reader.text(node, "contentType").split(",")) - {""}
    how = any(key in node.value for key in _HOW)
    return kinds, how_written(reader, node, "field") if how else ""


def _is_read(sent: tuple[frozenset[str], str], read: tuple[frozenset[str], str]) -> bool:
    """Whether every media type that may be sent is read, and the writing is the same."""
    if sent[1] != read[1]:
        return False
    ranges = tuple(kind.removesuffix("*") for kind in read[0] if kind.endswith("/*"))
    return not read[0] or (bool(sent[0]) and all(one in read[0] or one.startswith(ranges) for one in sent[0]))


def _text(said: tuple[frozenset[str], str]) -> str:
    return ", ".join([*sorted(said[0]), *([said[1]] if said[1] else [])]) or "its type has it"
