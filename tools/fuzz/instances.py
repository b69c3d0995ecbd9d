"""Instances aimed at two schemas: mostly valid for the first, at the bounds of both."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from fuzz.edits import holders
from fuzz.words import ATOMS, NAMES, PATTERNS, Schema, chance, value

_SIZES = {"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"}
_SIZES |= {"minContains", "maxContains"}
_BOUNDS = {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
_DEEP = 6


def instances(random: Random, sender: Schema, reader: Schema, count: int) -> Iterator[Any]:
    """Instances for a pair: the whole small world of single values, then some made by the sender's schema and bent."""
    pool = _pool(sender) + _pool(reader)
    yield from ATOMS
    yield from pool
    aim = Aim(random, sender, tuple(pool) or ATOMS)
    other = Aim(random, reader, tuple(pool) or ATOMS)
    for number in range(count):
        found = (other if number % 8 == 7 else aim).instance()
        for _ in range(random.choice((0, 0, 1, 1, 2))):
            found = _bent(random, found, aim.pool)
        yield found


def _pool(whole: Schema) -> list[Any]:
    """Values at the bounds of a schema, and those that it names."""
    found: list[Any] = []
    for into, key in holders([whole], 0):
        here = into[key] if isinstance(into[key], dict) else {}
        for word, said in here.items():
            if word in _BOUNDS and isinstance(said, int | float):
                found += [said, said + 1, said - 1, said + 0.5, said - 0.5, float(said), said * 2, said * 3]
            elif word in _SIZES and isinstance(said, int):
                found += ["a" * size for size in (said - 1, said, said + 1) if size >= 0]
                found += [["a"] * size for size in (said - 1, said, said + 1) if size >= 0]
            elif word == "enum" and isinstance(said, list):
                found += said
            elif word == "const":
                found.append(said)
            elif word == "pattern" and said in PATTERNS:
                found += PATTERNS[said]
    return found


class Aim:
    """Makes instances that a schema most likely allows.

    Args:
        random: Where chance comes from.
        whole: The schema.
        pool: Values that matter to it.
    """

    def __init__(self, random: Random, whole: Schema, pool: tuple[Any, ...]) -> None:
        self.random = random
        self.whole = whole
        self.pool = pool

    def instance(self) -> Any:
        """One instance of the whole schema."""
        return self.made(self.whole, 0)

    def made(self, here: Schema, depth: int) -> Any:
        """An instance of a part of the schema; of one that is nested too deeply, anything."""
        random = self.random
        if not isinstance(here, dict) or depth > _DEEP or not here:
            return self.anything()
        here = self.merged(here, depth)
        if "const" in here:
            return here["const"]
        if here.get("enum"):
            return random.choice(here["enum"])
        name = here.get("type") or _implied(here)
        if isinstance(name, list):
            name = random.choice(name) if name else None
        makers: dict[str, Callable[[dict[str, Any], int], Any]] = {
            "string": self._string,
            "integer": self._number,
            "number": self._number,
        }
        makers |= {"array": self._array, "object": self._object}
        if name in makers:
            return makers[name](here, depth)
        return {"null": None, "boolean": chance(random, 0.5)}.get(str(name), self.anything() if not name else None)

    def anything(self) -> Any:
        """Any value of the small world."""
        return self.random.choice(self.pool if chance(self.random, 0.4) else ATOMS)

    def merged(self, here: dict[str, Any], depth: int) -> dict[str, Any]:
        """A schema with what it refers to and with one of each choice, as if it were one; roughly."""
        if depth > _DEEP:
            return here
        parts: list[Schema] = list(here.get("allOf", ()))
        parts += [self.random.choice(here[word]) for word in ("anyOf", "oneOf") if here.get(word)]
        if "if" in here:
            parts += [here["if"], here.get("then")] if chance(self.random, 0.5) else [here.get("else")]
        if isinstance(here.get("$ref"), str):
            parts.append(self.target(here["$ref"]))
        if isinstance(here.get("not"), dict) and isinstance(here["not"].get("not"), dict):
            parts.append(here["not"]["not"])
        found = dict(here)
        for part in parts:
            if isinstance(part, dict):
                _join(found, self.merged(part, depth + 1))
        return found

    def target(self, reference: str) -> Schema:
        """What a reference within the schema leads to."""
        found = self.whole
        for part in reference.split("/")[1:]:
            found = found.get(part, {}) if isinstance(found, dict) else {}
        return found

    def _string(self, here: dict[str, Any], _depth: int) -> str:
        random = self.random
        if here.get("pattern") in PATTERNS and chance(random, 0.8):
            return random.choice(PATTERNS[here["pattern"]])
        texts = [one for one in self.pool if isinstance(one, str)]
        if texts and chance(random, 0.5):
            return str(random.choice(texts))
        low = here.get("minLength", 0)
        high = here.get("maxLength", low + 3)
        return "".join(random.choice("ab1z") for _ in range(random.randint(low, max(low, high))))

    def _number(self, here: dict[str, Any], _depth: int) -> float:
        random = self.random
        numbers = [one for one in self.pool if isinstance(one, int | float) and not isinstance(one, bool)]
        found: float = random.choice(numbers) if numbers and chance(random, 0.7) else random.randint(-5, 12)
        if (step := here.get("multipleOf")) and chance(random, 0.8):
            found = step * math.floor(found / step)
        if here.get("type") == "integer" and chance(random, 0.9):
            found = math.floor(found)
        return float(found) if chance(random, 0.15) else found

    def _array(self, here: dict[str, Any], depth: int) -> list[Any]:
        random = self.random
        low, high = here.get("minItems", 0), here.get("maxItems", 4)
        size = random.choice((low, high, random.randint(low, max(low, min(high, 4)))))
        first = here.get("prefixItems") or []
        found = [
            self.made(first[index] if index < len(first) else here.get("items", here.get("contains", True)), depth + 1)
            for index in range(min(size, 6))
        ]
        if "contains" in here and found and chance(random, 0.8):
            for _ in range(max(1, min(here.get("minContains", 1), 3))):
                found[random.randrange(len(found))] = self.made(here["contains"], depth + 1)
        return found

    def _object(self, here: dict[str, Any], depth: int) -> dict[str, Any]:
        random = self.random
        properties = here.get("properties") or {}
        share = random.choice((0.0, 0.5, 1.0))
        names = [name for name in properties if chance(random, share)]
        names += [name for name in here.get("required", ()) if name not in names]
        for name, others in (here.get("dependentRequired") or {}).items():
            names += [one for one in others if name in names and one not in names]
        more = here.get("additionalProperties", here.get("unevaluatedProperties", True))
        if more is not False and chance(random, 0.4):
            names += [name for name in random.sample((*NAMES, "a1", "q"), random.randint(1, 2)) if name not in names]
        patterned = here.get("patternProperties") or {}
        found = {}
        for name in names:
            by_pattern = next((one for pattern, one in patterned.items() if name in PATTERNS.get(pattern, ())), more)
            found[name] = self.made(properties.get(name, by_pattern), depth + 1)
        return found


