"""The scenarios that matter most, for each agent: what `make test-cluster` proves.

Each plays in an environment of its own, under load over HTTP/1.1 and HTTP/2, watched at every event, and ends with:
nothing violated, and the cluster is what Git says.
"""

from __future__ import annotations

from statistics import median

import pytest

from kit.checker import Bounds
from kit.stage import Stage, opened
from kit.variants import BASE, NEXT

pytestmark = pytest.mark.timeout(600)
REVERTS = 5
# From the push to the beginning of the last answer of what was reverted: median and worst, in seconds.
BACK = {"argocd": (4.0, 6.0), "flux": (2.5, 6.0), "helm": (4.0, 6.0)}


def test_forward(stage: Stage) -> None:
    """A release with another model is staged, warmed and promoted: nobody notices but by the answer."""
    base, following = stage.bundle.release(BASE), stage.bundle.release(NEXT)
    with opened(stage, base):
        stage.stage(following)
        stage.timings["warm"] = stage.until_ready(following)
        pushed = stage.mark("promote")
        stage.promote(following)
        stage.until_front(following)
        stage.hold(3, "the old root's last answers")
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
            commit = stage.promote(following)
            stage.until_front(following)
            stage.hold(2.5, "it serves")
            began = stage.revert(commit)
            stage.until_front(base)
            stage.hold(2.5, "its last answers")
            windows.append(stage.still(began))
            back.append(stage.answered_until(following, began))
        stage.same()
    stage.timings |= {"revert_median": median(back), "revert_worst": max(back), "reverts": back}
    stage.judge(Bounds(still=tuple(windows)))
    assert median(back) < BACK[stage.agent][0]
    assert max(back) < BACK[stage.agent][1]
