"""One step of a proof: which of the reader's keywords follow from what is sent, and what is left to show below."""

from __future__ import annotations

from collections.abc import Iterator

from lockstep.core.contract.contract import Node
from lockstep.core.contract.schema.accepts import accepts
from lockstep.core.contract.schema.choices import choice, excludes, member_by_member
from lockstep.core.contract.schema.containers import of_arrays, of_objects
from lockstep.core.contract.schema.proof import Found, Prover, Reason, Step, flat_reader, made
from lockstep.core.contract.schema.scalars import of_scalars
from lockstep.core.contract.schema.sender import Sender
from lockstep.core.contract.schema.values import canonical
from lockstep.core.contract.schema.view import View, are_alike, is_monotone, mentions

_WHOLE = ("unevaluatedItems", "unevaluatedProperties", "$dynamicRef", "$recursiveRef", "dependencies")
_CONTEXT = frozenset(_WHOLE)
_LIMIT_TRIED = 2  # trials within trials; deeper, what could be shown is taken as it stands
_LIMIT_SPLIT = 64


def follows(prover: Prover, step: Step) -> Found:
    """What fails at this step itself, and what has to be shown below."""
    if (quick := _written_alike(prover, step)) is not None:
        return quick
    sender = prover.sender(step.sender)
    readers = flat_reader(prover, step.reader)
    if sender is None or readers is None:
        return Found((Reason(step.reader, "allOf"),), ())
    if sender.is_never:
        return Found((), ())
    reasons: list[Reason] = []
    steps: list[Step] = []
    for reader in readers:
        found = _reader(prover, sender, reader)
        reasons += found.reasons
        steps += found.steps
    return Found(tuple(reasons), tuple(steps))


def _written_alike(prover: Prover, step: Step) -> Found | None:
    """Two schemas with the same text: what their references lead to is left to show, where that is enough."""
    if len(step.sender) != 1 or prover.sending.contract.kind is not prover.reading.contract.kind:
        return None
    sent, read = prover.sending.of(step.sender[0]), prover.reading.of(step.reader)
    if not are_alike(sent.node, read.node) or mentions(read.node.value, _CONTEXT):
        return None
    steps = []
    for one, other in zip(prover.sending.references(sent), prover.reading.references(read), strict=True):
        is_below = is_monotone(read.node, other.pointer)
        if is_below is None:
            return None
        steps.append(Step((one,), other, is_below))
    return Found((), tuple(steps))


def _reader(prover: Prover, sender: Sender, reader: View) -> Found:
    """One of the reader's schemas: as it is, or for each of the sender's cases by itself."""
    found = Found((Reason(reader.node, ""),), ()) if reader.is_never else _plain(prover, sender, reader)
    if found.is_named:
        return found
    if cases(sender) and (found.reasons or len(prover.open) <= _LIMIT_TRIED):
        is_shown = not found.reasons and all(prover.holds(one) for one in found.steps)
        return found if is_shown else _by_branches(prover, sender, reader) or found
    return (_by_types(prover, sender, reader) or found) if found.reasons else found


def cases(sender: Sender) -> list[tuple[View, list[Node]]]:
    """The choices that the sender itself has: a schema and its branches."""
    return [
        (view, list(view.children(keyword).values()))
        for view in sender.flats
        for keyword in ("anyOf", "oneOf")
        if view.data.get(keyword)
    ]


def _by_branches(prover: Prover, sender: Sender, reader: View) -> Found | None:
    """Nothing left to show, if each branch of one of the sender's choices fits; None if none does."""
    for view, branches in cases(sender):
        rest = tuple(_without(one) if one is view else one.node for one in sender.flats)
        steps = [Step((*rest, branch), reader.node, is_below=False) for branch in branches]
        if len(branches) <= _LIMIT_SPLIT and all(prover.holds(one) for one in steps):
            return Found((), ())
    return None


def _by_types(prover: Prover, sender: Sender, reader: View) -> Found | None:
    """Nothing left to show, if each of the sender's types by itself fits; None if one does not."""
    if len(sender.types) < 2 or not sender.flats:
        return None
    nodes = tuple(view.node for view in sender.flats)
    single = [made({"type": kind}, f"type {kind}") for kind in sorted(sender.types)]
    is_shown = all(prover.holds(Step((*nodes, kind), reader.node, is_below=False)) for kind in single)
    return Found((), ()) if is_shown else None


