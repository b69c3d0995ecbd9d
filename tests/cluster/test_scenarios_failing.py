"""Releases that fail: the front stays where it is, and a revert needs no patience. Only in `make soak`."""

from __future__ import annotations

import pytest

from kit.bundle import CommandError
from kit.checker import Bounds
from kit.stage import Stage, opened
from kit.variants import ABSENT, BASE, CRASHING, NEXT

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]


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
        first = stage.serve(following)
        stage.stage(crashing)
        second = stage.promote(crashing)
        stage.hold(5, "the second promote waits for its gate")
        began = stage.revert(second, first)
        stage.until_front(base)
        stage.hold(3, "its last answers")
        stage.same()
    stage.timings["revert"] = stage.answered_until(following, began)
    stage.judge(Bounds(refused=frozenset({stage.root(crashing)})))


def test_bot_that_promotes_again(stage: Stage) -> None:
    """A rollback with a hold: the bot that promotes again is refused, and the front stays."""
    base, following = stage.bundle.release(BASE), stage.bundle.release(NEXT)
    with opened(stage, base):
        stage.serve(following)
        stage.rollback("--hold", "wrong totals")
        stage.until_front(base)
        with pytest.raises(CommandError, match="wrong totals"):
            stage.promote(following)
        stage.hold(5, "the bot tried")
        assert stage.front == stage.root(base)
        stage.same()
    stage.judge(Bounds())
