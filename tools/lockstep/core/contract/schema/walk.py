"""Both sides' schemas looked at place by place: every change once, and from each place the changes below it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from lockstep.core.contract.contract import Node
from lockstep.core.contract.schema.change import Change
from lockstep.core.contract.schema.keywords import extensible_changes, keyword_changes
from lockstep.core.contract.schema.properties import lost_changes, property_changes
from lockstep.core.contract.schema.structure import Two, below, discriminator_changes, items_changes, structure_changes
from lockstep.core.contract.schema.transitions import transition, unexplained
from lockstep.core.contract.schema.view import Key, View, are_alike

Place = tuple[Key, Key]


class Below(NamedTuple):
    """A place below another one."""

    old: Node
    new: Node


@dataclass(frozen=True)
class Found:
    """What changed at one place, and the places below it."""

    changes: tuple[Change, ...]
    below: tuple[Below, ...]


@dataclass
class Walk:
    """The places of one direction; each is looked at once, however often it is referred to.

    Args:
        two: Both sides' schemas.
        is_request: Whether whoever needs the contract sends.
        found: What was seen at each place.
        nodes: Where a place was first met.
        changed: The places that have changes, numbered.
        reached: For each place the numbers of those at and below it, as the bits of an integer.
    """

    two: Two
    is_request: bool
    found: dict[Place, Found] = field(default_factory=dict)
    nodes: dict[Place, tuple[Node, Node]] = field(default_factory=dict)
    changed: list[Place] = field(default_factory=list)
    reached: dict[Place, int] = field(default_factory=dict)

    def place(self, old: Node, new: Node) -> Place:
        """The same for the same schemas, however they were referred to."""
        return (self.two.old.of(old).key, self.two.new.of(new).key)

    def look(self, old: Node, new: Node) -> Found:
        """What changed at one place."""
        place = self.place(old, new)
        if place not in self.found:
            one, other = self.two.old.of(old), self.two.new.of(new)
            if are_alike(one.node, other.node):
                pairs = zip(self.two.old.references(one), self.two.new.references(other), strict=True)
                self.found[place] = Found((), tuple(Below(*pair) for pair in pairs))
            elif one.is_never or other.is_never:
                self.found[place] = Found(tuple(keyword_changes(one, other)), ())
            else:
                self.found[place] = self._compared(one, other)
        return self.found[place]

    def _compared(self, one: View, other: View) -> Found:
        changes = [
            *keyword_changes(one, other),
            *structure_changes(self.two, one, other),
            *property_changes(self.two, one, other, is_request=self.is_request),
            *discriminator_changes(one, other),
            *items_changes(one, other, is_request=self.is_request),
            *((*extensible_changes(one, other), *lost_changes(self.two, one, other)) if self.is_request else ()),
        ]
        found = transition(self.two, one, other)
        if found is None:
            return Found(tuple(changes), tuple(Below(*item) for item in below(self.two, one, other)))
        pairs = below(self.two, one, other) if found.below is None else found.below
        return Found((*found.changes, *unexplained(changes, found)), tuple(Below(*item) for item in pairs))

    def changes(self, old: Node, new: Node) -> list[tuple[Place, Change]]:
        """Every change at and below a place, each once; what was reached before is not looked at again."""
        root = self.place(old, new)
        if root not in self.reached:
            self._reach(root, old, new)
        bits, found = self.reached[root], []
        while bits:
            lowest = bits & -bits
            place = self.changed[lowest.bit_length() - 1]
            found += [(place, change) for change in self.found[place].changes]
            bits ^= lowest
        return found

    def _reach(self, root: Place, old: Node, new: Node) -> None:
        """Notes for each place below, and for this one, which places with changes it reaches.

        Tarjan's strongly connected components (1972), without recursion: places in a ring reach the same.
        """
        order: dict[Place, int] = {}
        low: dict[Place, int] = {}
        ring: list[Place] = []
        open_: list[tuple[Place, list[Place]]] = []

        def enter(place: Place, one: Node, other: Node) -> None:
            order[place] = low[place] = len(order)
            ring.append(place)
            found = self.look(one, other)
            next_places = []
            for item in found.below:
                next_places.append(self.place(item.old, item.new))
                self.nodes.setdefault(next_places[-1], (item.old, item.new))
            open_.append((place, next_places))

        enter(root, old, new)
        while open_:
            place, waiting = open_[-1]
            while waiting and (waiting[-1] in self.reached or waiting[-1] in order):
                seen = waiting.pop()
                if seen not in self.reached:
                    low[place] = min(
                        low[place], low[seen] if seen in low and order[seen] > order[place] else order[seen]
                    )
            if waiting:
                enter(waiting[-1], *self.nodes[waiting[-1]])
                continue
            open_.pop()
            if open_:
                above = open_[-1][0]
                low[above] = min(low[above], low[place])
            if low[place] == order[place]:
                self._close(place, ring)

    def _close(self, place: Place, ring: list[Place]) -> None:
        """A ring is complete: everything in it reaches what any of it reaches."""
        members, bits = [ring.pop()], 0
        while members[-1] != place:
            members.append(ring.pop())
        for one in members:
            found = self.found[one]
            if found.changes:
                bits |= 1 << len(self.changed)
                self.changed.append(one)
            for item in found.below:
                bits |= self.reached.get(self.place(item.old, item.new), 0)
        self.reached.update(dict.fromkeys(members, bits))
