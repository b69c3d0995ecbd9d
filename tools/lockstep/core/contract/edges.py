"""The calls of a release, judged: does each callee's contract satisfy what its caller needs of it?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from lockstep.core.contract.contract import Contract
from lockstep.core.contract.finding import ContractFinding, Level, sorted_findings
from lockstep.core.contract.judge import Question
from lockstep.core.contract.satisfies import satisfies
from lockstep.core.names import ComponentName

Call = tuple[ComponentName, ComponentName]


class EdgeState(StrEnum):
    """Whether two ends of a call fit, in words."""

    FITS = "fits"
    MAY_NOT_FIT = "may not fit"
    DOES_NOT_FIT = "does not fit"


@dataclass(frozen=True)
class Contracts:
    """The contracts of one set of components.

    Args:
        promised: What each component promises.
        uses: What each caller needs of each of its callees, by (caller, callee).
    """

    promised: Mapping[ComponentName, Contract]
    uses: Mapping[Call, Contract]


@dataclass(frozen=True)
class Edge:
    """One call inside a release.

    Args:
        caller: Who calls.
        callee: Who is called.
        use: Path of the caller's use file.
        contract: Path of the callee's contract.
        findings: What was found, the heaviest first.
    """

    caller: ComponentName
    callee: ComponentName
    use: str
    contract: str
    findings: tuple[ContractFinding, ...]

    @property
    def state(self) -> EdgeState:
        """An ERR says that it does not fit, a WARN that it may not."""
        levels = {finding.level for finding in self.findings}
        if Level.ERR in levels:
            return EdgeState.DOES_NOT_FIT
        return EdgeState.MAY_NOT_FIT if Level.WARN in levels else EdgeState.FITS


def edges(contracts: Contracts, levels: Mapping[str, Level] | None = None) -> tuple[Edge, ...]:
    """Every call whose two ends are there, judged; sorted by caller and callee.

    Args:
        contracts: What is promised and what is needed.
        levels: Levels that the team has chosen, by rule; the rules' own for all others.
    """
    return tuple(
        edge_of(call, promised, use, levels or {})
        for call, use in sorted(contracts.uses.items(), key=lambda item: item[0])
        if (promised := contracts.promised.get(call[1])) is not None
    )


def edge_of(call: Call, promised: Contract, use: Contract, levels: Mapping[str, Level]) -> Edge:
    """One call, judged."""
    caller, callee = call
    return Edge(caller, callee, use.path, promised.path, releveled(satisfies(promised, use, Question.EDGE), levels))


def releveled(findings: tuple[ContractFinding, ...], levels: Mapping[str, Level]) -> tuple[ContractFinding, ...]:
    """Findings with the levels that the team has chosen; each remembers the level that its rule has."""
    return sorted_findings(
        [
            replace(one, level=levels[one.rule], was=one.level) if levels.get(one.rule, one.level) != one.level else one
            for one in findings
        ]
    )
