"""Made-up pairs: whatever is called compatible is so for every instance that can be found, and not by always saying no.

`make fuzz` tries 100,000 of each kind; here are some, always the same.
"""

from __future__ import annotations

import pytest

from fuzz.pairs import SCHEMAS, Pair, tried
from fuzz.soak import WORLDS, report, soak
from fuzz.words import Schema

PAIRS = 1500


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("first", [0, 50_000_000])
def test_what_is_called_compatible_is_read_by_the_other_side(world: str, first: int) -> None:
    found = soak(world, first, PAIRS)

    assert [report(world, one) for one in found.false] == []
    assert found.crashed == []
    assert found.pairs == PAIRS
    # A judge that always says no would be right as well: nearly half of the pairs fit.
    assert found.compatible > 0.38 * PAIRS
    assert found.without_proof < 0.36 * (PAIRS - found.broken)


# Pairs that were falsely called compatible once: what one side sends, what the other reads.
ONCE = [
    ({"anyOf": [{}]}, {"anyOf": [{"items": False}]}),
    ({"anyOf": [{}]}, {"oneOf": [{"properties": {"a": {"type": "string"}}}]}),
]


@pytest.mark.parametrize(("sender", "reader"), ONCE)
def test_what_was_once_falsely_called_compatible_is_not_any_more(sender: Schema, reader: Schema) -> None:
    found = tried(SCHEMAS, Pair(0, sender, reader))

    assert found.proof
    assert found.rules
