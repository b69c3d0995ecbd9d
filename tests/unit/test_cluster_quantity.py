"""Amounts of resources: as Kubernetes counts them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.core.cluster.quantity import amounts, lacking, minus, most, plus, thousandths, words

kinds = st.dictionaries(st.sampled_from(["cpu", "memory", "nvidia.com/gpu"]), st.integers(0, 10**6))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("250m", 250), ("2", 2000), ("0.5", 500), (".5", 500), ("1.", 1000), ("1k", 10**6), ("1Ki", 1024 * 1000),
        ("1.5Gi", 1536 * 1024**2 * 1000), ("1e3", 10**6), ("12E", 12 * 10**21), ("1E3", 10**6), ("100n", 1), ("1u", 1),
        ("0", 0), ("-1", -1000), ("512Mi", 512 * 1024**2 * 1000), ("128974848", 128974848000),
    ],
)  # fmt: skip
def test_a_quantity_is_read_in_thousandths_rounded_up(text: str, expected: int) -> None:
    assert thousandths(text) == expected


@pytest.mark.parametrize("text", ["", "1 Gi", "GB", "1GiB", "one", "0x1", "1e", "--1"])
def test_anything_else_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="a good one"):
        thousandths(text)


@given(st.integers(0, 10**9))
def test_forms_of_one_amount_are_one_amount(number: int) -> None:
    assert thousandths(f"{number}m") == number
    assert thousandths(f"{number}Ki") == thousandths(str(number * 1024))
    assert thousandths(f"{number}e3") == thousandths(f"{number}k")


@given(kinds, kinds)
def test_what_is_taken_and_given_back_is_what_there_was(free: dict[str, int], asked: dict[str, int]) -> None:
    again = plus((minus(free, asked), asked))

    assert {name: again.get(name, 0) for name in free} == free
    assert lacking(free, asked) == tuple(
        sorted(name for name, left in minus(free, asked).items() if left < 0 and name in asked)
    )
    assert all(most(free, asked)[name] >= free.get(name, 0) for name in asked)


def test_amounts_are_said_in_the_units_of_people() -> None:
    assert [words(1500, "cpu"), words(2000, "cpu"), words(1000, "nvidia.com/gpu")] == ["1500m", "2", "1"]
    assert words(thousandths("1536Mi"), "memory") == "1.5 GiB"
    assert amounts(None) == {}
