"""What a provider says beforehand about taking something away: until which day it is there, and how stable it is."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lockstep.core.contract.contract import Node

SUNSET = "x-sunset"
STABILITY = "x-stability-level"
# Below `beta` an operation is promised to nobody; without a level it is stable.
LEVELS = ("draft", "alpha", "beta", "stable")
_PROMISED = "beta"
_DATE = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:[Zz]|[-+][0-9]{2}:[0-9]{2}))?"
)


@dataclass(frozen=True)
class Sunset:
    """The day from which something may be gone.

    Args:
        node: Where it stands; None if it does not.
        day: The day, such as 2030-01-31; None if it is not there or no date.
    """

    node: Node | None
    day: str | None


def sunset_of(node: Node) -> Sunset:
    """When this may be gone: a date, or a date and time of RFC 3339."""
    found = node.get(SUNSET)
    if found is None or not isinstance(found.value, str) or not (parts := _DATE.fullmatch(found.value)):
        return Sunset(found, None)
    year, month, day = (int(part) for part in parts[1].split("-"))
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    longest = {2: 29 if is_leap else 28, 4: 30, 6: 30, 9: 30, 11: 30}.get(month, 31)
    return Sunset(found, parts[1] if 1 <= month <= 12 and 1 <= day <= longest else None)


def stability_of(node: Node) -> str | None:
    """One of LEVELS, stable if nothing is said; None if it is none of them."""
    found = node.get(STABILITY)
    if found is None or found.value is None:
        return "stable"
    return found.value if isinstance(found.value, str) and found.value in LEVELS else None


def is_promised(node: Node) -> bool:
    """Whether a provider promises to keep this: what says nothing, or nothing that can be read, is promised."""
    stability = stability_of(node)
    return stability is None or LEVELS.index(stability) >= LEVELS.index(_PROMISED)


@dataclass(frozen=True)
class Asked:
    """When somebody asks, and who.

    Args:
        today: The day, such as 2030-01-31; without it no sunset has come yet.
        is_edge: Whether a caller asks: what was said beforehand helps it nothing, and it says nothing of the kind.
    """

    today: str | None = None
    is_edge: bool = False

    def is_before(self, day: str) -> bool:
        """Whether a day is still to come."""
        return self.today is None or self.today < day

    def is_past(self, day: str) -> bool:
        """Whether a day is over."""
        return self.today is not None and self.today > day

    def is_given_up(self, node: Node) -> bool:
        """Whether what stands at a node may go: it is deprecated, and the day until which it stays has come."""
        sunset = sunset_of(node)
        is_due = sunset.node is None or (sunset.day is not None and not self.is_before(sunset.day))
        return not self.is_edge and node.value.get("deprecated") is True and is_due
