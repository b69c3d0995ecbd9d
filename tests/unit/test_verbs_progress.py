"""Progress of long work: what is said never goes back."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from lockstep.verbs.progress import Progress


def said(steps: list[tuple[int, int]], total: int = 1000) -> list[tuple[int, int]]:
    """MB and percent of each line, where between two steps enough time passes for one."""
    lines: list[str] = []
    now = iter(range(0, 10**6, 5))
    progress = Progress(lines.append, lambda: float(next(now)))
    progress.expect("llm: hashed", total * 10**6)
    for moved, also in steps:
        progress.also(also * 10**6)
        progress.moved(moved * 10**6)
    found = [re.fullmatch(r"llm: hashed: ([0-9,]+) of [0-9,-]+ MB, ([0-9]+) %, .*", line) for line in lines]
    return [(int(match[1].replace(",", "")), int(match[2])) for match in found if match]


def test_a_line_says_how_much_of_how_much() -> None:
    assert said([(250, 0), (250, 0), (500, 0)]) == [(250, 25), (500, 50), (1000, 100)]


def test_what_is_to_be_done_once_more_takes_nothing_back() -> None:
    assert said([(500, 0), (250, 1000), (750, 0), (500, 0)]) == [(500, 50), (750, 50), (1500, 75), (2000, 100)]


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(-500, 2000)), max_size=20))
def test_neither_bytes_nor_part_ever_go_back(steps: list[tuple[int, int]]) -> None:
    found = said(steps)

    assert found == sorted(found)
    assert all(part <= 100 for _, part in found)
    assert [part for _, part in found] == sorted(part for _, part in found)
