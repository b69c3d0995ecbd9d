"""Media types: which of them two sides share, and what each carries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lockstep.core.contract.case import Case, Pair
from lockstep.core.contract.contract import Node
from lockstep.core.contract.encodings import encoding_findings, has_fields
from lockstep.core.contract.schemas import Direction, Spot, schema_findings
from lockstep.core.contract.unjudged import MEDIA_TYPE, unjudged

# Keywords that are told to people and tools only (JSON Schema 2020-12 validation, section 9; OpenAPI 3.1.1, 4.8.24).
_NOTES = {"title", "description", "default", "deprecated", "example", "examples", "externalDocs", "xml", "$comment"}


@dataclass(frozen=True)
class MediaType:
    """The name of a media type (RFC 9110, section 8.3.1) or of a range of them; all of it in lower case but values.

    Args:
        kind: `application`, or `*`.
        subtype: `json`, `problem`, or `*`.
        suffix: What stands after `+`; empty without it.
        parameters: Such as `charset`.
    """

    kind: str
    subtype: str
    suffix: str
    parameters: tuple[tuple[str, str], ...]

    @property
    def bare(self) -> tuple[str, str, str]:
        """The name without its parameters."""
        return (self.kind, self.subtype, self.suffix)

    def covers(self, other: MediaType) -> bool:
        """Whether the other is one of what this names; parameters are not looked at."""
        if self.kind == "*":
            return True
        if self.kind != other.kind:
            return False
        is_refined = not self.suffix and other.suffix == self.subtype and other.suffix != ""
        return self.subtype == "*" or self.bare == other.bare or is_refined


def parse_media_type(text: str) -> MediaType:
    """A media type; what is none stays whole, as a type of its own."""
    name, *rest = text.split(";")
    kind, _, subtype = name.strip().lower().partition("/")
    subtype, _, suffix = subtype.strip().partition("+")
    pairs = (part.partition("=") for part in rest if part.strip())
    parameters = tuple(sorted((key.strip().lower(), value.strip().strip('"')) for key, _, value in pairs))
    return MediaType(kind.strip(), subtype, suffix, parameters)


def content_findings(case: Case, spot: Spot, pair: Pair) -> None:
    """Notes what is found about what a request or an answer carries.

    Args:
        case: The operation.
        spot: Where; a request's content must be read, an answer's is promised.
        pair: What holds `content` on both sides.
    """
    ours = _types(case.provider.entries(pair.provider.get("content")))
    theirs = _types(case.needed.entries(pair.needed.get("content")))
    at = pair.below("content")
    if spot.direction is Direction.REQUEST:
        _sent(case, spot, at, (ours, theirs))
    else:
        _answered(case, spot, at, (ours, theirs))


Types = dict[MediaType, tuple[str, Node]]


def _types(content: Mapping[str, Node]) -> Types:
    found: Types = {}
    for name in sorted(content):
        found.setdefault(parse_media_type(name), (name, content[name]))
    return found


def _sent(case: Case, spot: Spot, at: Pair, both: tuple[Types, Types]) -> None:
    """What is sent must be one of what the provider reads."""
    ours, theirs = both
    met = set()
    for kind, (name, node) in theirs.items():
        found = kind if kind in ours else _reader_of(kind, ours)
        if found is None:
            what = f"{spot.name} is sent as {name}; the provider reads {_names(ours)}"
            case.add("request-body-media-type-removed", what, Pair(at.provider, node), old=name)
        else:
            met.add(found)
            carried(case, _named(spot, name), Pair(ours[found][1], node))
            if has_fields(kind.kind, kind.subtype):
                encoding_findings(case, _named(spot, name), Pair(ours[found][1], node))
    for kind, (name, node) in ours.items():
        if kind not in met:
            what = f"{spot.name} may be sent as {name} too"
            case.add("request-body-media-type-added", what, Pair(node, at.needed), new=name)


def _reader_of(sent: MediaType, ours: Types) -> MediaType | None:
    """What the provider reads it as: the same but for parameters that only one side names, else the narrowest range."""
    same = [one for one in ours if one.bare == sent.bare and _agree(one, sent)]
    ranges = [one for one in ours if one.subtype == "*" and one.covers(sent)]
    return next(iter(same + sorted(ranges, key=lambda one: one.kind == "*")), None)


def _agree(one: MediaType, other: MediaType) -> bool:
    ours, theirs = dict(one.parameters), dict(other.parameters)
    return all(ours[name].lower() == theirs[name].lower() for name in ours.keys() & theirs.keys())


def _answered(case: Case, spot: Spot, at: Pair, both: tuple[Types, Types]) -> None:
    """What is answered must be one of what is read."""
    ours, theirs = both
    paired = _answers(ours, theirs)
    covered: set[MediaType] = {kind for kind in ours if kind in theirs} | set(paired.values())
    for kind, (name, node) in theirs.items():
        if kind in ours:
            carried(case, _named(spot, name), Pair(ours[kind][1], node))
        elif kind in paired:
            _renamed(case, spot, Pair(ours[paired[kind]][1], node), (kind, paired[kind]), (name, ours[paired[kind]][0]))
            carried(case, _named(spot, name), Pair(ours[paired[kind]][1], node))
        else:
            what = f"{spot.name} is read as {name}; the provider answers {_names(ours)}"
            case.add("response-media-type-removed", what, Pair(at.provider, node), old=name)
    for kind, (name, node) in ours.items():
        if kind in covered:
            continue
        wider = next((one for one in theirs if one.subtype == "*" and one.covers(kind)), None)
        if wider is None:
            what = f"{spot.name} may come as {name} too"
            case.add("response-media-type-added", what, Pair(node, at.needed), new=name)
        else:
            carried(case, _named(spot, name), Pair(node, theirs[wider][1]))


def _answers(ours: Types, theirs: Types) -> dict[MediaType, MediaType]:
    """For what is read and not answered by that very name, what it has become."""
    found: dict[MediaType, MediaType] = {}
    for kind in (kind for kind in ours if kind not in theirs):
        for other in theirs:
            is_free = other not in ours and other not in found
            if is_free and kind.subtype != "*" and (other.covers(kind) or kind.covers(other)):
                found[other] = kind
                break
    return found


def _renamed(case: Case, spot: Spot, pair: Pair, kinds: tuple[MediaType, MediaType], names: tuple[str, str]) -> None:
    """Notes that an answer has another name for what it carries."""
    (old, new), (was, now) = kinds, names
    what, values = f"{spot.name} was {was} and is {now}", {"old": was, "new": now}
    before, after = dict(old.parameters), dict(new.parameters)
    gone, come = before.keys() - after.keys(), after.keys() - before.keys()
    other = {name for name in before.keys() & after.keys() if before[name] != after[name]}
    directions = [bool(gone), bool(come), bool(other)].count(True)
    if directions == 0:
        rule = "specialized" if old.covers(new) else "generalized"
        case.add(f"response-media-type-name-{rule}", what, pair, **values)
    elif directions > 1 or old.bare != new.bare:
        case.add("response-media-type-name-changed", what, pair, **values)
    else:
        rule = "removed" if gone else "added" if come else "changed"
        for name in sorted(gone | come | other):
            said = f"{what}: `{name}` was {rule}"
            case.add(f"response-media-type-parameter-{rule}", said, pair, **values)


def carried(case: Case, spot: Spot, pair: Pair) -> None:
    """Notes what is found about what one media type carries."""
    _one_schema(case, spot, pair, "schema")
    _one_schema(case, spot, pair, "itemSchema")
    unjudged(case, pair, MEDIA_TYPE)


def says_nothing(schema: Any) -> bool:
    """Whether a schema takes every value."""
    return schema is True or (isinstance(schema, dict) and all(key in _NOTES or key.startswith("x-") for key in schema))


def _one_schema(case: Case, spot: Spot, pair: Pair, key: str) -> None:
    ours, theirs = pair.provider.get(key), pair.needed.get(key)
    if ours is not None and theirs is not None:
        schema_findings(case.judge, spot, ours, theirs)
        return
    one = ours or theirs
    if one is None or (key == "schema" and says_nothing(one.value)):
        return
    if ours is not None and ours.value is False:
        rule = f"{spot.direction}-body-schema-became-false"
        case.add(
            rule, f"{spot.name} has the schema `false`: nothing is right there", Pair(ours, pair.needed), new=False
        )
        return
    words = "item-schema" if key == "itemSchema" else "schema"
    side = "request" if spot.direction is Direction.REQUEST else "response"
    rule = f"{side}-body-media-type-{words}-{'added' if ours else 'removed'}"
    if rule == "response-body-media-type-item-schema-removed" and pair.provider.get("schema") is None:
        rule += "-untyped"
    what = f"{spot.name} has {'a' if ours else 'no'} schema{'' if ours else ' any more'}"
    case.add(rule, what, pair.below(key), old=theirs and theirs.value, new=ours and ours.value)


def one_media_type(case: Case, spot: Spot, pair: Pair, rule: str) -> bool:
    """Whether a parameter or header has `content` instead of a schema on a side; then what is found about it is noted.

    Args:
        case: The operation.
        spot: Where.
        pair: The parameter or header.
        rule: Rule for what is written in another way.
    """
    ours, theirs = _content(case, pair)
    if ours is None and theirs is None:
        return False
    old, new = (None if types is None else _names(types) for types in (theirs, ours))
    if ours is None or theirs is None or ours.keys() != theirs.keys():
        what = f"{spot.name} is written as {old or 'plain text'} and now as {new or 'plain text'}"
        case.add(rule, what, pair.below("content"), old=old, new=new)
        return True
    for kind, (name, node) in theirs.items():
        carried(case, _named(spot, name), Pair(ours[kind][1], node))
    return True


def _content(case: Case, pair: Pair) -> tuple[Types | None, Types | None]:
    ours, theirs = pair.provider.get("content"), pair.needed.get("content")
    return (
        None if ours is None or ours.value is None else _types(case.provider.entries(ours)),
        None if theirs is None or theirs.value is None else _types(case.needed.entries(theirs)),
    )


def _names(types: Types) -> str:
    return ", ".join(name for name, _ in types.values()) or "nothing"


def _named(spot: Spot, name: str) -> Spot:
    return Spot(spot.operation, spot.direction, spot.part, f"{spot.name} as {name}")


def same_content_findings(case: Case, spot: Spot, pair: Pair) -> None:
    """Notes what is found about the media types that both sides name, and nothing about the others."""
    ours = _types(case.provider.entries(pair.provider.get("content")))
    theirs = _types(case.needed.entries(pair.needed.get("content")))
    for kind, (name, node) in theirs.items():
        if kind in ours:
            carried(case, _named(spot, name), Pair(ours[kind][1], node))
