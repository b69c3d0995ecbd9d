"""Reads the contracts of a set of components from Git, by the ids of their inputs; never from the working copy."""

from __future__ import annotations

from collections.abc import Sequence

from lockstep.adapters.git import Repository
from lockstep.core.contract.edges import Contracts
from lockstep.core.contract.pinned import contracts_of, texts_needed
from lockstep.core.inputs import Inputs
from lockstep.core.names import GitOid
from lockstep.core.release import Release


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
