"""What a scenario leaves to be judged: what the cluster did, what came back, what the scenario did. On one clock.

The clock is CLOCK_MONOTONIC, the same for every process of the machine. The order of the cluster's events is their
resourceVersion: one counter for all kinds, comparable as integers since Kubernetes 1.35.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from demo.answers import Answer


@dataclass(frozen=True)
class Event:
    """One change of one object.

    Args:
        at_ns: When the watcher received it.
        version: The object's resourceVersion; of a list, the list's.
        kind: As in Kubernetes: Service, EndpointSlice, Deployment, Pod, Job, Application, Kustomization.
        name: Of the object.
        change: LISTED (what was there when the watch began), ADDED, MODIFIED, DELETED.
        facts: What matters of it; see kit/facts.py.
    """

    at_ns: int
    version: int
    kind: str
    name: str
    change: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Mark:
    """One step of the scenario itself: what it did and when it was done."""

    at_ns: int
    what: str


@dataclass(frozen=True)
class Record:
    """Everything about one scenario; events by version, answers by when they began."""

    events: tuple[Event, ...] = ()
    answers: tuple[Answer, ...] = ()
    marks: tuple[Mark, ...] = ()


def write_lines(path: Path, values: Iterable[Event | Answer | Mark]) -> None:
    """Appends values to a file, one JSON object per line."""
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(value), separators=(",", ":")) + "\n" for value in values)


def read_answers(path: Path) -> tuple[Answer, ...]:
    """The answers of a file of lines; a last line that was cut is left out."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.endswith("\n"):
            data = json.loads(line)
            found.append(Answer(**{**data, "lines": tuple(data["lines"])}))
    return tuple(sorted(found, key=lambda answer: answer.began_ns))


def read_events(path: Path) -> tuple[Event, ...]:
    """The events of a file of lines, by version."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return tuple(sorted((Event(**json.loads(line)) for line in lines), key=lambda event: event.version))
