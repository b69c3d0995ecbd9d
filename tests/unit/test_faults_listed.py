"""One list of faults: the tests and docs/faults.md name the same ones, and every test that is named is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from faults import FAULTS

TESTS = Path(__file__).resolve().parents[1]
DOCS = (TESTS.parent / "docs/faults.md").read_text(encoding="utf-8")


def test_the_page_lists_what_the_tests_play_and_nothing_else():
    listed = [name for name in re.findall(r"^\| ([^|]+) \|", DOCS, re.MULTILINE) if name != "fault"]

    assert listed == [*FAULTS]


@pytest.mark.parametrize("place", sorted({place for places in FAULTS.values() for place in places}))
def test_every_test_that_is_named_is_there(place: str):
    path, _, name = place.partition("::")
    tree = ast.parse((TESTS / path).read_text(encoding="utf-8"))

    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
