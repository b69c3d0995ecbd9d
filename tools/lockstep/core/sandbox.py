"""The template engine as Lockstep uses it. Apart, because half of the commands render nothing, it loads slowly."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jinja2
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup

from lockstep.core.document import format_flow

FAILURES = (jinja2.TemplateError, ArithmeticError, LookupError, TypeError, ValueError)
_GLOBALS = ("range", "dict", "namespace")
_WITHHELD = {"random", "safe", "e", "escape", "forceescape", "xmlattr", "urlize"}


def expanded(template: str, context: Mapping[str, Any]) -> str:
    """The text of a template for a context.

    The engine has nothing that makes two renderings differ, and nothing but `tojson` that lets a string through.

    Raises:
        one of FAILURES: an unknown name, forbidden access, a string that did not go through tojson, or a value that has
            no canonical form.
    """
    return _compiled(template).render(context)


@lru_cache(maxsize=8)
def _compiled(template: str) -> jinja2.Template:
    """The compiled template. Remembered, as compiling is a function of the text and costs more than rendering."""
    environment = SandboxedEnvironment(undefined=jinja2.StrictUndefined, finalize=_finalize, autoescape=False)
    environment.globals = {name: environment.globals[name] for name in _GLOBALS}
    environment.filters = {name: make for name, make in environment.filters.items() if name not in _WITHHELD}
    environment.filters["tojson"] = _tojson
    return environment.from_string(template)


def line_of(error: BaseException) -> int | None:
    """The template's line that an error comes from; None if it is not known."""
    line: int | None = getattr(error, "lineno", None)
    frame = error.__traceback__
    while frame is not None and not isinstance(error, jinja2.TemplateSyntaxError):
        if frame.tb_frame.f_code.co_filename == "<template>":
            line = frame.tb_lineno
        frame = frame.tb_next
    return line


def _tojson(value: Any) -> Markup:
    if isinstance(value, jinja2.Undefined):
        str(value)  # raises, with the name that is not there
    return Markup(format_flow(value))  # noqa: S704 - JSON is the escaping


def _finalize(value: Any) -> Any:
    if isinstance(value, str) and not isinstance(value, Markup):
        raise jinja2.TemplateRuntimeError(f"the string {value!r} does not go through tojson")
    return value
