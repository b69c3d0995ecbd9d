"""What the API server answers, as values: nothing is believed to be there, every reason is said in words."""

from __future__ import annotations

from typing import Any

import pytest

from live import endpoints, live, unready, unscheduled
from lockstep.core.cluster.pods import seconds_between
from lockstep.core.cluster.quantity import thousandths
from lockstep.core.cluster.reading import parse_nodes, parse_state, requests_of
from lockstep.core.cluster.state import GateAnswer, Reason
from unit.test_core_compose import ids
from unit.test_core_environment import FIRST, MOVED, SECOND, SERVING

LLM = ids(FIRST)["llm"]


def test_a_cluster_that_holds_what_git_says_is_read_as_that() -> None:
    state = live(SERVING).state()

    assert set(state.instances) == set(SERVING.instances)
    assert all((one.wanted, one.ready) == (1, 1) for one in state.instances.values())
    assert state.instance(LLM).started_seconds == 12
    assert state.instance(LLM).pods[0].images == {"llm": f"registry/llm@sha256:{'1' * 64}"}
    assert (state.front and state.front.root, state.front and state.front.release) == (FIRST.root, "1.0.0")
    assert state.front is not None
    assert (state.front.ready, state.front.serves) == ((f"{FIRST.root}-0",), tuple(sorted(SERVING.instances)))
    assert state.gates[FIRST.root].answer is GateAnswer.PASSED
    assert state.nodes is None


def test_an_empty_namespace_is_read_as_nothing() -> None:
    state = parse_state("c", "n", {})

    assert (state.instances, state.gates, state.front, state.agents) == ({}, {}, None, ())


@pytest.mark.parametrize(
    ("change", "reason", "words"),
    [
        (
            unready({"reason": "ImagePullBackOff", "message": 'Back-off pulling "x": not found'}),
            Reason.IMAGE,
            "not found",
        ),
        (unready({"reason": "CrashLoopBackOff"}, restarts=3, ended={"exitCode": 7}), Reason.CRASH, "exit code 7"),
        (unready(restarts=2, ended={"exitCode": 137, "reason": "OOMKilled"}), Reason.CRASH, "137, OOMKilled"),
        (unready({"reason": "CreateContainerConfigError", "message": 'secret "k" not found'}), Reason.CONFIG, '"k"'),
        (unready({"reason": "ContainerCreating"}), Reason.STARTING, "being created (ContainerCreating)"),
        (unready(), Reason.STARTING, "readiness probe has not answered"),
        (unscheduled, Reason.UNSCHEDULABLE, "Insufficient nvidia.com/gpu"),
    ],
)
def test_a_pod_that_is_not_ready_says_why(change: Any, reason: Reason, words: str) -> None:
    (pod,) = live(SERVING).change_pods(LLM, change).state().instance(LLM).pods

    assert not pod.is_ready
    assert (pod.troubles[0].reason, words in pod.troubles[0].words) == (reason, True), pod.troubles


def test_a_pod_that_is_being_deleted_is_not_ready_and_has_no_trouble() -> None:
    state = live(SERVING).change_pods(LLM, lambda pod: pod["metadata"].update(deletionTimestamp="x")).state()

    (pod,) = state.instance(LLM).pods
    assert (pod.is_ready, pod.is_going, pod.troubles) == (False, True, ())


def test_pods_that_could_not_be_made_are_a_trouble_of_the_instance() -> None:
    found = live(SERVING)
    condition = {"type": "ReplicaFailure", "status": "True", "message": "violates PodSecurity"}
    found.one("deployments", LLM)["status"] = {"conditions": [condition]}

    assert [one.words for one in found.state().instance(LLM).troubles] == ["violates PodSecurity"]


