"""What changed at one place of a schema, before it is known in which message it stands."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lockstep.core.contract.contract import Node
from lockstep.core.contract.finding import Level


class Effect(StrEnum):
    """What a change does to the values that are valid."""

    NARROWS = "narrows"
    WIDENS = "widens"
    INCOMPARABLE = "incomparable"
    UNKNOWN = "unknown"
    NONE = "none"


class Kept(StrEnum):
    """Whether a change is told even where everything that is sent can be read."""

    NOT = "not told"
    WHOLE = "told as it weighs"
    DOUBTED = "told as a doubt"  # what a contract does not name may be sent all the same


@dataclass(frozen=True)
class Change:
    """One change.

    Args:
        rule: The rule without direction and part: `max-length-decreased`. With a blank in it, `{0}-property-removed`,
            the direction is put there and no part is named.
        effect: What it does to the values that are valid.
        old: Where it stands in what is needed.
        new: Where it stands in what is provided.
        what: What is said of it; `{0}` is the place.
        values: The old and the new value; a missing one is None.
        kept: Whether it is told even where everything that is sent can be read.
    """

    rule: str
    effect: Effect
    old: Node
    new: Node
    what: str
    values: tuple[Any, Any] = (None, None)
    kept: Kept = Kept.NOT


def level_of(effect: Effect, *, is_request: bool) -> Level:
    """How much a change weighs: whoever reads must not read less, whoever sends must not send more."""
    if effect is Effect.UNKNOWN:
        return Level.WARN
    if effect is Effect.INCOMPARABLE:
        return Level.ERR
    if effect is Effect.NONE:
        return Level.INFO
    return Level.ERR if (effect is Effect.NARROWS) == is_request else Level.INFO
