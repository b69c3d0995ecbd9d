"""`python -m bench.documents FOLDER OPERATIONS`: an OpenAPI document of many operations with four schemas for each,
which refer to one another in rings, as old.yaml and same.yaml; with some things changed as changed.yaml; all as JSON
as well.

In a program of its own, so that what it imports is not counted as memory of what is measured.
"""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path
from typing import Any

import yaml

PER_OPERATION = 4
_EACH = 26  # one in so many schemas is changed
_BASE, _GROUP = 10, 20  # schemas refer to those of their group


def main() -> None:
    """Writes the four files."""
    folder, operations = Path(sys.argv[1]), int(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    old = document(operations)
    for name, one in (("old", old), ("same", old), ("changed", changed(old))):
        text = yaml.dump(one, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False)
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        (folder / f"{name}.json").write_text(json.dumps(one, indent=2), encoding="utf-8")


def document(operations: int) -> dict[str, Any]:
    """An OpenAPI document: half of its operations read, half of them write."""
    schemas = operations * PER_OPERATION
    return {
        "openapi": "3.1.0",
        "info": {"title": "Many operations", "version": "1.0.0"},
        "paths": dict(_path(number) for number in range(operations)),
        "components": {
            "schemas": {f"S{number}": _schema(number) for number in range(schemas)},
            "parameters": {"limit": {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 0}}},
        },
    }


def _reference(number: int, beside: int) -> dict[str, str]:
    """A reference to a schema of the group that another is of."""
    return {"$ref": f"#/components/schemas/S{beside - beside % _GROUP + number % _GROUP}"}


def _content(number: int) -> dict[str, Any]:
    return {"application/json": {"schema": _reference(number, number)}}


def _path(number: int) -> tuple[str, dict[str, Any]]:
    first = number * PER_OPERATION
    parameter = {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "maxLength": 40}}
    operation: dict[str, Any] = {
        "operationId": f"operation{number}",
        "summary": f"What operation {number} does, in some words",
        "parameters": [parameter, {"$ref": "#/components/parameters/limit"}],
        "responses": {
            "200": {"description": "It was done.", "content": _content(first)},
            "404": {"description": "It is not there.", "content": _content(first + 1)},
        },
    }
    if number % 2:
        operation["requestBody"] = {"required": True, "content": _content(first + 2)}
    return f"/things{number}/{{id}}", {"post" if number % 2 else "get": operation}


def _schema(number: int) -> dict[str, Any]:
    """An object of which some parts lead to other schemas, and from there back to it; some are bases of others."""
    if number % _BASE == 0:
        return {"type": "object", "required": ["created"], "properties": _base()}
    properties: dict[str, Any] = {
        "id": {"type": "string", "format": "uuid", "description": "Names it."},
        "name": {"type": "string", "minLength": 1, "maxLength": 100 + number % 7},
        "count": {"type": "integer", "minimum": 0, "maximum": 1000},
        "kind": {"type": "string", "enum": ["small", "large", f"kind{number % 5}"]},
        "next": _reference(number + 1, number),
        "parts": {"type": "array", "items": _reference(number * 7 + 3, number), "maxItems": 50},
    }
    if number % 3 == 0:
        properties["choice"] = {"oneOf": [_reference(number + 2, number), {"type": "null"}]}
    found: dict[str, Any] = {"type": "object", "required": ["id", "name"], "properties": properties}
    return {"allOf": [_reference(number - number % _BASE, number), found]} if number % 5 == 1 else found


def _base() -> dict[str, Any]:
    return {
        "created": {"type": "string", "format": "date-time"},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    }


def changed(old: dict[str, Any]) -> dict[str, Any]:
    """The document after a busy year: schemas gained and lost properties, bounds moved, operations came and went."""
    new = copy.deepcopy(old)
    for number, schema in enumerate(new["components"]["schemas"].values()):
        if number % _EACH == 3 and "name" in schema.get("properties", {}):
            schema["properties"]["gained"] = {"type": "string"}
            schema["properties"]["count"]["maximum"] = 100
            del schema["properties"]["name"]
            schema["required"] = ["id"]
    paths = list(new["paths"])
    for path in paths[:: _EACH * 2]:
        new["paths"][f"{path}/new"] = new["paths"].pop(path)
    return new


if __name__ == "__main__":
    main()
