"""A report about contracts: what was asked, what was found, and whether that is good enough."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lockstep.core.contract.finding import ContractFinding, Level, Place
from lockstep.core.errors import Finding
from lockstep.core.version import Bump

LEVELS = tuple(Level)  # the heaviest first
WHOLE = "the whole contract"


@dataclass(frozen=True)
class Asked:
    """One question, whether what is promised satisfies what is needed, and its answer.

    Args:
        title: In words, such as `gateway calls ocr`.
        provider: Path of the contract that promises.
        needed: Path of the contract that is needed.
        findings: What was found, the heaviest first.
    """

    title: str
    provider: str
    needed: str
    findings: tuple[ContractFinding, ...]

    def by_operation(self) -> dict[str, list[ContractFinding]]:
        """The findings of each operation, in the order of the heaviest of each."""
        groups: dict[str, list[ContractFinding]] = {}
        for finding in self.findings:
            groups.setdefault(finding.operation or WHOLE, []).append(finding)
        return groups


@dataclass(frozen=True)
class Words:
    """What the two sides of a question are called, and its best answer.

    Args:
        provider: The side that promises.
        needed: The side that is needed.
        fits: What is said where nothing was found.
    """

    provider: str = "promised"
    needed: str = "needed"
    fits: str = "fits"


@dataclass(frozen=True)
class Report:
    """Everything that one command found.

    Args:
        asked: The questions.
        problems: Why questions could not be asked: files that cannot be read, calls that lead nowhere.
        fail_on: A finding of this level or a heavier one is too much.
        words: What the sides are called.
        provider_at: The revision that the provider's files were read from; empty for files as they lie here.
        needed_at: The same of what is needed.
        root: The folder that paths begin at, below the repository's top; empty or ending in `/`.
        bump: The bump that this requires at the entry; None where nobody asked.
    """

    asked: tuple[Asked, ...]
    problems: tuple[Finding, ...]
    fail_on: Level
    words: Words = Words()
    provider_at: str = ""
    needed_at: str = ""
    root: str = ""
    bump: Bump | None = None

    @property
    def findings(self) -> Iterator[tuple[Asked, ContractFinding]]:
        """Every finding and the question that it answers."""
        return ((asked, finding) for asked in self.asked for finding in asked.findings)

    def is_too_much(self, finding: ContractFinding) -> bool:
        """Whether this finding alone makes the command fail."""
        return LEVELS.index(finding.level) <= LEVELS.index(self.fail_on)

    @property
    def is_ok(self) -> bool:
        """Whether everything could be asked and nothing is too much."""
        return not self.problems and not any(self.is_too_much(finding) for _, finding in self.findings)

    def at_provider(self, place: Place) -> str:
        """A place of the provider, with the revision where there is one: `v1.4.0:path:12`."""
        return f"{self.provider_at}:{place}" if self.provider_at else str(place)

    def at_needed(self, place: Place) -> str:
        """A place of what is needed, likewise."""
        return f"{self.needed_at}:{place}" if self.needed_at else str(place)


def counts(findings: Iterable[ContractFinding]) -> dict[Level, int]:
    """How many there are of each level, also where there is none."""
    found = [finding.level for finding in findings]
    return {level: found.count(level) for level in LEVELS}


def counted(findings: Iterable[ContractFinding]) -> str:
    """The same in words: `1 ERR, 2 WARN`; `nothing found` for none."""
    return ", ".join(f"{number} {level}" for level, number in counts(findings).items() if number) or "nothing found"


def place_of(where: str) -> Place:
    """The place that a finding's `file:line` names; line 1 where it names none."""
    path, _, line = where.rpartition(":")
    return Place(path, int(line)) if path and line.isdecimal() else Place(where, 1)


def whole(text: str) -> str:
    """The text without halves of characters, which JSON may hold and no file can; each is a question mark."""
    return text.encode("utf-8", "replace").decode()
