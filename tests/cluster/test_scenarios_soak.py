"""Every other scenario, for each agent: what `make soak` proves beyond `make test-cluster`."""

from __future__ import annotations

import random
import time
from statistics import median

import pytest

from cluster.control import Supervisor
from kit import TOP
from kit.api import ApiError
from kit.bundle import CommandError
from kit.checker import Bounds
from kit.facts import INSTANCE
from kit.stage import Stage, opened
from kit.variants import ABSENT, ALL, BASE, CRASHING, NEXT, PROMPT, slow

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]
REQUESTS = 100_000
LONG_RATE = 160.0  # requests per second; a third of what the pods and the clients bear on two cores beside a cluster
CONTROLLERS = {"argocd": "argocd-application-controller", "flux": "kustomize-controller"}


def test_crash_loop(stage: Stage) -> None:
    """A release that crashes is staged and promoted: the front stays; beside it another release is promoted."""
    base, crashing, following = (stage.bundle.release(variant) for variant in (BASE, CRASHING, NEXT))
    with opened(stage, base):
        stage.stage(crashing)
        commit = stage.promote(crashing)
        stage.hold(10, "it crashes")
        stage.revert(commit)
        stage.stage(following)
        stage.until_ready(following)
        stage.promote(following)
        pushed = stage.last_push
        stage.until_front(following)
        stage.hold(3, "the old root's last answers")
        stage.same()
    stage.timings["forward_beside_a_crash_loop"] = stage.moved_after(following, pushed)
    stage.judge(Bounds(refused=frozenset({stage.root(crashing)})))


def test_image_that_cannot_be_pulled(stage: Stage) -> None:
    """A release whose image is nowhere is staged and promoted: the front stays, and a revert ends the matter."""
    base, absent = stage.bundle.release(BASE), stage.bundle.release(ABSENT)
    with opened(stage, base):
        stage.stage(absent)
        commit = stage.promote(absent)
        stage.hold(15, "it cannot be pulled")
        stage.revert(commit)
        stage.hold(3, "nothing happens")
        assert stage.front == stage.root(base)
        stage.same()
    stage.judge(Bounds(refused=frozenset({stage.root(absent)})))


def test_revert_during_a_failing_forward(stage: Stage) -> None:
    """Two promotes in a row, the second of a release that crashes; the first one is reverted under it."""
    base, following, crashing = (stage.bundle.release(variant) for variant in (BASE, NEXT, CRASHING))
    with opened(stage, base):
        stage.stage(following)
        stage.until_ready(following)
        first = stage.promote(following)
        stage.until_front(following)
        stage.stage(crashing)
        second = stage.promote(crashing)
        stage.hold(5, "the second promote waits for its gate")
        began = stage.revert(second, first)
        stage.until_front(base)
        stage.hold(3, "its last answers")
        stage.same()
    stage.timings["revert"] = stage.answered_until(following, began)
    stage.judge(Bounds(refused=frozenset({stage.root(crashing)})))


def test_plain_revert_after_retire(stage: Stage) -> None:
    """A promote is reverted by hand although its predecessor was retired: what served goes on serving."""
    base, following = stage.bundle.release(BASE), stage.bundle.release(NEXT)
    with opened(stage, base):
        stage.stage(following)
        stage.until_ready(following)
        promoted = stage.promote(following)
        stage.until_front(following)
        stage.retire(base)
        stage.until(lambda: not stage.watcher.latest("Deployment", stage.root(base)), "the old release is gone")
        moved = time.monotonic_ns()
        stage.revert(promoted)
        stage.hold(30, "the front must not move to what is not there")
        assert stage.front == stage.root(following)
        again = stage.promote(following)
        assert again
        stage.hold(3, "as before")
        stage.same()
    assert not [at for at, root in stage.moves() if at > moved and root == stage.root(base)]
    stage.judge(Bounds())


def test_retired_root_created_again(stage: Stage) -> None:
    """Promote and retire are both reverted: the old release starts again, and serves when its gate has answered."""
    base, following = stage.bundle.release(slow(8)), stage.bundle.release(NEXT)
    with opened(stage, base):
        stage.stage(following)
        stage.until_ready(following)
        promoted = stage.promote(following)
        stage.until_front(following)
        retired = stage.retire(base)
        stage.until(lambda: not stage.watcher.latest("Deployment", stage.root(base)), "the old release is gone")
        began = stage.revert(retired, promoted)
        stage.until_front(base, 120)
        stage.hold(3, "its last answers")
        stage.same()
    stage.timings["back"] = stage.moved_after(base, began)
    stage.judge(Bounds())


