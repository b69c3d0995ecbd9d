"""A contract: one OpenAPI 3.0 or 3.1 document or one JSON Schema (2020-12), with the local files that it refers to."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any

from lockstep.core.contract.reading import LIMIT_DEPTH, Pointer, lines_of, parse_document
from lockstep.core.document import InvalidDocument
from lockstep.core.errors import Finding, refuse_if

_OPENAPI = re.compile(r"3\.[01]\.[0-9]+(-.+)?")
_PERCENT = re.compile(r"%([0-9a-fA-F]{2})")
_MANY = 20  # findings of one kind that are listed


class ContractKind(StrEnum):
    """What a contract is written as."""

    OPENAPI_30 = "OpenAPI 3.0"
    OPENAPI_31 = "OpenAPI 3.1"
    SCHEMA = "JSON Schema"


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a contract and where it stands.

    Args:
        value: What is there: dict, list, str, int, float, bool or None.
        file: Path of the file.
        pointer: The way into that file.
    """

    value: Any
    file: str
    pointer: Pointer

    def get(self, *keys: str) -> Node | None:
        """What stands below these keys; None if one of them is not there. Follows no reference."""
        value = self.value
        for key in keys:
            if not isinstance(value, dict) or key not in value:
                return None
            value = value[key]
        return Node(value, self.file, (*self.pointer, *keys))

    def items(self) -> Iterator[tuple[str, Node]]:
        """The entries of a mapping, those of a list by their index; of anything else nothing."""
        value = self.value
        entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, item in entries:
            yield str(key), Node(item, self.file, (*self.pointer, str(key)))


@dataclass(frozen=True)
class Contract:
    """A contract whose references all lead somewhere.

    Args:
        path: Path of its file.
        kind: What it is written as.
        files: The bytes of that file and of those that it refers to, by path.
        documents: Their values.
    """

    path: str
    kind: ContractKind
    files: Mapping[str, bytes]
    documents: Mapping[str, Any]

    @property
    def root(self) -> Node:
        """The whole of its file."""
        return Node(self.documents[self.path], self.path, ())

    def resolve(self, node: Node) -> Node:
        """The node, or what its `$ref` leads to in the end; siblings of `$ref` are not in it."""
        while isinstance(node.value, dict) and isinstance(reference := node.value.get("$ref"), str):
            node = self.target(node, reference)
        return node

    def target(self, node: Node, reference: str) -> Node:
        """What one reference that stands at a node leads to."""
        found = _target(self.documents, node.file, reference, self.named)
        if isinstance(found, str):
            raise InvalidDocument(found, where=node.file, fix="correct the reference")  # parse_contract has seen all
        return found

    @cached_property
    def named(self) -> Mapping[tuple[str, str], Pointer]:
        """Schemas that have a name of their own (`$id`, `$anchor`, `$dynamicAnchor`), by file and name."""
        return {key: pointer for file, value in self.documents.items() for key, pointer in _names(file, value)}

    def lines(self, places: Mapping[str, list[Pointer]]) -> dict[tuple[str, Pointer], int]:
        """The line of each place, by file and pointer."""
        return {
            (file, pointer): line
            for file, pointers in places.items()
            for pointer, line in lines_of(self.files[file], pointers).items()
        }


def referenced(data: bytes, path: str) -> tuple[str, ...]:
    """Paths of the other files that a contract's file refers to, sorted: they belong to the contract.

    Raises:
        InvalidDocument: the file cannot be read.
    """
    return _others(parse_document(data, path), path)


def parse_contract(files: Mapping[str, bytes], path: str) -> Contract:
    """The contract in a file, with those that it refers to.

    Args:
        files: Every file that `referenced` named, and of those what they refer to; more does no harm.
        path: The contract's own file.

    Raises:
        InvalidDocument: a file cannot be read, is beyond a bound, or is nothing that is known; with file:line.
        Refused: references that lead nowhere, to a host or only to themselves; each of them.
    """
    documents: dict[str, Any] = {}
    waiting = [path]
    for name in waiting:
        if name in files and name not in documents:
            documents[name] = parse_document(files[name], name)
            waiting += _others(documents[name], name)
    contract = Contract(path, _kind(documents[path], path), {name: files[name] for name in documents}, documents)
    refuse_if(_reference_findings(contract), f"{path} has references that lead nowhere")
    return contract


def _kind(value: Any, path: str) -> ContractKind:
    if not isinstance(value, dict | bool):
        raise InvalidDocument(
            "neither an OpenAPI document nor a JSON Schema: it is no mapping",
            where=f"{path}:1",
            fix="see docs/contracts.md",
        )
    if isinstance(value, bool) or not {"openapi", "swagger"} & value.keys():
        return ContractKind.SCHEMA
    version = str(value.get("openapi", value.get("swagger")))
    if not _OPENAPI.fullmatch(version):
        raise InvalidDocument(
            f"OpenAPI {version} is not supported; 3.0 and 3.1 are", where=f"{path}:1", fix="convert it to OpenAPI 3.1"
        )
    return ContractKind.OPENAPI_30 if version.startswith("3.0.") else ContractKind.OPENAPI_31


