"""What an operation of a contract says of the model behind it: the extension `x-lockstep`, its fields and their places.

Source: OpenAPI 3.1.1, section 4.9 (specification extensions); the fields are Lockstep's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field, ValidationError

from lockstep.core.contract.contract import Contract, Node
from lockstep.core.contract.embedding import Embedding
from lockstep.core.contract.operations import operations_of
from lockstep.core.errors import Finding, refuse_if
from lockstep.core.model import Value

EXTENSION = "x-lockstep"


class Generation(Value):
    """What a text is generated with."""

    tokenizer: str | None = Field(default=None, min_length=1, description="name and revision of the tokenizer")
    chat_template: str | None = Field(default=None, min_length=1, description="revision of the chat template")
    context_length: int | None = Field(default=None, ge=1, description="tokens that prompt and answer have together")
    output_schema: Mapping[str, Any] | None = Field(
        default=None, description="what the generated text is when it is read as JSON: a schema, or a `$ref` to one"
    )
    languages: tuple[str, ...] | None = Field(default=None, description="languages that it answers in, such as `de`")


class Fields(Value):
    """`x-lockstep` of one operation. A contract states what it promises, a use file what its caller needs."""

    embedding: Embedding | None = Field(default=None, description="of an operation that answers with vectors")
    generation: Generation | None = Field(default=None, description="of an operation that answers with generated text")


def fields_of(contract: Contract) -> dict[str, tuple[Fields, Node]]:
    """The fields of every operation that has some, by method and path, with their place.

    Raises:
        Refused: a field that is unknown or malformed, or an `x-lockstep` elsewhere; each with file:line.
    """
    if not any(EXTENSION.encode() in data for data in contract.files.values()):
        return {}
    nodes = {name: node for name, one in operations_of(contract).items() if (node := one.get(EXTENSION))}
    found: dict[str, tuple[Fields, Node]] = {}
    wrong: list[tuple[Node, str]] = []
    for name, node in nodes.items():
        try:
            found[name] = (Fields.model_validate(node.value), node)
        except ValidationError as error:
            wrong += [_problem(node, problem) for problem in error.errors(include_url=False)]
    wrong += _elsewhere(contract, nodes.values())
    refuse_if(_findings(contract, wrong), f"{contract.path} says things of its models that are not understood")
    return found


def embeddings_of(contract: Contract) -> tuple[Embedding, ...]:
    """What the vectors of a contract's operations are made with, each once, by operation."""
    stated = (fields.embedding for _, (fields, _) in sorted(fields_of(contract).items(), key=lambda item: item[0]))
    return tuple(dict.fromkeys(one for one in stated if one is not None))


def _problem(node: Node, problem: Mapping[str, Any]) -> tuple[Node, str]:
    way = tuple(str(part) for part in problem["loc"])
    name = ".".join((EXTENSION, *way))
    what = "unknown field" if problem["type"] == "extra_forbidden" else str(problem["msg"])
    return Node(None, node.file, (*node.pointer, *way)), f"`{name}`: {what}"


def _elsewhere(contract: Contract, known: Any) -> Iterator[tuple[Node, str]]:
    places = {(node.file, node.pointer) for node in known}
    for file, document in contract.documents.items():
        waiting = [Node(document, file, ())]
        while waiting:
            here = waiting.pop()
            for key, node in here.items():
                if key == EXTENSION and isinstance(here.value, dict):
                    if (file, node.pointer) not in places:
                        yield node, f"`{EXTENSION}` stands where nothing reads it: it belongs into an operation"
                elif isinstance(node.value, dict | list):
                    waiting.append(node)


def _findings(contract: Contract, wrong: list[tuple[Node, str]]) -> list[Finding]:
    places: dict[str, list[tuple[str, ...]]] = {}
    for node, _ in wrong:
        places.setdefault(node.file, []).append(node.pointer)
    lines = contract.lines(places)
    fix = "correct it; every field: lockstep schema contract"
    return [
        Finding("contract/field", f"{node.file}:{lines[node.file, node.pointer]}", what, fix) for node, what in wrong
    ]
