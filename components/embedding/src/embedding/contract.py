"""The contract of embedding, as the instance serves it; contract/openapi.yaml is printed from here."""

from typing import Any

PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["what", "fix"],
            "properties": {"what": {"type": "string"}, "fix": {"type": "string"}, "instance": {"type": "string"}},
        },
    },
}
TEXT: dict[str, Any] = {
    "type": "object",
    "required": ["text"],
    "properties": {"text": {"type": "string", "minLength": 1, "pattern": r"[^ \t\r\n]"}},  # not blank
}
VECTOR: dict[str, Any] = {
    "type": "object",
    "required": ["embedding", "dimension", "model"],
    "properties": {
        "embedding": {
            "type": "array",
            "items": {"type": "number"},
            "description": "unit length; zeros for a text without a word",
        },
        "dimension": {"type": "integer"},
        "model": {"type": "string"},
    },
}


def _json(description: str, name: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}},
    }


CONTRACT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "embedding", "version": "1.0.0", "description": "Turns a text into a vector."},
    "paths": {
        "/embed": {
            "post": {
                "operationId": "embed",
                "summary": "The vector of a text",
                "x-lockstep": {
                    "embedding": {
                        "model": "hashed-projection",
                        "revision": "149d287b02d0",
                        "dimension": 64,
                        "metric": "cosine",
                        "normalised": True,
                    },
                },
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Text"}}},
                },
                "responses": {
                    "200": _json("the vector", "Vector"),
                    "408": _json("the body did not arrive in time", "Problem"),
                    "413": _json("the body has too many bytes", "Problem"),
                    "422": _json("the body is not {text}", "Problem"),
                },
            },
        },
    },
    "components": {"schemas": {"Text": TEXT, "Vector": VECTOR, "Problem": PROBLEM}},
}
