"""Pairs of OpenAPI documents made up: one operation with one body, sent by one side and read by the other."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from random import Random
from typing import Any

from fuzz.edits import edited, holders, rewritten
from fuzz.instances import instances
from fuzz.meaning import COMPONENTS, sent_for, valid_for
from fuzz.pairs import Pair, World, first_refused, is_ring, pieces_of
from fuzz.schemas import document
from fuzz.words import Schema, chance

_ROOT = "Root"
_NOT_IN_30 = {"const", "if", "then", "else", "prefixItems", "contains", "minContains", "maxContains"}
_NOT_IN_30 |= {"patternProperties", "propertyNames", "dependentRequired", "dependentSchemas"}
_NOT_IN_30 |= {"unevaluatedItems", "unevaluatedProperties"}


def body_pair_of(seed: int) -> Pair:
    """The pair of a seed: the provider's document, and the needed one."""
    random = Random(seed)
    first = document(random)
    kind = random.random()
    second = rewritten(random, first) if kind < 0.25 else edited(random, first) if kind < 0.95 else document(random)
    version = random.choice(("3.0.3", "3.1.0"))
    is_request = chance(random, 0.5)
    documents = [openapi(random, one, version, is_request=is_request) for one in (first, second)]
    if chance(random, 0.5):
        documents.reverse()
    return Pair(seed, documents[0], documents[1])


def openapi(random: Random | None, whole: Schema, version: str, *, is_request: bool) -> dict[str, Any]:
    """A document with one operation whose request or answer has this schema; with chance given, some properties are
    marked as only read or only written.
    """
    whole = copy.deepcopy(whole)
    definitions = whole.pop("$defs", {}) if isinstance(whole, dict) else {}
    schemas = {_ROOT: whole, **definitions}
    for into, key in [one for name in schemas for one in holders(schemas, name)]:
        _mark(random, into[key])
    if version.startswith("3.0"):
        schemas = {name: _as_30(one) for name, one in schemas.items()}
    content = {"application/json": {"schema": {"$ref": COMPONENTS + _ROOT}}}
    answer: dict[str, Any] = {"description": "fine"}
    operation: dict[str, Any] = {"responses": {"200": answer}}
    if is_request:
        operation["requestBody"] = {"required": True, "content": content}
    else:
        answer["content"] = content
    return {
        "openapi": version,
        "info": {"title": "t", "version": "1"},
        "paths": {"/a": {"post": operation}},
        "components": {"schemas": schemas},
    }


def _mark(random: Random | None, here: Schema) -> None:
    """References as OpenAPI writes them, and now and then a property that is only read or only written."""
    if not isinstance(here, dict):
        return
    if isinstance(reference := here.get("$ref"), str):
        here["$ref"] = COMPONENTS + (reference.rpartition("/")[2] if "/" in reference else _ROOT)
    for one in here.get("properties", {}).values() if random else ():
        if random and isinstance(one, dict) and "$ref" not in one and chance(random, 0.06):
            one[random.choice(("readOnly", "writeOnly"))] = True


def _as_30(here: Schema) -> Schema:
    """The schema as OpenAPI 3.0 can say it; what it has no word for is left out."""
    if not isinstance(here, dict):
        return {} if here else {"not": {}}
    found = {word: said for word, said in here.items() if word not in _NOT_IN_30}
    if "const" in here:
        found["enum"] = [here["const"]]
    for word in {"allOf", "anyOf", "oneOf"} & found.keys():
        found[word] = [_as_30(one) for one in found[word]]
    if "properties" in found:
        found["properties"] = {name: _as_30(one) for name, one in found["properties"].items()}
    for word in ("items", "not", "additionalProperties"):
        if word in found and not (word == "additionalProperties" and isinstance(found[word], bool)):
            found[word] = _as_30(found[word])
    for bound, word in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if word in found:
            found |= {bound: found[word], word: True}
    return _typed_30(found)


def _typed_30(found: dict[str, Any]) -> dict[str, Any]:
    types = found.get("type", [])
    types = types if isinstance(types, list) else [types]
    others = [name for name in types if name != "null"]
    if "array" in others and "items" not in found:
        found["items"] = {}
    if "$ref" in found and len(found) > 1:  # what stands beside a reference is not read
        found = {"allOf": [{"$ref": found.pop("$ref")}], **found}
    if not types:
        return found
    rest = {word: said for word, said in found.items() if word != "type"}
    if not others:
        return {**rest, "type": "string", "nullable": True, "enum": [None]}
    null = {"nullable": True} if "null" in types else {}
    if len(others) == 1:
        return {**rest, "type": others[0], **null}
    return {"anyOf": [{**rest, "type": name, **null} for name in others]}


def body_counterexample(pair: Pair, count: int) -> tuple[int, tuple[Any, ...]]:
    """How many instances one side sends, and the first of them that the other refuses."""
    provider, needed = pair.sender, pair.reader
    is_request = "requestBody" in needed["paths"]["/a"]["post"]
    absent = "readOnly" if is_request else "writeOnly"
    sender, reader = (needed, provider) if is_request else (provider, needed)
    wholes = [valid_for(*_body(one), is_30=_is_30(one), absent=absent) for one in (sender, reader)]
    if any(is_ring(whole) for whole in wholes):
        return 0, ()
    sent = sent_for(*_body(sender), is_30=_is_30(sender), absent=absent)
    return first_refused((sent,), wholes[1], instances(Random(~pair.seed), wholes[0], wholes[1], count))


def _is_30(one: dict[str, Any]) -> bool:
    return str(one["openapi"]).startswith("3.0")


def _body(one: dict[str, Any]) -> tuple[Schema, dict[str, Schema]]:
    operation = one["paths"]["/a"]["post"]
    body = operation.get("requestBody") or operation["responses"]["200"]
    return body["content"]["application/json"]["schema"], one["components"]["schemas"]


def _pieces(whole: Any) -> Iterator[Any]:
    """Documents with one thing less in their schemas."""
    for schemas in pieces_of(whole["components"]["schemas"]):
        if "[]" not in str(schemas):
            yield {**whole, "components": {"schemas": schemas}}


BODIES = World(body_pair_of, body_counterexample, _pieces)
