"""What the cluster held after each event: the front, and which instances were there and ready."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kit.record import Event

FRONT = "front"


@dataclass(frozen=True)
class State:
    """Objects by kind and name.

    Args:
        objects: Their facts.
        had_front: Whether there was a front at any moment before.
        had_endpoints: Whether the front itself ever had a ready endpoint; a new Service has none for a moment.
    """

    objects: Mapping[tuple[str, str], Mapping[str, Any]] = field(default_factory=dict)
    had_front: bool = False
    had_endpoints: bool = False

    @property
    def root(self) -> str:
        """What the front names; empty without a front."""
        return str(self.objects.get(("Service", FRONT), {}).get("root", ""))

    @property
    def serves(self) -> frozenset[str]:
        """The instances that the front says it needs."""
        return frozenset(self.objects.get(("Service", FRONT), {}).get("serves", ()))

    def has_service(self, name: str) -> bool:
        """Whether a Service of this name is there."""
        return ("Service", name) in self.objects

    def ready(self, instance: str) -> int:
        """Ready pods of an instance's Deployment; 0 if it is absent."""
        return int(self.objects.get(("Deployment", instance), {}).get("ready", 0))

    def endpoints(self, service: str) -> int:
        """Ready endpoints of a Service over all of its slices."""
        slices = (item for (kind, _), item in self.objects.items() if kind == "EndpointSlice")
        return sum(int(item.get("ready", 0)) for item in slices if item.get("service") == service)


def states(events: Iterable[Event]) -> Iterator[tuple[Event, State]]:
    """Each event, by version, with the state that it left; from the first moment on at which every kind was listed.

    A kind's first list is a state of its own version: before the latest of the first lists nobody knows everything.
    """
    ordered = sorted(events, key=lambda event: event.version)
    first: dict[str, int] = {}
    for event in ordered:
        if event.change == "LISTED":
            first.setdefault(event.kind, event.version)
    begins = max(first.values(), default=0)
    objects: dict[tuple[str, str], Mapping[str, Any]] = {}
    had_front, had_endpoints = False, False
    for position, event in enumerate(ordered):
        key = (event.kind, event.name)
        if event.change == "DELETED":
            objects.pop(key, None)
        else:
            objects[key] = event.facts
        is_whole = event.version > begins or _is_last_of(ordered, position, begins)
        if is_whole:
            yield event, State(dict(objects), had_front, had_endpoints)
        had_front |= ("Service", FRONT) in objects
        had_endpoints |= event.kind == "EndpointSlice" and State({key: objects.get(key, {})}).endpoints(FRONT) > 0


def _is_last_of(ordered: list[Event], position: int, version: int) -> bool:
    """Whether the event is the last one up to a version: with it, the lists are complete."""
    follows = ordered[position + 1].version if position + 1 < len(ordered) else version + 1
    return ordered[position].version <= version < follows
