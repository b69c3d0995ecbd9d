"""What changed in the keywords of one schema that have no schemas below them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lockstep.core.contract.contract import Node
from lockstep.core.contract.schema.change import Change, Effect, Kept
from lockstep.core.contract.schema.scalars import ANYTHING
from lockstep.core.contract.schema.values import canonical, distinct, fraction
from lockstep.core.contract.schema.view import View

# Keyword, its word in the rules, whether a larger value narrows, and the value that asks for nothing.
_BOUNDS = (
    ("maximum", "max", False, None),
    ("minimum", "min", True, None),
    ("exclusiveMaximum", "exclusive-max", False, None),
    ("exclusiveMinimum", "exclusive-min", True, None),
    ("maxLength", "max-length", False, None),
    ("minLength", "min-length", True, 0),
    ("maxItems", "max-items", False, None),
    ("minItems", "min-items", True, 0),
    ("maxProperties", "max-properties", False, None),
    ("minProperties", "min-properties", True, 0),
    ("maxContains", "max-contains", False, None),
    ("minContains", "min-contains", True, None),
)
_CONTAINED = {("int32", "int64"), ("int32", "bigint"), ("int64", "bigint"), ("float", "double")}


def keyword_changes(old: View, new: View) -> Iterator[Change]:
    """Every change of such a keyword, in no special order."""
    if old.is_never != new.is_never:
        effect = Effect.NARROWS if new.is_never else Effect.WIDENS
        rule = "schema-became-false" if new.is_never else "schema-became-not-false"
        yield Change(
            rule,
            effect,
            old.node,
            new.node,
            "{0} " + ("takes no value any more" if new.is_never else "takes values now"),
        )
        return
    yield from _types(old, new)
    yield from _enum(old, new)
    yield from _const(old, new)
    for keyword, word, is_lower, nothing in _BOUNDS:
        yield from _bound(old, new, keyword, word, (is_lower, nothing))
    yield from _multiple(old, new)
    yield from _pattern(old, new)
    yield from _unique(old, new)
    yield from _default(old, new)
    yield from _content(old, new)


def at(view: View, keyword: str) -> Node:
    """The place of a keyword, or of the schema that does not have it."""
    return view.below(keyword) or view.node


def _types(old: View, new: View) -> Iterator[Change]:
    before, after = old.types, new.types
    places = at(old, "type"), at(new, "type")
    if before is not None and after is not None and ("null" in before) != ("null" in after) and len(before | after) > 1:
        is_wider = "null" in after
        word, effect = ("became-nullable", Effect.WIDENS) if is_wider else ("became-not-nullable", Effect.NARROWS)
        yield Change(word, effect, *places, "{0} " + ("may be null now" if is_wider else "may not be null any more"))
        before, after = (before - {"null"} or before), (after - {"null"} or after)
    yield from _marked(old, new)
    if "type" in (*old.malformed, *new.malformed):
        yield from _odd_types(old, new)
        return
    formats = (old.data.get("format"), new.data.get("format"))
    if before == after and formats[0] == formats[1]:
        return
    effect = _type_effect(before, after, formats)
    is_wider = effect is Effect.WIDENS and before is not None and after is not None and before != after
    word = "type-generalized" if is_wider else "type-specialized" if effect is Effect.NARROWS else "type-changed"
    if before == after:
        places = at(old, "format"), at(new, "format")
    said = (_said(before, formats[0]), _said(after, formats[1]))
    yield Change(word, effect, *places, "{0} is of another type", said)


def _marked(old: View, new: View) -> Iterator[Change]:
    """`nullable` where it has no meaning: without `type`, and since OpenAPI 3.1. People who write it mean it."""
    said = [view.below("nullable") for view in (old, new)]
    marks = [
        node is not None and node.value is True and "null" not in (view.types or ())
        for node, view in zip(said, (old, new), strict=True)
    ]
    before, after = (mark or "null" in (view.types or ()) for mark, view in zip(marks, (old, new), strict=True))
    if any(marks) and before != after:
        word, effect = ("became-nullable", Effect.WIDENS) if after else ("became-not-nullable", Effect.NARROWS)
        what = "{0} " + ("is marked as nullable now" if after else "is not marked as nullable any more")
        yield Change(word, effect, at(old, "nullable"), at(new, "nullable"), what, kept=Kept.DOUBTED)


def _odd_types(old: View, new: View) -> Iterator[Change]:
    """Types that JSON Schema does not know: all that can be said is whether they are written alike."""
    values = tuple(view.node.value.get("type") for view in (old, new))
    if values[0] != values[1]:
        places = at(old, "type"), at(new, "type")
        yield Change("type-changed", Effect.INCOMPARABLE, *places, "{0} is of another type", values)


def _said(types: frozenset[str] | None, format_: Any) -> str:
    words = ", ".join(sorted(types)) if types else "any"
    return f"{words}/{format_}" if format_ else words


def _type_effect(before: frozenset[str] | None, after: frozenset[str] | None, formats: tuple[Any, Any]) -> Effect:
    wider = _covers(after, before) and _is_format_of(formats[0], formats[1])
    narrower = _covers(before, after) and _is_format_of(formats[1], formats[0])
    if wider:
        return Effect.NONE if narrower else Effect.WIDENS
    return Effect.NARROWS if narrower else Effect.INCOMPARABLE


def _covers(large: frozenset[str] | None, small: frozenset[str] | None) -> bool:
    if large is None or small is None:
        return large is None
    return all(kind in large or (kind == "integer" and "number" in large) for kind in small)


def _is_format_of(small: Any, large: Any) -> bool:
    return large is None or small == large or (small, large) in _CONTAINED


def _enum(old: View, new: View) -> Iterator[Change]:
    before, after = old.data.get("enum"), new.data.get("enum")
    places = at(old, "enum"), at(new, "enum")
    if before is None and after is not None:
        yield Change("became-enum", Effect.NARROWS, *places, "{0} takes listed values only", (None, after))
    elif before is not None and after is None:
        yield Change(
            "became-not-enum", Effect.WIDENS, *places, "{0} is not held to listed values any more", (before, None)
        )
    elif before is not None and after is not None:
        mine, theirs = distinct(before), distinct(after)
        for key in mine.keys() - theirs.keys():
            what = "{0} does not have one of its listed values any more"
            yield Change("enum-value-removed", Effect.NARROWS, *places, what, (mine[key], None))
        for key in theirs.keys() - mine.keys():
            what = "{0} has another listed value"
            yield Change("enum-value-added", Effect.WIDENS, *places, what, (None, theirs[key]))


def extensible_changes(old: View, new: View) -> Iterator[Change]:
    """Values that are listed without excluding others: whoever sends one that is gone was told it is known."""
    before, after = (view.data.get("x-extensible-enum") for view in (old, new))
    if isinstance(before, list) and isinstance(after, list):
        places, mine, theirs = (
            (at(old, "x-extensible-enum"), at(new, "x-extensible-enum")),
            distinct(before),
            distinct(after),
        )
        for key in mine.keys() - theirs.keys():
            what = "{0} does not have one of its known values any more"
            rule = "x-extensible-enum-value-removed"
            yield Change(rule, Effect.NARROWS, *places, what, (mine[key], None), kept=Kept.WHOLE)


def _const(old: View, new: View) -> Iterator[Change]:
    has = "const" in old.data, "const" in new.data
    values = old.data.get("const"), new.data.get("const")
    places = at(old, "const"), at(new, "const")
    if has == (False, True):
        yield Change("const-added", Effect.NARROWS, *places, "{0} takes one value only", values)
    elif has == (True, False):
        yield Change("const-removed", Effect.WIDENS, *places, "{0} is not held to one value any more", values)
    elif has == (True, True) and canonical(values[0]) != canonical(values[1]):
        yield Change("const-changed", Effect.INCOMPARABLE, *places, "{0} takes another value", values)


def _bound(old: View, new: View, keyword: str, word: str, kind: tuple[bool, Any]) -> Iterator[Change]:
    is_lower, nothing = kind
    before, after = old.data.get(keyword), new.data.get(keyword)
    before, after = (None if before == nothing else before), (None if after == nothing else after)
    if before == after:
        return
    if before is None:
        action, effect = "set", Effect.NARROWS
    elif after is None:
        action, effect = "unset", Effect.WIDENS
    else:
        is_more = fraction(after) > fraction(before)
        action = "increased" if is_more else "decreased"
        effect = Effect.NARROWS if is_more == is_lower else Effect.WIDENS
    places, what = (at(old, keyword), at(new, keyword)), f"{keyword} of {{0}} was {action}"
    kept = Kept.NOT if _applies(keyword, old) or _applies(keyword, new) else Kept.DOUBTED
    yield Change(f"{word}-{action}", effect, *places, what, (before, after), kept=kept)


def _applies(keyword: str, view: View) -> bool:
    """Whether a bound is about values that a schema allows. Where it is not, nobody knows what was meant by it."""
    suffix = keyword.removeprefix("min").removeprefix("max")
    kinds = _BOUND_TYPES.get(suffix, frozenset({"number", "integer"}))
    return all(kinds & types for types in (view.types, _types_of_parts(view)) if types)


def _types_of_parts(view: View) -> frozenset[str]:
    """Types that the members of allOf name; those of references are not looked up."""
    said = [node.value.get("type") for node in view.parts if isinstance(node.value, dict)]
    return frozenset(kind for one in said for kind in ([one] if isinstance(one, str) else one or ()))


_BOUND_TYPES = {
    "Length": frozenset({"string"}),
    "Items": frozenset({"array"}),
    "Contains": frozenset({"array"}),
    "Properties": frozenset({"object"}),
}


def _multiple(old: View, new: View) -> Iterator[Change]:
    before, after = old.data.get("multipleOf"), new.data.get("multipleOf")
    if before == after or 0 in {before, after}:
        return
    places, values = (at(old, "multipleOf"), at(new, "multipleOf")), (before, after)
    if before is None or after is None:
        action, effect = ("set", Effect.NARROWS) if before is None else ("unset", Effect.WIDENS)
    elif (fraction(after) / fraction(before)).denominator == 1:
        action, effect = "specialized", Effect.NARROWS
    elif (fraction(before) / fraction(after)).denominator == 1:
        action, effect = "generalized", Effect.WIDENS
    else:
        action, effect = "changed", Effect.INCOMPARABLE
    yield Change(f"multiple-of-{action}", effect, *places, f"multipleOf of {{0}} was {action}", values)


def _pattern(old: View, new: View) -> Iterator[Change]:
    before, after = old.data.get("pattern") or None, new.data.get("pattern") or None
    if before == after:
        return
    places = at(old, "pattern"), at(new, "pattern")
    if before is None:
        action, effect = "added", Effect.NARROWS
    elif after is None:
        action, effect = "removed", Effect.WIDENS
    elif after in ANYTHING:
        action, effect = "generalized", Effect.WIDENS
    else:
        action, effect = "changed", Effect.UNKNOWN
    yield Change(f"pattern-{action}", effect, *places, f"the pattern of {{0}} was {action}", (before, after))


def _unique(old: View, new: View) -> Iterator[Change]:
    before, after = bool(old.data.get("uniqueItems")), bool(new.data.get("uniqueItems"))
    if before != after:
        word, effect = ("set", Effect.NARROWS) if after else ("unset", Effect.WIDENS)
        places = at(old, "uniqueItems"), at(new, "uniqueItems")
        yield Change(f"unique-items-{word}", effect, *places, f"uniqueItems of {{0}} was {word}", (before, after))


def _default(old: View, new: View) -> Iterator[Change]:
    has = "default" in old.data, "default" in new.data
    values = old.data.get("default"), new.data.get("default")
    if has[0] == has[1] and canonical(values[0]) == canonical(values[1]):
        return
    word = "added" if not has[0] else "changed" if has[1] else "removed"
    places = at(old, "default"), at(new, "default")
    yield Change(f"default-value-{word}", Effect.NONE, *places, f"the default of {{0}} was {word}", values)


def _content(old: View, new: View) -> Iterator[Change]:
    """How text is to be read (JSON Schema validation, section 8): no value is refused for it, so it is always told."""
    for keyword, word in (("contentMediaType", "content-media-type"), ("contentEncoding", "content-encoding")):
        values = old.data.get(keyword), new.data.get(keyword)
        if values[0] != values[1]:
            places = at(old, keyword), at(new, keyword)
            yield Change(
                f"{word}-changed", Effect.INCOMPARABLE, *places, f"{keyword} of {{0}} changed", values, kept=Kept.WHOLE
            )
