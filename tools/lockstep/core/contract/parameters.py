"""Parameters of a request: in the path, the query, headers and cookies."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lockstep.core.contract.case import Case, Pair, Reader
from lockstep.core.contract.contract import Node
from lockstep.core.contract.lifecycle import parameter_deprecation_findings, removed_parameter
from lockstep.core.contract.media import one_media_type
from lockstep.core.contract.paths import Hosted
from lockstep.core.contract.schemas import Direction, Part, Spot, schema_findings
from lockstep.core.contract.serialization import explodes, serialization_findings
from lockstep.core.contract.unjudged import PARAMETER, unjudged

PLACES = ("path", "query", "header", "cookie")
_VARIABLE = re.compile(r"\{([^{}]*)\}")
_ANY_TEXT = {"type", "description", "title", "example", "examples", "deprecated"}
_TEXT = (None, "string", ["string"])
Key = tuple[str, str]


@dataclass(frozen=True)
class Parameter:
    """One parameter of an operation.

    Args:
        place: One of PLACES.
        name: Its name.
        node: Where it stands; of one that is a property of an exploded object the object.
        is_required: Whether a request must have it.
        is_shared: Whether it stands at the path and not at the operation.
        schema: Of one that is a property of an exploded object, the schema of that property.
    """

    place: str
    name: str
    node: Node
    is_required: bool
    is_shared: bool
    schema: Node | None = None

    def __str__(self) -> str:
        return f"the {self.place} parameter `{self.name}`"


def parameter_findings(case: Case, provider: Hosted, needed: Hosted) -> None:
    """Notes what is found about every parameter of an operation."""
    ours, theirs = parameters_of(case.provider, provider), parameters_of(case.needed, needed)
    ours, theirs = _matched(case.provider, ours, theirs), _matched(case.needed, theirs, ours)
    ours, theirs = _by_name(ours, theirs), _by_name(theirs, ours)
    for key, theirs_one in theirs.items():
        if key in ours:
            _one_parameter(case, ours[key], theirs_one)
        elif not _is_variable(key):
            removed_parameter(case, Pair(provider.node, theirs_one.node), str(theirs_one))
    for key, ours_one in ours.items():
        if key not in theirs:
            _added(case, key, ours_one, needed)


def parameters_of(reader: Reader, hosted: Hosted) -> dict[Key, Parameter]:
    """The parameters of an operation, its own and its path's, by what makes two of them the same.

    A parameter of the path is the same under another name: its place in the path counts. The name of a header is the
    same in any case (RFC 9110, section 5.1).
    """
    variables = {name: f"{{{index}}}" for index, name in enumerate(_VARIABLE.findall(hosted.path))}
    found: dict[Key, Parameter] = {}
    for node, is_shared in ((hosted.node, False), (hosted.item, True)):
        for item in reader.listed(node.get("parameters")):
            one = _parameter(reader, item, is_shared=is_shared)
            if one is not None:
                name = one.name.lower() if one.place == "header" else one.name
                found.setdefault((one.place, variables.get(name, name) if one.place == "path" else name), one)
    return found


def _parameter(reader: Reader, item: Node, *, is_shared: bool) -> Parameter | None:
    node = reader.mapping(item)
    if node is None:
        return None
    name, place = reader.text(node, "name"), reader.text(node, "in")
    if not name or place not in PLACES:
        reader.note(node, f"a parameter with a name, in one of {', '.join(PLACES)},")
        return None
    return Parameter(place, name, node, reader.flag(node, "required") is True, is_shared)


def _matched(reader: Reader, mine: dict[Key, Parameter], others: dict[Key, Parameter]) -> dict[Key, Parameter]:
    """These parameters, with an exploded object taken apart if the other side has its properties as parameters.

    `?a=1&b=2` is the same request, whether the contract names `a` and `b` or an object with both.
    """
    found: dict[Key, Parameter] = {}
    for key, one in mine.items():
        parts = _parts(reader, one) if key not in others else {}
        if parts.keys() & others.keys():
            found |= {name: part for name, part in parts.items() if name not in mine}
        else:
            found[key] = one
    return found


def _by_name(mine: dict[Key, Parameter], others: dict[Key, Parameter]) -> dict[Key, Parameter]:
    """These parameters; one that this side's path lacks is the one that the other side calls so."""
    names = {one.name: key for key, one in others.items() if _is_variable(key) and key not in mine}
    return {
        names.get(one.name, key) if one.place == "path" and not _is_variable(key) else key: one
        for key, one in mine.items()
    }


