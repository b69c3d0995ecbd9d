"""Keywords about arrays and objects: which of the reader's follow from what is sent, and what is left to show below."""

from __future__ import annotations

from collections.abc import Iterator

from lockstep.core.contract.contract import Node
from lockstep.core.contract.schema.proof import Prover, Step, made
from lockstep.core.contract.schema.scalars import is_within
from lockstep.core.contract.schema.sender import Sender
from lockstep.core.contract.schema.values import fraction
from lockstep.core.contract.schema.view import View

Shown = Iterator[tuple[str, list[Step] | None]]


def of_arrays(prover: Prover, sender: Sender, reader: View) -> Shown:
    """The keywords about arrays: what is left to show below, None for what does not follow."""
    yield from _sizes(sender, reader, ("minItems", "maxItems"))
    is_unique = True in sender.said("uniqueItems") or is_within(sender, "maxItems", _ONE)
    if reader.data.get("uniqueItems") and not is_unique:
        yield "uniqueItems", None
    yield "items", _items(sender, reader)
    if (wanted := reader.child("contains")) is not None:
        yield "contains", [] if _contains(prover, sender, reader, wanted) else None


_ONE = fraction(1)


def _sizes(sender: Sender, reader: View, keywords: tuple[str, ...]) -> Shown:
    for keyword in keywords:
        if keyword in reader.data and not is_within(sender, keyword, fraction(reader.data[keyword])):
            yield keyword, None


def _items(sender: Sender, reader: View) -> list[Step]:
    """Each item against what is read at its place."""
    prefix, rest = list(reader.children("prefixItems").values()), reader.child("items")
    places: list[tuple[int | None, Node]] = list(enumerate(prefix))
    if rest is not None:
        places += [(index, rest) for index in range(len(prefix), sender.prefix)]
        most = sender.count("maxItems")
        if most is None or most > max(len(prefix), sender.prefix):
            places.append((None, rest))
    found = []
    for index, wanted in places:
        sent = sender.item(index)
        if sent is not None:
            found.append(Step(sent, wanted, is_below=True))
    return found


def _contains(prover: Prover, sender: Sender, reader: View, wanted: Node) -> bool:
    """The sender says the same with counts at least as tight; or each item is what is wanted, and there are enough."""
    least = fraction(reader.data.get("minContains", 1))
    most = reader.data.get("maxContains")
    for view in sender.flats:
        theirs = view.child("contains")
        if theirs is None or not prover.same.are(theirs, wanted):
            continue
        is_most = most is None or fraction(view.data.get("maxContains", most + 1)) <= fraction(most)
        if is_most and fraction(view.data.get("minContains", 1)) >= least:
            return True
    if most is not None and not is_within(sender, "maxItems", fraction(most)):
        return False
    if least <= 0:
        return True
    sent = [sender.item(index) for index in (*range(sender.prefix), None)]
    is_each = all(one is None or prover.holds(Step(one, wanted, is_below=True)) for one in sent)
    return is_each and is_within(sender, "minItems", least)


def of_objects(prover: Prover, sender: Sender, reader: View) -> Shown:
    """The keywords about objects: what is left to show below, None for what does not follow."""
    for name in _required(prover, sender, reader):
        yield f"required {name}", None
    yield from _counts(sender, reader)
    yield "properties", _properties(prover, sender, reader)
    yield "additionalProperties", _additional(prover, sender, reader)
    for pattern, wanted in reader.children("patternProperties").items():
        yield "patternProperties", _patterned(prover, sender, pattern, wanted)
    if (wanted_names := reader.child("propertyNames")) is not None:
        yield "propertyNames", _names(sender, wanted_names)
    for name, needs in reader.data.get("dependentRequired", {}).items():
        if not _depends(sender, name, needs):
            yield "dependentRequired", None
    for name, wanted in reader.children("dependentSchemas").items():
        yield "dependentSchemas", _dependent(sender, name, wanted)


def _required(prover: Prover, sender: Sender, reader: View) -> list[str]:
    names = [name for name in reader.data.get("required", ()) if isinstance(name, str)]
    named = reader.children("properties")
    return [
        name
        for name in names
        if not _is_always_sent(prover, sender, name)
        and not (name in named and is_hidden(prover, named[name]))
        and not (name in named and name not in sender.declared and _is_given_up(prover, named[name]))
    ]


