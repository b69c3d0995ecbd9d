"""The long proofs, and the declared exception: a swap. Only in `make soak`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from statistics import median

import pytest

from kit.checker import Bounds, Window
from kit.stage import SECOND, Stage, opened
from kit.variants import BASE, CRASHING, DEVICE, NEXT, OTHER_DEVICE, PROMPT

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]
DEVICE_NAME = "nvidia.com/gpu"  # what `resources.gpu` asks for
REQUESTS = 100_000
LONG_RATE = 160.0  # requests per second; a third of what the pods and the clients bear on two cores beside a cluster


@pytest.fixture
def device(stage: Stage) -> Iterator[None]:
    """The node has one device, of a kind that no plugin provides."""
    node = stage.api.items("/api/v1/nodes")[0]["metadata"]["name"]
    path = f"/api/v1/nodes/{node}/status"
    stage.api.ask("PATCH", path, {"status": {"capacity": {DEVICE_NAME: "1"}, "allocatable": {DEVICE_NAME: "1"}}})
    yield
    stage.api.ask("PATCH", path, {"status": {"capacity": {DEVICE_NAME: None}, "allocatable": {DEVICE_NAME: None}}})


@pytest.mark.usefixtures("device")
def test_swap(stage: Stage) -> None:
    """The model needs the node's only device: it is swapped forth and back. Requests fail meanwhile, and never mix."""
    base, following = stage.bundle.release(DEVICE), stage.bundle.release(OTHER_DEVICE)
    with opened(stage, base):
        stage.stage(following, swap="model")
        stage.hold(3, "the new model waits in standby")
        commit = stage.promote(following, swap="model")
        forth = stage.last_push
        stage.until_front(following, 120)
        stage.until_ready(following)
        there = time.monotonic_ns() + SECOND
        stage.hold(4, "it serves")
        back = stage.revert(commit)
        stage.until_front(base, 120)
        stage.until_ready(base)
        again = time.monotonic_ns() + SECOND
        stage.hold(4, "it serves again")
        stage.same()
    both = frozenset({stage.root(base), stage.root(following)})
    stage.timings |= {"without_the_model": (there - forth) / SECOND, "without_it_back": (again - back) / SECOND}
    stage.judge(Bounds(broken=(Window(forth, there, both), Window(back, again, both))))


def test_twenty_cycles(stage: Stage) -> None:
    """Promote and revert twenty times: no instance starts, stops or restarts, and none of the times grows."""
    base, following = stage.bundle.release(BASE), stage.bundle.release(NEXT)
    back, windows = [], []
    with opened(stage, base):
        stage.stage(following)
        stage.until_ready(following)
        stage.hold(2, "all is warm")
        for _ in range(20):
            began = stage.there_and_back(following, base, 2)
            windows.append(stage.still(began, base, following))
            back.append(stage.answered_until(following, began))
        stage.same()
    stage.timings |= {"revert_median": median(back), "revert_worst": max(back)}
    stage.judge(Bounds(still=tuple(windows)))


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
                began = stage.there_and_back(release, base, 4)
                back.append(stage.answered_until(release, began))
            commit = stage.promote(crashing)
            stage.hold(3, "it crashes")
            stage.revert(commit)
        stage.same()
    stage.timings |= {"revert_median": median(back), "revert_worst": max(back), "reverts": len(back)}
    stage.judge(Bounds(refused=frozenset({stage.root(crashing)}), least=REQUESTS))
