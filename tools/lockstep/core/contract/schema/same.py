"""Whether two schemas of two contracts mean the same for sure: the same keywords, wherever they stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lockstep.core.contract.contract import Node
from lockstep.core.contract.schema.values import are_equal
from lockstep.core.contract.schema.view import (
    ANNOTATIONS,
    LISTS,
    MAPPINGS,
    SINGLE,
    Key,
    View,
    Views,
    are_alike,
)

_NESTED = frozenset({*LISTS, *MAPPINGS, *SINGLE})
Pair = tuple[Key, Key]


@dataclass(frozen=True)
class Same:
    """Two contracts' schemas; answers are remembered. Rings are the same if nothing in them differs."""

    left: Views
    right: Views
    known: dict[Pair, bool] = field(default_factory=dict)

    def are(self, left: Node, right: Node) -> bool:
        """Whether the schemas at two nodes are the same."""
        first = (self.left.of(left), self.right.of(right))
        root = (first[0].key, first[1].key)
        if root in self.known:
            return self.known[root]
        waiting, seen = [first], {root}
        for one, other in waiting:
            below = self._below(one, other)
            if below is None:
                self.known[root] = False
                return False
            for pair in below:
                views = (self.left.of(pair[0]), self.right.of(pair[1]))
                key = (views[0].key, views[1].key)
                if self.known.get(key) is False:
                    self.known[root] = False
                    return False
                if key not in seen and key not in self.known:
                    seen.add(key)
                    waiting.append(views)
        self.known.update(dict.fromkeys(seen, True))
        return True

    def _below(self, one: View, other: View) -> list[tuple[Node, Node]] | None:
        """The schemas below that have to be the same as well; None if these two differ already."""
        if are_alike(one.node, other.node) and self.left.contract.kind is self.right.contract.kind:
            return list(zip(self.left.references(one), self.right.references(other), strict=True))
        if (
            one.malformed
            or other.malformed
            or one.types != other.types
            or one.is_never != other.is_never
            or len(one.parts) != len(other.parts)
        ):
            return None
        mine, theirs = _own(one), _own(other)
        if mine.keys() != theirs.keys():
            return None
        found = list(zip(one.parts, other.parts, strict=True))
        for key, value in mine.items():
            if key not in _NESTED:
                if not _equal(key, value, theirs[key]):
                    return None
                continue
            left, right = dict(_schemas(one, key)), dict(_schemas(other, key))
            if left.keys() != right.keys():
                return None
            found += [(left[name], right[name]) for name in left]
        return found


def _own(view: View) -> dict[str, Any]:
    return {
        key: value
        for key, value in view.data.items()
        if key not in ANNOTATIONS and key != "allOf" and not key.startswith("x-")
    }


def _equal(key: str, left: Any, right: Any) -> bool:
    if key == "required" and isinstance(left, list) and isinstance(right, list):
        return set(map(str, left)) == set(map(str, right))
    return are_equal(left, right)


def _schemas(view: View, key: str) -> Iterator[tuple[str, Node]]:
    if key in SINGLE:
        if child := view.child(key):
            yield "", child
    else:
        yield from view.children(key).items()
