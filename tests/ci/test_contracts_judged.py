"""`satisfies` beside oasdiff, the judge: on the examples that its authors publish, as Go downloads them.

Without Go this fails; it is not skipped.
"""

from __future__ import annotations

import pytest

from bench.agreement import Outcome, rate_of_examples, rate_of_findings
from bench.differences import DOCUMENT, PRECISION, RECALL, measured, reasons_of, with_differences

_FEWEST = 400  # examples; fewer means that they were not found, not that there are none


@pytest.fixture(scope="module")
def outcomes() -> list[Outcome]:
    """What both sides say about every example."""
    return measured()


def test_every_example_that_oasdiff_reads_is_read(outcomes: list[Outcome]) -> None:
    assert len(outcomes) > _FEWEST
    assert {str(one.example): one.error for one in outcomes if one.error} == {}


def test_breaking_findings_are_those_of_oasdiff(outcomes: list[Outcome]) -> None:
    rate = rate_of_findings(outcomes)

    assert rate.recall >= RECALL
    assert rate.precision >= PRECISION


def test_breaking_examples_are_those_of_oasdiff(outcomes: list[Outcome]) -> None:
    rate = rate_of_examples(outcomes)

    assert rate.recall >= RECALL
    assert rate.precision >= PRECISION


def test_every_difference_is_listed_with_its_reason(outcomes: list[Outcome]) -> None:
    document = DOCUMENT.read_text(encoding="utf-8")

    assert with_differences(document, outcomes) == document, "fix: .venv/bin/python -m bench.differences --write"
    assert [heading for heading, reason in reasons_of(document).items() if not reason] == []
