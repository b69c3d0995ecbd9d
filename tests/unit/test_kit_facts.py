"""What the watcher keeps of an object, and what the comparison with Git leaves out."""

from __future__ import annotations

from typing import Any

from kit.facts import facts
from kit.same import _plain, _unequal

ROOT = "root-0000000000"


def _item(**parts: Any) -> dict[str, Any]:
    return {"metadata": {"name": "one", "uid": "u", "labels": {"lockstep.dev/instance": ROOT}}, **parts}


def test_facts_of_a_front_are_its_root_its_release_and_what_it_serves() -> None:
    item = _item(spec={"selector": {"lockstep.dev/instance": ROOT}})
    item["metadata"]["annotations"] = {"lockstep.dev/serves": f"model-1,{ROOT}", "lockstep.dev/release": "1.0.0"}

    found = facts("Service", item)

    assert found == {"uid": "u", "root": ROOT, "release": "1.0.0", "serves": ["model-1", ROOT]}


def test_facts_of_a_slice_count_its_ready_endpoints() -> None:
    endpoints = [{"conditions": {"ready": True}}, {"conditions": {"ready": False}}, {"conditions": {}}]
    item = _item(endpoints=endpoints)
    item["metadata"]["labels"]["kubernetes.io/service-name"] = "front"

    assert facts("EndpointSlice", item) == {"uid": "u", "service": "front", "ready": 2}


def test_facts_of_a_pod_say_why_it_waits_and_how_often_it_restarted() -> None:
    waiting = {"restartCount": 3, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}
    item = _item(status={"phase": "Running", "containerStatuses": [waiting], "conditions": []})

    found = facts("Pod", item)

    assert (found["waiting"], found["restarts"], found["ready"]) == (["CrashLoopBackOff"], 3, False)


def test_facts_of_any_kind_know_one_object_from_another_of_its_name() -> None:
    assert facts("ConfigMap", _item()) == {"uid": "u"}


def test_comparison_leaves_out_marks_of_agents_and_what_the_cluster_gave() -> None:
    wanted = {"kind": "Service", "spec": {"clusterIP": "a"}, **_item()}
    live = {"kind": "Service", "spec": {"clusterIP": "b"}, "status": {}, **_item(apiVersion="v1")}
    live["metadata"]["annotations"] = {"argocd.argoproj.io/tracking-id": "x"}
    live["metadata"] |= {"resourceVersion": "7", "managedFields": []}

    assert list(_unequal(_plain(wanted), _plain(live), "")) == []


def test_comparison_finds_every_field_that_differs() -> None:
    wanted = {"kind": "Deployment", "spec": {"replicas": 1, "args": ["a", "b"], "x": 1}, **_item()}
    live = {"kind": "Deployment", "spec": {"replicas": 2, "args": ["a", "c"]}, **_item()}
    live["metadata"]["annotations"] = {"somebody/else": "x"}

    found = sorted(_unequal(_plain(wanted), _plain(live), ""))

    assert [line.split(" ")[0] for line in found] == [
        "metadata.annotations.somebody/else", "spec.args[1]", "spec.replicas", "spec.x",
    ]  # fmt: skip
