"""Whether the cluster holds what Git says, byte for byte after defaulting.

Each object of Git is created as a dry run in a namespace of its own: what the API server answers is that object with
every default. The object in the environment must be the same, but for what the cluster itself writes (uid, addresses,
status) and for the marks of agents. And no other object of these kinds may be there.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kit.api import Api, ApiError

SCRATCH = "lockstep-scratch"
Object = dict[str, Any]

_COLLECTIONS = {
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Service": "/api/v1/namespaces/{}/services",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies",
}
# Marks of Argo CD, Flux and Helm on what they apply, and the annotation that every Deployment gets.
_MARKS = (
    "argocd.argoproj.io/",
    "app.kubernetes.io/",
    "kustomize.toolkit.fluxcd.io/",
    "meta.helm.sh/",
    "deployment.kubernetes.io/",
)
_OWN = ("argocd.argoproj.io/sync-wave", "kustomize.toolkit.fluxcd.io/substitute")  # ours, though they look like theirs
_GIVEN = {"Service": ("clusterIP", "clusterIPs"), "Job": ("selector",)}
_JOB_LABELS = ("controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name")


def differences(api: Api, namespace: str, wanted: Iterable[Object]) -> list[str]:
    """What differs between what Git says and what a namespace holds, in words; nothing when they are the same."""
    _scratch(api)
    wished = {(item["kind"], item["metadata"]["name"]): _defaulted(api, item) for item in wanted}
    live = {(kind, item["metadata"]["name"]): item for kind, item in _live(api, namespace)}
    found = [f"{kind} {name} is missing" for kind, name in sorted(wished.keys() - live.keys())]
    found += [f"{kind} {name} is not in Git" for kind, name in sorted(live.keys() - wished.keys())]
    for name in [name for kind, name in wished if kind == "HorizontalPodAutoscaler"]:
        for item in (wished.get(("Deployment", name)), live.get(("Deployment", name))):
            if item:
                item["spec"].pop("replicas", None)  # the autoscaler's to say
    for key in sorted(wished.keys() & live.keys()):
        found += [f"{' '.join(key)}: {what}" for what in _unequal(_plain(wished[key]), _plain(live[key]), "")]
    return found


def _scratch(api: Api) -> None:
    if api.find(f"/api/v1/namespaces/{SCRATCH}") is None:
        try:
            api.ask("POST", "/api/v1/namespaces", {"metadata": {"name": SCRATCH}})
        except ApiError as error:
            if error.status != 409:
                raise


def _defaulted(api: Api, item: Object) -> Object:
    body = copy.deepcopy(item)
    body["metadata"].pop("namespace", None)
    answer = api.ask("POST", _COLLECTIONS[item["kind"]].format(SCRATCH), body, dryRun="All")
    return {**answer, "kind": item["kind"]}


def _live(api: Api, namespace: str) -> Iterator[tuple[str, Object]]:
    for kind, path in _COLLECTIONS.items():
        for item in api.items(path.format(namespace)):
            if not (kind == "ConfigMap" and item["metadata"]["name"] == "kube-root-ca.crt"):
                yield kind, {**item, "kind": kind}


def _plain(item: Object) -> Object:
    """An object without what the cluster or an agent wrote."""
    plain = copy.deepcopy(item)
    meta = plain["metadata"]
    kept = {key: {k: v for k, v in (meta.get(key) or {}).items() if _is_ours(k)} for key in ("labels", "annotations")}
    spec = plain.get("spec")
    if isinstance(spec, dict):
        for key in _GIVEN.get(plain["kind"], ()):
            spec.pop(key, None)
    if plain["kind"] == "Job":
        labels = plain["spec"]["template"]["metadata"]["labels"]
        for key in _JOB_LABELS:
            labels.pop(key, None)
            kept["labels"].pop(key, None)
    rest = {key: value for key, value in plain.items() if key not in {"metadata", "status", "apiVersion"}}
    return {**rest, "metadata": {"name": meta["name"], **kept}}


def _is_ours(key: str) -> bool:
    return key in _OWN or not key.startswith(_MARKS)


def _unequal(wanted: Any, live: Any, where: str) -> Iterator[str]:
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        for key in sorted({*wanted, *live}):
            yield from _unequal(wanted.get(key), live.get(key), f"{where}.{key}")
    elif isinstance(wanted, list) and isinstance(live, list) and len(wanted) == len(live):
        for place, (one, other) in enumerate(zip(wanted, live, strict=True)):
            yield from _unequal(one, other, f"{where}[{place}]")
    elif wanted != live:
        yield f"{where.removeprefix('.')} is {live!r}, Git says {wanted!r}"
