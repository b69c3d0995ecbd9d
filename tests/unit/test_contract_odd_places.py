"""Whatever stands in a place of a contract: it is judged or told, and nothing falls over it."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from contract_pairs import EVERYTHING, breaks, contract
from lockstep.core.contract.contract import Contract, parse_contract
from lockstep.core.contract.judge import Question
from lockstep.core.contract.satisfies import satisfies
from lockstep.core.errors import LockstepError

ODD = (None, True, 0, -1.5, "", "text", [], [1, None], ["a", "a"], {}, {"a": 1}, {"$ref": "#/paths"}, {"$ref": 5}, [[]])
Way = tuple[Any, ...]


def places(value: Any, way: Way = ()) -> Iterator[Way]:
    """Every place outside schemas and above nothing; the version stays."""
    if way and way[-1] not in ("openapi", "info"):
        yield way
    if way and way[-1] in ("schema", "schemas", "info"):
        return
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(item, (*way, key))


def changed(whole: Any, way: Way, odd: object) -> Contract | None:
    """The contract with something else at a place; None if it cannot be read as a contract at all."""
    found = copy.deepcopy(whole)
    above = found
    for key in way[:-1]:
        above = above[key]
    above[way[-1]] = odd
    try:
        return parse_contract({"odd.json": json.dumps(found).encode()}, "odd.json")
    except LockstepError:
        return None


@pytest.mark.parametrize("number", range(len(ODD)), ids=[json.dumps(odd) for odd in ODD])
def test_an_odd_value_at_any_place_is_judged_or_told(number: int) -> None:
    good = contract(EVERYTHING)
    whole = good.root.value
    # each place has every fifth of the odd values, so that the test is done in seconds
    ways = [way for index, way in enumerate(places(whole)) if (index + number) % 5 == 0]
    read = [found for way in ways if (found := changed(whole, way, ODD[number])) is not None]

    for bad in read:
        for question in Question:
            satisfies(bad, good, question)
            satisfies(good, bad, question)
    assert [breaks(satisfies(bad, bad)) for bad in read] == [[] for _ in read]
    assert len(read) > 10