def _parts(reader: Reader, one: Parameter) -> dict[Key, Parameter]:
    if one.place not in ("query", "cookie") or not explodes(reader, one.node, one.place):
        return {}
    schema = reader.mapping(one.node.get("schema"))
    if schema is None or schema.value.get("type") not in ("object", ["object"]):
        return {}
    properties, required = schema.get("properties"), schema.value.get("required")
    names = required if isinstance(required, list) and one.is_required else ()
    return {
        (one.place, name): Parameter(one.place, name, one.node, name in names, one.is_shared, node)
        for name, node in (properties.items() if properties else ())
    }


def _is_variable(key: Key) -> bool:
    """Whether the path itself has it: then something is sent, whatever is said about it."""
    return key[0] == "path" and key[1].startswith("{")


def _added(case: Case, key: Key, one: Parameter, needed: Hosted) -> None:
    """Notes a parameter of which whoever needs the operation knows nothing."""
    pair = Pair(one.node, needed.node)
    if _is_variable(key):
        _schemas(case, _spot(case, one), pair, (one.node.get("schema"), None))
        return
    if one.place == "path":
        case.add("new-request-path-parameter", f"{one} is not sent", pair)
        return
    words = "required" if one.is_required else "optional"
    rule = (
        f"new-{words}-request-default-parameter-to-existing-path" if one.is_shared else f"new-{words}-request-parameter"
    )
    what = f"{one} is required and is not sent" if one.is_required else f"{one} is not sent, and need not be"
    case.add(rule, what, pair)


def _one_parameter(case: Case, ours: Parameter, theirs: Parameter) -> None:
    pair = Pair(ours.node, theirs.node)
    if ours.is_required != theirs.is_required and ours.place != "path":
        rule = "required" if ours.is_required else "optional"
        what = f"{ours} {'must' if ours.is_required else 'need not'} be sent"
        at = pair.below("required")
        case.add(f"request-parameter-became-{rule}", what, at, old=theirs.is_required, new=ours.is_required)
    parameter_deprecation_findings(case, pair, str(ours))
    unjudged(case, pair, PARAMETER)
    spot = _spot(case, theirs)
    if ours.schema or theirs.schema:
        _schemas(case, spot, pair, (ours.schema or ours.node.get("schema"), theirs.schema or theirs.node.get("schema")))
        return
    serialization_findings(case, pair, str(theirs), ours.place)
    if not one_media_type(case, spot, pair, "request-parameter-serialization-changed"):
        _schemas(case, spot, pair, (ours.node.get("schema"), theirs.node.get("schema")))


def _spot(case: Case, one: Parameter) -> Spot:
    return Spot(case.operation, Direction.REQUEST, Part.PARAMETER, str(one), is_header=one.place == "header")


def _schemas(case: Case, spot: Spot, pair: Pair, schemas: tuple[Node | None, Node | None]) -> None:
    ours, theirs = schemas
    if ours is not None and theirs is not None:
        schema_findings(case.judge, spot, ours, theirs)
    elif ours is not None and not _takes_any_text(ours.value):
        what = f"{spot.name} has a schema, and nothing is said about what is sent"
        case.add("request-parameter-schema-added", what, Pair(ours, pair.needed), new=ours.value)


def _takes_any_text(schema: object) -> bool:
    """Whether a schema takes whatever may stand in a request: all of it is text."""
    return schema is True or (isinstance(schema, dict) and set(schema) <= _ANY_TEXT and schema.get("type") in _TEXT)
