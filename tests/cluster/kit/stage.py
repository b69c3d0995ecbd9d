"""Where a scenario plays: one environment of the bundle, followed by one agent, watched and under load.

Each step is what a person does: a command of lockstep or of git, a push, and the webhook that follows a push. Nothing
here writes to the environment's namespace but what a scenario breaks on purpose.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster.running import Running
from demo.answers import last_began
from kit import agents
from kit.api import Api
from kit.bundle import RETIRE_AFTER_SECONDS, Bundle, Release
from kit.checker import Bounds, Window, front_moves, violations
from kit.events import Watcher
from kit.facts import paths
from kit.load import DEFAULT_RATE, Load
from kit.record import Event, Mark, Record, write_lines
from kit.same import differences
from kit.state import states

SECOND = 1_000_000_000
_SETTLE_SECONDS = 120.0


@dataclass
class Stage:
    """One environment. `timings` go to the report; they are judged only where `judges_speed` says so."""

    cluster: Running
    api: Api
    bundle: Bundle
    agent: str
    name: str
    folder: Path
    judges_speed: bool = False
    timings: dict[str, Any] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)
    closures: dict[str, frozenset[str]] = field(default_factory=dict)
    roots: dict[str, str] = field(default_factory=dict)
    watcher: Watcher = field(init=False, repr=False)
    load: Load = field(init=False, repr=False)

    def mark(self, what: str) -> int:
        """The moment, remembered under a name."""
        now = time.monotonic_ns()
        self.marks.append(Mark(now, what))
        write_lines(self.folder / "marks.jsonl", self.marks[-1:])
        return now

    @contextmanager
    def opened(self, base: Release) -> Iterator[None]:
        """The environment, from its first commit until it serves `base`, watched; taken down at the end."""
        self.bundle.environment(self.name, "none" if self.agent == agents.HELM else self.agent)
        self.stage(base, push=False)
        self.bundle.push()
        agents.follow(self.cluster, self.agent, self.bundle, self.name)
        try:
            watched, ours = paths(self.name, self.agent), {"Application": f"scenarios-{self.name}-"}
            with Watcher(self.api, watched, self.folder / "events.jsonl", ours) as self.watcher:
                self.tell()
                self.until_ready(base)
                self.promote(base)
                self.until_front(base)
                yield
        finally:
            agents.forget(self.cluster, self.agent, self.name)
            self.api.delete(f"/api/v1/namespaces/{self.name}")

    @contextmanager
    def under_load(self, rate: float = DEFAULT_RATE) -> Iterator[None]:
        """Requests from the first moment to the last."""
        address = self.api.ask("GET", f"/api/v1/namespaces/{self.name}/services/front")["spec"]["clusterIP"]
        with Load(f"http://{address}", self.folder / "answers.jsonl", rate) as self.load:
            self.until(lambda: self.load.count > rate / 2, "the load runs", 20)
            yield

    # --- what people do ------------------------------------------------------------------------------------------

    def stage(self, *releases: Release, push: bool = True, swap: str = "") -> None:
        """Stages releases. Without `push`, as in the next ones, only in the clone; `swap`: what does not fit twice."""
        for release in releases:
            self.bundle.lockstep("stage", self.name, release.version, *_swap(swap))
            root, closure = self.bundle.closure(self.name, release)
            self.roots[release.version], self.closures[root] = root, closure
        self._done(f"stage {' '.join(release.variant.name for release in releases)}", push=push)

    def serve(self, release: Release) -> str:
        """The commit of a promote, after its release was staged and warm, and once the front names it."""
        self.stage(release)
        self.until_ready(release)
        commit = self.promote(release)
        self.until_front(release)
        return commit

    def promote(self, release: Release, *, push: bool = True, swap: str = "") -> str:
        """The commit of a promote."""
        commit = str(self.bundle.lockstep("promote", self.name, release.version, *_swap(swap))["commit"])
        self._done(f"promote {release.variant.name}", push=push)
        return commit

    def revert(self, *commits: str) -> int:
        """When the push of plain `git revert`s of commits, in this order, began."""
        for commit in commits:
            self.bundle.run("git", "revert", "--no-edit", commit)
        return self.push(f"revert {' '.join(commit[:10] for commit in commits)}")

    def there_and_back(self, release: Release, base: Release, seconds: float) -> int:
        """When the push of a revert began: a warm release was promoted, served so long, and was reverted to `base`."""
        commit = self.promote(release)
        self.until_front(release)
        self.hold(seconds, "it serves")
        began = self.revert(commit)
        self.until_front(base)
        self.hold(seconds, "its last answers")
        return began

    def retire(self, *dropped: Release, push: bool = True) -> str:
        """The commit that deletes what no kept release needs, and these releases although they would be kept."""
        time.sleep(RETIRE_AFTER_SECONDS + 1)
        drops = [part for release in dropped for part in ("--drop", release.version)]
        commit = str(self.bundle.lockstep("retire", self.name, *drops)["commit"])
        self._done(f"retire {' '.join(release.variant.name for release in dropped)}", push=push)
        return commit

    def rollback(self, *options: str) -> int:
        """When the push of what `lockstep rollback` committed began."""
        self.bundle.lockstep("rollback", self.name, *options)
        return self.push(f"rollback {' '.join(options)}")

    def push(self, what: str) -> int:
        """When a push began; the agent is told when it is done."""
        began = self.mark(f"push: {what}")
        self.bundle.push()
        self.tell()
        return began

    def _done(self, what: str, *, push: bool) -> None:
        if push:
            self.push(what)
        else:
            self.mark(what)

    def tell(self) -> None:
        """What a webhook does."""
        agents.tell(self.cluster, self.agent, self.bundle, self.name)

    def break_instance(self, instance: str) -> int:
        """When a running instance went bad: it fails its readiness and every question from then on."""
        began = self.mark(f"break {instance}")
        self.api.ask("POST", f"/api/v1/namespaces/{self.name}/services/{instance}:80/proxy/fault/bad")
        return began

    @property
    def last_push(self) -> int:
        """When the newest push began."""
        return next(mark.at_ns for mark in reversed(self.marks) if mark.what.startswith("push: "))

    # --- what is waited for --------------------------------------------------------------------------------------

    def root(self, release: Release) -> str:
        """The root of a release that was staged here."""
        return self.roots[release.version]

    def instance(self, release: Release, component: str) -> str:
        """The instance of a component in a release that was staged here."""
        return next(name for name in self.closures[self.root(release)] if name.rpartition("-")[0] == component)

    def gate(self, release: Release) -> Mapping[str, Any]:
        """What is known of the gate of a release; empty if it is not there."""
        return self.watcher.latest("Job", f"gate-{self.root(release)}")

    @property
    def front(self) -> str:
        """The root that the front names now; empty for none."""
        return str(self.watcher.latest("Service", "front").get("root", ""))

    def until(self, holds: Callable[[], Any], what: str, seconds: float = _SETTLE_SECONDS) -> float:
        """The seconds until something held.

        Raises:
            AssertionError: it did not in time; with what the agent says.
        """
        began = time.monotonic()
        while not holds():
            assert time.monotonic() - began < seconds, f"not within {seconds:.0f} s: {what}\n{self.said()}"
            self.watcher.wait_for_news(0.1)
        return time.monotonic() - began

    def until_ready(self, release: Release, seconds: float = _SETTLE_SECONDS) -> float:
        """The seconds until every instance of a release was Ready."""
        closure = self.closures[self.root(release)]
        return self.until(
            lambda: all(self.ready(name) for name in closure), f"{release.variant.name} is ready", seconds
        )

    def ready(self, instance: str) -> bool:
        """Whether an instance has as many Ready pods as it wants, and one at least."""
        facts = self.watcher.latest("Deployment", instance)
        return bool(facts) and int(facts["ready"]) >= max(1, int(facts["wanted"]))

    def until_front(self, release: Release, seconds: float = _SETTLE_SECONDS) -> float:
        """The seconds until the front named a release."""
        root = self.root(release)
        return self.until(lambda: self.front == root, f"the front names {release.variant.name} ({root})", seconds)

    def hold(self, seconds: float, what: str) -> None:
        """Lets time pass under load: what must not happen gets its chance."""
        self.mark(f"wait {seconds:.0f} s: {what}")
        time.sleep(seconds)

    def said(self) -> str:
        """What the agent and the pods say, for messages."""
        own = {kind: self.watcher.named(kind) for kind in ("Application", "Kustomization", "Job", "Deployment", "Pod")}
        lines = [f"{kind} {name}: {item}" for kind, items in own.items() for name, item in items.items()]
        return "\n".join([f"front: {self.watcher.latest('Service', 'front')}", *lines])

    # --- what is judged ------------------------------------------------------------------------------------------

    @property
    def record(self) -> Record:
        """Everything so far."""
        return Record(self.watcher.events, self.load.answers, tuple(self.marks))

    def after(self, what: str) -> list[Event]:
        """The events that came after a step, by its name."""
        began = next(mark.at_ns for mark in self.marks if mark.what == what)
        return [event for event in self.watcher.events if event.at_ns > began]

    def answered_until(self, release: Release, after_ns: int) -> float:
        """The seconds from a moment to the last answer that a release began after it."""
        return (last_began(self.load.answers, self.root(release), after_ns) - after_ns) / SECOND

    def answered_from(self, release: Release, after_ns: int) -> float:
        """The seconds from a moment to the first good answer that a release began after it."""
        root = self.root(release)
        good = (answer for answer in self.load.answers if answer.root == root and not answer.error)
        return next((answer.began_ns - after_ns) / SECOND for answer in good if answer.began_ns > after_ns)

    def moves(self) -> tuple[tuple[int, str], ...]:
        """When the front named another root, and which."""
        return front_moves(tuple(states(self.watcher.events)))

    def moved_after(self, release: Release, after_ns: int) -> float:
        """The seconds from a moment to the front's move to a release."""
        return next(
            (at - after_ns) / SECOND for at, root in self.moves() if at > after_ns and root == self.root(release)
        )

    def still(self, from_ns: int, *releases: Release) -> Window:
        """A window, until now, in which no instance of these releases may start, stop or restart."""
        roots = [self.root(release) for release in releases]
        return Window(from_ns, time.monotonic_ns(), frozenset().union(*(self.closures[root] for root in roots)))

    def judge(self, bounds: Bounds) -> None:
        """Nothing, when the record violates nothing.

        Raises:
            AssertionError: with every violation (of many of a rule, the first ones).
        """
        record = self.record
        known = {root: sorted(names) for root, names in self.closures.items()}
        (self.folder / "closures.json").write_text(json.dumps(known, indent=2), encoding="utf-8")
        found = violations(record, self.closures, bounds)
        lanes = {answer.lane for answer in record.answers}
        self.timings["requests"] = len(record.answers)
        self.timings["failed_by_design"] = sum(1 for answer in record.answers if answer.error) if bounds.broken else 0
        self.timings["violations"] = len(found)
        zero = record.marks[0].at_ns if record.marks else 0
        lines = [f"{(item.at_ns - zero) / SECOND:8.3f} s  {item.rule}: {item.what}" for item in found]
        steps = [f"{(mark.at_ns - zero) / SECOND:8.3f} s  {mark.what}" for mark in record.marks]
        text = "\n".join([f"{len(found)} violations:", *lines[:30], "steps:", *steps, f"see {self.folder}"])
        assert not found, text
        assert {"keep-1.1-a", "keep-1.1-b", "new-1.1", "keep-2"} <= lanes, f"only these lanes answered: {sorted(lanes)}"

    def same(self, seconds: float = _SETTLE_SECONDS) -> None:
        """Nothing, once the cluster holds exactly what Git says.

        Raises:
            AssertionError: it still differs, and how.
        """
        end = time.monotonic() + seconds
        while found := differences(self.api, self.name, self.bundle.objects(self.name)):
            assert time.monotonic() < end, "\n".join(["the cluster is not what Git says:", *found, self.said()])
            time.sleep(1)


def _swap(component: str) -> list[str]:
    return ["--swap", component] if component else []


def opened(stage: Stage, base: Release, rate: float = DEFAULT_RATE) -> ExitStack:
    """The stage, open and serving `base`, under load; to be closed by the caller."""
    stack = ExitStack()
    try:
        stack.enter_context(stage.opened(base))
        stack.enter_context(stage.under_load(rate))
    except BaseException:
        stack.close()
        raise
    return stack
