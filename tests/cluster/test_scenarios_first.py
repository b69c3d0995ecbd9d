"""The scenarios that matter most, for each agent: what `make test-cluster` proves.

Each plays in an environment of its own, under load over HTTP/1.1 and HTTP/2, watched at every event, and ends with:
nothing violated, and the cluster is what Git says.
"""

from __future__ import annotations

import time
from statistics import median

import pytest

from kit.checker import Bounds, Window
from kit.stage import SECOND, Stage, opened
from kit.variants import BASE, NEVER_READY, NEXT, PROMPT, WRONG, slow

pytestmark = pytest.mark.timeout(600)
REVERTS = 5
# From the push to the beginning of the last answer of what was reverted: median and worst, in seconds.
BACK = {"argocd": (4.0, 6.0), "flux": (2.5, 6.0), "helm": (60.0, 60.0)}  # helm: a person at a terminal, no promise


def test_forward(stage: Stage) -> None:
    """A release with another model is staged, warmed and promoted: nobody notices but by the answer."""
    base, following = stage.bundle.release(BASE), stage.bundle.release(NEXT)
    with opened(stage, base):
        stage.stage(following)
        stage.timings["warm"] = stage.until_ready(following)
        stage.promote(following)
        pushed = stage.last_push
        stage.until_front(following)
        stage.hold(3, "the old root's last answers")
        stage.same()
    stage.timings["forward"] = stage.moved_after(following, pushed)
    stage.timings["last_old_answer"] = stage.answered_until(base, pushed)
    stage.judge(Bounds())


def test_revert(stage: Stage) -> None:
    """A promote is reverted, again and again: warm, so that nothing starts, stops or restarts."""
    base, following = stage.bundle.release(BASE), stage.bundle.release(NEXT)
    back, windows = [], []
    with opened(stage, base):
        stage.stage(following)
        stage.until_ready(following)
        for _ in range(REVERTS):
            began = stage.there_and_back(following, base, 2.5)
            windows.append(stage.still(began, base, following))
            back.append(stage.answered_until(following, began))
        stage.same()
    stage.timings |= {"revert_median": median(back), "revert_worst": max(back), "reverts": back}
    stage.judge(Bounds(still=tuple(windows)))
    _is_fast(stage, back)


def test_revert_of_a_release_that_went_bad(stage: Stage) -> None:
    """The promoted release goes bad, root and model: its revert waits for none of its instances."""
    base, following = stage.bundle.release(BASE), stage.bundle.release(NEXT)
    with opened(stage, base):
        commit = stage.serve(following)
        stage.hold(2, "it serves")
        broke = stage.mark("the release goes bad")
        for component in ("model", "root"):
            stage.break_instance(stage.instance(following, component))
        stage.until(lambda: not stage.ready(stage.root(following)), "the root is not ready any more")
        stage.hold(3, "it fails")
        began = stage.revert(commit)
        stage.until_front(base)
        healed = time.monotonic_ns() + SECOND
        stage.hold(3, "its last answers")
        window = stage.still(began, base)
        stage.same()
    back = stage.answered_from(base, began)  # what was reverted answers no more, so: until the first good answer
    stage.timings |= {"revert": back, "front_back": stage.moved_after(base, began)}
    broken = Window(broke, healed, frozenset({stage.root(following)}))
    stage.judge(Bounds(broken=(broken,), still=(window,)))
    _is_fast(stage, [back])


def test_failing_forward(stage: Stage) -> None:
    """A release that never gets ready, then one whose gate fails: the front stays, and a revert needs no patience."""
    base, following = stage.bundle.release(BASE), stage.bundle.release(NEXT)
    never, wrong = stage.bundle.release(NEVER_READY), stage.bundle.release(WRONG)
    with opened(stage, base):
        stage.stage(never)
        commit = stage.promote(never)
        stage.hold(8, "it is promoted, but never gets ready")
        stage.revert(commit)
        stage.stage(wrong)
        stage.until_ready(wrong)
        commit = stage.promote(wrong)
        stage.until(lambda: stage.gate(wrong).get("failed"), "the gate fails")
        stage.hold(2, "the gate has failed")
        stage.revert(commit)
        stage.stage(following)
        stage.until_ready(following)
        stage.promote(following)
        pushed = stage.last_push
        stage.until_front(following)
        stage.hold(3, "the old root's last answers")
        stage.same()
    stage.timings["forward_after_failures"] = stage.moved_after(following, pushed)
    stage.judge(Bounds(refused=frozenset({stage.root(never), stage.root(wrong)})))


def test_revert_while_another_release_starts(stage: Stage) -> None:
    """r1 is reverted while r2, whose model takes 30 s, is still starting: the front waits for nothing."""
    base, first, second = (stage.bundle.release(variant) for variant in (BASE, NEXT, slow(30)))
    with opened(stage, base):
        commit = stage.serve(first)
        stage.stage(second)
        stage.until(lambda: stage.watcher.latest("Deployment", stage.root(second)), "the second release starts")
        stage.hold(2, "r2 starts")
        began = stage.revert(commit)
        stage.until_front(base)
        assert not stage.ready(stage.root(second)), "r2 was ready already, so this proved nothing"
        stage.hold(3, "its last answers")
        window = stage.still(began, base, first)
        stage.until_ready(second)
        stage.same()
    back = stage.answered_until(first, began)
    stage.timings["revert"] = back
    stage.judge(Bounds(still=(window,)))
    _is_fast(stage, [back])


def test_prompt_only(stage: Stage) -> None:
    """Another prompt makes exactly: one ConfigMap, thin and its Service, the root and its, their edges, the gate."""
    base, prompt = stage.bundle.release(BASE), stage.bundle.release(PROMPT)
    with opened(stage, base):
        stage.serve(prompt)
        stage.hold(3, "the old root's last answers")
        stage.same()
    root, thin = (stage.instance(prompt, component) for component in ("root", "thin"))
    side, model = (stage.instance(base, component) for component in ("side", "model"))
    made = {(event.kind, event.name) for event in stage.after("push: stage prompt") if event.change == "ADDED"}
    assert {name for kind, name in made if kind == "ConfigMap"} == {f"{thin}-prompts"}
    assert {name for kind, name in made if kind == "Deployment"} == {thin, root}
    assert {name for kind, name in made if kind == "Service"} == {thin, root}
    assert {name for kind, name in made if kind == "Job"} == {f"gate-{root}"}
    edges = {f"{thin}-calls-{model}", f"{root}-calls-{thin}", f"{root}-calls-{side}", f"{root}-front"}
    assert {name for kind, name in made if kind == "NetworkPolicy"} == edges
    pods = [event for event in stage.after("push: stage prompt") if event.kind == "Pod" and event.change != "MODIFIED"]
    assert {event.facts["instance"] for event in pods if event.change == "ADDED"} == {thin, root, ""}
    assert {event.facts["instance"] for event in pods if event.change == "DELETED"} <= {""}
    stage.judge(Bounds())


def _is_fast(stage: Stage, back: list[float]) -> None:
    """Judged only in `make soak` on a quiet machine (--speed); the figures are in the report either way."""
    if not stage.judges_speed:
        return
    middle, worst = BACK[stage.agent]
    is_enough = len(back) >= REVERTS  # for a median
    assert not is_enough or median(back) < middle, f"the median revert took {median(back):.2f} s, {back}"
    assert max(back) < worst, f"the slowest revert took {max(back):.2f} s, {back}"
