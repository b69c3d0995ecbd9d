"""Schemas made up: small, with every keyword of JSON Schema 2020-12 that a validator judges."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from fuzz.words import FORMATS, LENGTHS, NAMES, NUMBERS, PATTERNS, STEPS, TYPES, Schema, chance, value

DEFINITIONS = ("D", "E")


def document(random: Random) -> Schema:
    """A whole schema; what it refers to is below its `$defs`."""
    return closed(random, schema(random, 2))


def closed(random: Random, whole: Schema) -> Schema:
    """The schema with whatever it refers to and does not have."""
    if not isinstance(whole, dict) or "#/$defs/" not in str(whole):
        return whole
    definitions = dict(whole.get("$defs", {}))
    for name in DEFINITIONS:
        one = definitions.setdefault(name, schema(random, 1))
        if isinstance(one, dict) and isinstance(one.get("$ref"), str):  # a ring of references alone means nothing
            del one["$ref"]
    return {**whole, "$defs": definitions}


def schema(random: Random, depth: int) -> Schema:
    """A schema whose parts are nested at most this deep."""
    kind = random.random()
    if kind < 0.04:
        return random.choice((True, True, False, {}))
    if kind < 0.12:
        return constants(random)
    if depth and kind < 0.30:
        return combined(random, depth)
    if depth and kind < 0.38:
        return {"$ref": f"#/$defs/{random.choice(DEFINITIONS)}"} if chance(random, 0.9) else {"$ref": "#"}
    if kind < 0.46:
        return several(random, depth)
    found = of_type(random, random.choice(TYPES if depth else TYPES[:5]), depth)
    if chance(random, 0.08):
        del found["type"]
    if depth and chance(random, 0.08):
        found |= combined(random, depth)
    if chance(random, 0.04):
        found |= {"description": "words", "title": "T"}
    return found


def constants(random: Random) -> dict[str, Any]:
    """An `enum` or a `const`."""
    if chance(random, 0.3):
        return {"const": value(random)}
    values: list[Any] = []
    for _ in range(random.randint(1, 4)):
        if (one := value(random, int(chance(random, 0.3)))) not in values:
            values.append(one)
    return {"enum": values}


def several(random: Random, depth: int) -> dict[str, Any]:
    """A list of types, with keywords of each."""
    types = random.sample(TYPES if depth else TYPES[:5], random.randint(2, 3))
    found: dict[str, Any] = {}
    for one in types:
        found |= of_type(random, one, depth)
    return {**found, "type": types}


def of_type(random: Random, name: str, depth: int) -> dict[str, Any]:
    """A schema of one type with some of its keywords."""
    makers: dict[str, Callable[[Random, int], dict[str, Any]]] = {
        "string": _string,
        "integer": _number,
        "number": _number,
        "array": _array,
        "object": _object,
    }
    return {"type": name, **(makers[name](random, depth) if name in makers else {})}


def _string(random: Random, _depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if chance(random, 0.3):
        found["minLength"] = random.choice(LENGTHS)
    if chance(random, 0.3):
        found["maxLength"] = random.choice((*LENGTHS, 8))
    if chance(random, 0.2):
        found["pattern"] = random.choice(tuple(PATTERNS))
    if chance(random, 0.05):
        found["format"] = random.choice(FORMATS)
    if chance(random, 0.1):
        found["enum"] = random.sample(("a", "b", "red", "green"), random.randint(1, 3))
    return found


def _number(random: Random, _depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
        if chance(random, 0.2):
            found[word] = random.choice((*NUMBERS, 2.5)) + (3 if word.endswith("aximum") else 0)
    if chance(random, 0.15):
        found["multipleOf"] = random.choice(STEPS)
    return found


def _array(random: Random, depth: int) -> dict[str, Any]:
    below = max(depth - 1, 0)
    found: dict[str, Any] = {}
    if chance(random, 0.6):
        found["items"] = schema(random, below)
    if chance(random, 0.2):
        found["prefixItems"] = [schema(random, below) for _ in range(random.randint(1, 2))]
    if chance(random, 0.2):
        found["minItems"] = random.choice(LENGTHS)
    if chance(random, 0.2):
        found["maxItems"] = random.choice(LENGTHS)
    if chance(random, 0.1):
        found["uniqueItems"] = chance(random, 0.8)
    if chance(random, 0.15):
        found["contains"] = schema(random, below)
        found |= {word: random.randint(0, 2) for word in ("minContains", "maxContains") if chance(random, 0.3)}
    if chance(random, 0.06):
        found["unevaluatedItems"] = schema(random, 0)
    return found


def _object(random: Random, depth: int) -> dict[str, Any]:
    below = max(depth - 1, 0)
    names = random.sample(NAMES, random.randint(0, 3))
    found: dict[str, Any] = {}
    if names:
        found["properties"] = {name: schema(random, below) for name in names}
    if chance(random, 0.5):
        found["required"] = random.sample(NAMES, random.randint(1, 2)) if chance(random, 0.3) else names[:2]
    rare: tuple[tuple[str, float, Callable[[], Any]], ...] = (
        ("additionalProperties", 0.35, lambda: False if chance(random, 0.5) else schema(random, below)),
        ("patternProperties", 0.12, lambda: {random.choice(tuple(PATTERNS)): schema(random, below)}),
        ("propertyNames", 0.08, lambda: _pattern(random) if chance(random, 0.5) else schema(random, 0)),
        ("minProperties", 0.1, lambda: random.choice(LENGTHS)),
        ("maxProperties", 0.1, lambda: random.choice(LENGTHS)),
        ("dependentRequired", 0.08, lambda: {random.choice(NAMES): random.sample(NAMES, 1)}),
        ("dependentSchemas", 0.06, lambda: {random.choice(NAMES): schema(random, below)}),
        ("unevaluatedProperties", 0.06, lambda: False if chance(random, 0.6) else schema(random, 0)),
    )
    return found | {word: made() for word, share, made in rare if chance(random, share)}


def _pattern(random: Random) -> dict[str, Any]:
    return {"pattern": random.choice(tuple(PATTERNS))}


def combined(random: Random, depth: int) -> dict[str, Any]:
    """allOf, anyOf, oneOf, not, or if with then and else."""
    word = random.choice(("allOf", "anyOf", "oneOf", "anyOf", "oneOf", "not", "if"))
    if word == "not":
        return {"not": schema(random, depth - 1)}
    if word == "if":
        found = {"if": schema(random, depth - 1)}
        found |= {other: schema(random, depth - 1) for other in ("then", "else") if chance(random, 0.7)}
        return found
    return {word: [schema(random, depth - 1) for _ in range(random.randint(1, 3))]}
