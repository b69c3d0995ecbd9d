"""Whether a front has moved: its gate answered, the Service names the root, and only pods of that root get requests."""

from __future__ import annotations

from collections.abc import Iterator

from lockstep.core.cluster.readiness import absent_namespace, agent_fix
from lockstep.core.cluster.state import ClusterState, GateAnswer
from lockstep.core.environment import Environment, Front
from lockstep.core.errors import Finding

_SECONDS = {"cluster/failed": 0, "cluster/image": 60, "cluster/crash": 60, "cluster/config": 60, "cluster/refused": 60}


def moving(environment: Environment, state: ClusterState) -> tuple[Finding, ...]:
    """Why what Git's front names does not serve yet; nothing once it does.

    Args:
        environment: What Git has; its front names what shall serve.
        state: What the cluster has.
    """
    if not state.exists:
        return (absent_namespace(state),)
    return tuple(_unmoved(environment.front, state)) if environment.front else ()


def give_up_seconds(finding: Finding) -> int | None:
    """For how long a finding may stand before waiting on is pointless; None for what waiting may cure: a node may come,
    a start may end, an agent may be slow.
    """
    return _SECONDS.get(finding.rule)


def _unmoved(front: Front, state: ClusterState) -> Iterator[Finding]:
    root, space = front.root, state.namespace
    gate, where = state.gates.get(root), f"namespace {space}, job gate-{root}"
    if gate is None:
        what = f"the gate of {root} is not in the cluster: its agent has not applied the commit that moves the front"
        yield Finding("cluster/gate", where, what, agent_fix(state), root.component)
    elif gate.answer is GateAnswer.RUNNING:
        what = f"the gate of {root} has not answered yet{f': {gate.words}' if gate.words else ''}"
        yield Finding(
            "cluster/gate", where, what, f"wait, or see: kubectl -n {space} logs job/gate-{root}", root.component
        )
    elif gate.answer is GateAnswer.FAILED:
        what = f"the gate of {root} failed, so the front stays where it is: {gate.words}"
        fix = f"see: kubectl -n {space} logs job/gate-{root}; take the promote back, or ask again: "
        fix += f"kubectl -n {space} delete job gate-{root}"
        yield Finding("cluster/failed", where, what, fix, root.component)
    yield from _elsewhere(front, state)


def _elsewhere(front: Front, state: ClusterState) -> Iterator[Finding]:
    live, root = state.front, front.root
    where = f"namespace {state.namespace}, service front"
    if live is None or (live.root, live.release) != (root, str(front.release)):
        named = f"names {live.root} of release {live.release}" if live else "is not there"
        what = f"the cluster's front {named}; Git says {root} of release {front.release}"
        yield Finding("cluster/front", where, what, agent_fix(state), root.component)
        return
    own = {pod.name for pod in state.instance(root).pods}
    others = sorted(set(live.ready) - own)
    if others or not live.ready:
        what = f"the front names {root}, and its requests go to {', '.join(others) or 'nobody'}"
        fix = f"wait, or see: kubectl -n {state.namespace} get endpointslices"
        yield Finding("cluster/endpoints", where, what, fix, root.component)
