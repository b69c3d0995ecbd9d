"""The layouts of charts/gitops under the real agents: what each does, and what it leaves alone (docs/adr/0011)."""

from __future__ import annotations

import pytest

from kit import agents
from kit.events import Watcher
from kit.facts import paths
from kit.stage import Stage
from kit.variants import BASE, NEXT, WRONG

pytestmark = [pytest.mark.soak, pytest.mark.timeout(400)]


def _gate(stage: Stage, root: str) -> str:
    """What the cluster says of a root's gate: complete, failed, pending, or nothing if there is none."""
    facts = stage.watcher.latest("Job", f"gate-{root}")
    return next((word for word in ("complete", "failed") if facts.get(word)), "pending") if facts else ""


def test_forward_and_back(stage: Stage) -> None:
    """An environment is applied, promoted and reverted: that starts nothing, and the gate goes with its promote."""
    base, new = stage.bundle.release(BASE), stage.bundle.release(NEXT)

    with stage.opened(base):
        stage.stage(new)
        stage.until_ready(new)
        assert stage.front == stage.root(base)
        pushed = stage.mark("promote")
        commit = stage.promote(new)
        stage.until_front(new)
        pods = {name: facts["uid"] for name, facts in stage.watcher.named("Pod").items()}
        reverted = stage.revert(commit)
        stage.until_front(base)
        stage.until(lambda: _gate(stage, stage.root(new)) == "", "the gate went with the promote")
        stage.same()

        after = {name: facts["uid"] for name, facts in stage.watcher.named("Pod").items()}
        gates = {name for name in pods if name.startswith("gate-")}
        assert {name: after.get(name) for name in pods.keys() - gates} == {
            name: pods[name] for name in pods.keys() - gates
        }
        stage.timings |= {"forward": stage.moved_after(new, pushed), "back": stage.moved_after(base, reverted)}


def test_first_sight(stage: Stage) -> None:
    """stage and promote are there before the agent is: the front is not made before the gate has answered."""
    base = stage.bundle.release(BASE)
    stage.bundle.environment(stage.name, stage.agent)
    stage.stage(base, push=False)
    stage.promote(base, push=False)
    stage.bundle.push()
    agents.follow(stage.cluster, stage.agent, stage.bundle, stage.name)
    try:
        with Watcher(stage.api, paths(stage.name, stage.agent), stage.folder / "events.jsonl") as stage.watcher:
            stage.tell()
            stage.until_front(base)
            events = stage.watcher.events
    finally:
        agents.forget(stage.cluster, stage.agent, stage.name)
        stage.api.delete(f"/api/v1/namespaces/{stage.name}")

    answered = min(event.version for event in events if event.kind == "Job" and event.facts.get("complete"))
    moved = min(event.version for event in events if (event.kind, event.name) == ("Service", "front"))
    assert answered < moved


def test_promote_after_failed_gate(stage: Stage) -> None:
    """A gate that failed never moves the front, however often an agent tries; and it does not hold the next promote."""
    base, wrong, new = (stage.bundle.release(variant) for variant in (BASE, WRONG, NEXT))

    with stage.opened(base):
        stage.stage(wrong, new)
        stage.until_ready(wrong)
        stage.until_ready(new)
        stage.promote(wrong)
        stage.until(lambda: _gate(stage, stage.root(wrong)) == "failed", "the gate fails")
        stage.hold(6, "an agent that tries again must not move the front")
        assert stage.front == stage.root(base)
        pushed = stage.mark("promote")
        stage.promote(new)
        stage.until_front(new)
        stage.timings["forward"] = stage.moved_after(new, pushed)


def test_seen_at_once(stage: Stage) -> None:
    """stage, promote and retire are seen at once: the agent's deletions are refused until the front has moved."""
    base, new = stage.bundle.release(BASE), stage.bundle.release(NEXT)

    with stage.opened(base):
        stage.stage(new, push=False)
        stage.promote(new, push=False)
        stage.retire(base)
        stage.until_front(new)
        stage.until(lambda: not stage.watcher.latest("Deployment", stage.root(base)), "the old root is deleted")
        stage.same()

        events = stage.watcher.events
        left = min(event.version for event in events if event.change == "DELETED" and event.name == stage.root(base))
        moved = [event for event in events if event.name == "front" and event.kind == "Service"]
        assert min(event.version for event in moved if event.facts["root"] == stage.root(new)) < left


def test_first_promote_reverted(stage: Stage) -> None:
    """Git names no front any more; the cluster keeps the one it has, and the next promote moves it."""
    base, new = stage.bundle.release(BASE), stage.bundle.release(NEXT)

    with stage.opened(base):
        first = stage.bundle.run("git", "log", "-1", "--format=%H", "--", f"releases/{stage.name}/front/front.yaml")
        stage.revert(first)
        stage.hold(8, "an agent that deletes the front would do it now")
        assert stage.front == stage.root(base)
        stage.serve(new)
        stage.same()
