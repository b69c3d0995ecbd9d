"""What a component is made of, and what changed between two releases: told by Git ids, so no file is read for it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from pydantic import Field

from lockstep.core.model import Value
from lockstep.core.names import ComponentName, GitOid

Inputs = Mapping[ComponentName, "tuple[Input, ...]"]
Calls = Mapping[ComponentName, tuple[ComponentName, ...]]


class InputKind(StrEnum):
    """The kinds of input, and the kinds of change that are not an input of their own."""

    CODE = "code"
    RUNTIME = "runtime"
    WEIGHTS = "weights"
    PROMPT = "prompt"
    CONFIG = "config"
    CONTRACT = "contract"
    CHART = "chart"
    CALLEE = "callee"
    ADDED = "added"
    REMOVED = "removed"


class Input(Value):
    """One thing a component is made of: its path in the bundle and the Git id of the blob or tree there; what is no
    file has a path with the file that names it, a blank and what it is, and of an image the digest's 64 characters.
    """

    kind: InputKind
    path: str
    oid: GitOid


class Change(Value):
    """One difference and why.

    Args:
        component: Whose instance gets another name by it.
        kind: What changed; `callee` when only something that it calls changed.
        path: The input's path; for a callee its name; empty for added and removed.
        old: Git id before, None if it was not there.
        new: Git id now, None if it is gone.
        because: For a callee: the component where the change began.
    """

    component: ComponentName
    kind: InputKind
    path: str = ""
    old: GitOid | None = None
    new: GitOid | None = None
    because: ComponentName | None = None


class Comparison(Value):
    """Changes, sorted by component, kind and path; equal inputs give none."""

    changes: tuple[Change, ...] = Field(default=())

    def of(self, *kinds: InputKind) -> tuple[ComponentName, ...]:
        """The components that have a change of one of these kinds, sorted, each once."""
        return tuple(sorted({change.component for change in self.changes if change.kind in kinds}))


def compare(old: Inputs, new: Inputs, calls: Calls) -> Comparison:
    """What changed from `old` to `new`, and what climbs the calls of `new` from there.

    A caller of a changed component changes as well (its callee's address does), naming the component where it began.
    """
    direct = [change for name in {*old, *new} for change in _direct(name, old.get(name), new.get(name))]
    return Comparison(changes=tuple(sorted([*direct, *_climb(direct, calls)], key=_order)))


def _order(change: Change) -> tuple[str, str, str, str]:
    return (change.component, change.kind, change.path, change.because or "")


def _direct(name: ComponentName, old: tuple[Input, ...] | None, new: tuple[Input, ...] | None) -> list[Change]:
    if old is None:
        return [Change(component=name, kind=InputKind.ADDED)]
    if new is None:
        return [Change(component=name, kind=InputKind.REMOVED)]
    before = {(entry.kind, entry.path): entry.oid for entry in old}
    after = {(entry.kind, entry.path): entry.oid for entry in new}
    return [
        Change(component=name, kind=kind, path=path, old=before.get((kind, path)), new=after.get((kind, path)))
        for kind, path in {*before, *after}
        if before.get((kind, path)) != after.get((kind, path))
    ]


def _climb(direct: list[Change], calls: Calls) -> list[Change]:
    callers: dict[ComponentName, set[ComponentName]] = {}
    for caller, callees in calls.items():
        for callee in callees:
            callers.setdefault(callee, set()).add(caller)
    origins = {change.component for change in direct}
    found: dict[tuple[ComponentName, ComponentName], Change] = {}
    for origin in sorted(origins):
        reached = [origin]
        for callee in reached:
            for caller in sorted(callers.get(callee, ())):
                if caller not in reached:
                    reached.append(caller)
                if (caller, callee) not in found and caller not in origins:
                    found[caller, callee] = Change(component=caller, kind=InputKind.CALLEE, path=callee, because=origin)
    return list(found.values())
