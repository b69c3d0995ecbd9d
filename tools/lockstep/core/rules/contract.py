"""Step 4 for contracts: what callers in a release need is what they get; and step 9 for indexes: what serves finds one
that was built with its embedding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from lockstep.core.contract.contract import Contract
from lockstep.core.contract.edges import Call, Contracts, Edge, edge_of
from lockstep.core.contract.finding import ContractFinding, Level
from lockstep.core.contract.index import Embedder, index_findings
from lockstep.core.contract.pinned import Texts, component_contracts
from lockstep.core.contract.weigh import finding_text
from lockstep.core.environment import BINDINGS_FILE, Environment
from lockstep.core.errors import Finding, LockstepError, Refused
from lockstep.core.inputs import Input, InputKind
from lockstep.core.names import ComponentName
from lockstep.core.release import Release
from lockstep.core.version import Version


@dataclass(frozen=True)
class Known:
    """What is known of the contracts of one release.

    Args:
        release: The release.
        contracts: Its contracts, as far as they can be read.
        edges: Its calls, as far as both ends can be read.
        unread: Why others cannot.
    """

    release: Release
    contracts: Contracts
    edges: tuple[Edge, ...]
    unread: tuple[Finding, ...]

    @property
    def embedder(self) -> Embedder:
        """The release as far as its vectors are concerned."""
        return Embedder(self.release.version, self.contracts.promised, self.release.calls)


Own = tuple[Contract, Mapping[ComponentName, Contract]]
Key = tuple[ComponentName, tuple[Input, ...], str, tuple[tuple[ComponentName, str], ...]]


def known_contracts(releases: Iterable[Release], texts: Texts, levels: Mapping[str, Level]) -> dict[Version, Known]:
    """What is known of the contracts of some releases. What many of them pin alike is read and judged once."""
    read: dict[Key, Own | Refused] = {}
    judged: dict[tuple[int, int], tuple[ContractFinding, ...]] = {}
    return {release.version: _known(release, texts, levels, (read, judged)) for release in releases}


_Seen = tuple[dict[Key, Own | Refused], dict[tuple[int, int], tuple[ContractFinding, ...]]]


def _known(release: Release, texts: Texts, levels: Mapping[str, Level], seen: _Seen) -> Known:
    promised: dict[ComponentName, Contract] = {}
    uses: dict[Call, Contract] = {}
    unread: list[Finding] = []
    for name, items in sorted(release.inputs.items()):
        own = _read(release, name, items, texts, seen[0])
        if isinstance(own, Refused):
            unread += own.findings
        else:
            promised[name] = own[0]
            uses |= {(name, callee): use for callee, use in own[1].items()}
    edges = tuple(
        _edge(call, promised[call[1]], use, levels, seen[1])
        for call, use in sorted(uses.items(), key=lambda item: item[0])
        if call[1] in promised
    )
    return Known(release, Contracts(promised, uses), edges, tuple(unread))


def _read(
    release: Release, name: ComponentName, items: tuple[Input, ...], texts: Texts, read: dict[Key, Own | Refused]
) -> Own | Refused:
    pinned = release.components.get(name)
    if pinned is None:
        return Refused("", ())  # release/calls says that
    of = tuple(item for item in items if item.kind in {InputKind.CONFIG, InputKind.CONTRACT})
    key = (name, of, pinned.contract, tuple(sorted(pinned.calls.items())))
    if key not in read:
        try:
            read[key] = component_contracts(name, items, texts, release)
        except Refused as error:
            read[key] = error
    return read[key]


def _edge(
    call: Call,
    promised: Contract,
    use: Contract,
    levels: Mapping[str, Level],
    judged: dict[tuple[int, int], tuple[ContractFinding, ...]],
) -> Edge:
    key = (id(promised), id(use))
    if key not in judged:
        judged[key] = edge_of(call, promised, use, levels).findings
    return Edge(*call, use.path, promised.path, judged[key])


def contract_findings(path: str, known: Known) -> Iterator[Finding]:
    """Step 4: a contract that cannot be read, and every call of which an end does not fit.

    Args:
        path: The release's file.
        known: What is known of its contracts.
    """
    at = f"at {known.release.commit[:10]}"
    for one in known.unread:
        yield Finding("contract/text", path, f"{one.where} {at}: {one.what}", one.fix, one.component)
    for edge in known.edges:
        for found in edge.findings:
            if found.level is Level.ERR:
                places = f"{found.provider}, needed at {found.needed}, both {at}"
                what = f"{edge.caller} calls {edge.callee}: {finding_text(found)} ({places})"
                fix = f"serve another release; {found.fix}, and release a new version"
                yield Finding("contract/edge", path, what, fix, edge.caller)


def unasked_indexes(environment: Environment, known: Mapping[Version, Known]) -> Iterator[str]:
    """A note, if the contracts of what serves cannot be read, so that nobody can tell whether its index fits."""
    front = environment.front
    unread = known[front.release].unread if front and front.release in known else ()
    for one in unread[:1]:
        yield f"whether the indexes of {environment.name} fit: {one.where}: {one.what}; {one.fix}"


def environment_index_findings(
    environment: Environment, known: Mapping[Version, Known], before: Version | None
) -> Iterator[Finding]:
    """Step 9: what the front names finds an index for each of its embeddings.

    Args:
        environment: The environment.
        known: The contracts of what the front names, and of what it named before.
        before: That release, where the front just moved; None otherwise: then declared indexes decide.
    """
    front = environment.front
    if front is None or front.release not in known:
        return
    try:
        bindings = environment.bindings
    except (LockstepError, UnicodeDecodeError):
        return  # bindings/field and environment/yaml say that
    served = known[before].embedder if before and before in known else None
    path = f"releases/{environment.name}/{BINDINGS_FILE}"
    yield from index_findings(path, bindings, known[front.release].embedder, served)
