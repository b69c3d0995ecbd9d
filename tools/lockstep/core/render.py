"""Templates to objects: sandboxed, nothing undefined, every string through tojson; parsed and kept as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lockstep.core.document import InvalidDocument, format_yaml, parse_objects
from lockstep.core.errors import LockstepError

Object = Mapping[str, Any]
Templates = Mapping[str, str]


class TemplateError(LockstepError):
    """A template of charts/objects that cannot be rendered."""

    exit_code = 1


def render(templates: Templates, name: str, context: Mapping[str, Any]) -> tuple[Object, ...]:
    """The objects that a template gives for a context, in the template's order.

    Args:
        templates: Text of every template by file name.
        name: The template's file name.
        context: Names that it may use; anything else is an error.

    Raises:
        TemplateError: unknown name, forbidden access, a string that did not go through tojson, or a result that is
            not YAML.
    """
    from lockstep.core import sandbox  # noqa: PLC0415 - see there

    where = f"charts/objects/{name}"
    if name not in templates:
        raise TemplateError(
            f"the template {name} is missing",
            where=where,
            fix="restore it from the release that last worked: git checkout TAG -- charts/objects",
        )
    try:
        text = sandbox.expanded(templates[name], context)
        return tuple(document.data for document in parse_objects(text, where))
    except sandbox.FAILURES as error:
        line = sandbox.line_of(error)
        raise TemplateError(
            f"cannot render: {error}", where=f"{where}:{line}" if line else where, fix="correct the template"
        ) from error
    except InvalidDocument as error:
        raise TemplateError(
            f"the rendered text is wrong: {error}",
            where=error.where,
            fix="correct the template (the line is the rendered one)",
        ) from error


def format_objects(objects: tuple[Object, ...], header: str) -> bytes:
    """A manifest file: a comment line, then every object in canonical YAML, separated by `---`."""
    return (f"# {header}\n" + "---\n".join(format_yaml(item) for item in objects)).encode()
