"""Two small contracts in a test, and what the relation finds between them."""

from __future__ import annotations

from lockstep.core.contract.contract import Contract, parse_contract
from lockstep.core.contract.finding import ContractFinding, Level
from lockstep.core.contract.judge import Question
from lockstep.core.contract.satisfies import satisfies


def contract(text: str, path: str = "contract.yaml") -> Contract:
    """A contract from YAML; its first line is added."""
    return parse_contract({path: f'openapi: "3.1.0"\n{text}'.encode()}, path)


def compared(*, provider: str, needed: str, question: Question = Question.PROMISE) -> tuple[ContractFinding, ...]:
    """What is found on 2030-06-15; line 1 of both is the version, what is given begins on line 2."""
    ours, theirs = contract(provider, "provider.yaml"), contract(needed, "needed.yaml")
    return satisfies(ours, theirs, question, today="2030-06-15")


def rules(findings: tuple[ContractFinding, ...]) -> list[str]:
    """The rules of what was found, the heaviest first."""
    return [one.rule for one in findings]


def breaks(findings: tuple[ContractFinding, ...]) -> list[str]:
    """The rules of what is no INFO."""
    return [one.rule for one in findings if one.level is not Level.INFO]
