"""The contract of ocr, as the instance serves it; contract/openapi.yaml is printed from here."""

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
TEXT: dict[str, Any] = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string"}}}
BINARY = {"schema": {"type": "string", "format": "binary"}}


def _json(description: str, name: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}},
    }


CONTRACT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "ocr", "version": "1.0.0", "description": "Reads the printed text of a scanned page."},
    "paths": {
        "/read": {
            "post": {
                "operationId": "read",
                "summary": "The text of a page",
                "requestBody": {"required": True, "content": {"image/png": BINARY, "image/jpeg": BINARY}},
                "responses": {
                    "200": _json("the text; empty where none was found", "Text"),
                    "408": _json("the body did not arrive in time", "Problem"),
                    "413": _json("too many bytes or pixels", "Problem"),
                    "422": _json("not a complete PNG or JPEG image", "Problem"),
                },
            },
        },
    },
    "components": {"schemas": {"Text": TEXT, "Problem": PROBLEM}},
}
