"""What follows from a cluster's state: why something is not ready, whether a front may move, what differs from Git."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from live import Live, endpoints, live, unready, unscheduled
from lockstep.core.cluster.capacity import Ask, unplaced
from lockstep.core.cluster.compare import Condition, SideBySide, side_by_side
from lockstep.core.cluster.drift import drift
from lockstep.core.cluster.moving import give_up_seconds, moving
from lockstep.core.cluster.preflight import Move, preflight, room
from lockstep.core.cluster.readiness import readiness
from lockstep.core.cluster.state import ClusterState, NodeState
from lockstep.core.environment import Environment
from lockstep.core.errors import Finding
from lockstep.core.names import InstanceId
from unit.test_core_compose import ids
from unit.test_core_environment import BOTH, FIRST, MOVED, SECOND, SERVING

LLM, SUMMARIZER = ids(FIRST)["llm"], ids(SECOND)["summarizer"]
GPU = "nvidia.com/gpu"


def rules(found: tuple[Finding, ...]) -> list[str]:
    return [one.rule for one in found]


def move(environment: Environment = BOTH, **given: Any) -> Move:
    return Move(environment, dict(SECOND.instances), "1.1.0", **given)


def asking(environment: Environment, component: str) -> Environment:
    """The environment in which every instance of a component asks for a GPU."""
    return replace(environment, instances=gpus(environment.instances, component))


def gpus(instances: Any, component: str) -> Any:
    def asked(item: Any) -> Any:
        if item.id.component != component:
            return item
        objects: Any = [dict(one) for one in item.objects]
        for one in objects:
            if one["kind"] == "Deployment":
                container = one["spec"]["template"]["spec"]["containers"][0]
                resources = {**container["resources"], "limits": {**container["resources"]["limits"], GPU: "1"}}
                spec = {**one["spec"]["template"]["spec"], "containers": [{**container, "resources": resources}]}
                one["spec"] = {**one["spec"], "template": {**one["spec"]["template"], "spec": spec}}
        return replace(item, objects=tuple(objects))

    return {name: asked(item) for name, item in instances.items()}


def test_what_is_ready_has_nothing_to_say() -> None:
    assert readiness(MOVED, live(MOVED).state(), MOVED.instances) == ()


def test_standby_is_ready_without_a_pod() -> None:
    files = {
        name: replace(item, objects=tuple(_scaled(one) for one in item.objects))
        for name, item in BOTH.instances.items()
    }
    environment = replace(BOTH, instances=files)

    assert readiness(environment, live(environment).state(), files) == ()


def _scaled(one: Any) -> Any:
    return {**one, "spec": {**one["spec"], "replicas": 0}} if one["kind"] == "Deployment" else one


@pytest.mark.parametrize(
    ("change", "rule", "words"),
    [
        (unready({"reason": "ErrImagePull", "message": "no such manifest"}), "cluster/image", "no such manifest"),
        (
            unready({"reason": "CrashLoopBackOff"}, restarts=4, ended={"exitCode": 3, "message": "boom"}),
            "cluster/crash",
            "boom",
        ),
        (unready({"reason": "CreateContainerError", "message": "bad mount"}), "cluster/config", "bad mount"),
        (unscheduled, "cluster/unschedulable", "Insufficient nvidia.com/gpu"),
        (unready(), "cluster/starting", "0 of 1 pods"),
    ],
)
def test_why_an_instance_is_not_ready_is_said_in_words(change: Any, rule: str, words: str) -> None:
    state = live(BOTH).change_pods(LLM, change).state()

    (finding,) = readiness(BOTH, state, BOTH.instances)

    assert (finding.rule, finding.component) == (rule, "llm")
    assert words in finding.what
    assert finding.fix
    assert (give_up_seconds(finding) is None) == (rule in {"cluster/unschedulable", "cluster/starting"})


def test_what_the_cluster_does_not_have_is_said_with_what_its_agent_says() -> None:
    found = live(BOTH).without(SUMMARIZER)
    found.lists["kustomizations"] = [
        {"metadata": {"name": "instances"}, "status": {"conditions": [
            {"type": "Ready", "status": "False", "reason": "BuildFailed", "message": "no such path"}]}}
    ]  # fmt: skip

    (finding,) = readiness(BOTH, found.state(), BOTH.instances)

    assert finding.rule == "cluster/absent"
    assert "no such path" in finding.what
    assert "describe kustomization instances" in finding.fix


def test_another_cluster_is_one_finding() -> None:
    state = ClusterState("c", "staging", exists=False)

    assert rules(readiness(BOTH, state, BOTH.instances)) == ["cluster/namespace"]
    assert rules(preflight(move(), state)) == ["cluster/namespace"]


def test_a_front_may_move_to_what_is_as_ready_as_what_it_replaces() -> None:
    assert preflight(move(), live(BOTH).nodes({}).state()) == ()


def test_a_front_may_not_move_to_what_is_absent_unready_or_cannot_be_pulled() -> None:
    image = SECOND.instances[SUMMARIZER].images[0]
    found = live(BOTH).without(SECOND.root).change_pods(SUMMARIZER, unready())

    refused = preflight(move(unpullable={image: "404"}), found.state())

    assert rules(refused) == ["preflight/absent", "preflight/image", "preflight/warm"]
    assert all(one.fix for one in refused)
    assert "--wait" in refused[0].fix


def test_the_target_must_have_the_ready_pods_of_what_it_replaces() -> None:
    found = live(BOTH)
    old = ids(FIRST)["summarizer"]
    (pod,) = found.pods(old)
    for number in (1, 2):
        found.lists["pods"].append({**pod, "metadata": {**pod["metadata"], "name": f"{old}-more-{number}"}})

    (refused,) = preflight(move(), found.state())

    assert refused.rule == "preflight/warm"
    assert f"{old} which it replaces has 3" in refused.what


def test_what_serves_already_is_not_asked_about() -> None:
    state = live(BOTH).change_pods(LLM, unready()).state()

    assert preflight(move(), state) == ()


def test_a_target_needs_one_ready_pod_also_where_what_it_replaces_has_none() -> None:
    old, root = ids(FIRST)["summarizer"], FIRST.root
    gone_bad = live(BOTH).change_pods(old, unready()).change_pods(root, unready())

    assert preflight(move(), gone_bad.state()) == ()
    assert rules(preflight(move(), gone_bad.change_pods(SUMMARIZER, unready()).state())) == ["preflight/warm"]


def test_before_the_first_promote_nothing_is_replaced_and_everything_must_be_ready() -> None:
    staged = replace(BOTH, front=None, gates={})

    assert preflight(move(staged), live(staged).state()) == ()
    assert rules(preflight(move(staged), live(staged).change_pods(LLM, unready()).state())) == ["preflight/warm"]


def test_a_node_that_is_too_small_for_both_leaves_a_swap() -> None:
    environment = asking(BOTH, "summarizer")
    wanted = replace(move(environment), target=gpus(SECOND.instances, "summarizer"))
    found = live(environment).change_pods(SUMMARIZER, unscheduled).nodes({GPU: "1"})

    refused = preflight(wanted, found.state())

    assert rules(refused) == ["preflight/capacity", "preflight/warm"]
    assert "asks for nvidia.com/gpu 1, 0 free on one" in refused[0].what
    assert "--swap summarizer" in refused[0].fix


def test_what_serves_nothing_is_to_be_retired_before_anything_is_swapped() -> None:
    environment = asking(MOVED, "summarizer")
    third = gpus(FIRST.instances, "summarizer")
    renamed = {
        InstanceId("summarizer-0123456789"): replace(
            third[ids(FIRST)["summarizer"]], id=InstanceId("summarizer-0123456789")
        )
    }
    wanted = Move(environment, {**gpus(SECOND.instances, "summarizer"), **renamed}, "1.2.0")
    found = live(environment).nodes({GPU: "2"})

    (refused,) = room(wanted, found.state())

    assert refused.rule == "preflight/capacity"
    assert refused.fix.startswith("lockstep retire staging makes room")
    assert ids(FIRST)["summarizer"] in refused.fix


def test_a_swap_gives_its_place_up_and_is_not_asked_to_be_warm() -> None:
    environment = asking(BOTH, "summarizer")
    old = ids(FIRST)["summarizer"]
    wanted = replace(
        move(environment),
        target=gpus(SECOND.instances, "summarizer"),
        falling=frozenset({old}),
        rising=frozenset({SUMMARIZER}),
    )
    found = live(environment).change_pods(SUMMARIZER, unscheduled).nodes({GPU: "1"})

    assert preflight(wanted, found.state()) == ()


def test_nobody_may_see_nodes_and_nothing_is_said_of_capacity() -> None:
    assert room(move(SERVING), live(SERVING).state()) == ()


def test_a_selector_that_no_node_has_is_said() -> None:
    ask = Ask(LLM, {"cpu": 1}, (("gpu", "a100"),), 1)

    assert unplaced([NodeState("n", {}, {"cpu": 10})], [ask]) == (ask,)
    assert unplaced([NodeState("n", {"gpu": "a100"}, {"cpu": 10})], [ask]) == ()


def test_a_taint_keeps_away_what_does_not_ask_for_its_resource() -> None:
    node = NodeState("gpu", {}, {"cpu": 10, GPU: 1000}, (GPU,))
    plain, large = Ask(LLM, {"cpu": 1}, (), 1), Ask(LLM, {"cpu": 1, GPU: 1000}, (), 1)

    assert unplaced([node], [plain]) == (plain,)
    assert unplaced([node], [large]) == ()


sizes = st.dictionaries(st.sampled_from(["cpu", "memory", GPU]), st.integers(0, 5), min_size=1)


@given(st.lists(sizes, max_size=4), st.lists(st.tuples(sizes, st.integers(1, 3)), max_size=4))
def test_what_is_placed_and_what_is_not_add_up_and_more_room_never_hurts(free: Any, wanted: Any) -> None:
    nodes = [NodeState(str(place), {}, amounts) for place, amounts in enumerate(free)]
    asks = [Ask(InstanceId(f"a-{place:010x}"), each, (), count) for place, (each, count) in enumerate(wanted)]

    left = unplaced(nodes, asks)

    assert all(0 < ask.count <= next(one.count for one in asks if one.instance == ask.instance) for ask in left)
    assert unplaced([], asks) == tuple(asks)
    assert unplaced([*nodes, NodeState("huge", {}, dict.fromkeys(["cpu", "memory", GPU], 10**6))], asks) == ()


def sides(environment: Environment, found: Live) -> SideBySide:
    return side_by_side(environment, (), found.state())


@pytest.mark.parametrize("environment", [SERVING, BOTH, MOVED])
def test_a_cluster_that_holds_what_git_says_has_no_drift(environment: Environment) -> None:
    found = sides(environment, live(environment))

    assert found.is_settled
    assert {one.condition for one in found.instances} == {Condition.WARM}
    assert found.front.root == found.front.git_root
    assert found.instances[0].images


def test_a_front_that_was_edited_by_hand_is_drift_with_its_field() -> None:
    found = live(MOVED)
    found.one("services", "front")["spec"]["selector"]["lockstep.dev/instance"] = FIRST.root

    side = sides(MOVED, found)

    assert side.front.drift == (
        f"Service front: spec.selector.lockstep.dev/instance is {FIRST.root}, Git says {SECOND.root}",
    )
    assert not side.is_settled


def test_one_more_label_in_a_selector_is_drift_and_one_more_label_of_an_agent_is_not() -> None:
    found = live(MOVED)
    found.one("services", "front")["metadata"]["labels"]["app.kubernetes.io/instance"] = "argocd"
    assert sides(MOVED, found).is_settled

    found.one("services", "front")["spec"]["selector"]["color"] = "green"

    assert sides(MOVED, found).front.drift == ("Service front: spec.selector.color is green, Git says absent",)


def test_replicas_that_a_hand_changed_are_drift() -> None:
    found = live(BOTH)
    found.one("deployments", LLM)["spec"]["replicas"] = 5

    (side,) = [one for one in sides(BOTH, found).instances if one.id == LLM]

    assert (side.drift, side.condition) == ((f"Deployment {LLM}: spec.replicas is 5, Git says 1",), Condition.STARTING)


@pytest.mark.parametrize(
    ("change", "condition"), [(unready(), "starting"), (unready({"reason": "ErrImagePull"}), "failing")]
)
def test_an_instance_that_is_not_warm_says_what_it_is(change: Any, condition: str) -> None:
    (side,) = [one for one in sides(BOTH, live(BOTH).change_pods(LLM, change)).instances if one.id == LLM]

    assert side.condition == condition
    assert side.why


def test_what_only_one_side_has_is_absent_or_stray() -> None:
    absent = {one.id: one.condition for one in sides(BOTH, live(BOTH).without(SUMMARIZER)).instances}
    stray = {one.id: one.condition for one in sides(SERVING, live(BOTH)).instances}

    assert absent[SUMMARIZER] == "absent"
    assert stray[SUMMARIZER] == "stray"


def test_equal_amounts_in_another_form_are_no_drift() -> None:
    wanted = {"kind": "Deployment", "metadata": {"name": "x"}, "spec": {"requests": {"cpu": "0.5", "memory": "1024Mi"}}}
    found = {"kind": "Deployment", "metadata": {"name": "x"}, "spec": {"requests": {"cpu": "500m", "memory": "1Gi"}}}

    assert drift([wanted], [found]) == ()
    assert drift([found], [{**found, "spec": {"requests": {"cpu": "2", "memory": "1Gi"}}}]) == (
        "Deployment x: spec.requests.cpu is 2, Git says 500m",
    )


def test_an_object_that_is_gone_is_drift() -> None:
    found = live(SERVING)
    found.lists["networkpolicies"].clear()

    assert any("is not there" in words for one in sides(SERVING, found).instances for words in one.drift)


def test_a_front_that_moved_has_nothing_to_say() -> None:
    assert moving(MOVED, live(MOVED).state()) == ()
    assert moving(BOTH, live(BOTH).state()) == ()


def test_a_front_waits_for_the_answer_of_its_gate() -> None:
    found = live(MOVED)
    found.lists["services"] = live(BOTH).lists["services"]
    job = found.one("jobs", f"gate-{SECOND.root}")
    job["status"] = {}
    waiting = moving(MOVED, found.state())
    job["status"] = {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}
    failed = moving(MOVED, found.state())
    absent = moving(MOVED, live(BOTH).state())

    assert rules(waiting) == ["cluster/gate", "cluster/front"]
    assert rules(failed) == ["cluster/failed", "cluster/front"]
    assert rules(absent) == ["cluster/gate", "cluster/front"]
    assert [give_up_seconds(one) for one in failed] == [0, None]
    assert f"names {FIRST.root} of release 1.0.0" in waiting[1].what


def test_a_front_has_moved_only_once_no_pod_of_another_root_gets_requests() -> None:
    both, none = live(MOVED), live(MOVED)
    both.lists["endpointslices"].append(endpoints([f"{FIRST.root}-0"]))
    none.lists["endpointslices"] = []

    assert rules(moving(MOVED, both.state())) == ["cluster/endpoints"]
    assert f"go to {FIRST.root}-0" in moving(MOVED, both.state())[0].what
    assert "go to nobody" in moving(MOVED, none.state())[0].what