def _is_always_sent(prover: Prover, sender: Sender, name: str) -> bool:
    """Whether every object has it in this direction: what is required and only answered is in no request."""
    return name in sender.required and (sender.at(name) is None or _sent(prover, sender, name) is not None)


def _is_given_up(prover: Prover, wanted: Node) -> bool:
    """Whether the reader was told beforehand that a property would go."""
    return prover.forgiving is not None and prover.forgiving.is_given_up(prover.reading.of(wanted).node)


def is_hidden(prover: Prover, wanted: Node) -> bool:
    """Whether a property of the reader does not occur in this direction."""
    return bool(prover.hidden) and prover.reading.of(wanted).data.get(prover.hidden) is True


def _counts(sender: Sender, reader: View) -> Shown:
    if "minProperties" in reader.data:
        least = fraction(reader.data["minProperties"])
        if not is_within(sender, "minProperties", least) and len(sender.required) < least:
            yield "minProperties", None
    if "maxProperties" in reader.data:
        most = fraction(reader.data["maxProperties"])
        is_few = not sender.has_rest and len(sender.declared) <= most
        if not is_within(sender, "maxProperties", most) and not is_few:
            yield "maxProperties", None


def _sent(prover: Prover, sender: Sender, name: str) -> tuple[Node, ...] | None:
    """The schemas of a property that is sent; None if it is not, or not in this direction."""
    found = sender.at(name)
    if found is None or not prover.hidden:
        return found
    return None if any(prover.sending.of(node).data.get(prover.hidden) is True for node in found) else found


def _properties(prover: Prover, sender: Sender, reader: View) -> list[Step]:
    found = []
    for name, wanted in reader.children("properties").items():
        sent = _sent(prover, sender, name)
        if sent is not None:
            found.append(Step(sent, wanted, is_below=True))
    return found


def _additional(prover: Prover, sender: Sender, reader: View) -> list[Step]:
    """What the reader does not name: every property that may be sent beside those."""
    wanted = reader.child("additionalProperties")
    if wanted is None or wanted.value is True or wanted.value == {}:
        return []
    named = reader.children("properties")
    found = [Step(rest, wanted, is_below=True) for rest in sender.rests()]
    for name in sorted(sender.declared - named.keys()):
        sent = _sent(prover, sender, name)
        if sent is not None:
            found.append(Step(sent, wanted, is_below=True))
    return found


def _patterned(prover: Prover, sender: Sender, pattern: str, wanted: Node) -> list[Step]:
    """Patterns are not run: the sender says the same pattern, or everything that it may send fits."""
    for view in sender.flats:
        theirs = view.children("patternProperties").get(pattern)
        if theirs is not None:
            return [Step((theirs,), wanted, is_below=True)]
    found = [Step(rest, wanted, is_below=True) for rest in sender.rests()]
    for name in sorted(sender.declared):
        sent = _sent(prover, sender, name)
        if sent is not None:
            found.append(Step(sent, wanted, is_below=True))
    return found


def _names(sender: Sender, wanted: Node) -> list[Step]:
    theirs = tuple(node for view in sender.flats if (node := view.child("propertyNames")) is not None)
    if theirs or sender.has_rest:
        return [Step((*theirs, made({"type": "string"}, "type string")), wanted, is_below=True)]
    return [Step((made({"const": name}, f"const {name}"),), wanted, is_below=True) for name in sorted(sender.declared)]


def _depends(sender: Sender, name: str, needs: object) -> bool:
    wanted = set(map(str, needs)) if isinstance(needs, list) else set()
    if sender.at(name) is None or wanted <= sender.required:
        return True
    said = [one.get(name) for one in sender.said("dependentRequired")]
    return any(isinstance(one, list) and wanted <= {*map(str, one), *sender.required} for one in said)


def _dependent(sender: Sender, name: str, wanted: Node) -> list[Step]:
    if sender.at(name) is None:
        return []
    theirs = [view.children("dependentSchemas").get(name) for view in sender.flats]
    nodes = (*(view.node for view in sender.flats), *(node for node in theirs if node is not None))
    return [Step(nodes, wanted, is_below=False)]
