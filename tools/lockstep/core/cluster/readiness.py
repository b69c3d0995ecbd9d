"""What of a set of instances is not ready, and why, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from lockstep.core.cluster.state import ClusterState, InstanceState, Reason, Trouble
from lockstep.core.environment import Environment
from lockstep.core.errors import Finding
from lockstep.core.names import InstanceId


def readiness(environment: Environment, state: ClusterState, names: Iterable[InstanceId]) -> tuple[Finding, ...]:
    """Why instances are not as ready as Git asks: one finding for each reason; none when all of them are.

    An instance of which Git wants no pod (standby) is ready once the cluster has it.

    Args:
        environment: What Git has.
        state: What the cluster has.
        names: Which instances; all of them must be in the environment.
    """
    if not state.exists:
        return (absent_namespace(state),)
    chosen = sorted(set(names))
    return tuple(sorted(finding for name in chosen for finding in _of_instance(environment, state, name)))


def absent_namespace(state: ClusterState) -> Finding:
    """That the cluster lacks the environment's namespace."""
    what = f"the cluster has no namespace {state.namespace}; is it the right cluster?"
    fix = f"kubectl config current-context, or install charts/gitops: kubectl create namespace {state.namespace}"
    return Finding("cluster/namespace", f"{state.cluster}, namespace {state.namespace}", what, fix)


def _of_instance(environment: Environment, state: ClusterState, name: InstanceId) -> Iterator[Finding]:
    found, wanted = state.instance(name), environment.instances[name].replicas
    where = f"namespace {state.namespace}, deployment {name}"
    if found.wanted is None:
        yield Finding("cluster/absent", where, _not_there(state, name), agent_fix(state), name.component)
        return
    missing = max(wanted, min(found.wanted, 1)) - found.ready if wanted else 0
    if missing > 0:
        count = f"{found.ready} of {wanted} pods are ready"
        for trouble in worst_troubles(found):
            yield _of_trouble(_Place(state.namespace, name, where, count), trouble)


def _not_there(state: ClusterState, name: InstanceId) -> str:
    unhappy = [f"{agent.kind} {agent.name} is {agent.sync}: {agent.words}" for agent in state.agents if agent.words]
    said = f" ({'; '.join(unhappy)})" if unhappy else ""
    return f"{name} is not in the cluster: its agent has not applied the commit that adds it{said}"


def agent_fix(state: ClusterState) -> str:
    """How to see why an agent has not applied what Git says."""
    if not state.agents:
        return f"no agent serves the namespace: install charts/gitops, or kubectl get pods -n {state.namespace}"
    first = state.agents[0]
    place = "argocd" if first.kind == "Application" else state.namespace
    return f"git push, then see: kubectl -n {place} describe {first.kind.lower()} {first.name}"


def worst_troubles(found: InstanceState) -> tuple[Trouble, ...]:
    """One trouble for each reason that keeps pods of an instance from being ready, worst first."""
    all_of_them = [*found.troubles, *(trouble for pod in found.pods for trouble in pod.troubles)]
    worst: dict[Reason, Trouble] = {}
    for trouble in all_of_them:
        if trouble.reason not in worst or trouble.restarts > worst[trouble.reason].restarts:
            worst[trouble.reason] = trouble
    if len(worst) > 1:
        worst.pop(Reason.STARTING, None)
    ordered = tuple(worst[reason] for reason in Reason if reason in worst)
    return ordered or (Trouble(Reason.STARTING, "the cluster has not made its pods yet"),)


@dataclass(frozen=True)
class _Place:
    namespace: str
    name: InstanceId
    where: str
    count: str


def _of_trouble(place: _Place, trouble: Trouble) -> Finding:
    component, space = place.name.component, place.namespace
    what = f"{place.name}: {place.count}; {f'{trouble.pod}: ' if trouble.pod else ''}{trouble.words}"
    describe = f"kubectl -n {space} describe pod {trouble.pod}"
    logs = f"kubectl -n {space} logs {trouble.pod} -c {trouble.container} --previous"
    if trouble.reason is Reason.IMAGE:
        return Finding("cluster/image", place.where, what, f"lockstep push VERSION, then see: {describe}", component)
    if trouble.reason is Reason.CRASH:
        return Finding("cluster/crash", place.where, what, f"see what it said: {logs}", component)
    if trouble.reason is Reason.UNSCHEDULABLE:
        fix = f"free room (lockstep retire), add a node, or see: {describe}"
        return Finding("cluster/unschedulable", place.where, what, fix, component)
    if trouble.reason is Reason.CONFIG:
        return Finding("cluster/config", place.where, what, f"see: {describe}", component)
    if trouble.reason is Reason.REFUSED:
        fix = f"see: kubectl -n {space} describe deployment {place.name}"
        return Finding("cluster/refused", place.where, what, fix, component)
    fix = f"wait, or see: {describe if trouble.pod else f'kubectl -n {space} get pods'}"
    return Finding("cluster/starting", place.where, what, fix, component)
