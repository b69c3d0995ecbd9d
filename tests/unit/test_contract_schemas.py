"""What a change of a schema does to whoever sends and whoever reads: the rule, in each direction."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lockstep.core.contract.contract import parse_contract
from lockstep.core.contract.finding import Level
from lockstep.core.contract.satisfies import satisfies


def _api(schema: Any, direction: str, components: Any = None) -> dict[str, Any]:
    content = {"content": {"application/json": {"schema": schema}}}
    operation = {"responses": {"200": {"description": "x"}}}
    if direction == "request":
        operation["requestBody"] = content
    else:
        operation["responses"]["200"] |= content
    paths = {"/a": {"post": operation}}
    return {"openapi": "3.1.0", "info": {}, "paths": paths, "components": {"schemas": components or {}}}


def _breaks(old: Any, new: Any, direction: str) -> set[str]:
    """The rules that say that a change breaks somebody."""
    before, after = (json.dumps(_api(one, direction)).encode() for one in (old, new))
    found = satisfies(parse_contract({"new": after}, "new"), parse_contract({"old": before}, "old"))
    return {one.rule for one in found if one.level is not Level.INFO}


TEXT, NUMBER = {"type": "string"}, {"type": "number"}
TWO = {"type": "object", "properties": {"a": TEXT, "b": NUMBER}}


# A schema, one that takes less, and the rules: who reads must not take less, who sends must not send more.
@pytest.mark.parametrize(
    ("wide", "narrow", "request_rule", "response_rule"),
    [
        (TEXT, TEXT | {"maxLength": 3}, "request-body-max-length-set", "response-body-max-length-unset"),
        (TEXT, TEXT | {"minLength": 3}, "request-body-min-length-set", "response-body-min-length-unset"),
        (TEXT, TEXT | {"pattern": "^a"}, "request-body-pattern-added", "response-body-pattern-removed"),
        (NUMBER, NUMBER | {"minimum": 3}, "request-body-min-set", "response-body-min-unset"),
        (
            NUMBER | {"maximum": 9},
            NUMBER | {"maximum": 5},
            "request-body-max-decreased",
            "response-body-max-increased",
        ),
        (NUMBER, {"type": "integer"}, "request-body-type-changed", "response-body-type-generalized"),
        (
            {"type": ["string", "null"]},
            TEXT,
            "request-body-became-not-nullable",
            "response-body-became-nullable",
        ),
        (
            {"enum": ["a", "b"]},
            {"enum": ["a"]},
            "request-body-enum-value-removed",
            "response-mediatype-enum-value-added",
        ),
        (TEXT, TEXT | {"const": "a"}, "request-body-const-added", "response-body-const-removed"),
        (
            {"type": "array", "items": NUMBER},
            {"type": "array", "items": NUMBER | {"multipleOf": 2}},
            "request-property-multiple-of-set",
            "response-property-multiple-of-unset",
        ),
        (
            {"type": "array"},
            {"type": "array", "uniqueItems": True},
            "request-body-unique-items-set",
            "response-body-unique-items-unset",
        ),
        (TWO, TWO | {"required": ["a"]}, "request-property-became-required", "response-property-became-optional"),
        (
            {"anyOf": [TEXT, NUMBER]},
            TEXT,
            "request-body-list-of-types-narrowed",
            "response-body-list-of-types-widened",
        ),
        (
            {"type": "array", "items": TEXT},
            {"type": "array", "items": TEXT, "contains": {"const": "a"}},
            "request-body-contains-added",
            "response-body-contains-removed",
        ),
        ({}, False, "request-body-schema-became-false", None),
    ],
)
def test_a_narrower_schema_breaks_who_sends_and_a_wider_one_who_reads(
    wide: Any, narrow: Any, request_rule: str, response_rule: str | None
):
    asked, answered = _breaks(wide, narrow, "request"), _breaks(narrow, wide, "response")

    assert request_rule in asked
    assert response_rule is None or response_rule in answered
    assert _breaks(narrow, wide, "request") == set()
    assert response_rule is None or _breaks(wide, narrow, "response") == set()


@pytest.mark.parametrize("direction", ["request", "response"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (TWO, {"allOf": [{"type": "object", "properties": {"a": TEXT}}, {"properties": {"b": NUMBER}}]}),
        (TEXT | {"minLength": 2}, {"allOf": [TEXT, {"minLength": 2}]}),
        ({"type": ["string", "null"]}, {"anyOf": [TEXT, {"type": "null"}]}),
        ({"enum": ["a", "b"]}, {"oneOf": [{"const": "a"}, {"const": "b"}]}),
        ({"type": "integer", "minimum": 1}, {"type": "integer", "exclusiveMinimum": 0}),
        ({"type": "boolean"}, {"enum": [True, False]}),
    ],
)
def test_the_same_said_otherwise_breaks_nobody(old: Any, new: Any, direction: str):
    assert _breaks(old, new, direction) == set()


@pytest.mark.parametrize("direction", ["request", "response"])
def test_another_property_that_may_be_missing_breaks_nobody(direction: str):
    assert _breaks(TWO, {"type": "object", "properties": {**TWO["properties"], "c": TEXT}}, direction) == set()


def test_who_takes_no_other_property_is_broken_by_one():
    closed = TWO | {"additionalProperties": False}
    more = {"type": "object", "properties": {**TWO["properties"], "c": TEXT}}

    assert _breaks(closed, more, "response") == {"schema-undecided"}


def test_who_may_send_anything_is_broken_by_a_property_that_takes_text_only():
    anything = TWO | {"additionalProperties": True}
    more = {"type": "object", "properties": {**TWO["properties"], "c": TEXT}}

    assert _breaks(anything, more, "request") == {"schema-undecided"}


@pytest.mark.parametrize(("hidden", "direction"), [("readOnly", "request"), ("writeOnly", "response")])
def test_a_property_that_is_not_in_this_message_breaks_nobody(hidden: str, direction: str):
    less, more = ({"type": "object", "properties": {"a": TEXT | {hidden: True, "maxLength": n}}} for n in (3, 9))

    assert _breaks(less, more, direction) == _breaks(more, less, direction) == set()


def test_a_ring_of_references_ends_and_one_change_in_it_is_told_once():
    def ring(least: int) -> dict[str, Any]:
        one = {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Two"}}}
        two = {
            "type": "object",
            "properties": {"next": {"$ref": "#/components/schemas/One"}, "n": NUMBER | {"minimum": least}},
        }
        return _api({"$ref": "#/components/schemas/One"}, "request", {"One": one, "Two": two})

    old, new = (parse_contract({"x": json.dumps(ring(n)).encode()}, "x") for n in (0, 1))

    assert satisfies(old, old) == ()
    (found,) = satisfies(new, old)
    assert (found.rule, found.level, found.old, found.new) == ("request-property-min-increased", Level.ERR, "0", "1")
    assert found.provider.pointer == "/components/schemas/Two/properties/n/minimum"


def test_what_is_not_understood_is_undecided_and_not_passed_over():
    old, new = {"unevaluatedItems": {"pattern": "a"}}, {"unevaluatedItems": {"pattern": "b"}}

    assert _breaks(old, new, "response") == {"schema-undecided"}


@pytest.mark.parametrize("keyword", ["not", "if"])
def test_what_changed_where_its_direction_is_not_known_is_told(keyword):
    old, new = {keyword: {"pattern": "a"}}, {keyword: {"pattern": "b"}}

    assert "response-property-pattern-changed" in _breaks(old, new, "response")


def test_a_keyword_that_has_no_meaning_is_undecided():
    assert _breaks(TEXT, TEXT | {"maxLength": "five"}, "request") == {"schema-undecided"}


def test_one_of_several_has_to_be_the_only_one():
    old = {"oneOf": [TEXT, NUMBER]}

    assert "schema-undecided" in _breaks(old, {"oneOf": [TEXT, NUMBER, {"type": "integer"}]}, "request")
    assert _breaks(old, {"oneOf": [TEXT, NUMBER, {"type": "boolean"}]}, "request") == set()


def test_a_finding_names_both_places_both_values_and_what_to_do():
    old, new = (
        parse_contract({name: f"type: object\nproperties:\n  a: {{type: string, maxLength: {n}}}\n".encode()}, name)
        for name, n in (("old.yaml", 5), ("new.yaml", 9))
    )

    (found,) = satisfies(new, old)

    assert (str(found.provider), str(found.needed)) == ("new.yaml:3", "old.yaml:3")
    assert (found.old, found.new, found.level) == ("5", "9", Level.ERR)
    assert "5 -> 9" in found.what
    assert found.fix


def test_nullable_where_it_has_no_meaning_is_told_as_a_doubt():
    assert _breaks(TEXT, TEXT | {"nullable": True}, "response") == {"response-body-became-nullable"}
    assert _breaks(TEXT | {"nullable": True}, TEXT, "request") == {"request-body-became-not-nullable"}
    assert _breaks(TEXT, TEXT | {"nullable": True}, "request") == set()


def test_a_property_of_a_choice_that_became_one_schema_may_be_lost():
    both = [{"type": "object", "required": ["a"], "properties": {"a": TEXT, name: TEXT}} for name in ("b", "c")]

    assert _breaks({"anyOf": both}, both[0], "request") == {"request-property-removed"}
    assert _breaks({"anyOf": both}, both[0], "response") == set()


def test_what_is_in_no_message_of_a_direction_is_not_counted_on():
    read_only = {"type": "object", "required": ["a"], "properties": {"a": {"readOnly": True}}}
    write_only = {"type": "object", "properties": {"a": TEXT | {"writeOnly": True}}}

    assert "schema-undecided" in _breaks(read_only, {"type": "object", "required": ["a"]}, "request")
    assert "response-property-type-changed" in _breaks(write_only, {"properties": {"a": NUMBER}}, "response")