def test_two_releases_back_after_retire(stage: Stage) -> None:
    """`lockstep rollback --to` a release that was retired: restored, started, asked, served."""
    base, second, third = (stage.bundle.release(variant) for variant in (BASE, NEXT, PROMPT))
    with opened(stage, base):
        for release in (second, third):
            stage.stage(release)
            stage.until_ready(release)
            stage.promote(release)
            stage.until_front(release)
        stage.retire()
        stage.until(lambda: not stage.watcher.latest("Deployment", stage.instance(base, "root")), "the first is gone")
        began = stage.rollback("--to", base.version)
        stage.until_front(base, 120)
        stage.hold(3, "its last answers")
        stage.same()
    stage.timings["back"] = stage.moved_after(base, began)
    stage.judge(Bounds())


def test_twenty_cycles(stage: Stage) -> None:
    """Promote and revert twenty times: no instance starts, stops or restarts, and none of the times grows."""
    base, following = stage.bundle.release(BASE), stage.bundle.release(NEXT)
    back, windows = [], []
    with opened(stage, base):
        stage.stage(following)
        stage.until_ready(following)
        stage.hold(2, "all is warm")
        for _ in range(20):
            commit = stage.promote(following)
            stage.until_front(following)
            stage.hold(1.5, "it serves")
            began = stage.revert(commit)
            stage.until_front(base)
            stage.hold(2, "its last answers")
            windows.append(stage.still(began, base, following))
            back.append(stage.answered_until(following, began))
        stage.same()
    stage.timings |= {"revert_median": median(back), "revert_worst": max(back)}
    stage.judge(Bounds(still=tuple(windows)))


@pytest.mark.parametrize("seconds", [3, 10, 30])
def test_start_up_is_not_paid(stage: Stage, seconds: int) -> None:
    """The release that is left and the one that is returned to take this long to start; a revert does not."""
    base, following = stage.bundle.release(BASE), stage.bundle.release(slow(seconds))
    back = []
    with opened(stage, base):
        stage.stage(following)
        stage.timings["warm"] = stage.until_ready(following, 120)
        for _ in range(3):
            commit = stage.promote(following)
            stage.until_front(following)
            stage.hold(2.5, "it serves")
            began = stage.revert(commit)
            stage.until_front(base)
            stage.hold(2.5, "its last answers")
            back.append(stage.answered_until(following, began))
        stage.same()
    stage.timings |= {"start_up": seconds, "revert_median": median(back), "revert_worst": max(back)}
    stage.judge(Bounds())


def test_agent_killed(stage: Stage) -> None:
    """The agent is killed at random moments of promotes and reverts, and goes on where it was when it is back."""
    base, following = stage.bundle.release(BASE), stage.bundle.release(NEXT)
    chance = random.Random(stage.name)
    with opened(stage, base):
        stage.stage(following)
        stage.until_ready(following)
        for _ in range(4):
            commit = stage.promote(following)
            stage.hold(chance.uniform(0, 1.5), "then it is killed")
            Supervisor(TOP).kill(CONTROLLERS[stage.agent])
            stage.until_front(following, 120)
            stage.revert(commit)
            stage.hold(chance.uniform(0, 1.5), "then it is killed")
            Supervisor(TOP).kill(CONTROLLERS[stage.agent])
            stage.until_front(base, 120)
        stage.same(120)
    stage.judge(Bounds())


def test_kubelet_restarted(stage: Stage) -> None:
    """The kubelet is restarted under load, between promote and revert: no pod is, and no request fails."""
    base, following = stage.bundle.release(BASE), stage.bundle.release(NEXT)
    with opened(stage, base):
        stage.stage(following)
        stage.until_ready(following)
        commit = stage.promote(following)
        stage.until_front(following)
        began = stage.mark("the kubelet restarts")
        Supervisor(TOP).restart("kubelet")
        stage.hold(8, "it finds its pods again")
        stage.revert(commit)
        stage.until_front(base)
        stage.hold(3, "its last answers")
        window = stage.still(began, base, following)
        stage.same()
    stage.judge(Bounds(still=(window,)))


def test_front_edited_by_hand(stage: Stage) -> None:
    """Somebody moves the front in the cluster: the agent moves it back to what Git says."""
    base, following = stage.bundle.release(BASE), stage.bundle.release(NEXT)
    with opened(stage, base):
        stage.stage(following)
        stage.until_ready(following)
        stage.promote(following)
        stage.until_front(following)
        began = stage.mark("a hand moves the front")
        selector = {"spec": {"selector": {INSTANCE: stage.root(base)}}}
        stage.api.ask("PATCH", f"/api/v1/namespaces/{stage.name}/services/front", selector)
        stage.until(lambda: stage.front == stage.root(base), "the hand has moved it")
        stage.until_front(following, 60)
        stage.hold(3, "its last answers")
        stage.same()
    stage.timings["healed"] = stage.moved_after(following, began)
    stage.judge(Bounds())