def _without(view: View) -> Node:
    """The schema without the choice that is taken apart."""
    left = {key: item for key, item in view.node.value.items() if key not in {"anyOf", "oneOf"}}
    return Node(left, view.node.file, (*view.node.pointer, "=without"))


def _plain(prover: Prover, sender: Sender, reader: View) -> Found:
    """Keyword by keyword."""
    same = _Same(prover, sender)
    if same.whole(reader):
        return Found((), ())
    reasons = [Reason(reader.node, key) for key in _WHOLE if key in reader.data]
    reasons += [Reason(reader.node, key) for key in reader.malformed]
    if reasons:
        return Found(tuple(reasons), ())
    if not _types(sender, reader):
        return Found((Reason(reader.node, "type"),), ())
    if (members := member_by_member(prover, sender, reader)) is not None:
        return Found((), tuple(members), is_named=True)
    if sender.values is not None and all(accepts(prover.reading, reader, one) for one in sender.values.values()):
        return Found((), ())
    steps: list[Step] = []
    for keyword, found in _keywords(prover, sender, reader):
        if found is None:
            reasons.append(Reason(reader.node, keyword))
        else:
            steps += found
    return Found(tuple(reasons), tuple(steps))


def _types(sender: Sender, reader: View) -> bool:
    allowed = reader.types
    return allowed is None or all(
        kind in allowed or (kind == "integer" and "number" in allowed) for kind in sender.types
    )


def _keywords(prover: Prover, sender: Sender, reader: View) -> Iterator[tuple[str, list[Step] | None]]:
    """Each keyword of the reader with the steps below that it needs; None where it does not follow."""
    for keyword in ("enum", "const"):
        if keyword in reader.data:
            yield keyword, [] if _listed(sender, reader, keyword) else None
    yield from of_scalars(sender, reader)
    if "array" in sender.types:
        yield from of_arrays(prover, sender, reader)
    if "object" in sender.types:
        yield from of_objects(prover, sender, reader)
    for keyword in ("anyOf", "oneOf"):
        if keyword in reader.data:
            yield keyword, choice(prover, sender, reader, keyword)
    if "not" in reader.data:
        node = reader.child("not")
        yield "not", [] if node is not None and excludes(prover, sender, node) else None
    if "if" in reader.data:
        yield from _condition(prover, sender, reader)


def _condition(prover: Prover, sender: Sender, reader: View) -> Iterator[tuple[str, list[Step] | None]]:
    """What both outcomes ask for follows, or the sender says the same condition."""
    nodes = tuple(view.node for view in sender.flats)
    same = _Same(prover, sender)
    for keyword in ("then", "else"):
        node = reader.child(keyword)
        if node is not None and not same.condition(reader, keyword):
            yield keyword, [] if prover.holds(Step(nodes, node, is_below=False)) else None


def _listed(sender: Sender, reader: View, keyword: str) -> bool:
    said = reader.data[keyword] if keyword == "enum" else [reader.data[keyword]]
    allowed = {canonical(value) for value in said}
    if sender.values is not None:
        return set(sender.values) <= allowed
    if sender.types <= {"null", "boolean"}:
        few = [None] * ("null" in sender.types) + [True, False] * ("boolean" in sender.types)
        return {canonical(value) for value in few} <= allowed
    return False


class _Same:
    """Whether the sender says the same as the reader."""

    def __init__(self, prover: Prover, sender: Sender) -> None:
        self.prover = prover
        self.sender = sender

    def whole(self, reader: View) -> bool:
        return any(
            not view.node.file.startswith("=") and self.prover.same.are(view.node, reader.node)
            for view in self.sender.flats
        )

    def condition(self, reader: View, keyword: str) -> bool:
        mine, wanted = reader.child("if"), reader.child(keyword)
        for view in self.sender.flats:
            theirs, said = view.child("if"), view.child(keyword)
            if mine and wanted and theirs and said and self.prover.same.are(theirs, mine):
                return self.prover.same.are(said, wanted)
        return False
