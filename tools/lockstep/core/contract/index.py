"""The indexes of an environment, and whether what shall serve there finds one that was built with its embedding."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lockstep.core.bindings import Bindings, Index
from lockstep.core.contract.contract import Contract
from lockstep.core.contract.embedding import Embedding
from lockstep.core.contract.fields import embeddings_of
from lockstep.core.contract.reindex import callers_of
from lockstep.core.document import format_flow
from lockstep.core.errors import Finding
from lockstep.core.inputs import Calls
from lockstep.core.names import ComponentName
from lockstep.core.version import Version

Promised = Mapping[ComponentName, Contract]


@dataclass(frozen=True)
class Embedder:
    """A release as far as its vectors are concerned.

    Args:
        version: Its version.
        promised: What each component promises.
        calls: Who calls whom.
    """

    version: Version
    promised: Promised
    calls: Calls


def index_findings(path: str, bindings: Bindings, target: Embedder, served: Embedder | None) -> Iterator[Finding]:
    """Why a release would ask indexes that were built with another embedding.

    Where indexes are declared for a component, one of them must have been built with its embedding; where none is,
    its embedding must be that of the release that served last: the index is then the one that was there.

    Args:
        path: The environment's bindings.yaml, for the message.
        bindings: What it holds.
        target: What shall serve.
        served: What serves, or served last; None if nothing did.
    """
    for name, contract in target.promised.items():
        before = embeddings_of(served.promised[name]) if served and name in served.promised else ()
        declared = tuple(one for one in bindings.indexes if one.built_with.component == name)
        for wanted in embeddings_of(contract):
            if not _has_index(wanted, declared, before):
                yield _finding(path, name, wanted, target, _why(declared, served, before))


def _has_index(wanted: Embedding, declared: tuple[Index, ...], before: tuple[Embedding, ...]) -> bool:
    """Whether an index fits; where none is declared, whether nothing that is known of both has changed."""
    if declared:
        return any(one.built_with.embedding.fits(wanted) for one in declared)
    return not before or any(one.fits(wanted) or wanted.fits(one) for one in before)


def _why(declared: tuple[Index, ...], served: Embedder | None, before: tuple[Embedding, ...]) -> str:
    if declared:
        return "; ".join(f"the index `{one.name}` was built with {one.built_with.embedding}" for one in declared)
    version = served.version if served else "nothing"
    return (
        f"release {version} embeds with {' and with '.join(map(str, before))}, and no index of its vectors is declared"
    )


def _finding(path: str, name: ComponentName, wanted: Embedding, target: Embedder, why: str) -> Finding:
    callers = ", ".join(callers_of(name, target.calls)) or "nobody"
    what = f"release {target.version} embeds with {wanted}; {why}; it would be asked by {callers}"
    line = f"indexes: [{{name: documents, built_with: {format_flow({'component': name, **wanted.stated})}}}]"
    fix = (
        f"stage the release, have its {name} build an index of all documents (or find the one that it built before), "
        f"then write into {path}: {line}"
    )
    return Finding("contract/index", path, what, fix, name)


def unsaid(target: Embedder, served: Embedder | None, bindings: Bindings) -> Iterator[str]:
    """Notes on components of which one side does not say what it embeds with: nothing is checked there."""
    for name, contract in target.promised.items():
        before = embeddings_of(served.promised[name]) if served and name in served.promised else ()
        declared = [one for one in bindings.indexes if one.built_with.component == name]
        says = embeddings_of(contract)
        if (before or declared) and not says:
            silent = target.version
        elif served and name in served.promised and says and not before and not declared:
            silent = served.version
        else:
            continue
        yield f"release {silent} does not say what {name} embeds with: nobody can tell whether its index fits"
