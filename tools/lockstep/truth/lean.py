"""The least value that a schema allows: what a reader that takes no more than it is promised can live with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator

from lockstep.core.errors import UsageError

_FORMATS = {
    "date": "2000-01-01",
    "date-time": "2000-01-01T00:00:00Z",
    "email": "a@example.org",
    "time": "00:00:00Z",
    "uri": "http://example.org",
    "uuid": "00000000-0000-0000-0000-000000000000",
}
_BY_KEYWORD = {
    "properties": "object",
    "required": "object",
    "additionalProperties": "object",
    "items": "array",
    "minItems": "array",
    "pattern": "string",
    "minLength": "string",
    "minimum": "number",
    "multipleOf": "number",
}
_DEPTH = 40  # values inside each other; a schema that requires itself never ends


def lean_value(schema: Any, where: str) -> Any:
    """The least value of a schema that stands alone: required fields only, empty texts and lists where they may be.

    For texts, numbers and lists the schema's own example is taken where it has one.

    Args:
        schema: As `standing_schema` makes it.
        where: Its place, for the error.

    Raises:
        UsageError: none was found: the schema needs an example.
    """
    value = _lean(schema, schema, 0)
    fault = next(Draft202012Validator(schema).iter_errors(value), None)
    if fault is not None:
        fix = "give that part of the schema an example: `examples: [...]`, in OpenAPI 3.0 `example: ...`"
        what = f"no least value was found: {json.dumps(value, ensure_ascii=False)[:200]} is wrong: {fault.message}"
        raise UsageError(what, where=where, fix=fix)
    return value


def _lean(schema: Any, root: Any, depth: int) -> Any:
    """The least value; of the members of a oneOf or anyOf that of the first whose value fits."""
    if not isinstance(schema, dict) or depth > _DEPTH:
        return None
    flat = _flat(schema, root)
    choices = [one for one in (*flat.get("oneOf", []), *flat.get("anyOf", [])) if isinstance(one, dict)]
    plain = {key: value for key, value in flat.items() if key not in {"oneOf", "anyOf"}}
    made = [_plain(_merged(plain, _flat(one, root)), root, depth) for one in choices] or [_plain(plain, root, depth)]
    judge = Draft202012Validator({**flat, "$defs": root.get("$defs", {})})
    return next((value for value in made if judge.is_valid(value)), made[-1])


def _flat(schema: Mapping[str, Any], root: Any) -> dict[str, Any]:
    """A schema with those that it refers to, and the parts of its allOf, in one."""
    flat: dict[str, Any] = {}
    waiting, seen = [schema], 0
    while waiting and (seen := seen + 1) < 200:
        here = waiting.pop()
        if not isinstance(here, dict):
            continue
        if "$ref" in here:
            waiting.append(root["$defs"][here["$ref"].removeprefix("#/$defs/")])
        waiting += here.get("allOf", [])
        flat = _merged(flat, {key: value for key, value in here.items() if key not in {"$ref", "allOf", "$defs"}})
    return flat


def _merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    merged = {**first, **second}
    if "properties" in first and "properties" in second:
        merged["properties"] = {**first["properties"], **second["properties"]}
    for key in ("required", "oneOf", "anyOf"):
        if key in first and key in second:
            merged[key] = [*first[key], *second[key]]
    return merged


def _plain(schema: Mapping[str, Any], root: Any, depth: int) -> Any:
    kind = _kind(schema)
    given = [schema["const"]] if "const" in schema else schema.get("enum", [])
    if kind != "object":
        given = [*given, *schema.get("examples", []), *([schema["example"]] if "example" in schema else [])]
    if given:
        return given[0]
    if kind in {"object", "array"}:
        return (_object if kind == "object" else _array)(schema, root, depth)
    if kind in {"integer", "number"}:
        return _number(schema)
    text = _FORMATS.get(schema.get("format", ""), "x" * schema.get("minLength", 0))
    return {"string": text, "boolean": False}.get(kind)


def _kind(schema: Mapping[str, Any]) -> str:
    """The type that is made; of several the first."""
    said = schema.get("type", [])
    types = [said] if isinstance(said, str) else said
    return next(iter(types), None) or next((kind for key, kind in _BY_KEYWORD.items() if key in schema), "null")


def _object(schema: Mapping[str, Any], root: Any, depth: int) -> dict[str, Any]:
    properties, more = schema.get("properties", {}), schema.get("additionalProperties")
    return {name: _lean(properties.get(name, more), root, depth + 1) for name in schema.get("required", [])}


def _array(schema: Mapping[str, Any], root: Any, depth: int) -> list[Any]:
    first = schema.get("prefixItems", [])
    wanted = [first[i] if i < len(first) else schema.get("items") for i in range(schema.get("minItems", 0))]
    if "contains" in schema and not wanted:
        wanted = [schema["contains"]] * schema.get("minContains", 1)
    return [_lean(one, root, depth + 1) for one in wanted]


def _number(schema: Mapping[str, Any]) -> int | float:
    step = schema.get("multipleOf", 1)
    ends = [schema[key] for key in ("minimum", "maximum") if key in schema]
    ends += [schema["exclusiveMinimum"] + step] if "exclusiveMinimum" in schema else []
    ends += [schema["exclusiveMaximum"] - step] if "exclusiveMaximum" in schema else []
    numbers = {key: value for key, value in schema.items() if key not in {"oneOf", "anyOf"}}
    ends += [-(-end // step) * step for end in ends]
    return next((end for end in [0, *ends] if Draft202012Validator(numbers).is_valid(end)), 0)
