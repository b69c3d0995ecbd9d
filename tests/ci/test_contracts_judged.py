"""`satisfies` beside oasdiff, the judge: on the examples that its authors publish, as Go downloads them.

Without Go this fails; it is not skipped.
"""

from __future__ import annotations

import pytest

from bench.agreement import Outcome
from bench.differences import DOCUMENT, PRECISION, RECALL, measured, rates, reasons_of, with_differences

_RECALL_OF_ALL = 0.96  # with what oasdiff reports and breaks nobody, which docs/contract-differences.md lists
_FEWEST = 400  # examples; fewer means that they were not found, not that there are none


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    """What both sides say about every example."""
    return measured()


def test_every_example_that_oasdiff_reads_is_read(outcomes: list[Outcome]) -> None:
    assert len(outcomes) > _FEWEST
    assert {str(one.example): one.error for one in outcomes if one.error} == {}


def test_breaks_are_found_as_oasdiff_finds_them_and_little_else(outcomes: list[Outcome]) -> None:
    found = rates(outcomes, DOCUMENT.read_text(encoding="utf-8"))

    assert {name: rate for name, rate in found.items() if "breaks" in name and rate.recall < RECALL} == {}
    assert {name: rate for name, rate in found.items() if rate.precision < PRECISION} == {}
    assert {name: rate for name, rate in found.items() if rate.recall < _RECALL_OF_ALL} == {}


def test_every_difference_is_listed_with_its_reason(outcomes: list[Outcome]) -> None:
    document = DOCUMENT.read_text(encoding="utf-8")

    assert with_differences(document, outcomes) == document, "fix: .venv/bin/python -m bench.differences --write"
    assert [heading for heading, reason in reasons_of(document).items() if not reason] == []
