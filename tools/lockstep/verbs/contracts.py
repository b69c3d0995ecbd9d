"""Reads the contracts of a set of components from Git, by the ids of their inputs; never from the working copy. Judges
a planned release by them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lockstep.adapters.git import Repository
from lockstep.core.contract.contract import Contract
from lockstep.core.contract.edges import Contracts, edges
from lockstep.core.contract.fields import embeddings_of
from lockstep.core.contract.pinned import contracts_of, texts_needed
from lockstep.core.contract.reindex import reindexes
from lockstep.core.contract.weigh import Asking, ContractChange, Judged, unread, weigh
from lockstep.core.errors import Refused
from lockstep.core.inputs import Comparison, InputKind, Inputs
from lockstep.core.names import ComponentName, GitOid
from lockstep.core.release import Release
from lockstep.core.source import Source


def read_contracts(repository: Repository, inputs: Inputs, release: Release | None = None) -> Contracts:
    """The contracts and use files that these inputs stand for.

    Args:
        repository: Where the texts are.
        inputs: What each component is made of, such as those of `load_source`, of a plan or of a release.
        release: The release whose inputs they are; its digests are compared.

    Raises:
        Refused: a text is not in this clone, is not what was pinned, or cannot be read.
    """
    return contracts_of(inputs, read_texts(repository, texts_needed(inputs)), release)


def read_texts(repository: Repository, oids: Sequence[GitOid]) -> dict[GitOid, bytes]:
    """Blobs by their ids, read at once; what is not in this clone is left out."""
    found = repository.blobs(oids) if oids else []
    return {oid: data for oid, data in zip(oids, found, strict=True) if data is not None}


@dataclass(frozen=True)
class Against:
    """What a planned release is compared with.

    Args:
        base: The release; None for the first.
        entry: The entry of what is planned; it is compared with the entry of the base, whatever its name was.
        changed: Components that are in both and of which a contract or use file changed.
        trained: Components whose weights changed.
        today: The day of the commit that is planned, such as 2030-01-31.
    """

    base: Release | None
    entry: ComponentName
    changed: tuple[ComponentName, ...]
    trained: tuple[ComponentName, ...]
    today: str | None

    @property
    def pairs(self) -> tuple[tuple[ComponentName, ComponentName], ...]:
        """Whose contract is compared with whose of the base."""
        if self.base is None:
            return ()
        moved = self.base.entry != self.entry
        own = [(name, name) for name in self.changed if name != self.entry]
        is_asked = moved or self.entry in self.changed
        return tuple(sorted([*own, *([(self.entry, self.base.entry)] if is_asked else [])]))


def against(base: Release | None, entry: ComponentName, comparison: Comparison, today: str | None) -> Against:
    """What the contracts of a planned release are compared with."""
    contracts, weights = comparison.of(InputKind.CONTRACT), comparison.of(InputKind.WEIGHTS)
    return Against(base, entry, contracts, weights, today)


def judge_plan(repository: Repository, source: Source, inputs: Inputs, old: Against) -> Judged:
    """What the contracts of a planned release say of it.

    Args:
        repository: Where the texts are.
        source: The bundle that is planned.
        inputs: What each component is made of; of one that is held, what it was made of.
        old: What it is compared with.

    Raises:
        Refused: a contract of what is planned cannot be read.
    """
    levels = source.bundle.contracts.levels
    fresh = {name: one for name, one in source.components.items() if inputs[name] == source.inputs[name]}
    now = contracts_of(inputs, read_texts(repository, texts_needed(inputs)), components=fresh)
    base = old.base.inputs if old.base else {}
    texts = read_texts(repository, texts_needed({name: base[name] for _, name in old.pairs}))
    changes: list[ContractChange] = []
    before: dict[ComponentName, Contract] = {}
    for name, counterpart in old.pairs:
        try:
            contract = contracts_of({counterpart: base[counterpart]}, texts).promised[counterpart]
        except Refused as error:
            changes.append(unread(name, error, is_entry=name == old.entry))
            continue
        before |= {name: contract} if name == counterpart else {}
        if contract.files != now.promised[name].files:
            asking = Asking(name, name == old.entry, levels, old.today)
            changes.append(weigh(now.promised[name], contract, asking))
    moved = reindexes(before, now.promised, source.calls)
    said = {one.component for one in moved}
    doubts = (name for name in old.trained if name not in said and embeddings_of(now.promised[name]))
    return Judged(edges(now, levels), tuple(changes), moved, tuple(doubts))
