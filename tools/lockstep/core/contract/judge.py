"""Two contracts while they are compared: collects what is found, and finds the lines at the end, in one reading."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from lockstep.core.contract.contract import Contract, Node
from lockstep.core.contract.finding import ContractFinding, Level, Place, sorted_findings
from lockstep.core.contract.notice import Asked
from lockstep.core.contract.reading import Pointer

_LONG = 120  # characters of a value that a finding shows


class Question(StrEnum):
    """What is asked of two contracts.

    A provider that said beforehand that something would go, or that never promised to keep it (an operation below
    `beta`), breaks no promise; whoever calls it in the same release is broken all the same.
    """

    PROMISE = "promise"  # does the new contract keep what the old one promised?
    EDGE = "edge"  # does the provider have what this caller needs?


@dataclass(frozen=True)
class Draft:
    """A finding with nodes instead of places; see ContractFinding."""

    rule: str
    level: Level
    operation: str
    what: str
    fix: str
    provider: Node
    needed: Node
    old: str | None = None
    new: str | None = None


@dataclass(frozen=True)
class Judge:
    """Both contracts, and what was found so far.

    Args:
        provider: What is promised.
        needed: What somebody needs: a use file, or what was promised before.
        drafts: What was found.
        question: What is asked.
        today: The day on which it is asked, such as 2030-01-31; without it no sunset has come yet.
    """

    provider: Contract
    needed: Contract
    drafts: list[Draft] = field(default_factory=list)
    schemas: dict[str, Any] = field(default_factory=dict)
    question: Question = Question.PROMISE
    today: str | None = None

    @property
    def asked(self) -> Asked:
        """When and by whom it is asked."""
        return Asked(self.today, is_edge=self.question is Question.EDGE)

    def add(self, draft: Draft) -> None:
        """Notes a finding."""
        self.drafts.append(draft)

    def findings(self) -> tuple[ContractFinding, ...]:
        """Everything that was noted, with lines, sorted."""
        provider = _lines(self.provider, [draft.provider for draft in self.drafts])
        needed = _lines(self.needed, [draft.needed for draft in self.drafts])
        return sorted_findings(
            [
                ContractFinding(
                    rule=draft.rule,
                    level=draft.level,
                    operation=draft.operation,
                    what=draft.what,
                    fix=draft.fix,
                    provider=provider[draft.provider.file, draft.provider.pointer],
                    needed=needed[draft.needed.file, draft.needed.pointer],
                    old=draft.old,
                    new=draft.new,
                )
                for draft in self.drafts
            ]
        )


def _lines(contract: Contract, nodes: list[Node]) -> dict[tuple[str, Pointer], Place]:
    wanted: dict[str, list[Pointer]] = {}
    for node in nodes:
        wanted.setdefault(node.file, []).append(node.pointer)
    return {
        (file, pointer): Place(file, line, format_pointer(pointer))
        for (file, pointer), line in contract.lines(wanted).items()
    }


def format_pointer(pointer: Pointer) -> str:
    """The pointer as text (RFC 6901, section 3)."""
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in pointer)


def said(value: Any) -> str:
    """A value as JSON on one line, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    return text if len(text) <= _LONG else text[:_LONG] + "…"
