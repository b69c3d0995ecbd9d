"""The least value of a schema: valid, and nothing in it that was not required."""

from __future__ import annotations

import pytest

from lockstep.core.errors import UsageError
from lockstep.truth.lean import lean_value


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (True, None),
        ({}, None),
        ({"type": "string"}, ""),
        ({"type": "string", "minLength": 2}, "xx"),
        ({"type": "string", "format": "date"}, "2000-01-01"),
        ({"type": "string", "pattern": "^a+$", "examples": ["aa"]}, "aa"),
        ({"enum": ["b", "a"]}, "b"),
        ({"const": 4}, 4),
        ({"type": ["integer", "null"], "minimum": 3}, 3),
        ({"type": "integer", "multipleOf": 5, "minimum": 11}, 15),
        ({"type": "number", "exclusiveMaximum": -1}, -2),
        ({"type": "boolean"}, False),
        ({"type": "array", "items": {"type": "string"}}, []),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [0, 0]),
        ({"type": "array", "contains": {"const": "x"}}, ["x"]),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, {}),
        ({"type": "object", "required": ["a", "b"], "properties": {"a": {"type": "integer"}}}, {"a": 0, "b": None}),
        ({"type": "object", "required": ["k"], "additionalProperties": {"type": "string"}}, {"k": ""}),
        ({"allOf": [{"required": ["a"], "properties": {"a": {"type": "boolean"}}}, {"type": "object"}]}, {"a": False}),
        ({"oneOf": [{"type": "string", "minLength": 1}, {"type": "integer"}], "maximum": 0}, "x"),
        ({"type": "object", "anyOf": [{"required": ["a"]}, {"required": ["b"]}]}, {"a": None}),
        ({"$ref": "#/$defs/s0", "$defs": {"s0": {"type": "array", "items": {"$ref": "#/$defs/s0"}}}}, []),
    ],
)
def test_least_value_is_what_the_schema_requires(schema, value):
    assert lean_value(schema, "here") == value


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "^a+$"},
        {"type": "object", "minProperties": 1},
        {"type": "string", "maxLength": 1, "minLength": 2},
        {
            "$ref": "#/$defs/s0",
            "$defs": {"s0": {"type": "object", "required": ["s"], "properties": {"s": {"$ref": "#/$defs/s0"}}}},
        },
    ],
)
def test_schema_without_a_least_value_that_is_found_asks_for_an_example(schema):
    with pytest.raises(UsageError, match="no least value") as caught:
        lean_value(schema, "here")

    assert "examples" in caught.value.fix
