"""A check of a setting: what was asked, and one of three outcomes. What could not be asked is never fine."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class Outcome(StrEnum):
    """What a check came to."""

    FINE = "fine"
    FINDING = "finding"
    UNTOLD = "cannot be told"


@dataclass(frozen=True)
class Untold:
    """Something that could not be asked, and why: no token, no right, another tier, no answer."""

    why: str


UNASKED = Untold("GitLab was not asked: see above")


@dataclass(frozen=True)
class Check:
    """One thing that was asked.

    Args:
        rule: Id of its rule, as in docs/rules.md.
        where: Where the setting is: a menu of the forge, a file, a program.
        means: What may happen where it is not as it should be.
        outcome: What it came to.
        said: What was found, or why that cannot be told.
        fix: What to change, in the menu and over the API; empty where it is fine.
    """

    rule: str
    where: str
    means: str
    outcome: Outcome = Outcome.UNTOLD
    said: str = ""
    fix: str = ""

    def fine(self, said: str) -> Check:
        """It is as it should be."""
        return replace(self, outcome=Outcome.FINE, said=said)

    def found(self, said: str, fix: str) -> Check:
        """It is not."""
        return replace(self, outcome=Outcome.FINDING, said=said, fix=fix)

    def untold(self, told: Untold, fix: str = "") -> Check:
        """Nobody could say."""
        return replace(self, outcome=Outcome.UNTOLD, said=told.why, fix=fix)

    def judged(self, said: str, wrong: str, fix: str) -> Check:
        """A finding if there is something wrong, else fine."""
        return self.found(wrong, fix) if wrong else self.fine(said)
