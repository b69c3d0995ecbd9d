"""What goes over the wire between a consumer and its callee, and the values that a request carries outside its body."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Message:
    """Headers, their names in small letters, and a body."""

    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def media(self) -> str:
        """The media type without its parameters; empty where none is said."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True)
class Exchange:
    """What a consumer sent to a callee, and what it got.

    Args:
        method: In capitals.
        target: Path and query.
        request: What was sent.
        status: Of the answer; 0 where there was none.
        answer: What came back.
    """

    method: str
    target: str
    request: Message
    status: int = 0
    answer: Message = field(default_factory=lambda: Message({}))


def is_json(media: str) -> bool:
    """Whether a media type is JSON."""
    return media == "application/json" or media.endswith("+json")


def carried(exchange: Exchange, in_path: Mapping[str, str]) -> dict[str, dict[str, list[str]]]:
    """The values of a request's parameters, by where they are (`query`, `path`, `header`, `cookie`) and their name."""
    target = urlsplit(exchange.target)
    query: dict[str, list[str]] = {}
    for name, value in parse_qsl(target.query, keep_blank_values=True):
        query.setdefault(name, []).append(value)
    cookies = SimpleCookie(exchange.request.headers.get("cookie", ""))
    return {
        "query": query,
        "path": {name: [value] for name, value in in_path.items()},
        "header": {name: [value] for name, value in exchange.request.headers.items()},
        "cookie": {name: [one.value] for name, one in cookies.items()},
    }


def parsed(schema: Any, values: list[str]) -> Any:
    """The value of a parameter as its schema reads it: a list from several or from commas, numbers from digits."""
    types = _types(schema, schema)
    if "array" in types:
        items = schema.get("items", {}) if isinstance(schema, dict) else {}
        each = values if len(values) > 1 else values[0].split(",")
        return [_word(_types(items, schema), one) for one in each]
    return _word(types, values[-1])


def _types(schema: Any, root: Any) -> set[str]:
    while isinstance(schema, dict) and "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    said = schema.get("type", []) if isinstance(schema, dict) else []
    return {said} if isinstance(said, str) else set(said)


def _word(types: set[str], text: str) -> Any:
    if types & {"integer", "number", "boolean"}:
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text
