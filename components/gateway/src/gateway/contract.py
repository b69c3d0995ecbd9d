"""The contract of the gateway, as the instance serves it; contract/openapi.yaml is printed from here."""

from typing import Any

PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["what", "fix"],
            "properties": {
                "what": {"type": "string", "description": "what happened"},
                "fix": {"type": "string", "description": "what to do about it"},
                "instance": {"type": "string", "description": "the instance that failed"},
            },
        },
    },
}
RELEASE = {
    "x-lockstep-release": {"description": "the instance that answered: the release", "schema": {"type": "string"}}
}


def _problem(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": description, "headers": RELEASE, "content": {"application/json": {"schema": schema}}}


BINARY = {"schema": {"type": "string", "format": "binary"}}
DOCUMENT: dict[str, Any] = {
    "type": "object",
    "required": ["text", "embedding", "summary", "served_by"],
    "properties": {
        "text": {"type": "string"},
        "embedding": {"type": "array", "items": {"type": "number"}},
        "summary": {"type": "string"},
        "served_by": {
            "type": "object",
            "description": "component -> instance id, for every component that took part",
            "additionalProperties": {"type": "string"},
        },
    },
}
CONTRACT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "gateway",
        "version": "1.0.0",
        "description": "Takes a scanned page; returns text, embedding and summary.",
    },
    "paths": {
        "/documents": {
            "post": {
                "operationId": "documents",
                "summary": "Read, embed and summarise one page",
                "requestBody": {"required": True, "content": {"image/png": BINARY, "image/jpeg": BINARY}},
                "responses": {
                    "200": {
                        "description": "the document",
                        "headers": RELEASE,
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Document"}}},
                    },
                    "400": _problem("the body is empty"),
                    "408": _problem("the body did not arrive in time"),
                    "413": _problem("too many bytes or pixels"),
                    "415": _problem("neither image/png nor image/jpeg"),
                    "422": _problem("not a complete image, or no text on it"),
                    "502": _problem("a callee broke its contract"),
                    "503": _problem("a callee cannot be reached"),
                },
            },
        },
    },
    "components": {"schemas": {"Document": DOCUMENT, "Problem": PROBLEM}},
}
