"""Where two schemas meet in a message: what changed, and whether everything that is sent can be read."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Any

from lockstep.core.contract.contract import ContractKind, Node
from lockstep.core.contract.finding import Level
from lockstep.core.contract.judge import Draft, Judge, said
from lockstep.core.contract.schema.change import Change, Effect, Kept, level_of
from lockstep.core.contract.schema.proof import Prover, Reason, Step
from lockstep.core.contract.schema.same import Same
from lockstep.core.contract.schema.structure import Two
from lockstep.core.contract.schema.view import Views
from lockstep.core.contract.schema.walk import Place, Walk


class Direction(StrEnum):
    """Who sends: in a request whoever needs the contract, in a response the provider."""

    REQUEST = "request"
    RESPONSE = "response"


class Part(StrEnum):
    """What of a message a schema describes; the word of the rule ids."""

    BODY = "body"
    PARAMETER = "parameter"
    HEADER = "header"


@dataclass(frozen=True)
class Spot:
    """Where two schemas meet.

    Args:
        operation: Method and path.
        direction: Who sends.
        part: What of the message.
        name: The place in words, such as "the query parameter `limit`" or "the answer 200 as application/json".
        is_header: Whether it stands in a header.
    """

    operation: str
    direction: Direction
    part: Part
    name: str
    is_header: bool = False

    @property
    def is_request(self) -> bool:
        """Whether whoever needs the contract sends."""
        return self.direction is Direction.REQUEST


@dataclass
class Schemas:
    """Both contracts' schemas in one direction; what was seen and shown once is remembered.

    Args:
        walk: What changed at each place.
        prover: Shows that everything that is sent is read.
        shown: What was shown of single places.
    """

    walk: Walk
    prover: Prover
    shown: dict[Place, bool] = field(default_factory=dict)

    def step(self, needed: Node, provider: Node) -> Step:
        """That everything that is sent is read."""
        sent, read = (needed, provider) if self.walk.is_request else (provider, needed)
        return Step((sent,), read, is_below=False)


def schemas_of(judge: Judge, direction: Direction) -> Schemas:
    """What the comparison of two contracts' schemas in one direction needs."""
    provider, needed = judge.provider, judge.needed
    known = next((one.walk.two for one in judge.schemas.values()), None)  # those of the other direction
    old, new = (known.old, known.new) if known else (Views(needed), Views(provider))
    is_request = direction is Direction.REQUEST
    sending, reading = (old, new) if is_request else (new, old)
    is_schema = ContractKind.SCHEMA in {provider.kind, needed.kind}
    hidden = "" if is_schema else "readOnly" if is_request else "writeOnly"
    forgiving = None if is_schema or is_request else judge.asked
    prover = Prover(sending, reading, is_schema, hidden, Same(sending, reading), forgiving)
    return Schemas(Walk(Two(old, new, Same(old, new), judge.asked), is_request), prover)


def schema_findings(judge: Judge, spot: Spot, provider: Node, needed: Node) -> None:
    """Notes what is found about two schemas that meet at a spot; both may be references."""
    if spot.direction not in judge.schemas:
        judge.schemas[spot.direction] = schemas_of(judge, spot.direction)
    schemas = judge.schemas[spot.direction]
    reasons = schemas.prover.reasons(schemas.step(needed, provider))
    is_told = False
    root = schemas.walk.place(needed, provider)
    for place, change in schemas.walk.changes(needed, provider):
        level = _level(spot, change, is_root=place == root)
        if level.is_breaking:
            is_shown = not reasons or _is_shown(schemas, place)
            kept = Kept.DOUBTED if _is_turned(place) else change.kept
            kept = Kept.WHOLE if change.rule == "schema-became-false" and place == root else kept
            if is_shown and kept is Kept.NOT:
                continue
            level = Level.WARN if is_shown and kept is Kept.DOUBTED else level
            is_told = is_told or not is_shown
        judge.add(_draft(spot, _way(root, place), change, level))
    if reasons and not is_told:
        judge.add(_undecided(spot, reasons[0], provider, needed))


def _level(spot: Spot, change: Change, *, is_root: bool) -> Level:
    """How much a change weighs. An answer that cannot be given is no smaller promise, it is a broken one."""
    if is_root and spot.part is Part.BODY and change.rule == "schema-became-false":
        return Level.ERR
    return level_of(change.effect, is_request=spot.is_request)


def _is_turned(place: Place) -> bool:
    """Whether it stands in a `not` or `if`, where it is not said in which direction a change goes."""
    pointer = place[1][1]
    return any(key in {"not", "if"} and above != "properties" for above, key in pairwise(("", *pointer)))


