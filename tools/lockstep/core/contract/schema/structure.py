"""What changed in the keywords of one schema that have schemas below them, and which of those to look at next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lockstep.core.contract.contract import Node
from lockstep.core.contract.notice import Asked
from lockstep.core.contract.schema.change import Change, Effect, Kept
from lockstep.core.contract.schema.keywords import at
from lockstep.core.contract.schema.same import Same
from lockstep.core.contract.schema.view import ANNOTATIONS, View, Views, is_schema


@dataclass(frozen=True)
class Two:
    """The schemas of both sides: what is needed (old) and what is provided (new); and when and by whom it is asked."""

    old: Views
    new: Views
    same: Same
    asked: Asked


Below = tuple[Node, Node]


def structure_changes(two: Two, old: View, new: View) -> Iterator[Change]:
    """Every change of such a keyword."""
    for keyword, word in (("allOf", "all-of"), ("anyOf", "any-of"), ("oneOf", "one-of")):
        yield from _members(two, old, new, keyword, word)
    yield from _conditions(old, new)
    yield from _there_or_not(old, new)
    yield from _named(old, new)
    yield from _dependent(old, new)
    yield from _prefix(two, old, new)


_TURNED = ("if", "then", "else", "not")  # schemas that do not say what is valid by themselves


def below(two: Two, old: View, new: View) -> Iterator[Below]:
    """The schemas that meet below; what stands on one side only is a change and not here."""
    mine, theirs = old.children("properties"), new.children("properties")
    for name in mine.keys() & theirs.keys():
        yield mine[name], theirs[name]
    for keyword in ("items", "additionalProperties", "contains", "propertyNames", "contentSchema", *_TURNED):
        one, other = old.child(keyword), new.child(keyword)
        if one and other:
            yield one, other
    for keyword in ("patternProperties", "dependentSchemas", "prefixItems"):
        mine, theirs = old.children(keyword), new.children(keyword)
        for name in mine.keys() & theirs.keys():
            yield mine[name], theirs[name]
    for keyword in ("allOf", "anyOf", "oneOf"):
        pairs, _, _ = matched(two, _branches(old, keyword), _branches(new, keyword))
        yield from pairs


def _branches(view: View, keyword: str) -> list[Node]:
    return list(view.parts) if keyword == "allOf" else list(view.children(keyword).values())


def matched(two: Two, old: list[Node], new: list[Node]) -> tuple[list[tuple[Node, Node]], list[Node], list[Node]]:
    """Members that belong together, those that are gone, and those that are new.

    The same component belongs to itself; then what says the same under the same title; then what has the same title;
    then what says the same; then the only two that are left without a name or title.
    """
    by_name = {name: node for node in reversed(new) if (name := two.new.name(node))}
    gone, added, pairs = list(old), list(new), []
    for one in old:
        other = by_name.pop(two.old.name(one), None)
        if other is not None:
            pairs.append((one, other))
            gone, added = _without(gone, one), _without(added, other)
    for is_one in (_are_one, _have_one_title, _say_the_same) if len(gone) * len(added) <= _LIMIT_MATCHED else ():
        for one in list(gone):
            other = next((node for node in added if is_one(two, one, node)), None)
            if other is not None:
                pairs.append((one, other))
                gone, added = _without(gone, one), _without(added, other)
    left, right = _nameless(two.old, gone), _nameless(two.new, added)
    if len(left) == len(right) == 1 and not _title(two.old, left[0]) and not _title(two.new, right[0]):
        pairs.append((left[0], right[0]))
        gone, added = _without(gone, left[0]), _without(added, right[0])
    return pairs, gone, added


def _nameless(views: Views, nodes: list[Node]) -> list[Node]:
    return [node for node in nodes if not views.name(node)]


def _title(views: Views, node: Node) -> str:
    title = views.of(node).data.get("title")
    return title if isinstance(title, str) else ""


_LIMIT_MATCHED = 10_000  # comparisons; beyond, members without a name count as gone and new


def _without(nodes: list[Node], node: Node) -> list[Node]:
    return [one for one in nodes if one is not node]


def _are_one(two: Two, one: Node, other: Node) -> bool:
    return _title(two.old, one) == _title(two.new, other) and two.same.are(one, other)


def _say_the_same(two: Two, one: Node, other: Node) -> bool:
    return two.same.are(one, other)


def _have_one_title(two: Two, one: Node, other: Node) -> bool:
    is_named = two.old.name(one) or two.new.name(other)
    title = _title(two.old, one)
    return not is_named and title != "" and title == _title(two.new, other)


def _members(two: Two, old: View, new: View, keyword: str, word: str) -> Iterator[Change]:
    before, after = _branches(old, keyword), _branches(new, keyword)
    _, gone, added = matched(two, before, after)
    gone = [node for node in gone if not _says_nothing(two.old.of(node))] if keyword == "allOf" else gone
    added = [node for node in added if not _says_nothing(two.new.of(node))] if keyword == "allOf" else added
    more, less = (Effect.NARROWS, Effect.WIDENS) if keyword == "allOf" else (Effect.WIDENS, Effect.NARROWS)
    # Whoever makes code from a contract, or tells members apart, has more or fewer of them now, whatever values are
    # valid. Where one stands for another the same may only be written otherwise.
    kept = Kept.DOUBTED if before and after and not (gone and added) else Kept.NOT
    if added:
        names, places = [_name(two.new, node) for node in added], (at(old, keyword), added[0])
        what = f"{keyword} of {{0}} has more members"
        yield Change(f"{word}-added", more, *places, what, (None, names), kept=kept)
    if gone:
        names, places = [_name(two.old, node) for node in gone], (gone[0], at(new, keyword))
        what = f"{keyword} of {{0}} has fewer members"
        yield Change(f"{word}-removed", less, *places, what, (names, None), kept=kept)


def _says_nothing(view: View) -> bool:
    return not view.is_never and view.types is None and not view.parts and not (view.data.keys() - ANNOTATIONS)


def _name(views: Views, node: Node) -> str:
    return views.name(node) or f"{node.pointer[-1]}" if node.pointer else "?"


def _conditions(old: View, new: View) -> Iterator[Change]:
    for keyword in ("if", "then", "else"):
        one, other = old.child(keyword), new.child(keyword)
        if (one is None) != (other is None):
            yield _appeared(old, new, keyword, keyword)


def _appeared(old: View, new: View, keyword: str, word: str) -> Change:
    is_new = new.child(keyword) is not None or keyword in new.data
    action, effect = ("added", Effect.NARROWS) if is_new else ("removed", Effect.WIDENS)
    kept = _KEPT.get(keyword, Kept.NOT)
    what = f"`{keyword}` of {{0}} was {action}"
    return Change(f"{word}-{action}", effect, at(old, keyword), at(new, keyword), what, kept=kept)


# What speaks of properties that no schema names: they may be sent, though nobody has been told of them. And how text is
# to be read (JSON Schema validation, section 8), for which no value is refused.
_KEPT = {
    **dict.fromkeys(("propertyNames", "patternProperties", "dependentSchemas"), Kept.DOUBTED),
    "contentSchema": Kept.WHOLE,
}


_SINGLE = (
    ("contains", "contains"),
    ("propertyNames", "property-names"),
    ("unevaluatedItems", "unevaluated-items"),
    ("unevaluatedProperties", "unevaluated-properties"),
    ("contentSchema", "content-schema"),
)


def _there_or_not(old: View, new: View) -> Iterator[Change]:
    for keyword, word in _SINGLE:
        if (old.child(keyword) is None) != (new.child(keyword) is None):
            yield _appeared(old, new, keyword, word)


def items_changes(old: View, new: View, *, is_request: bool) -> Iterator[Change]:
    """Items behind those that are described one by one: `false` says that there are none, nothing that there may be."""
    is_none = [view.data.get("items") is False for view in (old, new)]
    if is_none[0] == is_none[1] or all("items" in view.data for view in (old, new)):
        return
    word, effect = ("false", Effect.NARROWS) if is_none[1] else ("not-false", Effect.WIDENS)
    rule = f"{'request' if is_request else 'response'}-property-schema-became-{word}"
    what = "{0} may have " + ("no more items than are described" if is_none[1] else "more items than are described")
    yield Change(rule, effect, at(old, "items"), at(new, "items"), what)


def _named(old: View, new: View) -> Iterator[Change]:
    for keyword, word in (("patternProperties", "pattern-property"), ("dependentSchemas", "dependent-schema")):
        mine, theirs = old.children(keyword), new.children(keyword)
        for name in sorted(theirs.keys() - mine.keys()):
            what = f"`{keyword}` of {{0}} has `{name}` now"
            places = at(old, keyword), theirs[name]
            yield Change(f"{word}-added", Effect.NARROWS, *places, what, (None, name), kept=_KEPT[keyword])
        for name in sorted(mine.keys() - theirs.keys()):
            what = f"`{keyword}` of {{0}} does not have `{name}` any more"
            places = mine[name], at(new, keyword)
            yield Change(f"{word}-removed", Effect.WIDENS, *places, what, (name, None), kept=_KEPT[keyword])


def _dependent(old: View, new: View) -> Iterator[Change]:
    before, after = old.data.get("dependentRequired", {}), new.data.get("dependentRequired", {})
    places = at(old, "dependentRequired"), at(new, "dependentRequired")
    for name in sorted(before.keys() | after.keys()):
        values = before.get(name), after.get(name)
        if values[0] is None or values[1] is None:
            action, effect = ("added", Effect.NARROWS) if values[0] is None else ("removed", Effect.WIDENS)
        elif set(map(str, values[0])) == set(map(str, values[1])):
            continue
        else:
            action, effect = "changed", Effect.INCOMPARABLE
        what = f"what {{0}} needs beside `{name}` was {action}"
        yield Change(f"dependent-required-{action}", effect, *places, what, values)


def _prefix(two: Two, old: View, new: View) -> Iterator[Change]:
    """Items described one by one. One more of them changes nothing where `items` says the same of its place."""
    mine, theirs = old.children("prefixItems"), new.children("prefixItems")
    for more, other, action in ((theirs, new, "added"), (mine, old, "removed")):
        fewer = old if action == "added" else new
        extra = [more[name] for name in more if name not in (mine if action == "added" else theirs)]
        rest = fewer.child("items")
        if extra and not all(rest is not None and _are(two, action, node, rest) for node in extra):
            places = (at(old, "prefixItems"), extra[0]) if other is new else (extra[0], at(new, "prefixItems"))
            yield Change(f"prefix-items-{action}", Effect.UNKNOWN, *places, f"items of {{0}} were {action} one by one")


def _are(two: Two, action: str, extra: Node, rest: Node) -> bool:
    return two.same.are(rest, extra) if action == "added" else two.same.are(extra, rest)


def discriminator_changes(old: View, new: View) -> Iterator[Change]:
    """How the branches are told apart: told, never breaking by itself."""
    before, after = old.data.get("discriminator"), new.data.get("discriminator")
    if before == after or not (is_schema(before) or is_schema(after)):
        return
    word = "added" if before is None else "removed" if after is None else "property-name-changed"
    places = at(old, "discriminator"), at(new, "discriminator")
    yield Change(f"discriminator-{word}", Effect.NONE, *places, "what tells the branches of {0} apart changed")