def _implied(here: dict[str, Any]) -> str | None:
    """The type that the keywords are about, where none is said."""
    if {"properties", "required", "patternProperties"} & here.keys():
        return "object"
    if {"items", "prefixItems", "contains"} & here.keys():
        return "array"
    return None


def _join(into: dict[str, Any], more: dict[str, Any]) -> None:
    """Adds what another schema asks for; where both say something the first mostly stays."""
    for word, said in more.items():
        if word not in into:
            into[word] = said
        elif word == "properties":
            into[word] = {**said, **into[word]}
        elif word == "required":
            into[word] = [*into[word], *said]
        elif word in {"minimum", "minLength", "minItems", "exclusiveMinimum"}:
            into[word] = max(into[word], said)
        elif word in {"maximum", "maxLength", "maxItems", "exclusiveMaximum"}:
            into[word] = min(into[word], said)
        elif word == "enum":
            into[word] = [one for one in into[word] if one in said] or into[word]
        elif word == "type":
            _join_types(into, said)


def _join_types(into: dict[str, Any], said: Any) -> None:
    one = into["type"] if isinstance(into["type"], list) else [into["type"]]
    other = said if isinstance(said, list) else [said]
    both = [name for name in one if name in other or (name == "integer" and "number" in other)]
    both += ["integer"] if "number" in one and "integer" in other else []
    into["type"] = both or one


def _bent(random: Random, found: Any, pool: tuple[Any, ...]) -> Any:
    """The instance with one thing changed: a part replaced, dropped or added, an integer written as 1.0."""
    kind = random.randrange(5)
    if kind and isinstance(found, dict | list):
        return _bent_object(random, found, pool) if isinstance(found, dict) else _bent_list(random, found, pool)
    if kind < 3 and isinstance(found, int) and not isinstance(found, bool):
        return found + 1 if kind == 1 else float(found)
    if kind in {1, 2} and isinstance(found, str):
        return found[:-1] if kind == 1 else found + "a"
    return random.choice(pool) if chance(random, 0.5) else value(random)


def _bent_list(random: Random, found: list[Any], pool: tuple[Any, ...]) -> list[Any]:
    kind = random.randrange(3)
    if kind == 0 or not found:
        return [*found, random.choice(found or pool)]
    index = random.randrange(len(found))
    if kind == 1:
        return found[:index] + found[index + 1 :]
    return [*found[:index], _bent(random, found[index], pool), *found[index + 1 :]]


def _bent_object(random: Random, found: dict[str, Any], pool: tuple[Any, ...]) -> dict[str, Any]:
    kind = random.randrange(3)
    if kind == 0 or not found:
        return {**found, random.choice((*NAMES, "a1", "q")): random.choice(pool)}
    name = random.choice(tuple(found))
    if kind == 1:
        return {one: said for one, said in found.items() if one != name}
    return {**found, name: _bent(random, found[name], pool)}
