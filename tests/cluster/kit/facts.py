"""What matters of an object, by kind; and where the objects of an environment are found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Object = Mapping[str, Any]
INSTANCE, GATE, SERVES, RELEASE = (f"lockstep.dev/{word}" for word in ("instance", "gate", "serves", "release"))
_CORE, _APPS = "/api/v1/namespaces/{namespace}", "/apis/apps/v1/namespaces/{namespace}"


def paths(namespace: str, agent: str, applications: str = "argocd") -> Mapping[str, str]:
    """The collections of an environment by kind: what it holds, and what its agent says of it."""
    own = {
        "Service": f"{_CORE}/services",
        "EndpointSlice": "/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
        "Pod": f"{_CORE}/pods",
        "Deployment": f"{_APPS}/deployments",
        "ConfigMap": f"{_CORE}/configmaps",
        "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers",
        "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies",
        "Job": "/apis/batch/v1/namespaces/{namespace}/jobs",
    }
    agents = {
        "argocd": {"Application": f"/apis/argoproj.io/v1alpha1/namespaces/{applications}/applications"},
        "flux": {"Kustomization": "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/{namespace}/kustomizations"},
    }
    return {kind: path.format(namespace=namespace) for kind, path in {**own, **agents.get(agent, {})}.items()}


def facts(kind: str, item: Object) -> dict[str, Any]:
    """What matters of an object; its uid always does: the same name with another uid is another object."""
    read = _READERS.get(kind)
    return {"uid": item["metadata"].get("uid", ""), **(read(item) if read else {})}


def _labels(item: Object) -> Mapping[str, str]:
    return item["metadata"].get("labels") or {}


def _service(item: Object) -> dict[str, Any]:
    notes = item["metadata"].get("annotations") or {}
    root = (item["spec"].get("selector") or {}).get(INSTANCE, "")
    serves = [name for name in notes.get(SERVES, "").split(",") if name]
    return {"root": root, "release": notes.get(RELEASE, ""), "serves": serves}


def _endpoint_slice(item: Object) -> dict[str, Any]:
    ready = [one for one in item.get("endpoints") or [] if (one.get("conditions") or {}).get("ready") is not False]
    return {"service": _labels(item).get("kubernetes.io/service-name", ""), "ready": len(ready)}


def _deployment(item: Object) -> dict[str, Any]:
    return {"wanted": item["spec"].get("replicas", 1), "ready": (item.get("status") or {}).get("readyReplicas", 0)}


def _pod(item: Object) -> dict[str, Any]:
    status = item.get("status") or {}
    containers = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions") or [])
    waiting = sorted({one["state"]["waiting"].get("reason", "") for one in containers if "waiting" in one["state"]})
    return {
        "instance": _labels(item).get(INSTANCE, ""),
        "gate": _labels(item).get(GATE, ""),
        "phase": status.get("phase", ""),
        "ready": ready,
        "restarts": sum(one.get("restartCount", 0) for one in containers),
        "waiting": waiting,
        "leaving": "deletionTimestamp" in item["metadata"],
    }


def _job(item: Object) -> dict[str, Any]:
    status = item.get("status") or {}
    done = [one["type"] for one in status.get("conditions") or [] if one["status"] == "True"]
    return {"gate": _labels(item).get(GATE, ""), "complete": "Complete" in done, "failed": "Failed" in done}


def _application(item: Object) -> dict[str, Any]:
    status = item.get("status") or {}
    operation, sync = status.get("operationState") or {}, status.get("sync") or {}
    return {
        "revision": sync.get("revision", ""),
        "sync": sync.get("status", ""),
        "health": (status.get("health") or {}).get("status", ""),
        "phase": operation.get("phase", ""),
        "message": operation.get("message", ""),
        "conditions": [f"{one['type']}: {one['message']}" for one in status.get("conditions") or []],
    }


def _kustomization(item: Object) -> dict[str, Any]:
    status = item.get("status") or {}
    ready = next((one for one in status.get("conditions") or [] if one["type"] == "Ready"), {})
    return {
        "revision": status.get("lastAppliedRevision", ""),
        "attempted": status.get("lastAttemptedRevision", ""),
        "ready": ready.get("status", ""),
        "reason": ready.get("reason", ""),
        "message": ready.get("message", ""),
    }


_READERS: Mapping[str, Callable[[Object], dict[str, Any]]] = {
    "Service": _service,
    "EndpointSlice": _endpoint_slice,
    "Deployment": _deployment,
    "Pod": _pod,
    "Job": _job,
    "Application": _application,
    "Kustomization": _kustomization,
}
