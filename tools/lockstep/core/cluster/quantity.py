"""Amounts of resources as Kubernetes writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

Amounts = Mapping[str, int]
"""Thousandths by name of the resource: {"cpu": 1500} is one and a half processors, memory is thousandths of bytes."""

# Source: k8s.io/apimachinery v0.36, pkg/api/resource/quantity.go: decimal, binary and exponent forms.
_FORM = re.compile(
    r"(?P<digits>[+-]?[0-9]+(?:\.[0-9]*)?|[+-]?\.[0-9]+)(?P<unit>[numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+|)"
)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
NOTHING: Amounts = MappingProxyType({})


def thousandths(text: str) -> int:
    """A quantity in thousandths, rounded up as the scheduler does: "250m" is 250, "1Gi" is 1073741824000.

    Raises:
        ValueError: it is no quantity.
    """
    match = _FORM.fullmatch(str(text))
    if not match:
        raise ValueError(f"{text!r} is not a quantity of Kubernetes; a good one: 250m, 2, 512Mi")
    whole, _, fraction = match["digits"].partition(".")
    number, places = int((whole if whole not in {"", "+", "-"} else f"{whole}0") + fraction), len(fraction)
    unit = match["unit"]
    if unit in _BINARY:
        return int(-(-number * 1024 ** _BINARY[unit] * 1000 // 10**places))
    power = (int(unit[1:]) if unit[:1] in {"e", "E"} and len(unit) > 1 else _DECIMAL[unit]) + 3 - places
    return int(number * 10**power if power >= 0 else -(-number // 10**-power))


def amounts(given: Any) -> Amounts:
    """The amounts in a mapping of quantities, such as `requests`; nothing for what is no mapping."""
    return {str(name): thousandths(text) for name, text in given.items()} if isinstance(given, Mapping) else NOTHING


def plus(parts: Iterable[Amounts]) -> Amounts:
    """The sum of some amounts."""
    total: dict[str, int] = {}
    for part in parts:
        for name, amount in part.items():
            total[name] = total.get(name, 0) + amount
    return total


def minus(whole: Amounts, part: Amounts) -> Amounts:
    """What is left of amounts; below zero where more is taken than there is."""
    return plus((whole, {name: -amount for name, amount in part.items()}))


def most(left: Amounts, right: Amounts) -> Amounts:
    """The larger amount of each resource."""
    return {name: max(left.get(name, 0), right.get(name, 0)) for name in {*left, *right}}


def lacking(free: Amounts, asked: Amounts) -> tuple[str, ...]:
    """The resources of which more is asked than is free, sorted."""
    return tuple(sorted(name for name, amount in asked.items() if amount > free.get(name, 0)))


def words(amount: int, resource: str) -> str:
    """An amount for people: `500m` of cpu, `1.2 GiB` of memory, `2` of anything else."""
    if resource in {"memory", "ephemeral-storage"} or resource.startswith("hugepages-"):
        size, unit = amount / 1000, "B"
        for larger in ("KiB", "MiB", "GiB", "TiB"):
            if abs(size) < 1024:
                break
            size, unit = size / 1024, larger
        return f"{size:.3g} {unit}"
    return str(amount // 1000) if amount % 1000 == 0 else f"{amount}m"
