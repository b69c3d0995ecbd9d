"""Changes that are one thing though many keywords moved: a schema that may be null now, a choice of types, an object
that became one of several.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lockstep.core.contract.contract import Node
from lockstep.core.contract.schema.change import Change, Effect, Kept
from lockstep.core.contract.schema.structure import Below, Two
from lockstep.core.contract.schema.view import ANNOTATIONS, View, Views


@dataclass(frozen=True)
class Transition:
    """What happened, and which changes of single keywords it explains.

    Args:
        changes: The changes that are told instead.
        explains: The beginnings of rules that are not told: an empty word explains all of them.
        below: The schemas that meet below; None for those that always do.
    """

    changes: tuple[Change, ...]
    explains: tuple[str, ...]
    below: tuple[Below, ...] | None = None


_TYPES_AND_CHOICES = ("type-", "became-null", "became-not-null", "any-of-", "one-of-")


def transition(two: Two, old: View, new: View) -> Transition | None:
    """The transition between two schemas, if there is one."""
    for found in (_null(two, old, new), _types(two, old, new), _wrapped(two, old, new)):
        if found is not None:
            return found
    return None


def _null(two: Two, old: View, new: View) -> Transition | None:
    """`oneOf: [null, X]` beside X."""
    wider, narrower = _beside_null(two.new, new), _beside_null(two.old, old)
    pair: Below
    if wider is not None and narrower is None and not _is_choice(old):
        if "null" in (old.types or {"null"}):
            return None  # under oneOf null would be valid twice
        pair = (old.node, wider)
        change = Change("became-nullable", Effect.WIDENS, old.node, new.node, "{0} may be null now")
    elif narrower is not None and wider is None and not _is_choice(new):
        if "null" in (new.types or {"null"}):
            return None
        pair = (narrower, new.node)
        change = Change("became-not-nullable", Effect.NARROWS, old.node, new.node, "{0} may not be null any more")
    else:
        return None
    return Transition((change,), ("",), () if two.same.are(*pair) else (pair,))


def _is_choice(view: View) -> bool:
    return bool(view.parts) or not {"oneOf", "anyOf", "not"}.isdisjoint(view.data)


def _beside_null(views: Views, view: View) -> Node | None:
    """X of a schema that is nothing but `oneOf` or `anyOf` of null and X."""
    for keyword in ("oneOf", "anyOf"):
        branches = list(view.children(keyword).values())
        if len(branches) == 2 and not _beside(view, keyword):
            nulls = [node for node in branches if _is_null(views.of(node))]
            others = [node for node in branches if not _is_null(views.of(node))]
            if len(nulls) == 1:
                return others[0]
    return None


def _is_null(view: View) -> bool:
    return view.types == frozenset({"null"}) and not _beside(view, "")


def _beside(view: View, keyword: str) -> set[str]:
    """What a schema says beside one keyword."""
    said = {key for key in view.data.keys() - ANNOTATIONS if not key.startswith("x-") and key != keyword}
    return said | ({"type"} if view.types is not None and keyword else set())


def _types(two: Two, old: View, new: View) -> Transition | None:
    """A choice of single types, or one type, beside such a choice."""
    before, after = _choice(two.old, old), _choice(two.new, new)
    if before is None or after is None or not (before[1] or after[1]) or before[0] == after[0]:
        return None
    gone, added = sorted(before[0] - after[0]), sorted(after[0] - before[0])
    changes = []
    if gone:
        what = "{0} has fewer types"
        changes.append(Change("list-of-types-narrowed", Effect.NARROWS, old.node, new.node, what, (gone, None)))
    if added:
        what = "{0} has more types"
        changes.append(Change("list-of-types-widened", Effect.WIDENS, old.node, new.node, what, (None, added)))
    return Transition(tuple(changes), _TYPES_AND_CHOICES)


def _choice(views: Views, view: View) -> tuple[frozenset[str], bool] | None:
    """The types of a schema, and whether they stand in a choice."""
    if view.parts or "not" in view.data or view.data.get("properties"):
        return None
    if view.types is not None:
        return view.types, False
    for keyword in ("oneOf", "anyOf"):
        branches = [views.of(node) for node in view.children(keyword).values()]
        if branches and all(_is_single(branch) for branch in branches):
            return frozenset(kind for branch in branches for kind in branch.types or ()), True
    return None


def _is_single(view: View) -> bool:
    return (
        view.types is not None
        and len(view.types) == 1
        and not view.parts
        and not {"oneOf", "anyOf", "not", "properties"} & view.data.keys()
    )


def _wrapped(two: Two, old: View, new: View) -> Transition | None:
    """An object that became one of several: its properties went into the branches."""
    mine = old.children("properties")
    branches = list(new.children("oneOf").values())
    if old.data.get("oneOf") or not mine or not branches or new.types is not None or new.data.get("properties"):
        return None
    moved = mine.keys() & {name for node in branches for name in _names(two.new.of(node))}
    if not moved:
        return None
    is_kept = any(two.same.are(old.node, node) for node in branches)
    rule = "wrapped-in-one-of-original-preserved" if is_kept else "wrapped-in-one-of"
    effect = Effect.UNKNOWN if is_kept else Effect.INCOMPARABLE
    what = "{0} became one of several schemas" + (", itself among them" if is_kept else "")
    explains = (*_TYPES_AND_CHOICES, "request-property-removed", "response-required-property-removed")
    kept = Kept.DOUBTED if is_kept else Kept.NOT
    return Transition((Change(rule, effect, old.node, new.node, what, kept=kept),), explains)


def _names(view: View) -> Iterable[str]:
    return view.children("properties")


def unexplained(changes: list[Change], found: Transition) -> list[Change]:
    """The changes of single keywords that a transition does not explain."""
    return [change for change in changes if not change.rule.startswith(found.explains)]
