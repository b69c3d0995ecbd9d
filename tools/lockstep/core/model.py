"""How files become frozen values: strict models, every problem collected, each with its file:line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from lockstep.core.document import Document
from lockstep.core.errors import Finding, Refused


class Value(BaseModel):
    """A frozen value that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings", defer_build=True)


Model = TypeVar("Model", bound=BaseModel)


def load(model: type[Model], document: Document, *, rule: str, component: str = "") -> Model:
    """The value that a document holds.

    Raises:
        Refused: with one finding per problem, each at its line.
    """
    data = document.data if document.data is not None else {}
    try:
        return model.model_validate(data)
    except ValidationError as error:
        findings = tuple(_finding(problem, document, rule, component) for problem in error.errors(include_url=False))
        raise Refused(f"{document.name} is not valid", findings) from error


def dump(value: BaseModel) -> dict[str, Any]:
    """The plain data of a value, as it is written to files."""
    return value.model_dump(mode="json", exclude_defaults=False)


def _finding(problem: Mapping[str, Any], document: Document, rule: str, component: str) -> Finding:
    path = tuple(problem["loc"])
    field = ".".join(str(part) for part in path) or "the file"
    kind = problem["type"]
    if kind == "extra_forbidden":
        return Finding(
            rule,
            document.where(path),
            f"unknown field `{field}`",
            f"remove it, or correct its spelling{_fields(rule)}",
            component,
        )
    if kind == "missing":
        return Finding(
            rule,
            document.where(path),
            f"`{field}` is missing",
            f"add `{path[-1]}:`{_fields(rule)}",
            component,
        )
    message = str(problem["msg"]).removeprefix("Value error, ")
    return Finding(
        rule,
        document.where(path),
        f"`{field}`: {message}",
        f"correct the value{_fields(rule)}",
        component,
    )


def _fields(rule: str) -> str:
    """Where every field is explained, as a command, for files that people write."""
    name = rule.partition("/")[0]
    return f"; every field: lockstep schema {name}" if name in {"component", "bundle", "bindings"} else ""
