"""From what the API server answers to values: one function per kind, and no field believed to be there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from lockstep.core.cluster.pods import gone_wrong, parse_pod
from lockstep.core.cluster.quantity import Amounts, amounts, minus, most, plus
from lockstep.core.cluster.state import (
    AgentState,
    ClusterState,
    FrontState,
    GateAnswer,
    GateState,
    InstanceState,
    NodeState,
    Reason,
    Trouble,
)  # fmt: skip
from lockstep.core.environment import INSTANCE, RELEASE, SERVES
from lockstep.core.fields import at, mappings
from lockstep.core.names import InstanceId
from lockstep.core.render import Object

Lists = Mapping[str, Sequence[Object]]
"""Objects by the plural of their kind: pods, deployments, services, endpointslices, jobs, configmaps,
horizontalpodautoscalers, networkpolicies, applications, kustomizations; nodes and everypod (the pods of all namespaces)
where capacity is asked for."""
GATE = "lockstep.dev/gate"
_REVISION = re.compile(r"(?:.*[:/@])?(?P<sha>[0-9a-f]{40}(?:[0-9a-f]{24})?)")
_OURS = ("deployments", "services", "configmaps", "horizontalpodautoscalers", "networkpolicies")


def parse_state(cluster: str, namespace: str, lists: Lists, notes: Iterable[str] = ()) -> ClusterState:
    """The state that some lists of objects describe.

    Args:
        cluster: Its address.
        namespace: Whose objects these are.
        lists: What was asked for; a kind that is absent was not.
        notes: What could not be asked for.
    """
    labelled = [(_label(item, INSTANCE), item) for kind in _OURS for item in _plain(lists, kind)]
    names = {*(name for name, _ in labelled), *(_label(pod, INSTANCE) for pod in _plain(lists, "pods"))} - {None}
    return ClusterState(
        cluster=cluster,
        namespace=namespace,
        instances={name: _instance(name, labelled, lists) for name in sorted(filter(None, names))},
        gates={state.root: state for job in _plain(lists, "jobs") if (state := _gate(job, lists))},
        front=_front(lists),
        others=tuple(item for name, item in labelled if name is None and at(item, "metadata", "name") != "front"),
        agents=tuple(_agents(namespace, lists)),
        nodes=parse_nodes(lists["nodes"], lists["everypod"]) if "nodes" in lists and "everypod" in lists else None,
        notes=tuple(notes),
    )


def parse_nodes(nodes: Iterable[Object], pods: Iterable[Object]) -> tuple[NodeState, ...]:
    """The nodes that take pods, and what every pod leaves of each."""
    taken: dict[str, list[Amounts]] = {}
    for pod in pods:
        if at(pod, "status", "phase") not in {"Succeeded", "Failed"}:
            taken.setdefault(str(at(pod, "spec", "nodeName")), []).append(requests_of(at(pod, "spec")))
    found = []
    for node in nodes:
        name = str(at(node, "metadata", "name"))
        if _takes_pods(node):
            free = minus(amounts(at(node, "status", "allocatable")), plus(taken.get(name, [])))
            found.append(NodeState(name, dict(at(node, "metadata", "labels") or {}), free, _taints(node)))
    return tuple(sorted(found, key=lambda node: node.name))


def requests_of(spec: Any) -> Amounts:
    """What a pod takes of its node, the pod itself counted: its containers together, or the largest init container.

    Source: Kubernetes, "Init containers", resource sharing within containers.
    """
    asked = [_asked(one) for one in mappings(spec, "containers")]
    sidecars = [one for one in mappings(spec, "initContainers") if at(one, "restartPolicy") == "Always"]
    total = plus([*asked, *map(_asked, sidecars)])
    for one in mappings(spec, "initContainers"):
        total = most(total, _asked(one))
    return plus((total, amounts(at(spec, "overhead")), {"pods": 1000}))


def _asked(container: Any) -> Amounts:
    """Requests; a limit stands for a request that is not given."""
    return {
        **amounts(at(container, "resources", "limits")),
        **amounts(at(container, "resources", "requests")),
    }


def _takes_pods(node: Object) -> bool:
    ready = any(one.get("type") == "Ready" and one.get("status") == "True" for one in _conditions(node))
    return ready and not at(node, "spec", "unschedulable")


def _taints(node: Object) -> tuple[str, ...]:
    taints = mappings(at(node, "spec"), "taints")
    return tuple(sorted(str(one.get("key")) for one in taints if one.get("effect") != "PreferNoSchedule"))


def _instance(name: InstanceId, labelled: list[tuple[InstanceId | None, Object]], lists: Lists) -> InstanceState:
    objects = tuple(item for label, item in labelled if label == name)
    deployment = next((item for item in objects if item.get("kind") == "Deployment"), None)
    pods = tuple(parse_pod(pod) for pod in _plain(lists, "pods") if _label(pod, INSTANCE) == name)
    wanted = at(deployment, "spec", "replicas")
    refused = [
        Trouble(Reason.REFUSED, str(one.get("message")))
        for one in _conditions(deployment or {})
        if one.get("type") == "ReplicaFailure" and one.get("status") == "True"
    ]
    return InstanceState(name, int(wanted) if wanted is not None else None, pods, objects, tuple(refused))


def _gate(job: Object, lists: Lists) -> GateState | None:
    root = _label(job, GATE)
    if root is None:
        return None
    pods = tuple(parse_pod(pod) for pod in _plain(lists, "pods") if _label(pod, GATE) == root)
    names = tuple(pod.name for pod in pods)
    for one in _conditions(job):
        if one.get("status") == "True" and one.get("type") in {"Complete", "Failed"}:
            passed = one["type"] == "Complete"
            words = "" if passed else f"{one.get('reason')}: {one.get('message')}"
            return GateState(root, GateAnswer.PASSED if passed else GateAnswer.FAILED, words, names, (job,))
    troubles = [trouble.words for pod in pods for trouble in gone_wrong(pod)]
    return GateState(root, GateAnswer.RUNNING, "; ".join(troubles), names, (job,))


def _front(lists: Lists) -> FrontState | None:
    for service in _plain(lists, "services"):
        if at(service, "metadata", "name") == "front":
            notes = at(service, "metadata", "annotations") or {}
            serves = str(notes.get(SERVES, ""))
            root = _instance_id(at(service, "spec", "selector", INSTANCE))
            named = tuple(filter(None, serves.split(",")))
            return FrontState(root, str(notes.get(RELEASE, "")), named, tuple(sorted(_endpoints(lists))), (service,))
    return None


def _endpoints(lists: Lists) -> Iterator[str]:
    """Names of the pods that the front sends requests to."""
    for piece in _plain(lists, "endpointslices"):
        if at(piece, "metadata", "labels", "kubernetes.io/service-name") == "front":
            for endpoint in mappings(piece, "endpoints"):
                if at(endpoint, "conditions", "ready") is not False:
                    yield str(at(endpoint, "targetRef", "name"))


def _agents(namespace: str, lists: Lists) -> Iterator[AgentState]:
    for one in _plain(lists, "applications"):
        if at(one, "spec", "destination", "namespace") == namespace:
            yield _application(one)
    for one in _plain(lists, "kustomizations"):
        yield _kustomization(one)


def _application(one: Object) -> AgentState:
    """Source: Argo CD v3.5, api argoproj.io/v1alpha1: `sync.revision` was compared, `syncResult.revision` applied."""
    status = at(one, "status") or {}
    sync, operation = str(at(status, "sync", "status") or "Unknown"), at(status, "operationState") or {}
    applied = at(status, "sync", "revision") if sync == "Synced" else at(operation, "syncResult", "revision")
    words = [str(item.get("message")) for item in mappings(status, "conditions")]
    if at(operation, "phase") not in {None, "Succeeded"}:
        words.append(str(at(operation, "message")))
    health = str(at(status, "health", "status") or "")
    return AgentState("Application", _name(one), _revision(applied), sync, health, "; ".join(words))


def _kustomization(one: Object) -> AgentState:
    """Source: kustomize-controller v1.9, api kustomize.toolkit.fluxcd.io/v1."""
    ready: Object = next((item for item in _conditions(one) if item.get("type") == "Ready"), {})
    is_ready = ready.get("status") == "True"
    words = "" if is_ready else str(ready.get("message") or "it has not been looked at yet")
    sync = "Ready" if is_ready else str(ready.get("reason") or "Unknown")
    return AgentState("Kustomization", _name(one), _revision(at(one, "status", "lastAppliedRevision")), sync, "", words)


def _revision(text: Any) -> str:
    """The commit in `main@sha1:…`; empty for anything else."""
    match = _REVISION.fullmatch(str(text or ""))
    return match["sha"] if match else ""


def _plain(lists: Lists, kind: str) -> Sequence[Object]:
    return lists.get(kind, ())


def _conditions(item: Object) -> list[Any]:
    return mappings(at(item, "status"), "conditions")


def _name(item: Object) -> str:
    return str(at(item, "metadata", "name"))


def _label(item: Object, label: str) -> InstanceId | None:
    return _instance_id(at(item, "metadata", "labels", label))


def _instance_id(text: Any) -> InstanceId | None:
    return InstanceId(text) if isinstance(text, str) and InstanceId.pattern.fullmatch(text) else None
