"""Templates to objects: sandboxed, nothing undefined, every string through tojson; parsed and kept as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lockstep.core.document import InvalidDocument, format_flow, format_yaml, parse_objects
from lockstep.core.errors import LockstepError

Object = Mapping[str, Any]
Templates = Mapping[str, str]

_WITHHELD = {"random", "safe", "e", "escape", "forceescape", "xmlattr", "urlize"}
_FAILURES = (jinja2.TemplateError, ArithmeticError, LookupError, TypeError, ValueError)


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
    where = f"charts/objects/{name}"
    if name not in templates:
        raise TemplateError(
            f"the template {name} is missing",
            where=where,
            fix="restore it from the release that last worked: git checkout TAG -- charts/objects",
        )
    try:
        text = _environment().from_string(templates[name]).render(context)
        return tuple(document.data for document in parse_objects(text, where))
    except _FAILURES as error:
        line = getattr(error, "lineno", None) or _line(error)
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


def _environment() -> SandboxedEnvironment:
    """A sandbox without what would make two renderings differ, or a string pass for JSON that is none."""
    environment = SandboxedEnvironment(undefined=jinja2.StrictUndefined, finalize=_finalize, autoescape=False)
    environment.globals = {name: environment.globals[name] for name in ("range", "dict", "namespace")}
    environment.filters = {name: make for name, make in environment.filters.items() if name not in _WITHHELD}
    environment.filters["tojson"] = _tojson
    return environment


def _tojson(value: Any) -> Markup:
    if isinstance(value, jinja2.Undefined):
        str(value)  # raises, with the name that is not there
    return Markup(format_flow(value))


def _finalize(value: Any) -> Any:
    import jinja2  # noqa: PLC0415
    from markupsafe import Markup  # noqa: PLC0415

    if isinstance(value, str) and not isinstance(value, Markup):
        raise jinja2.TemplateRuntimeError(f"the string {value!r} does not go through tojson")
    return value


def _line(error: BaseException) -> int | None:
    frame = error.__traceback__
    line = None
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == "<template>":
            line = frame.tb_lineno
        frame = frame.tb_next
    return line
