"""Prefetching: pods that run nothing, one for each node that may need them, and none left behind."""

from __future__ import annotations

from typing import Any

import pytest

from live import live, unready
from lockstep.core.cluster.prefetch import pull_answer, pullers
from lockstep.core.cluster.state import NodeState
from lockstep.core.rules.pod import pod_findings
from unit.test_core_environment import FIRST, SERVING

NODES = [NodeState("one", {}, {}), NodeState("gpu", {}, {}, ("nvidia.com/gpu",))]
INSTANCES = tuple(FIRST.instances.values())


STARTED = {"terminated": {"reason": "StartError", "exitCode": 128}}
CREATING = {"waiting": {"reason": "ContainerCreating"}}


def status(*states: Any, **more: Any) -> Any:
    return {"metadata": {"name": "p"}, "status": {"containerStatuses": [{"state": state} for state in states], **more}}


def test_each_node_that_may_run_an_instance_gets_every_image_once() -> None:
    (pod,) = pullers(NODES, INSTANCES, ["hub"])

    images = {image for item in INSTANCES for image in item.images}
    assert pod["spec"]["nodeName"] == "one"
    assert sorted(one["image"] for one in pod["spec"]["containers"]) == sorted(images)
    assert pod["spec"]["imagePullSecrets"] == [{"name": "hub"}]


def test_it_asks_for_nothing_runs_nothing_and_is_restricted() -> None:
    (pod,) = pullers(NODES, INSTANCES, [])
    as_template = {"kind": "Job", "metadata": {"name": "x"}, "spec": {"template": {"spec": pod["spec"]}}}
    problems = [one.what for one in pod_findings((as_template,), "x", "")]
    for container in pod["spec"]["containers"]:
        assert "resources" not in container
        assert container["command"] == ["/lockstep/nothing-runs-here"]
    assert all("no resources." in words for what in problems for words in what.partition(": ")[2].split("; "))


@pytest.mark.parametrize(
    ("pod", "answer"),
    [
        (status(STARTED, STARTED, phase="Failed"), ""),
        (status(STARTED, CREATING, phase="Pending"), None),
        (status(CREATING, phase="Pending"), None),
        ({"metadata": {"name": "p"}, "status": {}}, None),
        ({"metadata": {"name": "p"}, "status": {"phase": "Failed", "reason": "OutOfpods"}}, "OutOfpods"),
    ],
)
def test_a_start_that_fails_is_the_proof_that_all_was_pulled(pod: Any, answer: str | None) -> None:
    assert pull_answer(pod) == answer


def test_an_image_that_cannot_be_pulled_is_said() -> None:
    found = live(SERVING)
    (pod,) = found.pods(FIRST.root)
    unready({"reason": "ErrImagePull", "message": "not found"})(pod)

    assert "not found" in (pull_answer(pod) or "")
