"""What changed in the properties of one schema: which there are, which are required, who sends them."""

from __future__ import annotations

from collections.abc import Iterator

from lockstep.core.contract.contract import ContractKind, Node
from lockstep.core.contract.schema.change import Change, Effect
from lockstep.core.contract.schema.keywords import at
from lockstep.core.contract.schema.structure import Two
from lockstep.core.contract.schema.view import View


def property_changes(two: Two, old: View, new: View, *, is_request: bool) -> Iterator[Change]:
    """Every change of properties, in the words of one direction."""
    mine, theirs = old.children("properties"), new.children("properties")
    needed, promised = _required(old), _required(new)
    for name in sorted(theirs.keys() - mine.keys()):
        yield from _added(two, old, theirs[name], name, is_request=is_request, is_required=name in promised)
    for name in sorted(mine.keys() - theirs.keys()):
        yield from _removed(two, new, mine[name], name, is_request=is_request, is_required=name in needed)
    for name in sorted(mine.keys() & theirs.keys()):
        both = mine[name], theirs[name]
        if (name in needed) != (name in promised):
            yield from _required_or_not(two, (old, new), both, name, is_request=is_request, is_now=name in promised)
        yield from _hidden_or_not(
            two, both, name, is_request=is_request, is_required=name in needed and name in promised
        )


def _required(view: View) -> set[str]:
    return {name for name in view.data.get("required", ()) if isinstance(name, str)}


def _added(two: Two, old: View, node: Node, name: str, *, is_request: bool, is_required: bool) -> Iterator[Change]:
    view, places = two.new.of(node), (at(old, "properties"), node)
    if is_request:
        if view.data.get("readOnly"):
            return
        rule = "new-optional-request-property"
        if is_required:
            rule = "new-required-request-property" + ("-with-default" if "default" in view.data else "")
        effect = Effect.NARROWS if is_required else Effect.NONE
        what = f"{{0}} has a new {'required' if is_required else 'optional'} property `{name}`"
        yield Change(rule, effect, *places, what, (None, name), is_kept=is_required)
    else:
        word = "required" if is_required else "optional"
        hidden = "-write-only" if view.data.get("writeOnly") else ""
        yield Change(
            f"response-{word}{hidden}-property-added", Effect.NONE, *places, f"{{0}} has a new property `{name}`"
        )


def _removed(two: Two, new: View, node: Node, name: str, *, is_request: bool, is_required: bool) -> Iterator[Change]:
    view, places = two.old.of(node), (node, at(new, "properties"))
    what, deprecated = f"{{0}} does not have the property `{name}` any more", view.data.get("deprecated") is True
    with_notice = "-with-deprecation" if deprecated else ""
    if is_request:
        if not view.data.get("readOnly"):
            effect = Effect.NONE if deprecated else Effect.UNKNOWN
            yield Change(f"request-property-removed{with_notice}", effect, *places, what, (name, None), is_kept=True)
        return
    hidden = "-write-only" if view.data.get("writeOnly") else ""
    word = "required" if is_required else "optional"
    effect = Effect.WIDENS if is_required and not hidden and not deprecated else Effect.NONE
    with_notice = "" if hidden else with_notice
    yield Change(f"response-{word}{hidden}-property-removed{with_notice}", effect, *places, what, (name, None))


def _required_or_not(
    two: Two, views: tuple[View, View], both: tuple[Node, Node], name: str, *, is_request: bool, is_now: bool
) -> Iterator[Change]:
    old, new = views
    view = two.new.of(both[1])
    places = (
        at(old, "required") if "required" in old.data else both[0],
        at(new, "required") if "required" in new.data else both[1],
    )
    word = "became-required" if is_now else "became-optional"
    what = f"the property `{name}` of {{0}} " + ("is required now" if is_now else "may be missing now")
    effect = Effect.NARROWS if is_now else Effect.WIDENS
    if is_request:
        if view.data.get("readOnly"):
            return
        default = "-with-default" if is_now and "default" in view.data else ""
        yield Change(f"request-property-{word}{default}", effect, *places, what)
    else:
        hidden = "write-only-" if two.old.of(both[0]).data.get("writeOnly") else ""
        yield Change(f"response-{hidden}property-{word}", Effect.NONE if hidden else effect, *places, what)


def _hidden_or_not(
    two: Two, both: tuple[Node, Node], name: str, *, is_request: bool, is_required: bool
) -> Iterator[Change]:
    """`readOnly` and `writeOnly`: whether the property is in the message at all."""
    side, word = ("request", "required" if is_required else "optional") if is_request else ("response", "")
    old, new = two.old.of(both[0]), two.new.of(both[1])
    if not is_request:
        word = "required" if is_required else "optional"
    for keyword, text in (("readOnly", "read-only"), ("writeOnly", "write-only")):
        before, after = bool(old.data.get(keyword)), bool(new.data.get(keyword))
        if before == after:
            continue
        rule = f"{side}-{word}-property-became-{'' if after else 'not-'}{text}"
        effect = _hiding(two, keyword, is_request=is_request, is_required=is_required, is_now=after)
        what = f"the property `{name}` of {{0}} became {'' if after else 'not '}{text}"
        yield Change(rule, effect, at(old, keyword), at(new, keyword), what, (before, after), is_kept=True)


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
