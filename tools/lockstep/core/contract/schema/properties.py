"""What changed in the properties of one schema: which there are, which are required, who sends them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lockstep.core.contract.contract import ContractKind, Node
from lockstep.core.contract.schema.change import Change, Effect, Kept
from lockstep.core.contract.schema.keywords import at
from lockstep.core.contract.schema.promises import notice_changes, removal_notice
from lockstep.core.contract.schema.sender import Sender, flat
from lockstep.core.contract.schema.structure import Two
from lockstep.core.contract.schema.view import View, Views


@dataclass(frozen=True)
class Property:
    """One property of both sides.

    Args:
        name: Its name.
        old: Its schema in what is needed; of a new one the place where it would be.
        new: Its schema in what is provided, likewise.
        is_required: Whether every object has it, in what is needed and in what is provided.
        is_request: Whether it is sent by whoever needs the contract.
        is_object: Whether what has it may be an object at all.
    """

    name: str
    old: Node
    new: Node
    is_required: tuple[bool, bool]
    is_request: bool
    is_object: bool = True


def property_changes(two: Two, old: View, new: View, *, is_request: bool) -> Iterator[Change]:
    """Every change of properties, in the words of one direction."""
    mine, theirs = old.children("properties"), new.children("properties")
    needed, promised = _required(old), _required(new)
    for name in sorted(mine.keys() | theirs.keys()):
        one = Property(
            name,
            mine.get(name, at(old, "properties")),
            theirs.get(name, at(new, "properties")),
            (name in needed, name in promised),
            is_request,
            any("object" in (view.types or {"object"}) for view in (old, new)),
        )
        if name not in mine:
            if name not in _names(two.old, old):
                yield from _added(two, one)
        elif name not in theirs:
            if name not in _names(two.new, new):
                yield from _removed(two, one)
        else:
            yield from _required_or_not(two, one, (at(old, "required"), at(new, "required")))
            yield from _hidden_or_not(two, one)
            yield from notice_changes(two, (one.name, one.old, one.new), is_request=is_request)


def lost_changes(two: Two, old: View, new: View) -> Iterator[Change]:
    """Properties of a request's choice that became one schema, which does not name them: they may be lost."""
    if not _is_choice(old) or _is_choice(new):
        return
    mine, theirs = (_anywhere(views, view) for views, view in ((two.old, old), (two.new, new)))
    for name in sorted(mine - theirs - old.children("properties").keys()) if theirs else ():
        what, places = f"{{0}} does not have the property `{name}` any more", (old.node, at(new, "properties"))
        yield Change("request-property-removed", Effect.UNKNOWN, *places, what, (name, None), kept=Kept.WHOLE)


def _is_choice(view: View) -> bool:
    return not {"anyOf", "oneOf"}.isdisjoint(view.data)


def _anywhere(views: Views, view: View) -> frozenset[str]:
    return Sender(views, flat(views, (view.node,)) or (), is_open=True).declared


def _names(views: Views, view: View) -> set[str]:
    """The properties that a schema names, those in members of allOf among them: there one only moved."""
    return {name for part in flat(views, (view.node,)) or () for name in part.children("properties")}


def _required(view: View) -> set[str]:
    return {name for name in view.data.get("required", ()) if isinstance(name, str)}


def _added(two: Two, one: Property) -> Iterator[Change]:
    data, is_required, places = two.new.of(one.new).data, one.is_required[1], (one.old, one.new)
    word = "required" if is_required else "optional"
    what, values = f"{{0}} has a new {word} property `{one.name}`", (None, one.name)
    if not one.is_request:
        hidden = "-write-only" if data.get("writeOnly") else ""
        yield Change(f"response-{word}{hidden}-property-added", Effect.NONE, *places, what, values)
    elif not data.get("readOnly"):
        default = "-with-default" if is_required and "default" in data else ""
        effect = Effect.NARROWS if is_required else Effect.NONE
        yield Change(f"new-{word}-request-property{default}", effect, *places, what, values)


