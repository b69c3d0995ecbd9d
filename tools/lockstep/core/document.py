"""YAML in and out: read strictly with the place of every value, written canonically.

Reading refuses duplicate keys, anchors, tags and several spellings of one thing. Authored files are read with every
scalar as a
string (an md5 of digits stays an md5, `no` stays `no`). Files that we wrote are read back typed, because in them
quotes decide.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from lockstep.core.errors import LockstepError

Path = tuple[str | int, ...]
_INTEGER = re.compile(r"0|-?[1-9][0-9]*")
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+|[-+]?\.(?:inf|nan)", re.IGNORECASE
)
_WORDS: Mapping[str, bool | None] = {"true": True, "false": False, "null": None}
_DEFAULT_TAGS = {None, "tag:yaml.org,2002:str", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"}
# Words that some YAML 1.1 reader takes for a truth value or nothing, so as keys they are quoted.
_YAML_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
_Loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


class InvalidDocument(LockstepError):  # noqa: N818 - an answer about a file
    """A YAML file that does not parse strictly; `where` is file:line."""

    exit_code = 1


@dataclass(frozen=True)
class Document:
    """Parsed data and where each value stands.

    Args:
        name: The file's name for messages, such as components/ocr/component.yaml.
        data: dict, list, str, int, bool or None.
        lines: Line (from 1) of every path into the data.
    """

    name: str
    data: Any
    lines: Mapping[Path, int]

    def where(self, path: Sequence[str | int]) -> str:
        """`file:line` of the deepest part of the path that the file has."""
        parts = tuple(path)
        while parts and parts not in self.lines:
            parts = parts[:-1]
        return f"{self.name}:{self.lines.get(parts, 1)}"


def parse_authored(text: str, name: str) -> Document:
    """One document, every scalar a string (plain `null` and an empty value are None).

    Raises:
        InvalidDocument: not YAML, several documents, a duplicate key, an anchor or a tag; with file:line.
    """
    return _one(text, name, _string)


def parse_canonical(text: str, name: str) -> Document:
    """One document as we write them: quoted scalars are strings, plain ones integers, true, false, null or words
    without blanks.

    Raises:
        InvalidDocument: as parse_authored, and for a float.
    """
    return _one(text, name, _typed)


def parse_objects(text: str, name: str) -> tuple[Document, ...]:
    """Every document of a stream, typed as in parse_canonical; empty documents are left out."""
    nodes = _compose(text, name)
    return tuple(_document(node, name, _typed) for node in nodes if not _is_empty(node))


def format_yaml(data: Any) -> str:
    """Canonical YAML: sorted keys, LF, every string double-quoted as in JSON, no floats. One document, ends with a
    newline.
    """
    lines: list[str] = []
    _emit(data, "", lines)
    return "\n".join(lines) + "\n"


def format_flow(data: Any) -> str:
    """JSON on one line that YAML reads as the same data: what YAML does not print is escaped. Sorted, no floats."""
    _refuse_floats(data)
    plain = json.dumps(data, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return "".join(char if _is_printable(char) else _escape(char) for char in plain)


def format_json(data: Any) -> str:
    """Canonical JSON: sorted keys, no blanks, UTF-8 unescaped, no floats; the form that is hashed."""
    _refuse_floats(data)
    return json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _refuse_floats(data: Any) -> None:
    if isinstance(data, float):
        raise ValueError(f"a float ({data!r}) has no canonical form; write it as a string")  # noqa: TRY004 - a value, not its type
    for item in data.values() if isinstance(data, Mapping) else data if isinstance(data, list | tuple) else ():
        _refuse_floats(item)


def _one(text: str, name: str, scalar: Callable[[Any, str], Any]) -> Document:
    nodes = _compose(text, name)
    if len(nodes) > 1:
        raise InvalidDocument(
            "several YAML documents where one is expected",
            where=f"{name}:{nodes[1].start_mark.line + 1}",
            fix="keep one document and remove the `---` lines",
        )
    if not nodes:
        return Document(name, None, {})
    return _document(nodes[0], name, scalar)


def _compose(text: str, name: str) -> list[Any]:
    try:
        return list(yaml.compose_all(text, Loader=_Loader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        raise InvalidDocument(
            f"not valid YAML: {problem}", where=f"{name}:{line}", fix="correct the file at that line"
        ) from error


def _is_empty(node: Any) -> bool:
    return isinstance(node, yaml.ScalarNode) and not node.style and node.value == ""


def _document(node: Any, name: str, scalar: Callable[[Any, str], Any]) -> Document:
    lines: dict[Path, int] = {}
    seen: set[int] = set()

    def build(node: Any, path: Path) -> Any:
        line = node.start_mark.line + 1
        lines.setdefault(path, line)
        if id(node) in seen:
            raise InvalidDocument(
                "an alias (`*name`); each value is written out once", where=f"{name}:{line}", fix="write the value out"
            )
        seen.add(id(node))
        _refuse_tag(node, name)
        if isinstance(node, yaml.MappingNode):
            return mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [build(item, (*path, index)) for index, item in enumerate(node.value)]
        return scalar(node, name)

    def mapping(node: Any, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise InvalidDocument("a key that is not a word", where=f"{name}:{line}", fix="use plain words as keys")
            key = key_node.value
            if key in result:
                first = lines[(*path, key)]
                raise InvalidDocument(
                    f"duplicate key `{key}` (first at line {first})",
                    where=f"{name}:{line}",
                    fix=f"remove one of the two `{key}`",
                )
            lines[(*path, key)] = line
            result[key] = build(value_node, (*path, key))
        return result

    return Document(name, build(node, ()), lines)


def _string(node: Any, _name: str) -> str | None:
    if not node.style and node.value in {"", "null", "~"}:
        return None
    return str(node.value)


def _typed(node: Any, name: str) -> str | int | bool | None:
    text = str(node.value)
    if node.style:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if text in {"", "~"}:
        return None
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        raise InvalidDocument(
            f"a float ({text}) has no canonical form",
            where=f"{name}:{node.start_mark.line + 1}",
            fix=f'quote it: "{text}"',
        )
    return text


def _refuse_tag(node: Any, name: str) -> None:
    if node.tag not in _DEFAULT_TAGS:
        raise InvalidDocument(
            f"a YAML tag ({node.tag})", where=f"{name}:{node.start_mark.line + 1}", fix="remove the tag"
        )


def _emit(data: Any, indent: str, lines: list[str]) -> None:
    """Appends the block form of a mapping or sequence, or one line for a scalar."""
    if isinstance(data, Mapping) and data:
        for key in sorted(data):
            head = key if _PLAIN_KEY.fullmatch(key) and key.lower() not in _YAML_WORDS else _quoted(key)
            _emit_under(f"{indent}{head}:", data[key], indent, lines)
    elif isinstance(data, list | tuple) and data:
        for item in data:
            _emit_item(item, indent, lines)
    else:
        lines.append(indent + _scalar(data))


def _emit_under(head: str, value: Any, indent: str, lines: list[str]) -> None:
    if isinstance(value, Mapping | list | tuple) and value:
        lines.append(head)
        _emit(value, indent + "  ", lines)
    else:
        lines.append(f"{head} {_scalar(value)}")


def _emit_item(item: Any, indent: str, lines: list[str]) -> None:
    if isinstance(item, Mapping | list | tuple) and item:
        nested: list[str] = []
        _emit(item, indent + "  ", nested)
        lines.append(f"{indent}- {nested[0][len(indent) + 2 :]}")
        lines.extend(nested[1:])
    else:
        lines.append(f"{indent}- {_scalar(item)}")


def _scalar(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    raise ValueError(f"{type(value).__name__} has no canonical form")


def _quoted(text: str) -> str:
    r"""A double-quoted scalar that YAML 1.1, YAML 1.2 and JSON read alike.

    JSON's escapes are a subset of YAML's; what YAML does not print (C1 controls, U+2028, U+FEFF, surrogates) is
    escaped as well.
    Source: YAML 1.2.2 sections 5.1 and 7.3.1.
    """
    return format_flow(text)


def _is_printable(char: str) -> bool:
    code = ord(char)
    return (
        0x20 <= code <= 0x7E
        or (0xA0 <= code <= 0xD7FF and code not in {0x2028, 0x2029})
        or (0xE000 <= code <= 0xFFFD and code != 0xFEFF)
        or 0x10000 <= code <= 0x10FFFF
    )


def _escape(char: str) -> str:
    return f"\\u{ord(char):04x}"
