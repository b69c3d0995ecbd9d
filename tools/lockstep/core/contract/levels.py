"""Every rule that compares contracts, and the level that it has by itself."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping

from lockstep.core.contract import ai, operations, schemas
from lockstep.core.contract.finding import Level


def all_rules() -> Mapping[str, Level]:
    """The rules of every part of the comparison, by id."""
    found: dict[str, Level] = {}
    for module in (operations, schemas, ai):
        found |= getattr(module, "RULES", {})
    return dict(sorted(found.items()))


def unknown_rules(names: Iterable[str]) -> tuple[str, ...]:
    """A sentence for each name that is no rule."""
    return tuple(_unknown(sorted(names), tuple(all_rules())))


def _unknown(names: Iterable[str], known: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            yield f"`{name}` is no rule" + (f"; did you mean `{near[0]}`?" if near else "")