def _references(value: Any) -> Iterator[tuple[Pointer, str]]:
    """Every `$ref` and the place where it stands; examples and constants may hold anything, so they are passed over."""
    stack: list[tuple[Pointer, Any, bool]] = [((), value, False)]
    while stack:
        pointer, here, are_names = stack.pop()
        if isinstance(here, dict):
            if not are_names and isinstance(reference := here.get("$ref"), str):
                yield pointer, reference
            for key, item in here.items():
                if isinstance(item, dict | list) and (are_names or not _is_free(key)):
                    stack.append(((*pointer, key), item, not are_names and key in _NAMED))
        elif isinstance(here, list):
            stack += [((*pointer, str(i)), item, False) for i, item in enumerate(here) if isinstance(item, dict | list)]


# Below these, keys are names that somebody chose; below those of _FREE anything may stand.
_NAMED = {
    "properties",
    "patternProperties",
    "dependentSchemas",
    "$defs",
    "definitions",
    "schemas",
    "paths",
    "responses",
}
_NAMED |= {
    "callbacks",
    "headers",
    "parameters",
    "requestBodies",
    "securitySchemes",
    "webhooks",
    "pathItems",
    "encoding",
}
_FREE = {"example", "examples", "default", "enum", "const"}


def _is_free(key: str) -> bool:
    return key in _FREE or (key.startswith("x-") and key != "x-lockstep")


def _others(value: Any, path: str) -> tuple[str, ...]:
    found = {_file_of(path, reference) for _, reference in _references(value)}
    return tuple(sorted(found - {path, ""}))


def _is_elsewhere(reference: str) -> bool:
    return "://" in reference or reference.startswith("//")


def _file_of(path: str, reference: str) -> str:
    """The file that a reference names; that of the reference itself if it names none, empty for one on a host."""
    file = reference.partition("#")[0]
    if _is_elsewhere(reference):
        return ""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), _unescape(file))) if file else path


def _unescape(text: str) -> str:
    return _PERCENT.sub(lambda found: chr(int(found[1], 16)), text)


def _target(
    documents: Mapping[str, Any], path: str, reference: str, named: Mapping[tuple[str, str], Pointer]
) -> Node | str:
    """What a reference leads to, or a sentence on why it leads nowhere."""
    if (path, reference) in named:
        pointer = named[path, reference]
    elif _is_elsewhere(reference):
        return f"`{reference}` is on another host; contracts refer to files beside them only"
    else:
        file, fragment = _file_of(path, reference), reference.partition("#")[2]
        if file not in documents:
            return f"`{reference}` names the file {file}, which is not there"
        path = file
        if fragment and not fragment.startswith("/"):
            if (path, f"#{fragment}") not in named:
                return f"`{reference}` names the anchor `{fragment}`, which is not there"
            pointer = named[path, f"#{fragment}"]
        else:
            pointer = tuple(_unescape(part).replace("~1", "/").replace("~0", "~") for part in fragment.split("/")[1:])
    value = documents[path]
    for key in pointer:
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return f"`{reference}` leads nowhere: there is no `{key}`"
    return Node(value, path, pointer)


def _names(file: str, value: Any) -> Iterator[tuple[tuple[str, str], Pointer]]:
    stack: list[tuple[Pointer, Any]] = [((), value)]
    while stack:
        pointer, here = stack.pop()
        if isinstance(here, dict):
            for key in ("$anchor", "$dynamicAnchor"):
                if isinstance(name := here.get(key), str):
                    yield (file, f"#{name}"), pointer
            if isinstance(name := here.get("$id"), str):
                yield (file, name), pointer
            stack += [((*pointer, key), item) for key, item in here.items() if isinstance(item, dict | list)]
        elif isinstance(here, list):
            stack += [((*pointer, str(i)), item) for i, item in enumerate(here) if isinstance(item, dict | list)]


def _reference_findings(contract: Contract) -> list[Finding]:
    wrong: list[tuple[str, Pointer, str]] = []
    for file, value in contract.documents.items():
        for pointer, reference in _references(value):
            if what := _wrong(contract, Node(value, file, pointer), reference):
                wrong.append((file, pointer, what))
    places: dict[str, list[Pointer]] = {}
    for file, pointer, _ in wrong[:_MANY]:
        places.setdefault(file, []).append((*pointer, "$ref"))
    lines = contract.lines(places)
    fix = "correct the reference, or add what it names"
    return [
        Finding("contract/reference", f"{file}:{lines[file, (*pointer, '$ref')]}", what, fix)
        for file, pointer, what in wrong[:_MANY]
    ]


def _wrong(contract: Contract, node: Node, reference: str) -> str:
    """A sentence, if a reference leads nowhere or round in a ring of references alone."""
    file = node.file
    for _ in range(LIMIT_DEPTH):
        found = _target(contract.documents, file, reference, contract.named)
        if isinstance(found, str):
            return found
        if not (isinstance(found.value, dict) and isinstance(found.value.get("$ref"), str)):
            return ""
        file, reference = found.file, found.value["$ref"]
    return f"`{reference}` leads back to itself, or through more than {LIMIT_DEPTH} references"
