"""Edits of a schema: what somebody changes between two versions, and rewritings that change nothing."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from fuzz.schemas import closed, combined, of_type, schema
from fuzz.words import NAMES, TYPES, Schema, chance, value

_ONE = {"items", "contains", "additionalProperties", "propertyNames", "not", "if", "then", "else"}
_ONE |= {"unevaluatedItems", "unevaluatedProperties"}
_LIST = {"allOf", "anyOf", "oneOf", "prefixItems"}
_NAMED = {"properties", "patternProperties", "dependentSchemas", "$defs"}
Edit = Callable[[Random, Schema], Schema]  # None if there is nothing to edit
Holder = tuple[Any, Any]  # a dict or list, and the key below which a schema stands


def edited(random: Random, whole: Schema) -> Schema:
    """The schema after one to three edits."""
    box = [copy.deepcopy(whole)]
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        _edit(random, box, _EDITS)
    return closed(random, box[0])


def rewritten(random: Random, whole: Schema) -> Schema:
    """The schema after one to three edits that mean nothing."""
    box = [copy.deepcopy(whole)]
    for _ in range(random.choice((1, 1, 2, 3))):
        _edit(random, box, _REWRITINGS)
    return box[0]


def holders(box: Any, key: Any) -> Iterator[Holder]:
    """Where schemas stand: this one, and below it."""
    here = box[key]
    yield box, key
    if not isinstance(here, dict):
        return
    for word, below in here.items():
        if word in _ONE:
            yield from holders(here, word)
        elif word in _LIST and isinstance(below, list):
            for index in range(len(below)):
                yield from holders(below, index)
        elif word in _NAMED and isinstance(below, dict):
            for name in below:
                yield from holders(below, name)


def _edit(random: Random, box: list[Schema], edits: tuple[Edit, ...]) -> None:
    places = list(holders(box, 0))
    for _ in range(20):
        into, key = random.choice(places)
        before = copy.deepcopy(into[key])
        after = random.choice(edits)(random, into[key])
        if after is not None and after != before:
            if into is box and isinstance(before, dict) and "$defs" in before:
                after = {**(after if isinstance(after, dict) else {"allOf": [after]})}
                _lift(after)
                after.setdefault("$defs", before["$defs"])
            into[key] = after
            return


def _lift(whole: dict[str, Any]) -> None:
    """Definitions stay at the top when the top is wrapped."""
    for into, key in list(holders([whole], 0)):
        here = into[key]
        if here is not whole and isinstance(here, dict) and "$defs" in here:
            whole["$defs"] = here.pop("$defs")


def _bound(random: Random, here: Schema) -> Schema:
    numbers = [word for word, found in here.items() if _is_number(found)] if isinstance(here, dict) else []
    if not numbers:
        return None
    word = random.choice(numbers)
    moved = here[word] + random.choice((-1, 1, 2, 0.5 if "imum" in word else 1))
    if word == "multipleOf":
        moved = here[word] * random.choice((2, 0.5, 3))
    elif "imum" not in word:
        moved = max(moved, 0)
    return {**here, word: moved}


def _is_number(found: Any) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool)


def _remove_word(random: Random, here: Schema) -> Schema:
    words = [word for word in here if word != "$defs"] if isinstance(here, dict) else []
    if not words:
        return None
    gone = random.choice(words)
    return {word: found for word, found in here.items() if word != gone}


def _add_word(random: Random, here: Schema) -> Schema:
    if not isinstance(here, dict):
        return None
    said = here.get("type")
    name = said if isinstance(said, str) else random.choice(TYPES)
    fresh = of_type(random, name, 1) if chance(random, 0.8) else combined(random, 1)
    words = [word for word in fresh if word not in here]
    return {**here, **{word: fresh[word] for word in random.sample(words, 1)}} if words else None


def _type(random: Random, here: Schema) -> Schema:
    if not isinstance(here, dict) or "type" not in here:
        return None
    types = here["type"] if isinstance(here["type"], list) else [here["type"]]
    swapped = {"integer": "number", "number": "integer"}
    if chance(random, 0.4) and types[0] in swapped:
        return {**here, "type": swapped[types[0]]}
    if chance(random, 0.6):
        return {**here, "type": [*types, random.choice([one for one in TYPES if one not in types] or ["null"])]}
    return {**here, "type": types[1:] or random.choice(TYPES)}


def _enum(random: Random, here: Schema) -> Schema:
    if not isinstance(here, dict) or "enum" not in here:
        return None
    if chance(random, 0.5) and len(here["enum"]) > 1:
        return {**here, "enum": here["enum"][1:]}
    fresh = value(random)
    return {**here, "enum": [*here["enum"], fresh]} if fresh not in here["enum"] else None


def _property(random: Random, here: Schema) -> Schema:
    if not isinstance(here, dict) or not ({"properties", "required"} & here.keys() or here.get("type") == "object"):
        return None
    properties = dict(here.get("properties", {}))
    name = random.choice(NAMES)
    kind = random.randrange(3)
    if kind == 0:
        properties[name] = schema(random, 1)
        return {**here, "properties": properties}
    if kind == 1 and properties:
        del properties[random.choice(tuple(properties))]
        return {**here, "properties": properties}
    required = list(here.get("required", ()))
    required = [one for one in required if one != name] if name in required else [*required, name]
    return {**here, "required": required}


def _open_or_closed(random: Random, here: Schema) -> Schema:
    if not isinstance(here, dict):
        return None
    if "additionalProperties" in here and chance(random, 0.6):
        return {word: found for word, found in here.items() if word != "additionalProperties"}
    return {**here, "additionalProperties": random.choice((False, False, True, schema(random, 0)))}


def _wrap(random: Random, here: Schema) -> Schema:
    word = random.choice(("allOf", "anyOf", "oneOf", "not"))
    if word == "not":
        return {"not": {"not": here}} if chance(random, 0.6) else {"not": here}
    return {word: [here, schema(random, 1)] if chance(random, 0.6) else [here]}


def _unwrap(random: Random, here: Schema) -> Schema:
    words = [word for word in ("allOf", "anyOf", "oneOf") if here.get(word)] if isinstance(here, dict) else []
    return random.choice(here[random.choice(words)]) if words else None


def _branch(random: Random, here: Schema) -> Schema:
    words = [word for word in _LIST if here.get(word)] if isinstance(here, dict) else []
    if not words:
        return None
    word = random.choice(sorted(words))
    if len(here[word]) > 1 and chance(random, 0.5):
        gone = random.randrange(len(here[word]))
        return {**here, word: [one for index, one in enumerate(here[word]) if index != gone]}
    return {**here, word: [*here[word], schema(random, 1)]}


def _replace(random: Random, _here: Schema) -> Schema:
    return schema(random, 1)


def _same_allof(_random: Random, here: Schema) -> Schema:
    return {"allOf": [here]}


def _same_split(random: Random, here: Schema) -> Schema:
    """`{type, rest}` as allOf of both; keywords that look at their neighbours stay together."""
    if not isinstance(here, dict) or "type" not in here or "$defs" in here:
        return None
    rest = {word: found for word, found in here.items() if word != "type"}
    return random.choice(({"allOf": [{"type": here["type"]}, rest]}, {"type": here["type"], "allOf": [rest]}))


def _same_integer(_random: Random, here: Schema) -> Schema:
    if not isinstance(here, dict) or here.get("type") != "integer" or "multipleOf" in here:
        return None
    return {**here, "type": "number", "multipleOf": 1}


def _same_types(_random: Random, here: Schema) -> Schema:
    if not isinstance(here, dict) or not isinstance(here.get("type"), list) or "anyOf" in here or "$defs" in here:
        return None
    if any("nevaluated" in word for word in here):
        return None
    rest = {word: found for word, found in here.items() if word != "type"}
    return {"anyOf": [{**rest, "type": one} for one in here["type"]]}


def _same_const(_random: Random, here: Schema) -> Schema:
    if isinstance(here, dict) and "const" in here and "enum" not in here:
        return {**{word: found for word, found in here.items() if word != "const"}, "enum": [here["const"]]}
    return None


def _same_order(random: Random, here: Schema) -> Schema:
    if not isinstance(here, dict):
        return None
    mixed = list(here.items())
    random.shuffle(mixed)
    return {
        word: random.sample(found, len(found)) if word in {"allOf", "anyOf", "oneOf", "enum", "required"} else found
        for word, found in mixed
    }


def _same_not(_random: Random, here: Schema) -> Schema:
    return None if "nevaluated" in str(here) else {"not": {"not": here}}


_EDITS: tuple[Edit, ...] = (
    _bound,
    _bound,
    _remove_word,
    _remove_word,
    _add_word,
    _add_word,
    _type,
    _enum,
    _property,
    _property,
)
_EDITS += (_open_or_closed, _wrap, _unwrap, _branch, _branch, _replace)
_REWRITINGS = (_same_allof, _same_split, _same_integer, _same_types, _same_const, _same_order, _same_not)
