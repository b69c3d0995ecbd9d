"""The small world that made-up schemas and instances share, so that they meet: names, texts, numbers, patterns."""

from __future__ import annotations

from random import Random
from typing import Any

Schema = Any  # dict[str, Any] or bool
NAMES = ("a", "b", "c", "x-d")
WORDS = ("", "a", "b", "red", "green", "a1", "x-1", "long enough")
NUMBERS = (-1, 0, 1, 2, 3, 5, 10)
LENGTHS = (0, 1, 2, 3)
STEPS = (1, 2, 3, 0.5, 4)
# Each with texts that match it.
PATTERNS = {
    "^a": ("a", "a1", "ab"),
    "^x-": ("x-1", "x-d"),
    "[0-9]$": ("a1", "x-1", "7"),
    "^[a-z]+$": ("a", "red", "green"),
    "^(a|b)$": ("a", "b"),
    "e": ("red", "green"),
}
FORMATS = ("date", "email", "uuid")
TYPES = ("string", "integer", "number", "boolean", "null", "array", "object")
ATOMS: tuple[Any, ...] = (
    *(None, True, False, 0, 1, 1.0, 2, 3, 5, -1, 0.5, 10, 2.5, 12, 100, -100),
    *("", "a", "b", "red", "a1", "x-1", "green", "long enough", "é", "z" * 12),
    *([], {}, [1], ["a"], [1, 1], [1, "a"], [None], {"a": 1}, {"a": "a"}, {"b": None}, {"x-d": 1}, {"q": 1}),
)


def value(random: Random, depth: int = 1) -> Any:
    """Some JSON value of the small world."""
    kind = random.randrange(8 if depth else 6)
    if kind < 3:
        return random.choice(WORDS)
    if kind < 5:
        return random.choice((*NUMBERS, 1.0, 2.5, 0.5))
    if kind == 5:
        return random.choice((None, True, False))
    count = random.randrange(3)
    if kind == 6:
        return [value(random, depth - 1) for _ in range(count)]
    return {random.choice(NAMES): value(random, depth - 1) for _ in range(count)}


def chance(random: Random, share: float) -> bool:
    """Yes, in this share of cases."""
    return random.random() < share
