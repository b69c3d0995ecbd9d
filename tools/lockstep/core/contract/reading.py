"""A contract's file read: YAML 1.2 (core schema) or JSON, within bounds; the line of a value is looked for only when
somebody asks.

Contracts come from other tools, so anchors, floats and tabs in JSON are taken as they are. What is refused is what two
readers would read differently (a key that stands twice, a number that JSON does not have), and what is meant to hurt:
too large, too deep, too many values behind aliases.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from lockstep.core.contract.events import Lines, read_yaml
from lockstep.core.contract.limits import LIMIT_BYTES, LIMIT_DEPTH, LIMIT_DIGITS, LIMIT_VALUES, Pointer, beyond
from lockstep.core.contract.scan import duplicate_line, json_lines
from lockstep.core.document import InvalidDocument

__all__ = [
    "LIMIT_BYTES",
    "LIMIT_DEPTH",
    "LIMIT_VALUES",
    "Pointer",
    "Text",
    "lines_of",
    "parse_document",
    "read_document",
]
_STRING = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"')
_LONG_NUMBER = re.compile(rf"[0-9]{{{LIMIT_DIGITS + 1}}}")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


@dataclass(frozen=True)
class Text:
    """What a file says.

    Args:
        value: dict with text as keys, list, str, int, float (finite), bool or None.
        data: The file's bytes.
        known: Lines of YAML's values, known from reading them; None for JSON, whose lines are looked for.
    """

    value: Any
    data: bytes
    known: Lines | None

    def lines(self, pointers: Collection[Pointer]) -> dict[Pointer, int]:
        """The line (from 1) of each of these places; of what is not there the line of the deepest part that is."""
        if self.known is None:
            return json_lines(self.data.decode("utf-8-sig", "replace"), pointers)
        return {pointer: _line(self.value, self.known, pointer) for pointer in pointers}


def _line(value: Any, known: Lines, pointer: Sequence[str]) -> int:
    line = 1
    for key in pointer:
        lines = known.get(id(value), ())
        if isinstance(value, dict) and key in value:
            index = next(number for number, name in enumerate(value) if name == key)
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            index = int(key)
        else:
            break
        line, value = lines[index], value[key] if isinstance(value, dict) else value[index]
    return line


def parse_document(data: bytes, path: str) -> Any:
    """The value of one file; every key is a string.

    Raises:
        InvalidDocument: as read_document.
    """
    return read_document(data, path).value


def lines_of(data: bytes, pointers: Collection[Pointer]) -> dict[Pointer, int]:
    """The line (from 1) of each of these places; of what is not there the line of the deepest part that is."""
    return read_document(data, "").lines(pointers)


def read_document(data: bytes, path: str) -> Text:
    """One file, read.

    Raises:
        InvalidDocument: not UTF-8, not YAML or JSON, several documents, a key that stands twice, or beyond a bound;
            with file:line.
    """
    if len(data) > LIMIT_BYTES:
        raise beyond(path, 1, f"{len(data):,} bytes; a contract has at most {LIMIT_BYTES:,}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = f"{path}:{data.count(10, 0, error.start) + 1}"
        raise InvalidDocument(f"not UTF-8: {error.reason}", where=where, fix="save the file as UTF-8") from error
    if text.lstrip()[:1] in {"{", "["}:
        found = _json(text, path)
        if found is not _NO_JSON:
            return Text(found, data, None)
    value, lines = read_yaml(text, path)
    return Text(value, data, lines)


_NO_JSON = object()


def _json(text: str, path: str) -> Any:
    """The value, or _NO_JSON: then it may still be YAML in flow style."""
    _refuse_many(text, path)
    numbers = _Numbers(path)
    parse_int = numbers.integer if _LONG_NUMBER.search(text) else None
    try:
        found = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_int=parse_int,
            parse_float=numbers.floating,
            parse_constant=numbers.constant,
        )
    except RecursionError as error:
        raise beyond(path, 1, "nested more deeply than can be read") from error
    except _Twice as error:
        where, fix = f"{path}:{duplicate_line(text)}", f"remove one of the two `{error}`"
        raise InvalidDocument(f"duplicate key `{error}`", where=where, fix=fix) from error
    except json.JSONDecodeError as error:
        if not path.endswith(".json"):
            return _NO_JSON
        where = f"{path}:{error.lineno}"
        raise InvalidDocument(f"not valid JSON: {error.msg}", where=where, fix="correct the file there") from error
    if (deepest := _depth(found)) > LIMIT_DEPTH:
        raise beyond(path, 1, f"nested {deepest} deep; at most {LIMIT_DEPTH}")
    if _SURROGATE.search(text):
        _refuse_surrogates(found, path)
    return found


def _refuse_many(text: str, path: str) -> None:
    """Refuses more values than the limit before one of them is made."""
    if _signs(text) > LIMIT_VALUES and _signs(_STRING.sub("", text)) > LIMIT_VALUES:
        raise beyond(path, 1, f"more than {LIMIT_VALUES:,} values")


def _signs(text: str) -> int:
    return sum(text.count(sign) for sign in ",:[{")


class _Twice(Exception):  # noqa: N818 - an answer: the key stands twice
    """The key that stands twice."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        raise _Twice(next(key for key, _ in pairs if key in seen or seen.add(key)))  # type: ignore[func-returns-value]
    return found


@dataclass(frozen=True)
class _Numbers:
    """Numbers as JSON has them: finite, and of a length that can be worked with."""

    path: str

    def integer(self, text: str) -> int:
        """An integer of at most LIMIT_DIGITS digits."""
        if len(text.lstrip("-")) > LIMIT_DIGITS:
            raise beyond(self.path, 1, f"a number of {len(text):,} digits; at most {LIMIT_DIGITS}")
        return int(text)

    def floating(self, text: str) -> float:
        """A number with a fraction or an exponent."""
        if len(text) > LIMIT_DIGITS or math.isinf(found := float(text)):
            raise beyond(self.path, 1, f"the number {text[:40]}")
        return found

    def constant(self, text: str) -> Any:
        """NaN and Infinity, which Python reads and JSON does not have."""
        what = f"`{text}` is no number of JSON"
        raise InvalidDocument(what, where=f"{self.path}:1", fix="write a number, or leave it out")


def _depth(value: Any) -> int:
    deepest, level = 0, [value]
    while level:
        deepest += 1
        level = [
            item
            for one in level
            for item in (one.values() if isinstance(one, dict) else one)
            if isinstance(item, dict | list)
        ]
    return deepest


def _refuse_surrogates(value: Any, path: str) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        what = "half of a surrogate pair, which is no character"
        raise InvalidDocument(what, where=f"{path}:1", fix="write the character itself") from error
