"""A cluster as an API server would tell it, made from what Git has: every object with defaults, every pod ready."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from lockstep.core.cluster.reading import parse_state
from lockstep.core.cluster.state import ClusterState
from lockstep.core.environment import Environment
from lockstep.core.errors import LockstepError
from lockstep.core.instance import Instance

Raw = dict[str, Any]
PLURALS = {
    "Deployment": "deployments", "Service": "services", "ConfigMap": "configmaps", "NetworkPolicy": "networkpolicies",
    "HorizontalPodAutoscaler": "horizontalpodautoscalers", "Job": "jobs",
}  # fmt: skip


@dataclass
class Live:
    """The lists of one namespace, to be changed by a test before it reads them."""

    lists: dict[str, list[Raw]]
    notes: list[str] = field(default_factory=list)

    def state(self) -> ClusterState:
        return parse_state("https://cluster:6443", "staging", self.lists, self.notes)

    def pods(self, instance: str) -> list[Raw]:
        return [one for one in self.lists["pods"] if instance in one["metadata"]["labels"].values()]

    def one(self, kind: str, name: str) -> Raw:
        return next(item for item in self.lists[kind] if item["metadata"]["name"] == name)

    def change_pods(self, instance: str, change: Callable[[Raw], None]) -> Live:
        for pod in self.pods(instance):
            change(pod)
        return self

    def without(self, instance: str) -> Live:
        for kind, items in self.lists.items():
            self.lists[kind] = [one for one in items if instance not in (one["metadata"].get("labels") or {}).values()]
        return self

    def nodes(self, *given: Raw) -> Live:
        """Nodes that take pods; what runs in the namespace runs there."""
        self.lists["nodes"] = [_node(one) for one in given]
        self.lists["everypod"] = self.lists["pods"]
        return self


@dataclass
class Seen:
    """A cluster that shows one state after the other, and the last for ever; an error among them is raised."""

    states: list[ClusterState | LockstepError]
    said: dict[str, str] = field(default_factory=dict)
    asked: list[bool] = field(default_factory=list)

    def state(self, *, capacity: bool) -> ClusterState:
        self.asked.append(capacity)
        found = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        if isinstance(found, LockstepError):
            raise found
        return found

    def last_words(self, pod: str, container: str) -> str:
        return self.said.get(f"{pod}/{container}", "")


def live(environment: Environment, *, node: str = "one") -> Live:
    """What a cluster holds once an agent has applied an environment and every pod is ready."""
    lists: dict[str, list[Raw]] = {plural: [] for plural in PLURALS.values()}
    lists |= {"pods": [], "endpointslices": []}
    front = environment.front.objects if environment.front else ()
    gates = [item for gate in environment.gates.values() for item in gate.objects]
    for item in [*(one for part in environment.instances.values() for one in part.objects), *gates, *front]:
        lists[PLURALS[item["kind"]]].append(defaulted(item))
    for instance in environment.instances.values():
        lists["pods"] += [pod(instance, number, node) for number in range(instance.replicas)]
    for job in lists["jobs"]:
        job["status"] = {"conditions": [{"type": "Complete", "status": "True"}]}
    if environment.front:
        names = [one["metadata"]["name"] for one in lists["pods"] if environment.front.root in one["metadata"]["name"]]
        lists["endpointslices"].append(endpoints(names))
    return Live(lists)


def endpoints(pods: Iterable[str], *, ready: bool = True) -> Raw:
    return {
        "metadata": {"labels": {"kubernetes.io/service-name": "front"}},
        "endpoints": [{"conditions": {"ready": ready}, "targetRef": {"name": name}} for name in pods],
    }


def defaulted(item: Any) -> Raw:
    """An object with what an API server adds, and without what it drops."""
    found: Raw = copy.deepcopy(dict(item))
    found["metadata"] |= {"uid": "1", "resourceVersion": "7", "creationTimestamp": "2026-11-21T10:00:00Z"}
    found["metadata"].setdefault("annotations", {})["deployment.kubernetes.io/revision"] = "1"
    if found["kind"] == "Service":
        found["spec"] |= {"type": "ClusterIP", "sessionAffinity": "None", "clusterIP": "10.0.0.1"}
    if found["kind"] == "Deployment":
        found["spec"]["progressDeadlineSeconds"] = 600
        spec = found["spec"]["template"]["spec"]
        spec |= {"dnsPolicy": "ClusterFirst", "restartPolicy": "Always"}
        for key in [key for key in ("nodeSelector", "imagePullSecrets") if not spec.get(key)]:
            spec.pop(key, None)
        spec["containers"][0]["terminationMessagePath"] = "/dev/termination-log"
    return found


def pod(instance: Instance, number: int, node: str) -> Raw:
    deployment = next(item for item in instance.objects if item["kind"] == "Deployment")
    template = copy.deepcopy(deployment["spec"]["template"])
    names = [one["name"] for one in template["spec"]["containers"]]
    return {
        "metadata": {
            "name": f"{instance.id}-{number}", "labels": template["metadata"]["labels"],
            "creationTimestamp": "2026-11-21T10:00:00Z",
        },
        "spec": {**template["spec"], "nodeName": node},
        "status": {
            "phase": "Running",
            "conditions": [
                {"type": "PodScheduled", "status": "True"},
                {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-21T10:00:12Z"},
            ],
            "containerStatuses": [
                {"name": name, "ready": True, "restartCount": 0, "imageID": f"registry/{name}@sha256:{'1' * 64}",
                 "state": {"running": {}}}
                for name in names
            ],
        },
    }  # fmt: skip


def _node(given: Raw) -> Raw:
    amounts = {key: value for key, value in given.items() if key not in {"name", "labels", "spec"}}
    return {
        "metadata": {"name": given.get("name", "one"), "labels": given.get("labels", {})},
        "spec": given.get("spec", {}),
        "status": {
            "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110", **amounts},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def unready(waiting: Raw | None = None, *, restarts: int = 0, ended: Raw | None = None) -> Callable[[Raw], None]:
    """Makes a pod not ready: it waits for something, ended, or runs without answering."""

    def change(one: Raw) -> None:
        one["status"]["conditions"][1]["status"] = "False"
        status = one["status"]["containerStatuses"][0]
        status |= {
            "ready": False,
            "restartCount": restarts,
            "state": {"waiting": waiting} if waiting else {"running": {}},
        }
        if ended:
            status["lastState"] = {"terminated": ended}

    return change


def unscheduled(one: Raw) -> None:
    """Makes a pod find no node."""
    one["spec"].pop("nodeName", None)
    one["status"] = {
        "phase": "Pending",
        "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
             "message": "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."},
        ],
    }  # fmt: skip
