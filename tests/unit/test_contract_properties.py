"""What holds for all contracts: made up from a seed, small, with every keyword."""

from __future__ import annotations

import copy
import json
from random import Random
from typing import Any

import yaml
from hypothesis import given
from hypothesis import strategies as st

from fuzz.bodies import body_pair_of, openapi
from fuzz.edits import edited, holders, rewritten
from fuzz.pairs import Pair, counterexample, pair_of
from fuzz.schemas import document, of_type, schema
from fuzz.words import TYPES, Schema
from lockstep.core.contract.contract import parse_contract
from lockstep.core.contract.finding import ContractFinding
from lockstep.core.contract.reading import lines_of
from lockstep.core.contract.satisfies import satisfies
from lockstep.core.errors import Refused

SEEDS = st.integers(min_value=0, max_value=2**32)
VERSIONS = st.sampled_from(["3.0.3", "3.1.0"])


def _found(provider: Any, needed: Any) -> tuple[ContractFinding, ...]:
    return _compared(json.dumps(provider), json.dumps(needed))


def _compared(provider: str, needed: str) -> tuple[ContractFinding, ...]:
    sides = (("provider.yaml", provider), ("needed.yaml", needed))
    return satisfies(*(parse_contract({name: text.encode()}, name) for name, text in sides))


def _breaking(found: tuple[ContractFinding, ...]) -> list[str]:
    return [f"{one.level} {one.rule} {one.what}" for one in found if one.level.is_breaking]


def _shuffled(random: Random, here: Any) -> Any:
    if isinstance(here, dict):
        mixed = random.sample(list(here.items()), len(here))
        return {key: _shuffled(random, one) for key, one in mixed}
    return [_shuffled(random, one) for one in here] if isinstance(here, list) else here


def _renamed(here: Any) -> Any:
    """The document with other names of what is referred to."""
    text = json.dumps(here)
    for name in ("D", "E", "Root"):
        text = text.replace(f'/{name}"', f'/{name}{name}"').replace(f'"{name}": ', f'"{name}{name}": ')
    return json.loads(text)


def _written_out(whole: Schema) -> Schema:
    """The schema with what some references lead to in their place."""
    whole = copy.deepcopy(whole)
    for into, key in list(holders([whole], 0)):
        here = into[key]
        reference = here.get("$ref", "") if isinstance(here, dict) and here is not whole else ""
        if reference.startswith("#/$defs/"):
            rest = {word: said for word, said in here.items() if word != "$ref"}
            there = copy.deepcopy(whole["$defs"][reference.rpartition("/")[2]])
            into[key] = {"allOf": [there], **rest} if rest else there
    return whole


def _is_read(whole: Any) -> bool:
    try:
        parse_contract({"a.json": json.dumps(whole).encode()}, "a.json")
    except Refused:  # a ring of references alone
        return False
    return True


@given(SEEDS)
def test_a_schema_satisfies_itself_however_it_is_written(seed: int) -> None:
    random = Random(seed)
    whole = document(random)
    if not _is_read(whole):
        return

    assert _breaking(_found(whole, whole)) == []
    assert _breaking(_found(_shuffled(random, whole), whole)) == []
    assert _breaking(_found(whole, _renamed(whole))) == []
    assert _breaking(_compared(yaml.safe_dump(whole), json.dumps(whole, indent=3))) == []


@given(SEEDS)
def test_a_schema_satisfies_itself_with_references_written_out(seed: int) -> None:
    """Rings are written out once; what is below is the ring again."""
    whole = document(Random(seed))
    if not _is_read(whole) or "nevaluated" in str(whole):
        return

    assert _breaking(_found(_written_out(whole), whole)) == []
    assert _breaking(_found(whole, _written_out(whole))) == []


@given(seed=SEEDS, version=VERSIONS, is_request=st.booleans())
def test_a_document_satisfies_itself_however_it_is_written(seed: int, version: str, *, is_request: bool) -> None:
    random = Random(seed)
    whole = openapi(random, document(random), version, is_request=is_request)
    if not _is_read(whole):
        return

    assert _breaking(_found(whole, whole)) == []
    assert _breaking(_found(_shuffled(random, whole), _renamed(whole))) == []
    assert _breaking(_compared(yaml.safe_dump(whole), json.dumps(whole))) == []


def _body(random: Random) -> dict[str, Any]:
    """An object that says nothing of what it does not name."""
    names = random.sample(["a", "b", "c"], random.randint(0, 3))
    return {
        "type": "object",
        "properties": {name: of_type(random, random.choice(TYPES), 1) for name in names},
        "required": names[:1],
    }


