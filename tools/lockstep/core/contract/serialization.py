"""How a value is written into a path, a query, a header, a cookie or a form field."""

from __future__ import annotations

from lockstep.core.contract.case import Case, Pair, Reader
from lockstep.core.contract.contract import Node

# OpenAPI 3.1.1, section 4.8.12.2.3: the style that each place has if none is written.
_STYLES = {"query": "form", "cookie": "form", "path": "simple", "header": "simple", "field": "form"}
_AS_NAME_AND_VALUE = ("form", "spaceDelimited", "pipeDelimited", "deepObject")
_PLAIN = {"string", "number", "integer", "boolean", "null"}


def style_of(reader: Reader, node: Node, place: str) -> str:
    """The style, as written or as the place has it."""
    return reader.text(node, "style") or _STYLES[place]


def explodes(reader: Reader, node: Node, place: str) -> bool:
    """Whether each item or property is written by itself; only `form` does so unless it is said."""
    said, style = reader.flag(node, "explode"), style_of(reader, node, place)
    return style == "form" if said is None else said


def is_primitive(reader: Reader, node: Node) -> bool:
    """Whether the value is surely neither list nor object: then most styles write it alike."""
    schema = node.get("schema")
    found = reader.resolve(schema) if schema else None
    kind = found.value.get("type") if found is not None and isinstance(found.value, dict) else None
    kinds = kind if isinstance(kind, list) else [kind]
    return bool(kinds) and all(isinstance(one, str) and one in _PLAIN for one in kinds)


def _written(reader: Reader, node: Node, place: str, *, is_plain: bool) -> str:
    style, exploded = style_of(reader, node, place), explodes(reader, node, place)
    if is_plain:
        return "form" if style in _AS_NAME_AND_VALUE else style
    return f"{style}, exploded" if exploded else style


def how_written(reader: Reader, node: Node, place: str) -> str:
    """How a list or an object is written, in words that are equal where the bytes are."""
    return _written(reader, node, place, is_plain=False)


def both_written(case: Case, pair: Pair, place: str) -> tuple[str, str]:
    """How a value is written where it is needed and by the provider, in words that are equal where the bytes are."""
    if not any("style" in node.value or "explode" in node.value for node in (pair.provider, pair.needed)):
        return "", ""
    is_plain = is_primitive(case.provider, pair.provider) and is_primitive(case.needed, pair.needed)
    return (
        _written(case.needed, pair.needed, place, is_plain=is_plain),
        _written(case.provider, pair.provider, place, is_plain=is_plain),
    )


def serialization_findings(case: Case, pair: Pair, name: str, place: str) -> None:
    """Notes a parameter that is written in another way."""
    old, new = both_written(case, pair, place)
    if old != new:
        what = f"{name} is written as {old}; the provider reads {new}"
        case.add("request-parameter-serialization-changed", what, pair.below("style"), old=old, new=new)
    for field, rule in (("allowReserved", "reserved-characters"), ("allowEmptyValue", "empty-value")):
        if case.needed.flag(pair.needed, field) and not case.provider.flag(pair.provider, field):
            what = f"{name} may be sent with `{field}`; the provider does not say that it reads that"
            case.add(f"request-parameter-{rule}-refused", what, pair.below(field), old=True, new=False)
