"""Asks before a release is served whether it fits together, and whether its vectors fit the indexes that are there.

What was found when it was released is not believed: the contracts are read again by the ids that the release pins.
"""

from __future__ import annotations

from lockstep.core.contract.edges import edges
from lockstep.core.contract.index import Embedder, index_findings, unsaid
from lockstep.core.contract.weigh import edge_findings
from lockstep.core.environment import BINDINGS_FILE, Environment
from lockstep.core.errors import Refused, refuse_if
from lockstep.core.release import Release
from lockstep.core.version import Version
from lockstep.verbs.contracts import read_contracts
from lockstep.verbs.workspace import Workspace


def refuse_unfitting(workspace: Workspace, version: Version) -> Embedder:
    """A release of which every caller gets what it needs of what it calls, as far as its vectors are concerned.

    Raises:
        Refused: somebody does not, or a contract is not what the release pins, or not in this clone.
    """
    release = workspace.state.release(version)
    contracts = read_contracts(workspace.repository, release.inputs, release)
    found = edge_findings(edges(contracts, workspace.state.bundle.contracts.levels))
    refuse_if(found, f"release {version} does not fit together")
    return Embedder(version, contracts.promised, release.calls)


def refuse_other_index(workspace: Workspace, environment: Environment, target: Embedder) -> None:
    """Nothing when a release finds an index for each of its embeddings where it shall serve.

    Raises:
        Refused: it does not.
    """
    state = workspace.state
    front = environment.front.release if environment.front else None
    served = None
    if front is not None and front in state.versions:
        served = last_served(workspace, state.release(front))
    path = f"releases/{environment.name}/{BINDINGS_FILE}"
    found = index_findings(path, environment.bindings, target, served)
    refuse_if(found, f"{target.version} would ask an index that was built with another embedding in {environment.name}")
    for note in unsaid(target, served, environment.bindings):
        workspace.say(f"note: {note}")


def last_served(workspace: Workspace, release: Release) -> Embedder | None:
    """What serves, as far as its vectors are concerned; None, said aloud, where its contracts cannot be read: declared
    indexes decide then.
    """
    try:
        contracts = read_contracts(workspace.repository, release.inputs, release)
    except Refused as error:
        for finding in error.findings:
            workspace.say(f"warning: of release {release.version}, which serves: {finding.where}: {finding.what}")
        return None
    return Embedder(release.version, contracts.promised, release.calls)