@given(seed=SEEDS, version=VERSIONS, is_request=st.booleans())
def test_an_optional_property_of_a_request_or_one_of_a_response_breaks_nobody(
    seed: int, version: str, *, is_request: bool
) -> None:
    random = Random(seed)
    needed = _body(random)
    provider = copy.deepcopy(needed)
    provider["properties"]["new"] = schema(random, 0)
    if not is_request and random.random() < 0.5:
        provider["required"] = [*provider["required"], "new"]

    sides = [openapi(None, one, version, is_request=is_request) for one in (provider, needed)]

    assert _breaking(_found(*sides)) == []


def _wider(random: Random, here: dict[str, Any]) -> dict[str, Any]:
    """An object that everything valid for this one is valid for."""
    found = copy.deepcopy(here)
    for name, one in found["properties"].items():
        kind = random.randrange(4)
        lower = [word for word in one if word.startswith(("min", "exclusiveMin"))]
        upper = [word for word in one if word.startswith(("max", "exclusiveMax"))]
        if kind == 0 and lower and "contains" not in one:
            del one[lower[0]]
        elif kind == 1 and upper and "contains" not in one:
            one[upper[0]] += 1
        elif kind == 2:
            found["properties"][name] = {"anyOf": [one, {"type": random.choice(TYPES[:4])}]}
        elif kind == 3 and "enum" in one:
            one["enum"] = [*one["enum"], "violet"]
    found["required"] = found["required"][1:]
    return found


@given(seed=SEEDS, is_request=st.booleans())
def test_a_wider_request_and_a_narrower_response_break_nobody(seed: int, *, is_request: bool) -> None:
    random = Random(seed)
    narrow = _body(random)
    wide = _wider(random, narrow)

    provider, needed = (wide, narrow) if is_request else (narrow, wide)
    sides = [openapi(None, one, "3.1.0", is_request=is_request) for one in (provider, needed)]

    assert [one for one in _breaking(_found(*sides)) if one.startswith("ERR")] == []


@given(SEEDS)
def test_what_satisfies_what_satisfies_a_third_is_read_by_the_third(seed: int) -> None:
    random = Random(seed)
    first = document(random)
    second = rewritten(random, first) if random.random() < 0.5 else edited(random, first)
    third = rewritten(random, second) if random.random() < 0.5 else edited(random, second)
    if not all(_is_read(one) for one in (first, second, third)):
        return
    if _breaking(_found(first, second)) or _breaking(_found(second, third)):
        return

    assert counterexample(Pair(seed, first, third), 60)[1] == ()


@given(seed=SEEDS, is_body=st.booleans())
def test_the_form_and_the_order_of_a_file_change_nothing(seed: int, *, is_body: bool) -> None:
    random = Random(seed)
    pair = body_pair_of(seed) if is_body else pair_of(seed)
    if not (_is_read(pair.sender) and _is_read(pair.reader)):
        return
    sides = (pair.sender, pair.reader)

    told = [
        _told(_compared(*(json.dumps(one) for one in sides))),
        _told(_compared(*(json.dumps(one, indent=2) for one in sides))),
        _told(_compared(*(yaml.safe_dump(one, default_flow_style=False) for one in sides))),
        _told(_compared(*(json.dumps(_shuffled(random, one)) for one in sides))),
    ]

    assert told[1:] == told[:1] * 3


def _told(found: tuple[ContractFinding, ...]) -> set[tuple[str, ...]]:
    return {(one.rule, one.level, one.operation, one.provider.pointer, one.needed.pointer, one.what) for one in found}


@given(seed=SEEDS, is_body=st.booleans())
def test_a_finding_names_lines_where_its_places_are(seed: int, *, is_body: bool) -> None:
    pair = body_pair_of(seed) if is_body else pair_of(seed)
    if not (_is_read(pair.sender) and _is_read(pair.reader)):
        return
    texts = {"provider.yaml": json.dumps(pair.sender, indent=1), "needed.yaml": yaml.safe_dump(pair.reader)}

    found = _compared(texts["provider.yaml"], texts["needed.yaml"])

    for place in [place for one in found for place in (one.provider, one.needed)]:
        pointer = tuple(part.replace("~1", "/").replace("~0", "~") for part in place.pointer.split("/")[1:])
        assert lines_of(texts[place.path].encode(), [pointer]) == {pointer: place.line}
        if pointer and not pointer[-1].isdecimal():
            assert pointer[-1] in texts[place.path].splitlines()[place.line - 1]
