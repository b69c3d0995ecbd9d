"""What a GitLab answers, as frozen values: what is read of it has exactly the documented form, the rest is left out.

Source: GitLab's documentation of its REST API (version 4), the page that each value names.
"""

from __future__ import annotations

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError


class Said(BaseModel):
    """A part of an answer. Fields that are not read here are not kept: some of them are secrets."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", hide_input_in_errors=True, defer_build=True)


class SaidCommit(Said):
    """The commit that a release's tag names."""

    id: str = Field(pattern=r"^[0-9a-f]{40,64}$")


class SaidLinks(Said):
    """Where a release is seen."""

    self: str = ""


class SaidRelease(Said):
    """A release of a project. Source: api/releases, "Get a Release by a tag name"."""

    tag_name: str
    description: str | None = None
    commit: SaidCommit | None = None
    links: SaidLinks = Field(default=SaidLinks(), alias="_links")

    def says(self, text: str) -> bool:
        """Whether its notes are this text; forms send line ends as CR LF, and blanks at the end count for nothing."""
        return _plain(self.description or "") == _plain(text)


Form = TypeVar("Form")


def parse_answer(form: type[Form], body: bytes) -> Form:
    """The value that an answer has.

    Raises:
        ValueError: it has another form; says where, and repeats nothing of it.
    """
    try:
        return TypeAdapter(form).validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(map(str, first["loc"])) or "the answer"
        raise ValueError(f"{place}: {first['msg']}") from None


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").rstrip()
