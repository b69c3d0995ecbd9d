"""Ways back, also to what was retired. Only in `make soak`."""

from __future__ import annotations

import time
from statistics import median

import pytest

from kit.checker import Bounds
from kit.stage import Stage, opened
from kit.variants import ALL, BASE, NEXT, PROMPT, slow

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]


def test_plain_revert_after_retire(stage: Stage) -> None:
    """A promote is reverted by hand although its predecessor was retired: what served goes on serving."""
    base, following = stage.bundle.release(BASE), stage.bundle.release(NEXT)
    with opened(stage, base):
        promoted = stage.serve(following)
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
        promoted = stage.serve(following)
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
            stage.serve(release)
        stage.retire()
        stage.until(lambda: not stage.watcher.latest("Deployment", stage.instance(base, "root")), "the first is gone")
        began = stage.rollback("--to", base.version)
        stage.until_front(base, 120)
        stage.hold(3, "its last answers")
        stage.same()
    stage.timings["back"] = stage.moved_after(base, began)
    stage.judge(Bounds())


@pytest.mark.parametrize("seconds", [3, 10, 30])
def test_start_up_is_not_paid(stage: Stage, seconds: int) -> None:
    """The release that is left and the one that is returned to take this long to start; a revert does not."""
    base, following = stage.bundle.release(BASE), stage.bundle.release(slow(seconds))
    back = []
    with opened(stage, base):
        stage.stage(following)
        stage.timings["warm"] = stage.until_ready(following, 120)
        for _ in range(3):
            began = stage.there_and_back(following, base, 2.5)
            back.append(stage.answered_until(following, began))
        stage.same()
    stage.timings |= {"start_up": seconds, "revert_median": median(back), "revert_worst": max(back)}
    stage.judge(Bounds())


def test_all_components_at_once(stage: Stage) -> None:
    """Every component changes: nothing is shared, and nobody notices in either direction."""
    base, following = stage.bundle.release(BASE), stage.bundle.release(ALL)
    with opened(stage, base):
        commit = stage.serve(following)
        stage.hold(3, "it serves")
        began = stage.revert(commit)
        stage.until_front(base)
        stage.hold(3, "its last answers")
        window = stage.still(began, base, following)
        stage.same()
    assert not stage.closures[stage.root(base)] & stage.closures[stage.root(following)]
    stage.timings["revert"] = stage.answered_until(following, began)
    stage.judge(Bounds(still=(window,)))


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