def _is_shown(schemas: Schemas, place: Place) -> bool:
    """Whether at this place by itself everything that is sent can be read."""
    if place not in schemas.shown:
        old = schemas.walk.two.old.seen[place[0]].node
        new = schemas.walk.two.new.seen[place[1]].node
        schemas.shown[place] = schemas.prover.holds(schemas.step(old, new))
    return schemas.shown[place]


def _way(root: Place, place: Place) -> str:
    """The way to a place: from the component that it stands in, or from where the schemas met; empty for the root."""
    if place == root:
        return ""
    pointer, start = place[1][1], root[1][1]
    if pointer[: len(start)] == start:
        return "/".join(step for step in pointer[len(start) :] if step != "properties") or "it"
    names = [index for index, step in enumerate(pointer) if step in _NAMED]
    first = names[0] + 1 if names and names[0] + 1 < len(pointer) else 0
    return (
        "/".join((pointer[first], *(step for step in pointer[first + 1 :] if step != "properties")))
        if pointer
        else "it"
    )


_NAMED = ("schemas", "$defs", "definitions")


def _draft(spot: Spot, way: str, change: Change, level: Level) -> Draft:
    name = f"`{way}` of {spot.name}" if way else spot.name
    old, new = change.values
    values = f": {_value(old)} -> {_value(new)}" if (old, new) != (None, None) else ""
    return Draft(
        rule=rule_id(spot, _word(spot, change, is_root=not way), is_root=not way),
        level=level,
        operation=spot.operation,
        what=change.what.replace("{0}", name) + values,
        fix=_fix(spot) if level.is_breaking else "nothing to do",
        provider=change.new,
        needed=change.old,
        old=None if old is None else said(old),
        new=None if new is None else said(new),
    )


def _value(value: Any) -> str:
    return "none" if value is None else said(value)


def _fix(spot: Spot) -> str:
    if spot.is_request:
        return "accept what was accepted, or move every caller first and release a major version"
    return "answer as was promised, or move every caller first and release a major version"


def _undecided(spot: Spot, reason: Reason, provider: Node, needed: Node) -> Draft:
    sender, reader = ("the caller", "the provider") if spot.is_request else ("the provider", "the caller")
    keyword = f" (`{reason.keyword}`)" if reason.keyword else ""
    here = reason.reader if not reason.reader.file.startswith("=") else (provider if spot.is_request else needed)
    return Draft(
        rule="schema-undecided",
        level=Level.WARN,
        operation=spot.operation,
        what=f"it could not be shown that {reader} takes everything that {sender} may send as {spot.name}{keyword}",
        fix="compare the two places; write the schemas alike, or lower this rule's level in lockstep.yaml",
        provider=here if spot.is_request else provider,
        needed=needed if spot.is_request else here,
    )


def _word(spot: Spot, change: Change, *, is_root: bool) -> str:
    """The rule's word at a spot, where it is not the same everywhere."""
    if change.rule.startswith("type-"):
        return _type_word(spot, change, is_root=is_root)
    if change.rule.startswith("wrapped-in-one-of") and not is_root:
        return "one-of-added"
    if change.rule == "pattern-generalized" and not spot.is_request:
        return "pattern-changed"
    return change.rule


def _type_word(spot: Spot, change: Change, *, is_root: bool) -> str:
    """Whatever breaks a request is `changed`; what breaks an answer is `generalized` where it has more types."""
    if not spot.is_request:
        return "type-specialized" if change.effect in {Effect.NARROWS, Effect.NONE} else change.rule
    if change.effect in {Effect.WIDENS, Effect.NONE}:
        return "type-generalized"
    if is_root or spot.part is Part.BODY:
        return "type-changed"
    was, now = (str(value).partition("/")[0].split(", ") for value in change.values)
    return "type-changed" if "string" in now and "string" not in was else "type-specialized"  # all of it may be text


def rule_id(spot: Spot, rule: str, *, is_root: bool) -> str:
    """The rule's whole id: direction and part before it, where it has none of its own."""
    if rule.startswith(("request-", "response-", "new-", "api-")):
        return rule
    if is_root:
        is_listed = spot.direction is Direction.RESPONSE and spot.part is Part.BODY and "enum" in rule
        return f"{spot.direction}-{'mediatype' if is_listed else spot.part}-{rule}"
    if spot.part is Part.BODY:
        return f"{spot.direction}-property-{rule}"
    if rule == "became-enum":
        return "request-header-property-became-enum" if spot.is_header else "request-parameter-became-enum"
    is_of_any_depth = rule.startswith(_AT_ANY_DEPTH)
    return f"{spot.direction}-{spot.part}-{'' if is_of_any_depth else 'property-'}{rule}"


_AT_ANY_DEPTH = ("min-", "max-", "exclusive-", "multiple-of-", "pattern-", "x-extensible-", "default-")  # of parameters
