"""The made-up instances find breaks: of each keyword one that is known. A search that finds nothing proves nothing."""

from __future__ import annotations

from typing import Any

import pytest

from fuzz.pairs import INSTANCES, Pair, counterexample, pair_of

_A = {"a": {"type": "integer"}}
# What a sender may send, and a reader that refuses some of it.
BREAKS: dict[str, tuple[Any, Any]] = {
    "type": ({"type": ["string", "null"]}, {"type": "string"}),
    "number for integer": ({"type": "number"}, {"type": "integer"}),
    "enum": ({"enum": ["red", "blue"]}, {"enum": ["red"]}),
    "const": ({"const": "a"}, {"const": "b"}),
    "minimum": ({"type": "integer", "minimum": 41}, {"type": "integer", "minimum": 42}),
    "exclusiveMinimum": ({"type": "number", "minimum": 7}, {"type": "number", "exclusiveMinimum": 7}),
    "maximum": ({"type": "integer"}, {"type": "integer", "maximum": 1234}),
    "exclusiveMaximum": ({"type": "integer", "maximum": 77}, {"type": "integer", "exclusiveMaximum": 77}),
    "multipleOf": ({"type": "integer", "multipleOf": 3}, {"type": "integer", "multipleOf": 6}),
    "minLength": ({"type": "string", "minLength": 6}, {"type": "string", "minLength": 7}),
    "maxLength": ({"type": "string", "maxLength": 31}, {"type": "string", "maxLength": 30}),
    "pattern": ({"type": "string"}, {"type": "string", "pattern": "^a"}),
    "items": ({"type": "array"}, {"type": "array", "items": {"type": "string"}}),
    "prefixItems": ({"type": "array"}, {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}]}),
    "minItems": ({"type": "array", "minItems": 3}, {"type": "array", "minItems": 4}),
    "maxItems": ({"type": "array"}, {"type": "array", "maxItems": 5}),
    "uniqueItems": ({"type": "array"}, {"type": "array", "uniqueItems": True}),
    "contains": ({"type": "array", "minItems": 1}, {"type": "array", "contains": {"type": "string"}}),
    "minContains": ({"contains": {"const": 1}}, {"contains": {"const": 1}, "minContains": 2}),
    "maxContains": ({"contains": {"const": 1}}, {"contains": {"const": 1}, "maxContains": 1}),
    "unevaluatedItems": ({"prefixItems": [True]}, {"prefixItems": [True], "unevaluatedItems": False}),
    "properties": ({"properties": _A}, {"properties": {"a": {"type": "integer", "minimum": 0}}}),
    "required": ({"type": "object", "properties": _A}, {"type": "object", "properties": _A, "required": ["a"]}),
    "additionalProperties": ({"type": "object"}, {"type": "object", "additionalProperties": False}),
    "of additional properties": ({"type": "object"}, {"type": "object", "additionalProperties": {"type": "null"}}),
    "patternProperties": ({"type": "object"}, {"type": "object", "patternProperties": {"^x-": {"type": "null"}}}),
    "propertyNames": ({"type": "object"}, {"type": "object", "propertyNames": {"maxLength": 1}}),
    "minProperties": ({"type": "object", "minProperties": 1}, {"type": "object", "minProperties": 2}),
    "maxProperties": ({"type": "object"}, {"type": "object", "maxProperties": 1}),
    "dependentRequired": ({"type": "object"}, {"type": "object", "dependentRequired": {"a": ["b"]}}),
    "dependentSchemas": ({"type": "object"}, {"type": "object", "dependentSchemas": {"a": {"required": ["b"]}}}),
    "unevaluatedProperties": ({"properties": _A}, {"properties": _A, "unevaluatedProperties": False}),
    "allOf": ({"type": "integer"}, {"allOf": [{"type": "integer"}, {"minimum": 0}]}),
    "anyOf": ({"type": ["integer", "boolean"]}, {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
    "oneOf": ({"type": "integer"}, {"oneOf": [{"type": "integer"}, {"minimum": 3}]}),
    "not": ({"type": "integer"}, {"type": "integer", "not": {"const": 5}}),
    "if": ({"type": "integer"}, {"if": {"minimum": 3}, "then": {"multipleOf": 2}, "else": {"minimum": 0}}),
    "a ring": (
        {"$ref": "#/$defs/D", "$defs": {"D": {"properties": {"a": {"$ref": "#/$defs/D"}, "b": {"type": "string"}}}}},
        {"$ref": "#/$defs/D", "$defs": {"D": {"properties": {"a": {"$ref": "#/$defs/D"}, "b": {"const": "q"}}}}},
    ),
    "false": ({}, False),
}


@pytest.mark.parametrize("keyword", BREAKS)
def test_the_search_finds_a_break_of_every_keyword(keyword: str) -> None:
    sender, reader = BREAKS[keyword]

    found = [counterexample(Pair(seed, sender, reader), INSTANCES)[1] for seed in range(20)]

    assert len([proof for proof in found if proof]) >= 16


@pytest.mark.parametrize("keyword", BREAKS)
def test_the_search_finds_none_where_the_schemas_are_the_same(keyword: str) -> None:
    _, reader = BREAKS[keyword]

    assert not any(counterexample(Pair(seed, reader, reader), INSTANCES)[1] for seed in range(5))


def test_a_seed_gives_the_same_pair_again() -> None:
    assert [pair_of(seed) for seed in range(200)] == [pair_of(seed) for seed in range(200)]
    assert len({repr(pair_of(seed).sender) for seed in range(200)}) > 150


def test_pairs_are_of_both_kinds() -> None:
    proofs = [bool(counterexample(pair_of(seed), INSTANCES)[1]) for seed in range(300)]

    assert 60 < sum(proofs) < 240
