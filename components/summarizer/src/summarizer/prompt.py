"""A prompt file: dotprompt front matter between two `---` lines, then a template with {{variables}}.

The instruction and the document travel apart: the template around {{document}} becomes the system message, the
document alone is the user message. So no document, whatever it says, can pass for an instruction or be rendered
as a template.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n(.*)\Z", re.DOTALL)
EXPRESSION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
NAME = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*")
DOCUMENT = "document"


class PromptError(ValueError):
    """A prompt file or its use is wrong; the text says where and how to fix it."""


@dataclass(frozen=True)
class Prompt:
    """A prompt that was checked: every variable it uses is declared, and `document` is used exactly once."""

    path: str
    template: str
    variables: frozenset[str]
    config: Mapping[str, Any]

    def messages(self, values: Mapping[str, str]) -> list[dict[str, str]]:
        """The chat messages; PromptError where a used variable has no value. Values are never rendered again."""
        missing = sorted(used(self.template) - values.keys())
        if missing:
            raise PromptError(
                f"{self.path}: no value for {missing}.  fix: pass {', '.join(f'{name}=...' for name in missing)}"
            )
        around = {**values, DOCUMENT: ""}
        system = EXPRESSION.sub(lambda found: around[found[1].strip()], self.template).strip()
        return [{"role": "system", "content": system}, {"role": "user", "content": values[DOCUMENT]}]


def used(template: str) -> set[str]:
    """The names of the template's variables; PromptError for any other expression."""
    names = set()
    for expression in EXPRESSION.finditer(template):
        name = NAME.fullmatch(expression[1])
        if name is None:
            raise PromptError(
                f"{expression[0]} is not a variable.  fix: only {{{{name}}}} is rendered here, no helpers or blocks"
            )
        names.add(name[1])
    rest = EXPRESSION.sub("", template)
    if "{{" in rest or "}}" in rest:
        raise PromptError("the template has a {{ or }} without its pair.  fix: write {{name}}")
    return names


def parse(path: Path) -> Prompt:
    """The prompt of a file; PromptError with every reason found."""
    parts = FRONT_MATTER.match(path.read_text(encoding="utf-8").replace("\r\n", "\n"))
    if parts is None:
        raise PromptError(f"{path}: no front matter.  fix: start the file with ---, its YAML, and --- again")
    try:
        matter = yaml.safe_load(parts[1])
        schema = matter["input"]["schema"]
        declared, config = {str(name).rstrip("?") for name in schema}, dict(matter.get("config") or {})
    except (yaml.YAMLError, TypeError, KeyError, ValueError) as error:
        raise PromptError(
            f"{path}: front matter: {error}.  fix: declare input.schema, for example {{document: string}}"
        ) from error
    try:
        names = used(parts[2])
    except PromptError as error:
        raise PromptError(f"{path}: {error}") from error
    wrong = [f"{{{{{name}}}}} is used but not declared in input.schema" for name in sorted(names - declared)]
    if len(re.findall(r"\{\{\s*document\s*\}\}", parts[2])) != 1:
        wrong.append("{{document}} must be used exactly once")
    if wrong:
        raise PromptError(f"{path}: {'; '.join(wrong)}.  fix: make the template and input.schema agree")
    return Prompt(str(path), parts[2], frozenset(declared), config)
