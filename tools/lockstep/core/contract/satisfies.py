"""The one relation: does what a provider promises satisfy what somebody needs?

Asked with a caller's use file it judges an edge of a release; asked with the provider's older contract it judges
whether the newer one keeps every promise.
"""

from __future__ import annotations

from lockstep.core.contract.ai import ai_findings
from lockstep.core.contract.contract import Contract, ContractKind
from lockstep.core.contract.finding import ContractFinding, Level
from lockstep.core.contract.judge import Draft, Judge, Question
from lockstep.core.contract.operations import operation_findings
from lockstep.core.contract.schemas import Direction, Part, Spot, schema_findings


def satisfies(
    provider: Contract, needed: Contract, question: Question = Question.PROMISE, *, today: str | None = None
) -> tuple[ContractFinding, ...]:
    """Everything that was found, sorted, the heaviest first; no ERR and no WARN among it: it does.

    INFO tells what the provider has beyond what is needed.

    Args:
        provider: What is promised.
        needed: What somebody needs.
        question: Whether a caller asks, or whoever compares a provider with its past.
        today: The day for which sunsets are judged, such as 2030-01-31; without it none has come.
    """
    judge = Judge(provider, needed, question=question, today=today)
    if ContractKind.SCHEMA in {provider.kind, needed.kind}:
        _schema_findings(judge)
    else:
        operation_findings(judge)
        ai_findings(judge)
    return judge.findings()


def _schema_findings(judge: Judge) -> None:
    """A JSON Schema says what the provider gives, so it is read by whoever needs it."""
    if judge.provider.kind is judge.needed.kind:
        spot = Spot("", Direction.RESPONSE, Part.BODY, "the value")
        schema_findings(judge, spot, judge.provider.root, judge.needed.root)
        return
    what = f"the provider has {judge.provider.kind}, needed is {judge.needed.kind}"
    fix = "write both in one language"
    judge.add(Draft("contract-kind-changed", Level.ERR, "", what, fix, judge.provider.root, judge.needed.root))
