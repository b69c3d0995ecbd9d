"""A contract's file read: YAML 1.2 (core schema) or JSON, within bounds; the line of a value is looked for only when
somebody asks.

Contracts come from other tools, so anchors, floats and tabs in JSON are taken as they are. What is refused is what two
readers would read differently (a key that stands twice), and what is meant to hurt: too large, too deep, too many
values behind aliases.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import yaml

from lockstep.core.document import InvalidDocument

LIMIT_BYTES = 32 << 20
LIMIT_DEPTH = 200
LIMIT_VALUES = 3_000_000
Pointer = tuple[str, ...]

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# YAML 1.2.2, section 10.3.2: the core schema. `yes`, `0777` and dates stay text.
_WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(("false", "False", "FALSE"), False)  # type: ignore[arg-type]
_INTEGER = re.compile(r"[-+]?[0-9]{1,400}")
_OTHER_INTEGER = re.compile(r"0o[0-7]{1,400}|0x[0-9a-fA-F]{1,400}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_FIRST = frozenset("+-.0123456789")


def parse_document(data: bytes, path: str) -> Any:
    """The value of one file; every key is a string.

    Raises:
        InvalidDocument: not UTF-8, not YAML or JSON, several documents, a key that stands twice, or beyond a bound;
            with file:line.
    """
    if len(data) > LIMIT_BYTES:
        raise _beyond(path, 1, f"{len(data):,} bytes; a contract has at most {LIMIT_BYTES:,}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidDocument(f"not UTF-8: {error}", where=path, fix="save the file as UTF-8") from error
    if text.lstrip()[:1] in {"{", "["} and (found := _json(text, path)) is not None:
        return found
    return _yaml(text, path)


def _beyond(path: str, line: int, what: str) -> InvalidDocument:
    return InvalidDocument(
        f"the contract is too large: {what}", where=f"{path}:{line}", fix="split it, or remove what nobody needs"
    )


def _json(text: str, path: str) -> Any:
    """The value, or None if it is no JSON: then it may still be YAML in flow style."""
    try:
        found = json.loads(text, object_pairs_hook=lambda pairs: _unique(pairs, path))
    except RecursionError as error:
        raise _beyond(path, 1, "nested more deeply than can be read") from error
    except ValueError:
        return None
    if (deepest := _depth(found)) > LIMIT_DEPTH:
        raise _beyond(path, 1, f"nested {deepest} deep; at most {LIMIT_DEPTH}")
    return found


def _unique(pairs: list[tuple[str, Any]], path: str) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise InvalidDocument(f"duplicate key `{twice}`", where=path, fix=f"remove one of the two `{twice}`")
    return found


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


class _Builder:
    """Builds a value from YAML's events. Values behind an alias are shared, and counted as if they were written out."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.open: list[tuple[Any, list[str | None], str | None, int]] = []
        self.values = 0
        self.root: Any = None

    def add(self, value: Any, line: int) -> None:
        """Puts a value where it belongs: a key, the value of a key, or an item."""
        self.values += 1
        if self.values > LIMIT_VALUES:
            raise _beyond(self.path, line, f"more than {LIMIT_VALUES:,} values, aliases written out")
        if not self.open:
            self.root = value
            return
        into, key, _, _ = self.open[-1]
        if isinstance(into, list):
            into.append(value)
        elif key[0] is None:
            key[0] = self.key(into, value, line)
        else:
            if key[0] == "<<":
                self.merge(into, value, line)
            else:
                into[key[0]] = value
            key[0] = None

    def key(self, into: Mapping[str, Any], value: Any, line: int) -> str:
        """A key as text: 200 and "200" are the same status."""
        if isinstance(value, dict | list):
            raise InvalidDocument(
                "a key that is not a word", where=f"{self.path}:{line}", fix="use plain words as keys"
            )
        name = value if isinstance(value, str) else json.dumps(value)
        if name in into:
            raise InvalidDocument(
                f"duplicate key `{name}`", where=f"{self.path}:{line}", fix=f"remove one of the two `{name}`"
            )
        return name

    def merge(self, into: dict[str, Any], value: Any, line: int) -> None:
        """YAML 1.1's merge key: what is written here wins over what is merged."""
        for source in value if isinstance(value, list) else [value]:
            if not isinstance(source, dict):
                raise InvalidDocument(
                    "`<<` merges something that is no mapping", where=f"{self.path}:{line}", fix="write the keys out"
                )
            for name, item in source.items():
                into.setdefault(name, item)

    def start(self, value: Any, anchor: str | None, line: int) -> None:
        if len(self.open) >= LIMIT_DEPTH:
            raise _beyond(self.path, line, f"nested more than {LIMIT_DEPTH} deep")
        self.open.append((value, [None], anchor, self.values))

    def end(self, line: int) -> None:
        value, _, anchor, before = self.open.pop()
        if anchor:
            self.anchors[anchor] = (value, self.values - before + 1)
        self.add(value, line)

    def alias(self, name: str, line: int) -> None:
        if name not in self.anchors:
            raise InvalidDocument(
                f"the alias `*{name}` stands for nothing before it", where=f"{self.path}:{line}", fix="write it out"
            )
        value, size = self.anchors[name]
        self.values += size - 1
        self.add(value, line)


