"""Request bodies: whether there is one, whether it must be there, and what it carries."""

from __future__ import annotations

from lockstep.core.contract.case import Case, Pair
from lockstep.core.contract.media import content_findings
from lockstep.core.contract.schemas import Direction, Part, Spot
from lockstep.core.contract.unjudged import BODY, unjudged


def body_findings(case: Case, pair: Pair) -> None:
    """Notes what is found about the request body of an operation."""
    ours = case.provider.mapping(pair.provider.get("requestBody"))
    theirs = case.needed.mapping(pair.needed.get("requestBody"))
    if ours is not None and theirs is not None:
        _both(case, Pair(ours, theirs))
    elif ours is not None:
        is_required = case.provider.flag(ours, "required")
        what = f"a body {'must' if is_required else 'may'} be sent, and none is sent"
        case.add(f"request-body-added-{'required' if is_required else 'optional'}", what, Pair(ours, pair.needed))
    elif theirs is not None:
        case.add("request-body-removed", "a body is sent, and the provider reads none", Pair(pair.provider, theirs))


def _both(case: Case, pair: Pair) -> None:
    old = bool(case.needed.flag(pair.needed, "required"))
    new = bool(case.provider.flag(pair.provider, "required"))
    if old != new:
        rule, words = ("required", "must") if new else ("optional", "need not")
        case.add(f"request-body-became-{rule}", f"a body {words} be sent", pair.below("required"), old=old, new=new)
    content_findings(case, Spot(case.operation, Direction.REQUEST, Part.BODY, "the request"), pair)
    unjudged(case, pair, BODY)
