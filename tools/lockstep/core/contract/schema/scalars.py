"""Keywords about numbers and text: which of the reader's follow from what is sent."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from lockstep.core.contract.schema.sender import Sender
from lockstep.core.contract.schema.values import fraction
from lockstep.core.contract.schema.view import View

ANYTHING = {"", ".*", "^.*$", ".*$", "^.*"}  # patterns that any text matches: they are searched for, not anchored
_CONTAINED = {("int32", "int64"), ("int32", "bigint"), ("int64", "bigint"), ("float", "double")}


def of_scalars(sender: Sender, reader: View) -> Iterator[tuple[str, list[Any] | None]]:
    """Each keyword about numbers and text that does not follow, with None."""
    kinds = sender.types
    if kinds & {"integer", "number"}:
        yield from ((keyword, None) for keyword in _bounds(sender, reader))
        if "multipleOf" in reader.data and not _is_multiple(sender, fraction(reader.data["multipleOf"])):
            yield "multipleOf", None
    if "string" in kinds:
        for keyword in ("minLength", "maxLength"):
            if keyword in reader.data and not is_within(sender, keyword, fraction(reader.data[keyword])):
                yield keyword, None
        pattern = reader.data.get("pattern", "")
        if pattern not in ANYTHING and pattern not in set(sender.said("pattern")):
            yield "pattern", None
    if "format" in reader.data and not _has_format(sender, reader.data["format"]):
        yield "format", None


def is_within(sender: Sender, keyword: str, wanted: Fraction) -> bool:
    """Whether a bound on a size follows: the sender's is as tight, or it asks for nothing."""
    said = sender.count(keyword)
    if keyword.startswith("min"):
        return wanted <= 0 or (said is not None and said >= wanted)
    return said is not None and said <= wanted


def _bounds(sender: Sender, reader: View) -> Iterator[str]:
    for keyword in ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"):
        if keyword in reader.data and not _is_bounded(sender, keyword, fraction(reader.data[keyword])):
            yield keyword


def _is_bounded(sender: Sender, keyword: str, wanted: Fraction) -> bool:
    """Whether every number sent is on the right side of a bound; maxima are looked at in the mirror."""
    is_lower, is_exclusive = "Min" in keyword or keyword == "minimum", keyword.startswith("exclusive")
    sign = 1 if is_lower else -1
    plain = sender.count("minimum" if is_lower else "maximum")
    open_ = sender.count("exclusiveMinimum" if is_lower else "exclusiveMaximum")
    is_whole = "number" not in sender.types
    least: list[tuple[Fraction, bool]] = []  # the bound in the mirror, and whether it is itself excluded
    if plain is not None:
        least.append((_ceiling(sign * plain) if is_whole else sign * plain, False))
    if open_ is not None:
        least.append((_above(sign * open_), False) if is_whole else (sign * open_, True))
    goal = sign * wanted
    return any(bound > goal or (bound == goal and (excluded or not is_exclusive)) for bound, excluded in least)


def _ceiling(value: Fraction) -> Fraction:
    return Fraction(-((-value.numerator) // value.denominator))


def _above(value: Fraction) -> Fraction:
    """The next whole number."""
    return Fraction(value.numerator // value.denominator + 1)


def _is_multiple(sender: Sender, wanted: Fraction) -> bool:
    if wanted <= 0:
        return False
    steps = [fraction(one) for one in sender.said("multipleOf")]
    if "number" not in sender.types:
        steps.append(Fraction(1))
    return any(one > 0 and (one / wanted).denominator == 1 for one in steps)


def _has_format(sender: Sender, wanted: str) -> bool:
    """A format is a promise: the same one, or one whose values are all of the wanted one (int32 of int64)."""
    return any(said == wanted or (said, wanted) in _CONTAINED for said in sender.said("format"))