def _events(text: str) -> Iterator[Any]:
    events: Iterator[Any] = yaml.parse(text, Loader=_Loader)
    return events


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _yaml(text: str, path: str) -> Any:
    builder, documents = _Builder(path), 0
    try:
        for event in _events(text):
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    what = "several YAML documents where one is expected"
                    line = _line(event)
                    raise InvalidDocument(what, where=f"{path}:{line}", fix="keep one document")
            else:
                _take(builder, event)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        where = f"{path}:{mark.line + 1 if mark else 1}"
        raise InvalidDocument(f"not valid YAML: {problem}", where=where, fix="correct the file there") from error
    return builder.root


def _take(builder: _Builder, event: Any) -> None:
    if isinstance(event, yaml.ScalarEvent):
        value = event.value if event.style else plain(event.value)
        line = _line(event)
        if event.anchor:
            builder.anchors[event.anchor] = (value, 1)
        builder.add(value, line)
    elif isinstance(event, yaml.MappingStartEvent):
        builder.start({}, event.anchor, _line(event))
    elif isinstance(event, yaml.SequenceStartEvent):
        builder.start([], event.anchor, _line(event))
    elif isinstance(event, yaml.AliasEvent):
        builder.alias(str(event.anchor), _line(event))
    elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
        builder.end(_line(event))


def plain(text: str) -> Any:
    """The value of a plain scalar by YAML's core schema (YAML 1.2.2, section 10.3.2)."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _FIRST:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return int(text, 0) if _OTHER_INTEGER.fullmatch(text) else text


def lines_of(data: bytes, pointers: Collection[Pointer]) -> dict[Pointer, int]:
    """The line (from 1) of each of these places; of what is not there the line of the deepest part that is."""
    found: dict[Pointer, int] = {(): 1}
    wanted = {pointer[:length] for pointer in pointers for length in range(len(pointer) + 1)}
    with contextlib.suppress(yaml.YAMLError):  # JSON that is no YAML: the file is named, its line is not known
        _find_lines(data.decode("utf-8-sig", "replace"), wanted, found)
    return {pointer: _deepest(found, pointer) for pointer in pointers}


def _deepest(found: Mapping[Pointer, int], pointer: Sequence[str]) -> int:
    return next(found[tuple(pointer[:n])] for n in range(len(pointer), -1, -1) if tuple(pointer[:n]) in found)


def _find_lines(text: str, wanted: Collection[Pointer], found: dict[Pointer, int]) -> None:
    """Walks the events and notes the line of each wanted place: of a key's value the line of the key."""
    # For each open collection: its pointer (None where nothing below is wanted), the next index, the pending key.
    stack: list[tuple[Pointer | None, list[int], list[str | None]]] = []
    for event in _events(text):
        if isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            stack.pop()
            continue
        is_start = isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent)
        if not is_start and not isinstance(event, yaml.ScalarEvent | yaml.AliasEvent):
            continue
        pointer: Pointer | None = ()
        if stack:
            above, index, key = stack[-1]
            if index[0] < 0 and key[0] is None:
                name = key[0] = _key_text(event)
                if above is not None and (here := (*above, name)) in wanted:
                    found.setdefault(here, _line(event))
                continue
            step = str(key[0] if index[0] < 0 else index[0])
            pointer = None if above is None else (*above, step)
            key[0], index[0] = None, index[0] if index[0] < 0 else index[0] + 1
        if pointer is not None and pointer not in wanted:
            pointer = None
        if pointer is not None:
            found.setdefault(pointer, _line(event))
        if is_start:
            stack.append((pointer, [-1 if isinstance(event, yaml.MappingStartEvent) else 0], [None]))


def _key_text(event: Any) -> str:
    if not isinstance(event, yaml.ScalarEvent):
        return ""
    value = event.value if event.style else plain(event.value)
    return value if isinstance(value, str) else json.dumps(value)