def test_a_gate_passed_failed_or_has_not_answered() -> None:
    found = live(MOVED)
    job = found.one("jobs", f"gate-{SECOND.root}")
    job["status"] = {
        "conditions": [{"type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "too long"}]
    }
    found.one("jobs", f"gate-{FIRST.root}")["status"] = {}

    state = found.state()

    assert (state.gates[SECOND.root].answer, state.gates[SECOND.root].words) == (
        GateAnswer.FAILED,
        "DeadlineExceeded: too long",
    )
    assert state.gates[FIRST.root].answer is GateAnswer.RUNNING


def test_endpoints_that_are_not_ready_get_no_requests() -> None:
    found = live(SERVING)
    found.lists["endpointslices"] = [endpoints(["a"], ready=False), endpoints(["c", "b"])]

    front = found.state().front

    assert front is not None
    assert front.ready == ("b", "c")


def test_what_a_node_has_free_is_what_its_pods_leave_of_it() -> None:
    tainted = {"name": "tainted", "spec": {"taints": [{"effect": "NoSchedule", "key": "x"}]}}
    found = live(SERVING).nodes({"nvidia.com/gpu": "2"}, {"name": "off", "spec": {"unschedulable": True}}, tainted)
    asked = [requests_of(pod["spec"]) for pod in found.lists["pods"]]

    node, away = found.state().nodes or ()

    assert (node.name, node.taints) == ("one", ())
    assert (away.name, away.taints) == ("tainted", ("x",))
    assert node.free["cpu"] == 4000 - sum(one["cpu"] for one in asked)
    assert node.free["pods"] == 110_000 - 1000 * len(asked)
    assert node.free["nvidia.com/gpu"] == 2000


def test_ended_pods_take_nothing_and_init_containers_the_largest() -> None:
    spec = {
        "containers": [{"resources": {"requests": {"cpu": "1"}, "limits": {"memory": "1Gi"}}}, {}],
        "initContainers": [
            {"resources": {"requests": {"cpu": "3"}}},
            {"restartPolicy": "Always", "resources": {"requests": {"cpu": "500m"}}},
        ],
    }
    node = {
        "metadata": {"name": "n"},
        "status": {"allocatable": {"cpu": "4"}, "conditions": [{"type": "Ready", "status": "True"}]},
    }
    ended = {"spec": {"nodeName": "n", **spec}, "status": {"phase": "Succeeded"}}

    assert requests_of(spec) == {"cpu": 3000, "memory": thousandths("1Gi"), "pods": 1000}
    assert parse_nodes([node], [ended])[0].free == {"cpu": 4000}


def test_the_agents_of_the_namespace_say_which_commit_they_applied() -> None:
    sha = "a" * 40
    argo = {
        "metadata": {"name": "documents-staging-front"}, "spec": {"destination": {"namespace": "staging"}},
        "status": {"sync": {"status": "OutOfSync", "revision": "b" * 40}, "health": {"status": "Degraded"},
                   "operationState": {"phase": "Running", "message": "waiting for gate",
                                      "syncResult": {"revision": sha}}},
    }  # fmt: skip
    other = {"metadata": {"name": "x"}, "spec": {"destination": {"namespace": "elsewhere"}}}
    flux = {
        "metadata": {"name": "front"},
        "status": {"lastAppliedRevision": f"main@sha1:{sha}", "conditions": [
            {"type": "Ready", "status": "False", "reason": "DependencyNotReady", "message": "root-x is not ready"}]},
    }  # fmt: skip

    found = parse_state("c", "staging", {"applications": [argo, other], "kustomizations": [flux]}).agents

    assert [(one.kind, one.name, one.revision, one.sync, one.health, one.words) for one in found] == [
        ("Application", "documents-staging-front", sha, "OutOfSync", "Degraded", "waiting for gate"),
        ("Kustomization", "front", sha, "DependencyNotReady", "", "root-x is not ready"),
    ]


@pytest.mark.parametrize(
    ("start", "end", "seconds"),
    [
        ("2026-02-28T23:59:59Z", "2026-03-01T00:00:01Z", 2), ("2024-02-28T00:00:00Z", "2024-03-01T00:00:00Z", 172800),
        ("2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z", 1), ("2026-01-01T00:00:00.5Z", "2026-01-01T01:00:00Z", 3600),
        ("yesterday", "2026-01-01T00:00:00Z", None), (None, None, None),
    ],
)  # fmt: skip
def test_seconds_between_two_times(start: str, end: str, seconds: int | None) -> None:
    assert seconds_between(start, end) == seconds
