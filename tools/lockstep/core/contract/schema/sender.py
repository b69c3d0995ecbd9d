"""What may be sent: several schemas that hold together, asked for what they allow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from lockstep.core.contract.contract import Node
from lockstep.core.contract.schema.accepts import accepts
from lockstep.core.contract.schema.values import canonical, distinct, fraction, type_of
from lockstep.core.contract.schema.view import TYPES, Key, View, Views

_PATTERN = "patternProperties"
_ADDITIONAL = "additionalProperties"
# Schemas that are held together below one value. What more there is makes the sender narrower only, and is left out:
# else schemas that are members of each other make sets of sets without end.
_LIMIT_TOGETHER = 2
_BRANCHES = ("anyOf", "oneOf", "dependentSchemas")


def flat(views: Views, nodes: tuple[Node, ...]) -> tuple[View, ...] | None:
    """The schemas that hold together, the members of allOf among them, each once; None where one is its own part.

    A schema that judges what others have left over (`unevaluated…`) stays whole: its parts say what is left.
    """
    found: dict[Key, View] = {}
    waiting = [(views.of(node), frozenset[Key]()) for node in nodes]
    while waiting:
        view, above = waiting.pop(0)
        if view.key in above:
            return None
        if view.key in found:
            continue
        found[view.key] = view
        waiting += [(views.of(part), above | {view.key}) for part in view.parts]
    return tuple(found.values())


@dataclass(frozen=True)
class Sender:
    """Schemas of one side that hold together.

    Args:
        views: The side's schemas.
        flats: Those that hold, without allOf; none for any value.
        is_open: Whether an object may have properties that no schema names, where nothing says so. A contract's
            sender does not; JSON Schema by itself allows it.
    """

    views: Views
    flats: tuple[View, ...]
    is_open: bool

    @cached_property
    def is_never(self) -> bool:
        """Whether nothing can be sent, as far as it is plain to see."""
        return any(view.is_never for view in self.flats) or not self.types or self.values == {}

    @cached_property
    def types(self) -> frozenset[str]:
        """The types that may be sent."""
        found = TYPES - {"integer"}
        for view in self.flats:
            if view.types is not None:
                found = _common(found, view.types)
        values = self._listed
        if values is not None:
            found = frozenset(_common(found, frozenset(map(type_of, values.values()))))
        return found

    @cached_property
    def _listed(self) -> dict[Any, Any] | None:
        found: dict[Any, Any] | None = None
        for view in self.flats:
            for said in _lists(view):
                found = said if found is None else {key: item for key, item in found.items() if key in said}
        return found

    @cached_property
    def values(self) -> dict[Any, Any] | None:
        """The values that may be sent, by canonical form, where a list says them; None if there is no list."""
        if self._listed is None:
            return None
        return {
            key: value
            for key, value in self._listed.items()
            if not any(accepts(self.views, view, value) is False for view in self.flats)
        }

    def bound(self, keyword: str) -> tuple[Fraction, View] | None:
        """The tightest of a bound, and which schema says it; `min…` are lower bounds."""
        said = [(fraction(view.data[keyword]), view) for view in self.flats if keyword in view.data]
        if not said:
            return None
        is_lower = keyword.startswith(("min", "exclusiveMin"))
        return max(said, key=lambda one: one[0] if is_lower else -one[0])

    def count(self, keyword: str) -> Fraction | None:
        """The tightest of a bound, without its schema."""
        found = self.bound(keyword)
        return found[0] if found else None

    def said(self, keyword: str) -> Iterator[Any]:
        """Every value of a keyword."""
        return (view.data[keyword] for view in self.flats if keyword in view.data)

    @cached_property
    def required(self) -> frozenset[str]:
        """Properties that every object has."""
        return frozenset(name for names in self.said("required") for name in names if isinstance(name, str))

    @cached_property
    def declared(self) -> frozenset[str]:
        """Properties that a schema names, those among them that it names for some values only."""
        return frozenset(name for view in self._in_place for name in view.children("properties"))

    @cached_property
    def _in_place(self) -> tuple[View, ...]:
        """The schemas, and those that hold for some values only: branches and conditions."""
        found = {view.key: view for view in self.flats}
        waiting = list(self.flats)
        for view in waiting:
            nodes = [node for key in _BRANCHES for node in view.children(key).values()]
            nodes += [node for key in ("then", "else") if (node := view.child(key))]
            for part in (self.views.of(node) for node in (*nodes, *view.parts)):
                if part.key not in found:
                    found[part.key] = part
                    waiting.append(part)
        return tuple(found.values())

    def at(self, name: str) -> tuple[Node, ...] | None:
        """The schemas that hold for a property; None if it cannot occur."""
        found: list[Node] = []
        for view in self.flats:
            named = view.children("properties")
            if name in named:
                found.append(named[name])
            elif not view.data.get(_PATTERN) and (rest := view.child(_ADDITIONAL)) is not None:
                found.append(rest)
        if name not in self.declared and not self.has_rest:
            return None
        return None if any(node.value is False for node in found) else tuple(found[:_LIMIT_TOGETHER])

    @cached_property
    def has_rest(self) -> bool:
        """Whether properties may occur that no schema names."""
        if self.is_open or not self.flats:
            return True
        rests = [view.child(_ADDITIONAL) or view.child("unevaluatedProperties") for view in self._in_place]
        return any(rest is not None and rest.value is not False for rest in rests) or any(
            view.data.get(_PATTERN) for view in self._in_place
        )

    def rests(self) -> Iterator[tuple[Node, ...]]:
        """For properties that no schema names: the schemas that hold, for each kind of such a property."""
        if not self.has_rest:
            return
        tail = tuple(rest for view in self.flats if (rest := view.child(_ADDITIONAL)) is not None)
        if not any(node.value is False for node in tail):
            yield tail
        for view in self.flats:
            for node in view.children(_PATTERN).values():
                yield (node,)  # what else holds for it makes it narrower only

    def item(self, index: int | None) -> tuple[Node, ...] | None:
        """The schemas that hold for an item, None for the index: behind every prefix; None if it cannot occur."""
        most = self.count("maxItems")
        if index is not None and most is not None and most <= index:
            return None
        found: list[Node] = []
        for view in self.flats:
            prefix = list(view.children("prefixItems").values())
            if index is not None and index < len(prefix):
                found.append(prefix[index])
            elif (rest := view.child("items")) is not None:
                found.append(rest)
        return None if any(node.value is False for node in found) else tuple(found[:_LIMIT_TOGETHER])

    @cached_property
    def prefix(self) -> int:
        """The most items that a schema describes one by one."""
        return max((len(view.children("prefixItems")) for view in self.flats), default=0)


def _lists(view: View) -> Iterator[dict[Any, Any]]:
    if "enum" in view.data:
        yield distinct(view.data["enum"])
    if "const" in view.data:
        yield {canonical(view.data["const"]): view.data["const"]}


def _common(left: frozenset[str], right: frozenset[str]) -> frozenset[str]:
    both = set(left & right)
    if "integer" in (left | right) and {"integer", "number"} & left and {"integer", "number"} & right:
        both.add("integer")
        if not ("number" in left and "number" in right):
            both.discard("number")
    if "number" in left and "number" in right:
        both.discard("integer")
    return frozenset(both)
