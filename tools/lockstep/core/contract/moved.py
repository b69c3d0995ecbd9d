"""Which embeddings differ between two releases, told by the contracts that these pin."""

from __future__ import annotations

from lockstep.core.contract.contract import Contract
from lockstep.core.contract.pinned import Texts, component_contracts, texts_needed
from lockstep.core.contract.reindex import Reindex, reindexes
from lockstep.core.errors import Refused
from lockstep.core.inputs import Input, InputKind, Inputs
from lockstep.core.names import ComponentName, GitOid
from lockstep.core.release import Release


def texts_between(old: Release, new: Release) -> tuple[GitOid, ...]:
    """Git ids of the texts that `release_reindexes` reads; none where no contract changed."""
    names = _changed(old, new)
    return tuple(sorted({oid for side in (old, new) for oid in texts_needed(_only(side.inputs, names))}))


def release_reindexes(old: Release, new: Release, texts: Texts) -> tuple[Reindex, ...]:
    """Every embedding that changed from one release to another; what cannot be read is left out: verify says it."""
    names = _changed(old, new)
    return reindexes(_promised(old, names, texts), _promised(new, names, texts), new.calls)


def _changed(old: Release, new: Release) -> tuple[ComponentName, ...]:
    both = old.inputs.keys() & new.inputs.keys()
    return tuple(sorted(name for name in both if _contracts(old.inputs[name]) != _contracts(new.inputs[name])))


def _contracts(items: tuple[Input, ...]) -> frozenset[Input]:
    return frozenset(item for item in items if item.kind is InputKind.CONTRACT)


def _only(inputs: Inputs, names: tuple[ComponentName, ...]) -> Inputs:
    return {name: inputs[name] for name in names}


def _promised(release: Release, names: tuple[ComponentName, ...], texts: Texts) -> dict[ComponentName, Contract]:
    found: dict[ComponentName, Contract] = {}
    for name in names:
        try:
            found[name], _ = component_contracts(name, release.inputs[name], texts, release)
        except Refused:
            continue
    return found
