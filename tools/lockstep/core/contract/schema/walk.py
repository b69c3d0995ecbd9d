"""Both sides' schemas looked at place by place: every change once, and from each place the changes below it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from lockstep.core.contract.contract import Node
from lockstep.core.contract.schema.change import Change
from lockstep.core.contract.schema.keywords import keyword_changes
from lockstep.core.contract.schema.properties import property_changes
from lockstep.core.contract.schema.structure import Two, below, discriminator_changes, structure_changes
from lockstep.core.contract.schema.view import Key

Place = tuple[Key, Key]


class Below(NamedTuple):
    """A place below another one and the way there."""

    way: str
    old: Node
    new: Node


@dataclass(frozen=True)
class Found:
    """What changed at one place, and the places below it."""

    changes: tuple[Change, ...]
    below: tuple[Below, ...]


@dataclass
class Walk:
    """The places of one direction; each is looked at once, however often it is referred to."""

    two: Two
    is_request: bool
    found: dict[Place, Found] = field(default_factory=dict)
    quiet: set[Place] = field(default_factory=set)

    def place(self, old: Node, new: Node) -> Place:
        """The same for the same schemas, however they were referred to."""
        return (self.two.old.of(old).key, self.two.new.of(new).key)

    def look(self, old: Node, new: Node) -> Found:
        """What changed at one place."""
        place = self.place(old, new)
        if place not in self.found:
            one, other = self.two.old.of(old), self.two.new.of(new)
            if one.is_never or other.is_never:
                self.found[place] = Found(tuple(keyword_changes(one, other)), ())
            else:
                changes = [
                    *keyword_changes(one, other),
                    *structure_changes(self.two, one, other),
                    *property_changes(self.two, one, other, is_request=self.is_request),
                    *discriminator_changes(one, other),
                ]
                self.found[place] = Found(tuple(changes), tuple(Below(*item) for item in below(self.two, one, other)))
        return self.found[place]

    def changes(self, old: Node, new: Node) -> list[tuple[str, Place, Change]]:
        """Every change at and below a place with the way there; a place that is reached twice is told once."""
        root = self.place(old, new)
        if root in self.quiet:
            return []
        told: list[tuple[str, Place, Change]] = []
        seen = {root}
        waiting = [("", old, new)]
        for way, one, other in waiting:
            place = self.place(one, other)
            found = self.look(one, other)
            told += [(way, place, change) for change in found.changes]
            for item in found.below:
                next_place = self.place(item.old, item.new)
                if next_place not in seen and next_place not in self.quiet:
                    seen.add(next_place)
                    waiting.append((f"{way}/{item.way}" if way else item.way, item.old, item.new))
        if not told:
            self.quiet |= seen
        return told