def _removed(two: Two, one: Property) -> Iterator[Change]:
    data, is_required, places = two.old.of(one.old).data, one.is_required[0], (one.old, one.new)
    what, values = f"{{0}} does not have the property `{one.name}` any more", (one.name, None)
    notice = removal_notice(two, one.old)
    is_deprecated = notice == "-with-deprecation"
    if not one.is_request:
        hidden = "-write-only" if data.get("writeOnly") else ""
        word = "required" if is_required else "optional"
        effect = Effect.WIDENS if is_required and not hidden and not is_deprecated else Effect.NONE
        rule = f"response-{word}{hidden}-property-removed{'' if hidden else notice}"
        kept = Kept.WHOLE if is_required and notice == "-before-sunset" else Kept.NOT
        yield Change(rule, effect, *places, what, values, kept=kept)
    elif not data.get("readOnly"):
        # What is sent and not read may be wanted and is lost, or be refused: nobody can tell from the contract.
        effect = Effect.NONE if is_deprecated else Effect.INCOMPARABLE if notice else Effect.UNKNOWN
        yield Change(f"request-property-removed{notice}", effect, *places, what, values, kept=Kept.WHOLE)


def _required_or_not(two: Two, one: Property, places: tuple[Node, Node]) -> Iterator[Change]:
    is_now = one.is_required[1]
    if one.is_required[0] == is_now:
        return
    word = "became-required" if is_now else "became-optional"
    what = f"the property `{one.name}` of {{0}} " + ("is required now" if is_now else "may be missing now")
    effect = Effect.NARROWS if is_now else Effect.WIDENS
    data = two.new.of(one.new).data
    # On what is no object the keyword says nothing, and nobody knows what was meant by it.
    kept = Kept.NOT if one.is_object else Kept.DOUBTED
    if not one.is_request:
        hidden = "write-only-" if two.old.of(one.old).data.get("writeOnly") else ""
        yield Change(f"response-{hidden}property-{word}", Effect.NONE if hidden else effect, *places, what, kept=kept)
    elif not data.get("readOnly"):
        default = "-with-default" if is_now and "default" in data else ""
        yield Change(f"request-property-{word}{default}", effect, *places, what, kept=kept)


def _hidden_or_not(two: Two, one: Property) -> Iterator[Change]:
    """`readOnly` and `writeOnly`: whether the property is in the message at all."""
    is_required = all(one.is_required)
    side, word = "request" if one.is_request else "response", "required" if is_required else "optional"
    old, new = two.old.of(one.old), two.new.of(one.new)
    for keyword, text in (("readOnly", "read-only"), ("writeOnly", "write-only")):
        before, after = bool(old.data.get(keyword)), bool(new.data.get(keyword))
        if before == after:
            continue
        rule = f"{side}-{word}-property-became-{'' if after else 'not-'}{text}"
        effect = _hiding(two, keyword, is_request=one.is_request, is_required=is_required, is_now=after)
        what = f"the property `{one.name}` of {{0}} became {'' if after else 'not '}{text}"
        yield Change(rule, effect, at(old, keyword), at(new, keyword), what, (before, after), kept=Kept.WHOLE)


def _hiding(two: Two, keyword: str, *, is_request: bool, is_required: bool, is_now: bool) -> Effect:
    """In a request what is readOnly is not read; in a response what is writeOnly is not sent."""
    if is_request and keyword == "readOnly":
        if is_now:
            return Effect.UNKNOWN
        # OpenAPI 3.0: required counts in responses only for what is readOnly; since 3.1 in requests as well.
        is_old = two.old.contract.kind is ContractKind.OPENAPI_30
        return Effect.NARROWS if is_required and is_old else Effect.NONE
    if not is_request and keyword == "writeOnly" and is_now and is_required:
        return Effect.WIDENS
    return Effect.NONE
