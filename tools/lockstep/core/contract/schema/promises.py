"""What a provider says beforehand about a property: that it will go, until when it stays, how stable it is."""

from __future__ import annotations

from collections.abc import Iterator

from lockstep.core.contract.contract import Node
from lockstep.core.contract.notice import LEVELS, STABILITY, is_promised, stability_of, sunset_of
from lockstep.core.contract.schema.change import Change, Effect, Kept
from lockstep.core.contract.schema.keywords import at
from lockstep.core.contract.schema.structure import Two
from lockstep.core.contract.schema.view import View

Shared = tuple[str, Node, Node]


def removal_notice(two: Two, old: Node) -> str:
    """How the rule of a removed property ends: what was said of it beforehand. Whoever calls was told nothing."""
    node = two.old.of(old).node
    if two.asked.is_edge or not _is_deprecated(two.old.of(old)):
        return ""
    if two.asked.is_given_up(node):
        return "-with-deprecation"
    return "" if sunset_of(node).day is None else "-before-sunset"


def notice_changes(two: Two, one: Shared, *, is_request: bool) -> Iterator[Change]:
    """What changed of that, for a property that both sides have."""
    if two.asked.is_edge:
        return
    side = "request" if is_request else "response"
    old, new = two.old.of(one[1]), two.new.of(one[2])
    yield from _deprecation(two, f"{side}-property", one[0], (old, new))
    yield from _stability(f"{side}-property", one[0], (old, new))


def _is_deprecated(view: View) -> bool:
    return view.data.get("deprecated") is True


def _deprecation(two: Two, prefix: str, name: str, views: tuple[View, View]) -> Iterator[Change]:
    old, new = views
    places, name = (at(old, "deprecated"), at(new, "deprecated")), f"the property `{name}` of {{0}}"
    if _is_deprecated(old) and not _is_deprecated(new):
        yield Change(f"{prefix}-reactivated", Effect.NONE, *places, f"{name} is not deprecated any more")
    if not _is_deprecated(new) or _is_deprecated(old):
        return
    sunset = sunset_of(new.node)
    if sunset.node is None:
        yield Change(f"{prefix}-deprecated", Effect.NONE, *places, f"{name} is deprecated")
    elif sunset.day is None:
        what = f"{name} is deprecated until a day that is no date"
        yield Change(f"{prefix}-deprecated-sunset-invalid", Effect.INCOMPARABLE, *places, what, kept=Kept.WHOLE)
    elif two.asked.is_past(sunset.day):
        what = f"{name} is deprecated until {sunset.day}, which is past"
        yield Change(f"{prefix}-sunset-date-too-small", Effect.INCOMPARABLE, *places, what, kept=Kept.WHOLE)
    else:
        what = f"{name} is deprecated until {sunset.day}"
        yield Change(f"{prefix}-deprecated-with-sunset", Effect.NONE, *places, what)


def _stability(prefix: str, name: str, views: tuple[View, View]) -> Iterator[Change]:
    nodes = views[0].node, views[1].node
    said = (views[0].data.get(STABILITY), views[1].data.get(STABILITY))
    if said[0] == said[1]:
        return
    before, after = (stability_of(node) for node in nodes)
    places, name = (at(views[0], STABILITY), at(views[1], STABILITY)), f"the property `{name}` of {{0}}"
    if before is None or after is None:
        what = f"`{STABILITY}` of {name} is none of {', '.join(LEVELS)}"
        yield Change("api-invalid-stability-level", Effect.INCOMPARABLE, *places, what, said, kept=Kept.WHOLE)
    elif before != after and is_promised(nodes[0]):
        is_less = LEVELS.index(after) < LEVELS.index(before)
        word, effect = ("decreased", Effect.INCOMPARABLE) if is_less else ("increased", Effect.NONE)
        kept = Kept.WHOLE if is_less else Kept.NOT
        what = f"{name} was {before} and is {after}"
        yield Change(f"{prefix}-stability-{word}", effect, *places, what, (before, after), kept=kept)
