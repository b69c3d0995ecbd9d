"""Answers: status codes, ranges of them and `default`, and what each brings."""

from __future__ import annotations

from lockstep.core.contract.case import Case, Pair
from lockstep.core.contract.contract import Node
from lockstep.core.contract.headers import header_findings
from lockstep.core.contract.media import content_findings, same_content_findings
from lockstep.core.contract.schemas import Direction, Part, Spot
from lockstep.core.contract.unjudged import RESPONSE, unjudged


def response_findings(case: Case, pair: Pair) -> None:
    """Notes what is found about every answer of an operation."""
    ours = _answers(case.provider.patterned(pair.provider.get("responses")))
    theirs = _answers(case.needed.patterned(pair.needed.get("responses")))
    at = pair.below("responses")
    for status, node in theirs.items():
        if status in ours:
            _one_answer(case, status, Pair(ours[status], node))
        elif (wider := _range_of(status)) in ours:
            _one_answer(case, status, Pair(ours[wider], node))
        elif status.isdecimal() or (status == "2XX" and not any(one.startswith("2") for one in ours)):
            rule = f"response-{_outcome(status)}-status-removed"
            what = f"the answer {status} is read, and the provider does not give it"
            case.add(rule, what, Pair(at.provider, node), old=status)
    for status, node in ours.items():
        if status not in theirs:
            _more(case, status, node, Pair(at.provider, at.needed))


def _answers(responses: dict[str, Node]) -> dict[str, Node]:
    """The answers by status, sorted, ranges in upper case."""
    return {status.upper() if status[1:].upper() == "XX" else status: responses[status] for status in sorted(responses)}


def _range_of(status: str) -> str:
    return f"{status[:1]}XX"


def _outcome(status: str) -> str:
    return "success" if status.startswith("2") else "non-success"


def _more(case: Case, status: str, node: Node, at: Pair) -> None:
    """Notes an answer that nobody named; whoever reads a range or `default` reads it as that."""
    if status.isdecimal():
        what = f"the answer {status} may come too"
        case.add(f"response-{_outcome(status)}-status-added", what, Pair(node, at.needed), new=status)
    theirs = _answers(case.needed.patterned(at.needed))
    for wider in (_range_of(status), "default"):
        if wider in theirs:
            spot = Spot(case.operation, Direction.RESPONSE, Part.BODY, f"the answer {status}, read as {wider},")
            same_content_findings(case, spot, Pair(node, theirs[wider]))
            return


def _one_answer(case: Case, status: str, pair: Pair) -> None:
    header_findings(case, status, pair)
    content_findings(case, Spot(case.operation, Direction.RESPONSE, Part.BODY, f"the answer {status}"), pair)
    unjudged(case, pair, RESPONSE)
