"""YAML's events made into values: the core schema, duplicate keys refused, aliases shared and counted."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from lockstep.core.contract.limits import LIMIT_DEPTH, LIMIT_DIGITS, LIMIT_YAML, beyond
from lockstep.core.document import InvalidDocument

# Of each mapping and list, by its id: the line (from 1) of every key or item, in their order.
Lines = Mapping[int, Sequence[int]]

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# YAML 1.2.2, section 10.3.2: the core schema. `yes`, `0777` and dates stay text.
_WORDS = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(("false", "False", "FALSE"), False)  # type: ignore[arg-type]
_INTEGER = re.compile(r"[-+]?[0-9]+")
_OTHER_INTEGER = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NO_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_FIRST = frozenset("+-.0123456789")
_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")}
_TEXT = {"tag:yaml.org,2002:str", "!"}
_SHORT = 30  # characters of a scalar that is remembered: keys and words come again and again
_NOTHING = object()


def read_yaml(text: str, path: str) -> tuple[Any, Lines]:
    """The value of a YAML text with one document (None if it is empty), and its lines.

    Raises:
        InvalidDocument: not YAML, several documents, a key that stands twice, or beyond a bound; with file:line.
    """
    builder = _Builder(path)
    try:
        loader = _Loader(text)
        try:
            builder.build(loader)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        # Of a character that YAML does not have only the offset is known, in bytes.
        before = text.encode()[: getattr(error, "position", None) or 0]
        where = f"{path}:{mark.line + 1 if mark else before.count(10) + 1}"
        raise InvalidDocument(f"not valid YAML: {problem}", where=where, fix="correct the file there") from error
    return builder.root, builder.lines


def plain(text: str) -> Any:
    """The value of a plain scalar by YAML's core schema (YAML 1.2.2, section 10.3.2).

    Raises:
        ValueError: a number that JSON does not have, or that is too long; with the reason.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _FIRST:
        return text
    is_integer = _INTEGER.fullmatch(text)
    if is_integer or _FLOAT.fullmatch(text) or _OTHER_INTEGER.fullmatch(text):
        if len(text) > LIMIT_DIGITS:
            raise ValueError(f"a number of {len(text):,} characters; at most {LIMIT_DIGITS}")
        if is_integer:
            return int(text)
        if text[:2] in {"0o", "0x"}:
            return int(text, 0)
        if math.isinf(found := float(text)):
            raise ValueError(f"the number {text} is too large")
        return found
    if _NO_NUMBER.fullmatch(text):
        raise ValueError(f"`{text}` is no number of JSON")
    return text


class _Open:
    """A mapping or a list while it is read."""

    __slots__ = ("anchor", "before", "key", "lines", "merged", "value")

    def __init__(self, value: Any, anchor: str | None, before: int) -> None:
        self.value = value
        self.anchor = anchor
        self.before = before
        self.key: Any = _NOTHING
        self.lines: list[int] = []
        self.merged: list[tuple[Any, int]] = []


