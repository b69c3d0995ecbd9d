"""Release versions: semantic versions, and the bump that a change requires."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import total_ordering
from typing import Any

import semver
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

# The expression that semver.org publishes for 2.0.0, without build metadata: `+` may not stand in an image tag.
_PATTERN = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?"
)


class Bump(StrEnum):
    """How far a version must move, smallest first in `ORDER`."""

    NONE = "none"
    PATCH = "patch"
    MINOR = "minor"
    MAJOR = "major"


ORDER = (Bump.NONE, Bump.PATCH, Bump.MINOR, Bump.MAJOR)


@total_ordering
class Version:
    """A semantic version without build metadata, ordered by precedence. Source: semver.org 2.0.0, items 9 and 11."""

    __slots__ = ("_parsed", "text")

    def __init__(self, text: str) -> None:
        if not isinstance(text, str) or not _PATTERN.fullmatch(text):
            raise ValueError(f"{text!r} is not a semantic version; a good one: 1.4.0 or 1.4.0-rc.1")
        self.text = text
        self._parsed = semver.Version.parse(text)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Version({self.text!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Version) and self.text == other.text

    def __lt__(self, other: Version) -> bool:
        return self._parsed.compare(other._parsed) < 0

    def __hash__(self) -> int:
        return hash(self.text)

    @property
    def is_prerelease(self) -> bool:
        """Whether the version has a pre-release part."""
        return self._parsed.prerelease is not None

    @property
    def parts(self) -> tuple[int, int, int]:
        """Major, minor and patch."""
        return self._parsed.major, self._parsed.minor, self._parsed.patch

    @property
    def final(self) -> Version:
        """The same version without its pre-release part."""
        return Version(str(self._parsed.finalize_version()))

    def bumped(self, bump: Bump) -> Version:
        """The smallest final version that is this far from this one."""
        if bump is Bump.MAJOR:
            return Version(str(self._parsed.bump_major()))
        if bump is Bump.MINOR:
            return Version(str(self._parsed.bump_minor()))
        return Version(str(self._parsed.bump_patch()))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Parses strings; prints as the string."""
        parse = core_schema.no_info_after_validator_function(cls, core_schema.str_schema())
        return core_schema.union_schema(
            [core_schema.is_instance_schema(cls), parse],
            serialization=core_schema.plain_serializer_function_ser_schema(str),
        )


def bump_between(old: Version, new: Version) -> Bump:
    """How far `new` is from `old`, judged by their final parts; NONE when they are the same version line."""
    before, after = old.final.parts, new.final.parts
    if after[0] != before[0]:
        return Bump.MAJOR
    if after[1] != before[1]:
        return Bump.MINOR
    return Bump.PATCH if after != before else Bump.NONE


def largest(bumps: tuple[Bump, ...]) -> Bump:
    """The largest of some bumps; NONE of nothing."""
    return max(bumps, key=ORDER.index, default=Bump.NONE)
