"""Whether the cluster holds what Git says: what the cluster tests' comparison must find, and what it passes over."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, cast

import pytest

from kit.api import Api
from kit.same import differences

Object = dict[str, Any]

WANTED: list[Object] = [
    {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "prompts", "labels": {"lockstep.dev/a": "b"}},
        "data": {"answer": "One word."},
    },
    {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "thin"}, "spec": {"replicas": 1}},
    {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "front"},
        "spec": {"selector": {"lockstep.dev/instance": "root-1"}, "ports": [{"port": 80}]},
    },
]  # fmt: skip
AUTOSCALER: Object = {
    "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "thin"},
    "spec": {"maxReplicas": 3},
}  # fmt: skip


def defaulted(item: Object) -> Object:
    """The object as an API server would answer: with a default, and what it writes itself."""
    made = copy.deepcopy(item)
    made["metadata"] |= {"uid": "u-1", "resourceVersion": "7", "namespace": "somewhere"}
    if made["kind"] == "Deployment":
        made["spec"] = {"replicas": 1, "progressDeadlineSeconds": 600, **made["spec"]}
    if made["kind"] == "Service":
        made["spec"] = {**made["spec"], "type": "ClusterIP", "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"]}
    return made


class Fake:
    """The cluster, as the comparison asks it: dry runs, and lists by path."""

    def __init__(self, live: list[Object]) -> None:
        self.live = [defaulted(item) for item in live]

    def ask(self, _method: str, _path: str, body: Object, **query: str) -> Object:
        assert query in ({"dryRun": "All"}, {}), "the comparison writes nothing but its scratch namespace"
        return defaulted(body) if query else {}

    def find(self, _path: str) -> None:
        return None

    def items(self, path: str) -> list[Object]:
        plural = path.rpartition("/")[2]
        return [item for item in self.live if f"{item['kind'].lower()}s" == plural]


def found(change: Callable[[list[Object]], object], wanted: list[Object] | None = None) -> list[str]:
    live = copy.deepcopy(wanted or WANTED)
    change(live)
    return differences(cast("Api", Fake(live)), "staging", wanted or WANTED)


def test_what_was_applied_is_the_same() -> None:
    assert found(lambda _: None) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda live: live.pop(0), "ConfigMap prompts is missing"),
        (lambda live: live.append({**live[0], "metadata": {"name": "other"}}), "ConfigMap other is not in Git"),
        (lambda live: live[0]["data"].update(answer="Two words."), "ConfigMap prompts: data.answer is 'Two words.'"),
        (lambda live: live[0]["metadata"]["labels"].pop("lockstep.dev/a"), "metadata.labels.lockstep.dev/a is None"),
        (lambda live: live[1]["spec"].update(replicas=2), "Deployment thin: spec.replicas is 2, Git says 1"),
        (lambda live: live[2]["spec"]["ports"].append({"port": 81}), "Service front: spec.ports is"),
        (lambda live: live[2]["spec"]["ports"][0].update(port=81), "Service front: spec.ports[0].port is 81"),
    ],
)
def test_each_difference_is_said(change: Callable[[list[Object]], object], words: str) -> None:
    (only,) = found(change)

    assert words in only


def test_marks_of_agents_and_the_clusters_own_configmap_are_passed_over() -> None:
    def change(live: list[Object]) -> None:
        live[0]["metadata"]["labels"]["app.kubernetes.io/managed-by"] = "Helm"
        live.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kube-root-ca.crt"}, "data": {}})

    assert found(change) == []


def test_how_many_pods_there_are_is_an_autoscalers_to_say() -> None:
    wanted = [*WANTED[:1], {**WANTED[1], "spec": {}}, AUTOSCALER]

    assert found(lambda live: live[1]["spec"].update(replicas=3), wanted) == []
    assert found(lambda live: live[2]["spec"].update(maxReplicas=4), wanted) == [
        "HorizontalPodAutoscaler thin: spec.maxReplicas is 4, Git says 3"
    ]
