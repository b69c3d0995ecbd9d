"""What a schema of an OpenAPI document means, as a schema that a validator of 2020-12 reads: what is valid for it, and
what somebody sends who promises it.

Who promises a body sends the properties that it declares and no others, unless `additionalProperties` or
`patternProperties` are written out; a request has none that are `readOnly`, a response none that are `writeOnly`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fuzz.words import Schema

COMPONENTS = "#/components/schemas/"
_VALUES = ("items", "prefixItems", "additionalProperties", "unevaluatedItems", "unevaluatedProperties")
_NAMED = {"properties", "patternProperties", "dependentSchemas"}
_IN_PLACE = ("allOf", "anyOf", "oneOf", "then", "else")  # of the same value
_ASKED = ("not", "if", "contains", "propertyNames")  # asked of a value, not sent
_SENT = "-sent"


def valid_for(body: Schema, components: dict[str, Schema], *, is_30: bool, absent: str) -> Schema:
    """What is valid for a body that somebody reads; in doubt more: what is absent anywhere is asked for nowhere.

    Args:
        body: Its schema.
        components: What it refers to.
        is_30: Whether it is of OpenAPI 3.0.
        absent: The keyword whose properties are not asked for: `readOnly` in a request, `writeOnly` in a response.
    """
    names = _marked({"": body, **components}, absent)

    def plain(here: Schema) -> Schema:
        return _mapped(_read(here, is_30=is_30, absent=names), plain, plain, plain)

    return {"allOf": [plain(body)], "$defs": {name: plain(one) for name, one in components.items()}}


def sent_for(body: Schema, components: dict[str, Schema], *, is_30: bool, absent: str) -> Schema:
    """What somebody sends who promises a body; in doubt less: a property is absent only where the schema that asks for
    it says so itself. The arguments are those of valid_for.
    """

    def plain(here: Schema) -> Schema:
        return _mapped(_read(here, is_30=is_30, absent=_absent(here, absent)), plain, plain, plain)

    def in_place(here: Schema) -> Schema:
        found = _mapped(_read(here, is_30=is_30, absent=_absent(here, absent)), in_place, position, plain)
        if isinstance(found, dict) and isinstance(found.get("$ref"), str):
            found["$ref"] += _SENT
        return found

    def position(here: Schema) -> Schema:
        if isinstance(here, dict) and here.get(absent) is True:
            return False
        return {"allOf": [in_place(here), plain(here)], "unevaluatedProperties": False}

    sent = {f"{name}{_SENT}": in_place(one) for name, one in components.items()}
    return {"allOf": [position(body)], "$defs": sent | {name: plain(one) for name, one in components.items()}}


def _mapped(
    here: Schema,
    in_place: Callable[[Schema], Schema],
    position: Callable[[Schema], Schema],
    plain: Callable[[Schema], Schema],
) -> Schema:
    """The schema with its parts replaced: those about the same value, about values in it, and what is only asked."""
    if not isinstance(here, dict):
        return here
    replaced = dict.fromkeys(_IN_PLACE, in_place) | dict.fromkeys(_VALUES, position) | dict.fromkeys(_ASKED, plain)
    replaced |= {"properties": position, "patternProperties": position, "dependentSchemas": in_place}
    return {
        word: _each(replaced[word], said, is_named=word in _NAMED) if word in replaced else said
        for word, said in here.items()
    }


def _each(replace: Callable[[Schema], Schema], said: Any, *, is_named: bool) -> Any:
    """What a keyword says with its schema, each of its list or each of its mapping replaced."""
    if is_named:
        return {name: replace(one) for name, one in said.items()}
    return [replace(one) for one in said] if isinstance(said, list) else replace(said)


def _marked(schemas: dict[str, Schema], absent: str) -> set[str]:
    """Names of properties that are marked anywhere: they are required of nobody."""
    found: set[str] = set()
    stack: list[Any] = list(schemas.values())
    while stack:
        here = stack.pop()
        if isinstance(here, dict):
            found |= _absent(here, absent)
            stack += here.values()
        elif isinstance(here, list):
            stack += here
    return found


def _absent(here: Schema, absent: str) -> set[str]:
    """Names of properties that a schema itself says are absent."""
    properties = here.get("properties") if isinstance(here, dict) else None
    named = properties.items() if isinstance(properties, dict) else ()
    return {name for name, one in named if isinstance(one, dict) and one.get(absent) is True}


def _read(here: Schema, *, is_30: bool, absent: set[str]) -> Schema:
    """The keywords of one schema object as 2020-12 has them."""
    if not isinstance(here, dict):
        return here
    found = dict(here)
    if isinstance(reference := here.get("$ref"), str):
        name = reference.removeprefix(COMPONENTS)
        found = {"$ref": f"#/$defs/{name}"} if is_30 else {**found, "$ref": f"#/$defs/{name}"}
    if absent and "required" in found:
        found["required"] = [name for name in found["required"] if name not in absent]
    return _of_30(found) if is_30 else found


def _of_30(found: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI 3.0.3, section 4.7.24: `nullable` beside a `type`, bounds that are exclusive by a word."""
    if found.pop("nullable", False) is True and "type" in found:
        found["type"] = [found["type"], "null"]
    for bound, word in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if found.pop(word, False) is True and bound in found:
            found[word] = found.pop(bound)
    return found
