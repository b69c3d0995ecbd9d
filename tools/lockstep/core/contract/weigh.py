"""What a change of contracts weighs: how far the version must move, and what does not fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lockstep.core.contract.contract import Contract
from lockstep.core.contract.edges import Edge, EdgeState, releveled
from lockstep.core.contract.finding import ContractFinding, Level
from lockstep.core.contract.references import NAMED
from lockstep.core.contract.reindex import Reindex
from lockstep.core.contract.satisfies import satisfies
from lockstep.core.errors import Finding, Refused
from lockstep.core.names import ComponentName
from lockstep.core.version import Bump

Levels = Mapping[str, Level]
# Words for people: whoever reads only these is told by the change itself.
_WORDS = {"description", "summary", "title", "example", "examples", "externalDocs", "tags", "$comment"}
_FREE = {"default", "enum", "const"}


@dataclass(frozen=True)
class ContractChange:
    """A contract that changed.

    Args:
        component: Whose it is.
        is_entry: Whether it is what the outside sees.
        bump: What it would require at the entry: major for a break, minor for another meaning, patch for words.
        findings: What was found, the heaviest first.
        unread: Why it could not be compared; empty if it was.
    """

    component: ComponentName
    is_entry: bool
    bump: Bump
    findings: tuple[ContractFinding, ...]
    unread: str = ""


@dataclass(frozen=True)
class Asking:
    """What else is known of a contract that changed.

    Args:
        component: Whose it is.
        is_entry: Whether it is what the outside sees.
        levels: Levels that the team has chosen.
        today: The day for which sunsets are judged: that of the commit, so that it is the same whenever somebody asks.
    """

    component: ComponentName
    is_entry: bool = False
    levels: Levels = field(default_factory=dict)
    today: str | None = None


@dataclass(frozen=True)
class Judged:
    """What the contracts of a release say of it.

    Args:
        edges: Every call.
        changed: Every contract that changed since the base, by component.
        reindexes: Embeddings that changed since the base.
        doubts: Components whose weights changed while their contract says that they embed as before.
    """

    edges: tuple[Edge, ...] = ()
    changed: tuple[ContractChange, ...] = ()
    reindexes: tuple[Reindex, ...] = ()
    doubts: tuple[ComponentName, ...] = ()

    @property
    def unfit(self) -> tuple[Edge, ...]:
        """The calls whose ends do not fit, or may not."""
        return tuple(edge for edge in self.edges if edge.state is not EdgeState.FITS)


def weigh(new: Contract, old: Contract, asking: Asking) -> ContractChange:
    """What the change of a contract weighs."""
    component, is_entry = asking.component, asking.is_entry
    findings = releveled(satisfies(new, old, today=asking.today), asking.levels)
    if any(finding.level.is_breaking for finding in findings):
        bump = Bump.MAJOR
    elif findings or _meaning(new) != _meaning(old):
        bump = Bump.MINOR
    else:
        bump = Bump.PATCH
    return ContractChange(component, is_entry, bump, findings)


def unread(component: ComponentName, error: Refused, *, is_entry: bool) -> ContractChange:
    """The change of a contract whose older text cannot be read: what cannot be compared counts as a break."""
    first = error.findings[0]
    return ContractChange(component, is_entry, Bump.MAJOR, (), f"{first.where}: {first.what}")


def _meaning(contract: Contract) -> list[str]:
    """A contract's files without words for people, as text that can be compared; what they are called is left out."""
    return sorted(repr(_told(document, are_names=False)) for document in contract.documents.values())


def _told(value: Any, *, are_names: bool) -> Any:
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if are_names or key not in _WORDS}
        if not are_names and "openapi" in kept:
            kept.pop("info", None)
        return [
            (key, item if key in _FREE and not are_names else _told(item, are_names=not are_names and key in NAMED))
            for key, item in sorted(kept.items())
        ]
    return [_told(item, are_names=False) for item in value] if isinstance(value, list) else value


def edge_findings(edges: tuple[Edge, ...]) -> Iterator[Finding]:
    """A finding for everything that keeps two ends of a call from fitting: it may not be released, nor served."""
    for edge in edges:
        for one in edge.findings:
            if one.level is Level.ERR:
                where = f"{one.provider} (needed at {one.needed})"
                what = f"{edge.caller} calls {edge.callee}: {finding_text(one)}"
                yield Finding("contract/edge", where, what, one.fix, edge.caller)


def finding_text(one: ContractFinding) -> str:
    """A finding in one line, with its rule and both values."""
    told = all(value is None or value in one.what for value in (one.old, one.new))
    values = "" if told else f"; needed {one.old or 'nothing'}, there is {one.new or 'nothing'}"
    level = f"{one.level}, by its rule {one.was}" if one.was else one.level
    operation = f"{one.operation}: " if one.operation and one.operation not in one.what else ""
    return f"{operation}{one.what}{values} [{one.rule}, {level}]"
