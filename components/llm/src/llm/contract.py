"""The contract of llm, as the instance serves it: the part of OpenAI's API it keeps; contract/openapi.yaml is
printed from here.
"""

from typing import Any

STRING: dict[str, Any] = {"type": "string"}
INTEGER: dict[str, Any] = {"type": "integer"}


def _object(required: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required.split(), "properties": properties}


def _list(name: str) -> dict[str, Any]:
    return {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}


def _json(description: str, name: str) -> dict[str, Any]:
    return {
        "description": description,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}},
    }


SCHEMAS: dict[str, Any] = {
    "Message": _object(
        "role content",
        role={"type": "string", "enum": ["system", "developer", "user", "assistant"]},
        content={"type": ["string", "array"], "items": _object("text", text=STRING)},
    ),
    "CompletionRequest": _object(
        "model messages",
        model={"type": "string", "examples": ["extractive"]},
        messages=_list("Message") | {"minItems": 1},
        max_tokens={"type": "integer", "minimum": 1},
        max_completion_tokens={"type": "integer", "minimum": 1, "description": "counts where both are given"},
        temperature={"type": "number", "description": "accepted; an extractive answer has no chance in it"},
        stream={"type": "boolean", "enum": [False]},
    ),
    "Choice": _object(
        "index message finish_reason",
        index=INTEGER,
        message=_object("role content", role={"type": "string", "enum": ["assistant"]}, content=STRING),
        finish_reason={"type": "string", "enum": ["stop", "length"]},
    ),
    "Usage": _object(
        "prompt_tokens completion_tokens total_tokens",
        prompt_tokens=INTEGER,
        completion_tokens=INTEGER,
        total_tokens=INTEGER,
    ),
    "Completion": _object(
        "id object created model choices usage",
        id=STRING,
        object={"type": "string", "enum": ["chat.completion"]},
        created=INTEGER,
        model=STRING,
        choices=_list("Choice") | {"minItems": 1},
        usage={"$ref": "#/components/schemas/Usage"},
    ),
    "Model": _object("id object created owned_by", id=STRING, object=STRING, created=INTEGER, owned_by=STRING),
    "Models": _object("object data", object=STRING, data=_list("Model")),
    "Error": _object("error", error=_object("message type", message=STRING, type=STRING)),
}
REQUEST = {
    "required": True,
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/CompletionRequest"}}},
}
CONTRACT: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {
        "title": "llm",
        "version": "1.0.0",
        "description": "Chat completions, answered by an extractive stand-in for a language model.",
    },
    "paths": {
        "/v1/chat/completions": {
            "post": {
                "operationId": "createChatCompletion",
                "summary": "Answer a conversation with sentences of its document",
                "x-lockstep": {"generation": {"tokenizer": "words between blanks", "languages": ["en"]}},
                "requestBody": REQUEST,
                "responses": {
                    "200": _json("the answer", "Completion"),
                    "400": _json("the request is not understood", "Error"),
                    "404": _json("no such model", "Error"),
                    "408": _json("the body did not arrive in time", "Error"),
                    "413": _json("the body has too many bytes", "Error"),
                    "422": _json("the body is not a JSON object", "Error"),
                },
            },
        },
        "/v1/models": {
            "get": {
                "operationId": "listModels",
                "summary": "The one model",
                "responses": {"200": _json("the models", "Models")},
            },
        },
    },
    "components": {"schemas": SCHEMAS},
}