def test_served_instance_deleted_by_hand(stage: Stage) -> None:
    """Somebody deletes what serves, Deployment, Service, ConfigMap and front: the cluster refuses, and says why."""
    base = stage.bundle.release(BASE)
    with opened(stage, base):
        root, thin = (stage.instance(base, component) for component in ("root", "thin"))
        own = f"/api/v1/namespaces/{stage.name}"
        deployments = f"/apis/apps/v1/namespaces/{stage.name}/deployments"
        for path in (
            f"{deployments}/{root}",
            f"{deployments}/{thin}",
            f"{own}/services/{thin}",
            f"{own}/configmaps/{thin}-prompts",
            f"{own}/services/front",
        ):
            with pytest.raises(ApiError, match="lockstep") as refused:
                stage.api.ask("DELETE", path)
            assert refused.value.status == 403
        began = stage.mark("a pod is deleted, which is nobody's business")
        stage.hold(3, "nothing happened")
        window = stage.still(began, base)
        stage.same()
    stage.judge(Bounds(still=(window,)))


def test_bot_that_promotes_again(stage: Stage) -> None:
    """A rollback with a hold: the bot that promotes again is refused, and the front stays."""
    base, following = stage.bundle.release(BASE), stage.bundle.release(NEXT)
    with opened(stage, base):
        stage.stage(following)
        stage.until_ready(following)
        stage.promote(following)
        stage.until_front(following)
        stage.rollback("--hold", "wrong totals")
        stage.until_front(base)
        with pytest.raises(CommandError, match="wrong totals"):
            stage.promote(following)
        stage.hold(5, "the bot tried")
        assert stage.front == stage.root(base)
        stage.same()
    stage.judge(Bounds())


def test_stage_promote_and_retire_at_once(stage: Stage) -> None:
    """The agent slept through stage, promote and retire, and sees all three in one push: nobody notices."""
    base, following = stage.bundle.release(BASE), stage.bundle.release(slow(5))
    with opened(stage, base):
        stage.stage(following, push=False)
        stage.promote(following, push=False)
        stage.retire(base, push=False)
        began = stage.push("stage, promote and retire at once")
        stage.until_front(following, 120)
        stage.hold(3, "the old root's last answers")
        stage.same(120)
    stage.timings["forward_cold"] = stage.moved_after(following, began)
    stage.judge(Bounds())


def test_all_components_at_once(stage: Stage) -> None:
    """Every component changes: nothing is shared, and nobody notices in either direction."""
    base, following = stage.bundle.release(BASE), stage.bundle.release(ALL)
    with opened(stage, base):
        stage.stage(following)
        stage.until_ready(following)
        commit = stage.promote(following)
        stage.until_front(following)
        stage.hold(3, "it serves")
        began = stage.revert(commit)
        stage.until_front(base)
        stage.hold(3, "its last answers")
        window = stage.still(began, base, following)
        stage.same()
    assert not stage.closures[stage.root(base)] & stage.closures[stage.root(following)]
    stage.timings["revert"] = stage.answered_until(following, began)
    stage.judge(Bounds(still=(window,)))


def test_hundred_thousand_requests(stage: Stage) -> None:
    """The long proof: promotes, reverts and a crashing release in turn, until 100,000 requests are answered."""
    base, following, prompt = (stage.bundle.release(variant) for variant in (BASE, NEXT, PROMPT))
    crashing = stage.bundle.release(CRASHING)
    back = []
    with opened(stage, base, rate=LONG_RATE):
        stage.stage(following, prompt, crashing)
        for release in (following, prompt):
            stage.until_ready(release)
        while stage.load.count < REQUESTS:
            for release in (following, prompt):
                commit = stage.promote(release)
                stage.until_front(release)
                stage.hold(4, "it serves")
                began = stage.revert(commit)
                stage.until_front(base)
                stage.hold(4, "its last answers")
                back.append(stage.answered_until(release, began))
            commit = stage.promote(crashing)
            stage.hold(3, "it crashes")
            stage.revert(commit)
        stage.same()
    stage.timings |= {"revert_median": median(back), "revert_worst": max(back), "reverts": len(back)}
    stage.judge(Bounds(refused=frozenset({stage.root(crashing)}), least=REQUESTS))
