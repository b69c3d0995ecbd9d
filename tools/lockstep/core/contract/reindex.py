"""Vectors of two models do not mix: when what makes them changes, every index of them must be built anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lockstep.core.contract.contract import Contract
from lockstep.core.contract.embedding import Embedding
from lockstep.core.contract.fields import embeddings_of
from lockstep.core.inputs import Calls
from lockstep.core.model import Value
from lockstep.core.names import ComponentName


class Reindex(Value):
    """An embedding that changed.

    Args:
        component: What makes the vectors.
        old: What they were made with.
        new: What they are made with now; None if the contract does not say it any more.
        affected: Everybody who calls it, directly or through others, up to the entry; sorted.
    """

    component: ComponentName
    old: Embedding
    new: Embedding | None
    affected: tuple[ComponentName, ...]

    @property
    def change(self) -> str:
        """What differs: `model minilm -> e5, dimension 384 -> 768`."""
        old, new = self.old.stated, self.new.stated if self.new else {}
        keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
        return ", ".join(f"{key} {_said(old.get(key))} -> {_said(new.get(key))}" for key in keys)

    @property
    def sentence(self) -> str:
        """What it means, in one line."""
        callers = f"; {', '.join(self.affected)} must read a new index" if self.affected else ""
        return f"the embedding changed ({self.change}): a reindex is needed{callers}"


def _said(value: object) -> str:
    return "not said" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def reindexes(
    old: Mapping[ComponentName, Contract], new: Mapping[ComponentName, Contract], calls: Calls
) -> tuple[Reindex, ...]:
    """Every embedding of `old` that its component does not have in `new`, sorted. What is gone needs no index.

    What was not said before is unknown: saying it for the first time changes nothing.
    """
    return tuple(
        Reindex(component=name, old=one, new=now, affected=callers_of(name, calls))
        for name in sorted(old.keys() & new.keys())
        for one, now in _moved(embeddings_of(old[name]), embeddings_of(new[name]))
    )


def _moved(old: tuple[Embedding, ...], new: tuple[Embedding, ...]) -> Iterator[tuple[Embedding, Embedding | None]]:
    fresh = [one for one in new if not any(one.fits(before) for before in old)]
    for before in old:
        if not any(one.fits(before) for one in new):
            yield before, fresh.pop(0) if fresh else None


def callers_of(name: ComponentName, calls: Calls) -> tuple[ComponentName, ...]:
    """Everybody who calls a component, directly or through others, sorted."""
    reached = [name]
    for callee in reached:
        reached += [caller for caller in sorted(calls) if callee in calls[caller] and caller not in reached]
    return tuple(sorted(reached[1:]))
