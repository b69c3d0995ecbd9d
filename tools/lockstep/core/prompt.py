"""What Lockstep reads of a prompt: its own version, if its front matter has one. The text itself is never evaluated."""

from __future__ import annotations

import re

from lockstep.core.document import InvalidDocument, parse_authored
from lockstep.core.version import Bump, Version, bump_between

_FRONT_MATTER = re.compile(r"---\r?\n(?P<yaml>.*?)\r?\n---(?:\r?\n|$)", re.DOTALL)


def prompt_version(text: str) -> Version | None:
    """The `version` of a prompt's front matter; None if it has none that is a semantic version."""
    match = _FRONT_MATTER.match(text)
    if not match:
        return None
    try:
        data = parse_authored(match["yaml"], "prompt").data
        return Version(data["version"]) if isinstance(data, dict) and "version" in data else None
    except (InvalidDocument, ValueError):
        return None


def prompt_bump(old: str, new: str) -> Bump:
    """How far a prompt moved by its own versions; PATCH when its text changed and they do not say more, NONE when it
    did not.
    """
    if old == new:
        return Bump.NONE
    before, after = prompt_version(old), prompt_version(new)
    said = bump_between(before, after) if before and after else Bump.NONE
    return Bump.PATCH if said is Bump.NONE else said
