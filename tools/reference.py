"""docs/reference.md from the code: every command's help, and every field of the files that people write.

`make golden` rewrites the page; a test fails when it is stale.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel

from lockstep.cli.main import program
from lockstep.core.bindings import Bindings
from lockstep.core.bundle import Bundle
from lockstep.core.component import Component
from lockstep.core.contract.fields import Fields

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference.md"
_WORDS = {"string": "text", "integer": "number", "boolean": "true or false"}
_FILES = (
    (Component, "component.yaml"),
    (Bundle, "lockstep.yaml"),
    (Bindings, "bindings.yaml"),
    (Fields, "x-lockstep of an operation in a contract"),
)


def page() -> str:
    """The whole page; the same code gives the same bytes."""
    parts = ["# Reference\n", "Written from the code by `make golden`; a test fails when it is stale.\n", "## Files\n"]
    for model, name in _FILES:
        parts += [f"### {name}\n", *_tables(model)]
    parts += [
        "## Commands\n",
        "Exit codes: 0 fine, 1 a finding, 2 usage, 3 the outside world failed.\n",
    ]
    parts += [f"### lockstep {name}\n\n```text\n{text}\n```\n" for name, text in _helps(program, None, "lockstep")]
    return "\n".join(parts)


def _tables(model: type[BaseModel]) -> Iterator[str]:
    schema = model.model_json_schema(by_alias=True)
    schema = _with_values(schema, schema.get("$defs", {}))
    yield _table(schema)
    for name, part in sorted(schema.get("$defs", {}).items()):
        if "properties" in part:
            yield f"`{name}`: {' '.join(part.get('description', '').split())}\n"
            yield _table(part)


def _with_values(node: Any, parts: dict[str, Any]) -> Any:
    """The schema with the values of every enumeration where it is named."""
    if isinstance(node, list):
        return [_with_values(one, parts) for one in node]
    if not isinstance(node, dict):
        return node
    named = parts.get(str(node.get("$ref", "")).rpartition("/")[2], {})
    whole = {**node, "enum": named["enum"]} if "enum" in named else node
    return {key: _with_values(value, parts) for key, value in whole.items() if key != "$ref" or whole is node}


def _table(schema: dict[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = ["| field | form | default | meaning |", "|---|---|---|---|"]
    for name, field in schema["properties"].items():
        default = "required" if name in required else _shown(field.get("default"))
        rows.append(f"| `{name}` | {_form(field)} | {default} | {field.get('description', '')} |")
    return "\n".join(rows) + "\n"


def _shown(value: Any) -> str:
    return (
        ""
        if value in (None, [], {}, "") or isinstance(value, dict)
        else f"`{value}`".replace("True", "true").replace("False", "false")
    )


def _form(field: dict[str, Any]) -> str:
    if "$ref" in field:
        return "`" + str(field["$ref"]).rpartition("/")[2] + "`"
    if "anyOf" in field:
        return " or ".join(form for part in field["anyOf"] if (form := _form(part)) != "null")
    if field.get("type") == "array":
        return "list of " + _form(field.get("items", {}))
    if field.get("type") == "object":
        inner: Any = field.get("additionalProperties") or next(iter(field.get("patternProperties", {}).values()), {})
        return "map to " + (_form(inner) if isinstance(inner, dict) and inner else "text")
    if "enum" in field or "const" in field:
        return ", ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    return _WORDS.get(str(field.get("type")), str(field.get("type")))


def _helps(command: click.Command, parent: click.Context | None, name: str) -> Iterator[tuple[str, str]]:
    """Path and help of every command below one, as a person sees them: contexts are nested as on the command line."""
    settings = {"terminal_width": 100, "max_content_width": 100}
    with click.Context(command, parent, name, **{**command.context_settings, **settings}) as context:
        if not isinstance(command, click.Group):
            yield context.command_path.removeprefix("lockstep "), command.get_help(context)
            return
        for child_name in command.list_commands(context):
            child = command.get_command(context, child_name)
            if child is not None:
                yield from _helps(child, context, child_name)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
