"""Choices: whether what is sent fits one branch of the reader's, exactly one, or none."""

from __future__ import annotations

from collections.abc import Mapping

from lockstep.core.contract.contract import Node
from lockstep.core.contract.schema.accepts import accepts
from lockstep.core.contract.schema.proof import Prover, Step
from lockstep.core.contract.schema.sender import Sender, flat
from lockstep.core.contract.schema.values import fraction
from lockstep.core.contract.schema.view import ANNOTATIONS, View, Views

_DEEP = 6
_LIMIT_ANY_ORDER = 100  # branches


def choice(prover: Prover, sender: Sender, reader: View, keyword: str) -> list[Step] | None:
    """No step left, if what is sent fits one branch: for `oneOf` it fits no other. None if that is not shown."""
    if _says_the_same(prover, sender, reader, keyword):
        return []
    nodes = tuple(view.node for view in sender.flats)
    branches = list(reader.children(keyword).values())
    for index, branch in enumerate(branches):
        others = [*branches[:index], *branches[index + 1 :]] if keyword == "oneOf" else []
        if all(is_apart(prover, sender, other) for other in others) and prover.holds(
            Step(nodes, branch, is_below=False)
        ):
            return []
    return None


def member_by_member(prover: Prover, sender: Sender, reader: View) -> list[Step] | None:
    """Each of the sender's members against the reader's of the same name; None if that is not all that is read.

    Nothing is tried: whoever names members means the same by the same name. For `oneOf` members of other names must
    not fit as well.
    """
    said = reader.data.keys() - ANNOTATIONS
    if len(said) != 1 or not said <= {"anyOf", "oneOf"} or reader.types is not None or reader.malformed:
        return None
    keyword = next(iter(said))
    members = reader.children(keyword)
    wanted = {_name(prover.reading, node): node for node in members.values()}
    if len(wanted) != len(members):
        return None  # one that stands twice: under oneOf nothing is valid for it
    for view in sender.flats:
        sent = {_name(prover.sending, node): node for node in view.children(keyword).values()}
        if sent and sent.keys() <= wanted.keys() and len(sent) == len(view.data[keyword]):
            # What else holds for the sender is left out: that makes it wider, and each member is shown once only.
            steps = {name: Step((node,), wanted[name], is_below=False) for name, node in sent.items()}
            if keyword == "anyOf" or all(_is_alone(prover, step, name, wanted) for name, step in steps.items()):
                return list(steps.values())
    return None


def _name(views: Views, node: Node) -> str:
    """What a member is known by: its component, or its text."""
    return views.name(node) or repr(node.value)


def _is_alone(prover: Prover, step: Step, name: str, wanted: Mapping[str, Node]) -> bool:
    sender = prover.sender(step.sender)
    return sender is not None and all(is_apart(prover, sender, node) for other, node in wanted.items() if other != name)


def _says_the_same(prover: Prover, sender: Sender, reader: View, keyword: str) -> bool:
    """The sender has the same branches, in any order."""
    wanted = list(reader.children(keyword).values())
    for view in sender.flats:
        theirs = list(view.children(keyword).values())
        left = list(wanted) if len(theirs) == len(wanted) <= _LIMIT_ANY_ORDER else []
        for one in theirs:
            match = next((other for other in left if prover.same.are(one, other)), None)
            if match is None:
                break
            left = [other for other in left if other is not match]
        else:
            if theirs and not left and len(theirs) == len(wanted) <= _LIMIT_ANY_ORDER:
                return True
    return False


def excludes(prover: Prover, sender: Sender, node: Node) -> bool:
    """Whether nothing that is sent is valid for a schema of the reader: `not` follows."""
    for view in sender.flats:
        theirs = view.child("not")
        if theirs is not None and prover.same.are(theirs, node):
            return True
    return is_apart(prover, sender, node)


def is_apart(prover: Prover, sender: Sender, node: Node, depth: int = 0) -> bool:
    """Whether it is certain that nothing that is sent is valid for a schema of the reader."""
    readers = flat(prover.reading, (node,))
    if readers is None or depth > _DEEP:
        return False
    if sender.is_never or any(_is_apart(prover, sender, reader, depth) for reader in readers):
        return True
    rests = [(view, tuple(one.node for one in sender.flats if one is not view)) for view in sender.flats]
    return any(
        view.data.get(keyword)
        and all(_branch_apart(prover, rest, branch, node, depth) for branch in view.children(keyword).values())
        for view, rest in rests
        for keyword in ("anyOf", "oneOf")
    )


def _branch_apart(prover: Prover, rest: tuple[Node, ...], branch: Node, node: Node, depth: int) -> bool:
    narrowed = prover.sender((*rest, branch))
    return narrowed is not None and is_apart(prover, narrowed, node, depth + 1)


def _is_apart(prover: Prover, sender: Sender, reader: View, depth: int) -> bool:
    if reader.is_never or not _share_a_type(sender, reader):
        return True
    if sender.values is not None:
        return all(accepts(prover.reading, reader, value) is False for value in sender.values.values())
    if sender.types == {"object"} and _objects_apart(prover, sender, reader, depth):
        return True
    if sender.types <= {"integer", "number"} and _ranges_apart(sender, reader):
        return True
    return any(
        reader.data.get(keyword)
        and all(is_apart(prover, sender, branch, depth + 1) for branch in reader.children(keyword).values())
        for keyword in ("anyOf", "oneOf")
    )


def _share_a_type(sender: Sender, reader: View) -> bool:
    allowed = reader.types
    if allowed is None:
        return True
    numbers = {"integer", "number"}
    return bool(sender.types & allowed or (sender.types & numbers and allowed & numbers))


def _objects_apart(prover: Prover, sender: Sender, reader: View, depth: int) -> bool:
    """The reader needs a property that is never sent, or one that is always sent has values that it does not take."""
    required = [name for name in reader.data.get("required", ()) if isinstance(name, str)]
    if any(sender.at(name) is None for name in required):
        return True
    named = reader.children("properties")
    for name in sorted(sender.required & named.keys()):
        sent = sender.at(name)
        narrowed = prover.sender(sent) if sent else None
        if narrowed is not None and is_apart(prover, narrowed, named[name], depth + 1):
            return True
    rest = reader.child("additionalProperties")
    is_closed = rest is not None and rest.value is False and not reader.data.get("patternProperties")
    return is_closed and bool(sender.required - named.keys())


def _ranges_apart(sender: Sender, reader: View) -> bool:
    low, high = sender.count("minimum"), sender.count("maximum")
    least, most = reader.data.get("minimum"), reader.data.get("maximum")
    return bool(
        (low is not None and most is not None and low > fraction(most))
        or (high is not None and least is not None and high < fraction(least))
    )
