"""Deprecation, sunset and stability: what a provider said beforehand about taking something away."""

from __future__ import annotations

from dataclasses import dataclass

from lockstep.core.contract.case import Case, Pair
from lockstep.core.contract.contract import Node
from lockstep.core.contract.notice import LEVELS, STABILITY, SUNSET, is_promised, stability_of, sunset_of


def stability_findings(case: Case, pair: Pair) -> None:
    """Notes levels that are none, and a level that went up or down. Whoever calls an operation says none."""
    values = [node.value.get(STABILITY) for node in (pair.needed, pair.provider)]
    if case.is_edge or values[0] == values[1]:
        return
    for node in (pair.needed, pair.provider):
        invalid_stability(case, node, pair)
    old, new = stability_of(pair.needed), stability_of(pair.provider)
    if old is None or new is None or old == new or not is_promised(pair.needed):
        return
    rule = "decreased" if LEVELS.index(new) < LEVELS.index(old) else "increased"
    what = f"{case.operation} was {old} and is {new}"
    case.add(f"api-stability-{rule}", what, pair.below(STABILITY), old=old, new=new)


def invalid_stability(case: Case, node: Node, pair: Pair) -> None:
    """Notes a level that is none."""
    if stability_of(node) is None:
        value = node.value[STABILITY]
        what = f"`{STABILITY}` of {case.operation} is none of {', '.join(LEVELS)}"
        case.add("api-invalid-stability-level", what, pair.below(STABILITY), old=value, new=value)


def removed_operation(case: Case, pair: Pair, *, is_path: bool) -> None:
    """Notes an operation that is needed and gone."""
    prefix, name = ("api-path" if is_path else "api"), case.operation
    sunset = sunset_of(pair.needed)
    if not case.needed.flag(pair.needed, "deprecated") or case.is_edge:
        case.add(f"{prefix}-removed-without-deprecation", f"{name} is needed and is not there", pair)
    elif sunset.node is None:
        case.add(f"{prefix}-removed-with-deprecation", f"{name} was deprecated and is not there any more", pair)
    elif sunset.day is None:
        _no_date(case, "api-path-sunset-parse", sunset.node, pair)
    elif case.is_before(sunset.day):
        what = f"{name} is not there, and was promised until {sunset.day}"
        case.add(f"{prefix}-removed-before-sunset", what, pair, old=sunset.day)


def _no_date(case: Case, rule: str, node: Node, pair: Pair) -> None:
    what = f"`{SUNSET}` is no date"
    case.add(rule, what, pair.below(SUNSET), old=node.value, new=node.value)


@dataclass(frozen=True)
class Deprecating:
    """The rules about the deprecation of one kind of thing.

    Args:
        off: It is not deprecated any more.
        on: It is deprecated.
        until: It is, until a day.
        parse: The day is none.
        past: The day is over.
        deleted: It stays deprecated and has no day any more.
        parse_change: It stays deprecated, and a day of it is none.
        nearer: The day came nearer and is over.
    """

    off: str
    on: str
    until: str
    parse: str
    past: str
    deleted: str
    parse_change: str
    nearer: str


_OPERATION = Deprecating(
    "endpoint-reactivated",
    "endpoint-deprecated",
    "endpoint-deprecated-with-sunset",
    "api-deprecated-sunset-parse",
    "api-sunset-date-too-small",
    "sunset-deleted",
    "api-path-sunset-parse",
    "api-sunset-date-changed-too-small",
)
_PARAMETER = Deprecating(
    "request-parameter-reactivated",
    "request-parameter-deprecated",
    "request-parameter-deprecated",
    "request-parameter-sunset-parse",
    "request-parameter-sunset-date-too-small",
    "request-parameter-sunset-deleted",
    "request-parameter-sunset-parse",
    "request-parameter-sunset-date-changed-too-small",
)


def deprecation_findings(case: Case, pair: Pair) -> None:
    """Notes what changed about an operation's deprecation."""
    _deprecation(case, pair, case.operation, _OPERATION)


def parameter_deprecation_findings(case: Case, pair: Pair, name: str) -> None:
    """Notes what changed about a parameter's deprecation."""
    _deprecation(case, pair, name, _PARAMETER)


def _deprecation(case: Case, pair: Pair, name: str, rules: Deprecating) -> None:
    was = bool(case.needed.flag(pair.needed, "deprecated"))
    now = bool(case.provider.flag(pair.provider, "deprecated"))
    sunset, at = sunset_of(pair.provider), pair.below("deprecated")
    if was and not now and not case.is_edge:
        case.add(rules.off, f"{name} is not deprecated any more", at)
    elif now and not was:
        # A caller says nothing about deprecation, and what is there serves it, whatever the day.
        if sunset.node is None or (case.is_edge and sunset.day is None):
            case.add(rules.on, f"{name} is deprecated", at)
        elif sunset.day is None:
            _no_date(case, rules.parse, sunset.node, pair)
        elif case.is_past(sunset.day) and not case.is_edge:
            what = f"{name} is deprecated until {sunset.day}, which is past"
            case.add(rules.past, what, pair.below(SUNSET), new=sunset.day)
        else:
            case.add(rules.until, f"{name} is deprecated until {sunset.day}", at)
    if now and not case.is_edge:
        _sunset_changed(case, pair, name, rules)


def _sunset_changed(case: Case, pair: Pair, name: str, rules: Deprecating) -> None:
    """Notes a date of what stays deprecated that went away, or came nearer and is past."""
    old, new, at = sunset_of(pair.needed), sunset_of(pair.provider), pair.below(SUNSET)
    if old.node is None:
        return
    if new.node is None:
        case.add(rules.deleted, f"{name} stays deprecated and lost its date", at, old=old.node.value)
    elif old.node.value == new.node.value:
        return
    elif new.day is None or old.day is None:
        _no_date(case, rules.parse_change, new.node if new.day is None else old.node, pair)
    elif old.day > new.day and case.is_past(new.day):
        what = f"{name} was promised until {old.day}, now until {new.day}, which is past"
        case.add(rules.nearer, what, at, old=old.day, new=new.day)


def removed_parameter(case: Case, pair: Pair, name: str) -> None:
    """Notes a parameter that is sent and not read any more."""
    sunset = sunset_of(pair.needed)
    if not case.needed.flag(pair.needed, "deprecated") or case.is_edge:
        case.add("request-parameter-removed", f"{name} is sent and the provider does not know it", pair)
    elif sunset.node is None:
        case.add("request-parameter-removed-with-deprecation", f"{name} was deprecated and is gone", pair)
    elif sunset.day is None:
        _no_date(case, "request-parameter-sunset-parse", sunset.node, pair)
    elif case.is_before(sunset.day):
        what = f"{name} is gone, and was promised until {sunset.day}"
        case.add("request-parameter-removed-before-sunset", what, pair, old=sunset.day)
