""".dockerignore: which files of a folder a build does not get. The last pattern that speaks of a file decides.

Source: moby/patternmatcher v0.6.0, `MatchesOrParentMatches`, and its ignorefile reader, which Docker and BuildKit use
(https://github.com/moby/patternmatcher/tree/v0.6.0).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Pattern:
    """One line: what it speaks of, and whether it takes that back in (`!`)."""

    expression: re.Pattern[str]
    is_exception: bool


def parse_ignore(text: str) -> tuple[Pattern, ...]:
    """The patterns of a .dockerignore, in its order.

    Raises:
        ValueError: a pattern means nothing, such as `[` without an end; names it.
    """
    lines = (line for line in text.removeprefix("\ufeff").splitlines() if not line.startswith("#"))
    return tuple(_pattern(line.strip()) for line in lines if line.strip())


def is_ignored(path: str, patterns: tuple[Pattern, ...]) -> bool:
    """Whether a file, by its path below the folder, is left out; with a folder goes what lies in it."""
    parts = path.split("/")
    places = ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
    ignored = False
    for pattern in patterns:
        if pattern.is_exception == ignored and any(pattern.expression.fullmatch(place) for place in places):
            ignored = not pattern.is_exception
    return ignored


def _pattern(line: str) -> Pattern:
    is_exception = line.startswith("!")
    text = line.removeprefix("!").strip()
    if not text:
        raise ValueError("`!` alone takes nothing back in; a good one: !docs/README.md")
    plain = posixpath.normpath(text).lstrip("/")
    try:
        return Pattern(re.compile("".join(_parts(plain)), re.DOTALL), is_exception)
    except re.error as error:
        raise ValueError(f"{line!r} is no pattern: {error}") from error


def _parts(text: str) -> Iterator[str]:
    """The pattern as a regular expression: `*` and `?` stay in one folder, `**` does not."""
    position = 0
    while position < len(text):
        rest, letter = text[position:], text[position]
        step = 1
        if found := re.match(r"\*\*/?", rest):
            step = found.end()
            yield "(?:.*/)?" if position + step < len(text) else ".*"
        elif letter == "*":
            yield "[^/]*"
        elif letter == "?":
            yield "[^/]"
        elif letter == "\\" and len(rest) > 1:
            step = 2
            yield re.escape(rest[1])
        elif letter in "[]-^":
            yield letter
        else:
            yield re.escape(letter)
        position += step
