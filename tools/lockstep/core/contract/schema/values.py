"""JSON values as JSON Schema compares them (2020-12, core, section 4.2.2: 1 and 1.0 are equal, 1 and true are not)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

Number = int | float


def is_number(value: Any) -> bool:
    """Whether it is a finite number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_count(value: Any) -> bool:
    """Whether it is a whole number from 0, as lengths are."""
    return is_number(value) and value >= 0 and value == int(value)


def canonical(value: Any) -> Any:
    """A hashable value; two are equal exactly if JSON Schema calls them equal. Numbers are exact."""
    if isinstance(value, dict):
        return ("object", frozenset((key, canonical(item)) for key, item in value.items()))
    if isinstance(value, list):
        return ("array", tuple(canonical(item) for item in value))
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return (type(value).__name__, value)
    return ("number", Fraction(value) if math.isfinite(value) else str(value))


def are_equal(left: Any, right: Any) -> bool:
    """Whether JSON Schema calls them equal."""
    return bool(canonical(left) == canonical(right))


def distinct(values: Iterable[Any]) -> dict[Any, Any]:
    """The values by their canonical form, in their order, each once."""
    return {canonical(value): value for value in values}


def fraction(value: Number) -> Fraction:
    """The number as it is written: 0.1 is one tenth."""
    return Fraction(str(value)) if isinstance(value, float) else Fraction(value)


def type_of(value: Any) -> str:
    """The JSON type; whole numbers are integers."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "integer" if math.isfinite(value) and value == int(value) else "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"
