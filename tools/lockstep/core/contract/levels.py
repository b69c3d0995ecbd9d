"""The ids of every rule that compares contracts: what `contracts: {levels: …}` of lockstep.yaml may name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from itertools import product

from lockstep.core.contract.ai import RULES as AI_RULES
from lockstep.core.contract.operation_rules import OPERATION_RULES

_PLACES = ("body", "mediatype", "parameter", "header", "property", "parameter-property", "header-property")
_BOUNDS: tuple[str, ...] = (
    "max",
    "min",
    "exclusive-max",
    "exclusive-min",
    "max-length",
    "min-length",
    "max-items",
    "min-items",
)
_BOUNDS += ("max-properties", "min-properties", "max-contains", "min-contains", "multiple-of")
_MOVES = ("set", "unset", "increased", "decreased", "changed", "specialized", "generalized")
# Keywords that come, go or change.
_KEYWORDS: tuple[str, ...] = (
    "const",
    "pattern",
    "default-value",
    "enum-value",
    "all-of",
    "any-of",
    "one-of",
    "not",
    "if",
    "then",
    "else",
)
_KEYWORDS += ("contains", "property-names", "unevaluated-items", "unevaluated-properties", "content-schema")
_KEYWORDS += ("pattern-property", "dependent-schema", "dependent-required", "prefix-items", "discriminator")
_KEYWORDS += ("additional-properties", "items", "content-media-type", "content-encoding", "x-extensible-enum-value")
_ACTIONS = ("added", "removed", "changed", "generalized")
_WORDS = {
    *(f"{bound}-{move}" for bound, move in product(_BOUNDS, _MOVES)),
    *(f"{keyword}-{action}" for keyword, action in product(_KEYWORDS, _ACTIONS)),
    *("list-of-types-widened", "list-of-types-narrowed"),
    *("wrapped-in-one-of", "wrapped-in-one-of-original-preserved"),
    *("type-changed", "type-generalized", "type-specialized", "became-enum", "became-not-enum"),
    *("became-nullable", "became-not-nullable", "unique-items-set", "unique-items-unset"),
    *("schema-became-false", "schema-became-not-false", "discriminator-property-name-changed"),
    *("x-extensible-enum-value-removed", "became-required", "became-optional", "became-required-with-default"),
}
_NEED = ("required", "optional")
_NOTICES = (
    *("deprecated", "deprecated-with-sunset", "deprecated-sunset-invalid", "reactivated", "sunset-date-too-small"),
    *("stability-decreased", "stability-increased"),
)
_WHOLE = {
    *("contract-kind-changed", "schema-undecided", "response-write-only-property-became-required"),
    *("response-write-only-property-became-optional", "request-property-removed"),
    *("request-property-removed-with-deprecation", "new-required-request-property-with-default"),
    *(f"new-{need}-request-property" for need in _NEED),
    *("request-property-removed-before-sunset", "request-header-property-became-enum"),
    *(f"{side}-property-{word}" for side, word in product(("request", "response"), _NOTICES)),
    *(
        f"response-{need}{hidden}-property-{action}"
        for need, hidden, action in product(
            _NEED, ("", "-write-only"), ("added", "removed", "removed-with-deprecation", "removed-before-sunset")
        )
    ),
    *(
        f"{side}-{need}-property-became-{word}-only"
        for side, need, word in product(("request", "response"), _NEED, ("read", "write", "not-read", "not-write"))
    ),
}


def all_rules() -> frozenset[str]:
    """The rules of every part of the comparison. Some of these ids no two contracts give; none that they give lacks."""
    placed = {f"{side}-{place}-{word}" for side, place, word in product(("request", "response"), _PLACES, _WORDS)}
    return frozenset({*placed, *_WHOLE, *OPERATION_RULES, *AI_RULES})


def unknown_rules(names: Iterable[str]) -> tuple[str, ...]:
    """A sentence for each name that is no rule."""
    return tuple(_unknown(sorted(names), all_rules()))


def _unknown(names: Iterable[str], known: frozenset[str]) -> Iterator[str]:
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), n=1)
            yield f"`{name}` is no rule" + (f"; did you mean `{near[0]}`?" if near else "")
