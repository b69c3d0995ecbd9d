"""Pairs of schemas judged, and each verdict tried with instances: "compatible" is false where one instance that the
sender may send is refused by the reader.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

import jsonschema_rs
from jsonschema import Draft202012Validator

from fuzz.edits import edited, holders, rewritten
from fuzz.instances import instances
from fuzz.schemas import document
from fuzz.words import Schema
from lockstep.core.contract.contract import parse_contract
from lockstep.core.contract.finding import ContractFinding
from lockstep.core.contract.satisfies import satisfies
from lockstep.core.errors import LockstepError

INSTANCES = 100  # made for each pair, beside the small world of single values


@dataclass(frozen=True)
class Pair:
    """Two schemas.

    Args:
        seed: What it was made from.
        sender: The provider's schema.
        reader: The needed one.
    """

    seed: int
    sender: Schema
    reader: Schema


@dataclass(frozen=True)
class Tried:
    """What came of a pair.

    Args:
        pair: The pair.
        rules: Rules that broke (ERR and WARN); none if the verdict is "compatible".
        error: What the judge said instead of a verdict, empty if it gave one.
        valid: How many different instances the sender allows.
        proof: An instance that the sender allows and the reader refuses, in a list; empty if none was found.
    """

    pair: Pair
    rules: tuple[str, ...]
    error: str
    valid: int
    proof: tuple[Any, ...]

    @property
    def is_false_compatible(self) -> bool:
        """Whether the judge let a break pass."""
        return not self.rules and not self.error and bool(self.proof)

    @property
    def is_alarm_without_proof(self) -> bool:
        """Whether the judge found a break for which there is no instance among those that were tried."""
        return bool(self.rules) and not self.proof


@dataclass(frozen=True)
class World:
    """A kind of pairs.

    Args:
        make: The pair of a seed.
        search: How many instances one side sends, and the first of them that the other refuses, of some that are made.
        pieces: What a side is with one thing less.
    """

    make: Callable[[int], Pair]
    search: Callable[[Pair, int], tuple[int, tuple[Any, ...]]]
    pieces: Callable[[Any], Iterator[Any]]


def pair_of(seed: int) -> Pair:
    """The pair of a seed: mostly a schema and an edited one, either of them first."""
    random = Random(seed)
    first = document(random)
    kind = random.random()
    second = rewritten(random, first) if kind < 0.25 else edited(random, first) if kind < 0.95 else document(random)
    return Pair(seed, second, first) if random.random() < 0.5 else Pair(seed, first, second)


def findings(sender: Schema, reader: Schema) -> tuple[ContractFinding, ...]:
    """What the judge finds.

    Raises:
        LockstepError: one of the two is no contract.
    """
    return satisfies(_contract("provider.json", sender), _contract("needed.json", reader))


def judged(sender: Schema, reader: Schema) -> tuple[str, ...]:
    """The rules that broke (ERR and WARN).

    Raises:
        LockstepError: as findings.
    """
    return tuple(sorted({one.rule for one in findings(sender, reader) if one.level.is_breaking}))


def _contract(name: str, whole: Schema) -> Any:
    return parse_contract({name: json.dumps(whole).encode()}, name)


def tried(world: World, pair: Pair, count: int = INSTANCES) -> Tried:
    """The verdict about a pair, and what instances say of it."""
    try:
        rules, error = judged(pair.sender, pair.reader), ""
    except LockstepError as refused:
        rules, error = (), str(refused)
    valid, proof = world.search(pair, count)
    return Tried(pair, rules, error, valid, proof)


def counterexample(pair: Pair, count: int) -> tuple[int, tuple[Any, ...]]:
    """How many instances the sender allows, and the first of them that the reader refuses."""
    if is_ring(pair.sender) or is_ring(pair.reader):
        return 0, ()
    return first_refused((pair.sender,), pair.reader, instances(Random(~pair.seed), pair.sender, pair.reader, count))


def first_refused(sends: tuple[Schema, ...], reads: Schema, tried_out: Iterable[Any]) -> tuple[int, tuple[Any, ...]]:
    """How many of these instances are valid for every schema of the sender, and the first of them that the reader
    refuses: by two validators that know nothing of each other.
    """
    *send, read = (jsonschema_rs.Draft202012Validator(one) for one in (*sends, reads))
    seen: set[str] = set()
    valid = 0
    for instance in tried_out:
        if (text := repr(instance)) in seen:
            continue
        seen.add(text)
        if all(one.is_valid(instance) for one in send):
            valid += 1
            if not read.is_valid(instance) and _is_confirmed(sends, reads, instance):
                return valid, (instance,)
    return valid, ()


def _is_confirmed(sends: tuple[Schema, ...], reads: Schema, instance: Any) -> bool:
    of_sender = all(Draft202012Validator(one).is_valid(instance) for one in sends)
    return of_sender and not Draft202012Validator(reads).is_valid(instance)


def is_ring(whole: Schema) -> bool:
    """Whether a schema applies itself to the same instance, so that no validator has an answer."""
    root = {"": whole}
    done: set[int] = set()

    def climbs(here: Schema, above: frozenset[int]) -> bool:
        if not isinstance(here, dict) or id(here) in done:
            return False
        if id(here) in above:
            return True
        found = any(climbs(one, above | {id(here)}) for one in _in_place(here, whole))
        done.add(id(here))
        return found

    return any(climbs(into[key], frozenset()) for into, key in holders(root, ""))


def _in_place(here: dict[str, Any], whole: Schema) -> Iterator[Schema]:
    """What a schema asks of the same instance."""
    for word in ("allOf", "anyOf", "oneOf"):
        yield from here.get(word, ())
    yield from (here[word] for word in ("not", "if", "then", "else") if word in here)
    yield from here.get("dependentSchemas", {}).values()
    if isinstance(reference := here.get("$ref"), str):
        found = whole
        for part in reference.split("/")[1:]:
            found = found.get(part, True) if isinstance(found, dict) else True
        yield found


def smaller(world: World, found: Tried, count: int = INSTANCES) -> Tried:
    """A pair as small as can be made from this one of which the verdict is as false."""
    best, progress = found, True
    while progress:
        progress = False
        for pair in _cut(world, best.pair):
            try:
                candidate = tried(world, pair, count)
            except Exception:  # noqa: BLE001, S112 - what was cut made no schema
                continue
            if candidate.is_false_compatible:
                best, progress = candidate, True
                break
    return best


def _cut(world: World, pair: Pair) -> Iterator[Pair]:
    for sender in world.pieces(pair.sender):
        yield Pair(pair.seed, sender, pair.reader)
    for reader in world.pieces(pair.reader):
        yield Pair(pair.seed, pair.sender, reader)


def _schemas(whole: Any) -> Iterator[Any]:
    meta = Draft202012Validator(Draft202012Validator.META_SCHEMA)
    return (one for one in pieces_of(whole) if "[]" not in json.dumps(one) and meta.is_valid(one))


def pieces_of(here: Any) -> Iterator[Any]:
    """The value with one thing less."""
    if isinstance(here, dict):
        for key, below in here.items():
            yield {name: one for name, one in here.items() if name != key}
            for piece in pieces_of(below):
                yield {**here, key: piece}
            if isinstance(below, dict) and key not in {"properties", "$defs", "patternProperties"}:
                yield below
            if isinstance(below, list):
                yield from (one for one in below if isinstance(one, dict))
    elif isinstance(here, list):
        for index, below in enumerate(here):
            yield here[:index] + here[index + 1 :]
            for piece in pieces_of(below):
                yield [*here[:index], piece, *here[index + 1 :]]


SCHEMAS = World(pair_of, counterexample, _schemas)