class _Builder:
    """Builds a value from YAML's events. Values behind an alias are shared, and counted as if they were written out."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.open: list[_Open] = []
        self.values = 0
        self.root: Any = None
        self.lines: dict[int, Sequence[int]] = {}
        self.known: dict[str, Any] = {}

    def build(self, loader: Any) -> None:
        """Takes every event, in the order of how often they come."""
        documents = 0
        next_event = loader.get_event
        while (event := next_event()) is not None:
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self.scalar(event)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                self.start({} if kind is yaml.MappingStartEvent else [], event)
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self.end(event)
            elif kind is yaml.AliasEvent:
                self.alias(str(event.anchor), _line(event))
            elif kind is yaml.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    what = "several YAML documents where one is expected"
                    raise InvalidDocument(what, where=f"{self.path}:{_line(event)}", fix="keep one document")
            elif kind is yaml.StreamEndEvent:
                return

    def scalar(self, event: Any) -> None:
        text = event.value
        line = event.start_mark.line + 1
        if event.style or event.tag is not None:
            self.refuse_tag(event)
            value = text if event.style or event.tag in _TEXT else self.typed(text, line)
        elif text in self.known:
            value = self.known[text]
        else:
            value = self.typed(text, line)
            if len(text) <= _SHORT:
                self.known[text] = value
        if event.anchor:
            self.anchors[event.anchor] = (value, 1)
        self.add(value, line, is_plain=not event.style)

    def typed(self, text: str, line: int) -> Any:
        try:
            return plain(text)
        except ValueError as error:
            fix = "write a number that JSON has, or quote it"
            raise InvalidDocument(str(error), where=f"{self.path}:{line}", fix=fix) from error

    def refuse_tag(self, event: Any) -> None:
        if event.tag is not None and event.tag not in _TAGS | _TEXT:
            where = f"{self.path}:{_line(event)}"
            raise InvalidDocument(f"a YAML tag ({event.tag})", where=where, fix="remove the tag")

    def add(self, value: Any, line: int, *, is_plain: bool = False) -> None:
        """Puts a value where it belongs: a key, the value of a key, or an item."""
        self.values += 1
        if self.values > LIMIT_YAML:
            raise beyond(self.path, line, f"more than {LIMIT_YAML:,} values of YAML, aliases written out")
        if not self.open:
            self.root = value
            return
        into = self.open[-1]
        if type(into.value) is list:
            into.value.append(value)
            into.lines.append(line)
        elif into.key is _NOTHING:
            # YAML 1.1's merge key, written plainly; it has no place in the mapping itself.
            into.key = None if is_plain and value == "<<" else self.key(into.value, value, line)
            if into.key is not None:
                into.lines.append(line)
        else:
            if into.key is None:
                into.merged.append((value, line))
            else:
                into.value[into.key] = value
            into.key = _NOTHING

    def key(self, into: dict[str, Any], value: Any, line: int) -> str:
        """A key as text: 200 and "200" are the same status."""
        if isinstance(value, dict | list):
            where = f"{self.path}:{line}"
            raise InvalidDocument("a key that is not a word", where=where, fix="use plain words as keys")
        name = value if isinstance(value, str) else json.dumps(value)
        if name in into:
            where = f"{self.path}:{line}"
            raise InvalidDocument(f"duplicate key `{name}`", where=where, fix=f"remove one of the two `{name}`")
        into[name] = None  # keeps its place in the order, and is there for the next of the same name
        return name

    def start(self, value: Any, event: Any) -> None:
        if len(self.open) >= LIMIT_DEPTH:
            raise beyond(self.path, _line(event), f"nested more than {LIMIT_DEPTH} deep")
        if event.tag is not None:
            self.refuse_tag(event)
        self.open.append(_Open(value, event.anchor, self.values))

    def end(self, event: Any) -> None:
        done = self.open.pop()
        for source, line in done.merged:
            self.merge(done, source, line)
        self.lines[id(done.value)] = done.lines
        if done.anchor:
            self.anchors[done.anchor] = (done.value, self.values - done.before + 1)
        self.add(done.value, event.start_mark.line + 1)

    def merge(self, into: _Open, value: Any, line: int) -> None:
        """What is written in the mapping itself wins over what is merged, and what is merged first over the rest."""
        for source in value if isinstance(value, list) else [value]:
            if not isinstance(source, dict):
                where = f"{self.path}:{line}"
                raise InvalidDocument("`<<` merges something that is no mapping", where=where, fix="write the keys out")
            for name, item in source.items():
                if name not in into.value:
                    into.value[name] = item
                    into.lines.append(line)

    def alias(self, name: str, line: int) -> None:
        if name not in self.anchors:
            where = f"{self.path}:{line}"
            raise InvalidDocument(f"the alias `*{name}` stands for nothing before it", where=where, fix="write it out")
        value, size = self.anchors[name]
        self.values += size - 1
        self.add(value, line)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1
