"""What one rule found about two contracts, and where."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much a finding weighs: ERR breaks, WARN may break or could not be decided, INFO breaks nobody."""

    ERR = "ERR"
    WARN = "WARN"
    INFO = "INFO"

    @property
    def is_breaking(self) -> bool:
        """Whether it counts as a break: what is not known to fit does not fit."""
        return self is not Level.INFO


@dataclass(frozen=True, order=True)
class Place:
    """A place in a contract.

    Args:
        path: Bundle path of the file.
        line: From 1.
        pointer: JSON pointer into that file (RFC 6901), empty for the whole.
    """

    path: str
    line: int
    pointer: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True)
class ContractFinding:
    """What one rule found.

    Args:
        rule: Stable id; where oasdiff has the same rule, its id.
        level: How much it weighs.
        operation: Method and path, such as `POST /embed`; empty if it is about no single one.
        what: One sentence with both values.
        fix: What to do.
        provider: Place in the provider's contract; of what it does not have, the nearest thing that it has.
        needed: Place in the contract that is needed, likewise.
        old: Value that is needed, as JSON on one line; None if there is none.
        new: Value that the provider has, likewise.
        was: The level that the rule has, where the team has chosen another; else None.
    """

    rule: str
    level: Level
    operation: str
    what: str
    fix: str
    provider: Place
    needed: Place
    old: str | None = None
    new: str | None = None
    was: Level | None = None


def sorted_findings(findings: list[ContractFinding]) -> tuple[ContractFinding, ...]:
    """Each finding once: the heaviest first, then by operation, rule and place."""
    weight = {Level.ERR: 0, Level.WARN: 1, Level.INFO: 2}
    return tuple(
        sorted(
            set(findings),
            key=lambda one: (weight[one.level], one.operation, one.rule, one.provider, one.needed, one.what),
        )
    )
