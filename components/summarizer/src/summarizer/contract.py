"""The contract of summarizer, as the instance serves it; contract/openapi.yaml is printed from here."""

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
SUMMARY: dict[str, Any] = {
    "type": "object",
    "required": ["summary", "served_by"],
    "properties": {
        "summary": {"type": "string"},
        "served_by": {
            "type": "object",
            "required": ["llm"],
            "description": "component -> instance id, for what was asked",
            "additionalProperties": {"type": "string"},
        },
    },
}


def _json(description: str, name: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}},
    }


CONTRACT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "summarizer",
        "version": "1.0.0",
        "description": "Summarises a text with a prompt and a language model.",
    },
    "paths": {
        "/summarize": {
            "post": {
                "operationId": "summarize",
                "summary": "The summary of a text",
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Text"}}},
                },
                "responses": {
                    "200": _json("the summary", "Summary"),
                    "408": _json("the body did not arrive in time", "Problem"),
                    "413": _json("the body has too many bytes", "Problem"),
                    "422": _json("the body is not {text}", "Problem"),
                    "502": _json("the language model broke its contract", "Problem"),
                    "503": _json("the language model cannot be reached", "Problem"),
                },
            },
        },
    },
    "components": {"schemas": {"Text": TEXT, "Summary": SUMMARY, "Problem": PROBLEM}},
}
