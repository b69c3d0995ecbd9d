"""A contract: one OpenAPI 3.0 or 3.1 document or one JSON Schema (2020-12), with the local files that it refers to."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lockstep.core.contract.limits import Pointer
from lockstep.core.contract.reading import Text, parse_document, read_document
from lockstep.core.contract.references import Marks, Named, cut, marks_of, others, target, wrong_references
from lockstep.core.document import InvalidDocument
from lockstep.core.errors import Finding, refuse_if

_OPENAPI = re.compile(r"3\.[01]\.[0-9]+(-.+)?")
_REFERENCE = re.compile(rb"\$ref")
_TO_ITSELF = re.compile(rb"""\$ref["']?\s*:\s*["']?#""")
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
        texts: The same, with their lines.
        named: Schemas that have a name of their own (`$id`, `$anchor`, `$dynamicAnchor`), by file and name.
    """

    path: str
    kind: ContractKind
    files: Mapping[str, bytes]
    documents: Mapping[str, Any]
    texts: Mapping[str, Text]
    named: Named

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
        found = target(self.documents, self.named, node.file, reference)
        if isinstance(found, str):
            raise InvalidDocument(found, where=node.file, fix="correct the reference")  # parse_contract has seen all
        file, pointer, value = found
        return Node(value, file, pointer)

    def lines(self, places: Mapping[str, list[Pointer]]) -> dict[tuple[str, Pointer], int]:
        """The line of each place, by file and pointer."""
        return {
            (file, pointer): line
            for file, pointers in places.items()
            for pointer, line in self.texts[file].lines(pointers).items()
        }


def referenced(data: bytes, path: str) -> tuple[str, ...]:
    """Paths of the other files that a contract's file refers to, sorted: they belong to the contract.

    Without reading it where every reference plainly begins with `#`: parse_contract says what is wrong with it.

    Raises:
        InvalidDocument: the file cannot be read.
    """
    if len(_REFERENCE.findall(data)) == len(_TO_ITSELF.findall(data)):
        return ()
    return others(marks_of(parse_document(data, path)), path)


def parse_contract(files: Mapping[str, bytes], path: str) -> Contract:
    """The contract in a file, with those that it refers to.

    Args:
        files: Every file that `referenced` named, and of those what they refer to; more does no harm.
        path: The contract's own file.

    Raises:
        InvalidDocument: a file cannot be read, is beyond a bound, or is nothing that is known; with file:line.
        Refused: references that lead nowhere, to a host or only to themselves; each of them.
    """
    texts: dict[str, Text] = {}
    marks: dict[str, Marks] = {}
    waiting = [path]
    for name in waiting:
        if name in files and name not in texts:
            texts[name] = read_document(files[name], name)
            marks[name] = marks_of(texts[name].value)
            waiting += others(marks[name], name)
    documents = {name: text.value for name, text in texts.items()}
    named = {(file, name): pointer for file, own in marks.items() for name, pointer in own.names.items()}
    own_files = {name: files[name] for name in texts}
    contract = Contract(path, _kind(documents[path], path), own_files, documents, texts, named)
    wrong = wrong_references(documents, marks, named)
    refuse_if(_findings(contract, wrong), f"{path} has references that lead nowhere")
    return contract


def _kind(value: Any, path: str) -> ContractKind:
    if not isinstance(value, dict | bool):
        what = (
            "the file is empty" if value is None else "neither an OpenAPI document nor a JSON Schema: it is no mapping"
        )
        raise InvalidDocument(
            what, where=f"{path}:1", fix="write an OpenAPI 3.0 or 3.1 document or a JSON Schema there"
        )
    if isinstance(value, bool) or not {"openapi", "swagger"} & value.keys():
        return ContractKind.SCHEMA
    version = cut(str(value.get("openapi", value.get("swagger"))))
    if not _OPENAPI.fullmatch(version):
        raise InvalidDocument(
            f"OpenAPI {version} is not supported; 3.0 and 3.1 are", where=f"{path}:1", fix="convert it to OpenAPI 3.1"
        )
    return ContractKind.OPENAPI_30 if version.startswith("3.0.") else ContractKind.OPENAPI_31


def _findings(contract: Contract, wrong: list[tuple[str, Pointer, str]]) -> list[Finding]:
    places: dict[str, list[Pointer]] = {}
    for file, pointer, _ in wrong[:_MANY]:
        places.setdefault(file, []).append((*pointer, "$ref"))
    lines = contract.lines(places)
    more = f" (and {len(wrong) - _MANY:,} more references are wrong)" if len(wrong) > _MANY else ""
    fix = "correct the reference, or add what it names"
    return [
        Finding("contract/reference", f"{file}:{lines[file, (*pointer, '$ref')]}", f"{what}{more}", fix)
        for file, pointer, what in wrong[:_MANY]
    ]
