"""What people and machines do to a cluster meanwhile. Only in `make soak`."""

from __future__ import annotations

import random

import pytest

from cluster import node
from cluster.control import Supervisor
from kit import TOP
from kit.api import ApiError
from kit.bundle import Release
from kit.checker import Bounds, Window
from kit.facts import INSTANCE
from kit.stage import SECOND, Stage, opened
from kit.variants import BASE, BUSY, BUSY_NEXT, NEXT, THINS

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]
CONTROLLERS = {"argocd": "argocd-application-controller", "flux": "kustomize-controller"}


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
        commit = stage.serve(following)
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
        stage.serve(following)
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


def test_autoscaled(stage: Stage) -> None:
    """An autoscaler adds pods under load. What is left keeps them while nobody asks it, so that a revert under the same
    load finds them.
    """
    node.measure(TOP, print)
    base, following = stage.bundle.release(BUSY), stage.bundle.release(BUSY_NEXT)
    with stage.opened(base):
        with stage.under_load():
            stage.until(lambda: _pods(stage, base) == THINS, "the autoscaler added pods", 240)
            commit = stage.serve(following)
            stage.until(lambda: _pods(stage, following) == THINS, "the next one's did, too", 240)
        quiet = _nobody_asks(stage)
        assert (_pods(stage, base), _pods(stage, following)) == (THINS, THINS)
        bounds = _back_at_once(stage, commit, base, following, quiet, 20)
    stage.judge(bounds)


def _pods(stage: Stage, release: Release) -> int:
    return int(stage.watcher.latest("Deployment", stage.instance(release, "thin"))["ready"])


def test_idleness(stage: Stage) -> None:
    """Nobody asks for a while (a minute for an hour), then load and a revert at once: nothing was forgotten."""
    base, following = stage.bundle.release(BASE), stage.bundle.release(NEXT)
    with stage.opened(base):
        with stage.under_load():
            commit = stage.serve(following)
            stage.hold(3, "it serves")
        bounds = _back_at_once(stage, commit, base, following, _nobody_asks(stage), 3)
    stage.judge(bounds)


def _nobody_asks(stage: Stage) -> int:
    """When a minute without a request began."""
    began = stage.mark("nobody asks")
    stage.hold(60, "nobody asks")
    return began


def _back_at_once(
    stage: Stage, commit: str, base: Release, following: Release, quiet_ns: int, seconds: float
) -> Bounds:
    """What must hold of a revert with which the load begins again and then goes on for some seconds: nothing starts."""
    with stage.under_load():
        began = stage.revert(commit)
        stage.until_front(base)
        stage.hold(seconds, "the load goes on")
        window = stage.still(began, base, following)
    stage.same()
    stage.timings["revert"] = stage.answered_until(following, began)
    assert stage.timings["revert"] > 0, "the load had not begun when the revert was pushed"
    return Bounds(still=(window,), idle=(Window(quiet_ns, began + SECOND),))
