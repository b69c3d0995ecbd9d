"""The story: releases of three kinds and a revert of each trouble, under load."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.answers import failed, last_began, mixed
from demo.changes import BROKEN, CODE, PROMPT, SLOW, WEIGHTS, Change
from demo.load import Load
from demo.place import BrokenPromise, Place
from demo.scene import Scene

_PAGES = ("letter.png", "invoice.png", "minutes.jpg", "report.jpg")
_REFUSED_SECONDS = 3.0
_LATE_SECONDS = 1.5  # past the connections' maximum age
_LOADING_SECONDS = 2.0  # into the load: starting two interpreters takes both cores of a small machine for a moment


@dataclass
class Report:
    """What the demo measured; written to .lockstep/demo.json."""

    releases: list[dict[str, Any]] = field(default_factory=list)
    changes: list[dict[str, Any]] = field(default_factory=list)
    requests: dict[str, int] = field(default_factory=dict)
    rollback_seconds: float | None = None
    rollbacks: list[dict[str, Any]] = field(default_factory=list)
    refused: list[dict[str, str]] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Instances:
    """Those that are there at one moment, and the lives of those that are ready."""

    there: frozenset[str]
    lives: Mapping[str, str]

    @classmethod
    def of(cls, place: Place) -> _Instances:
        return cls(frozenset(place.states()), place.lives())

    def are_still(self, place: Place) -> bool:
        """Whether none is new, and all that were ready live on. One that was loading may be ready by now, or fail: that
        is staging's doing, not that of a revert.
        """
        now = _Instances.of(place)
        return now.there <= self.there and all(now.lives.get(name) == life for name, life in self.lives.items())


def play(scene: Scene) -> Report:
    """The whole story.

    Raises:
        BrokenPromise: a step did not do what it says.
    """
    report = Report()
    pages = tuple(scene.bundle / "components/gateway/tests/pages" / name for name in _PAGES)
    _first(scene, report)
    url = scene.place.url() + "/documents"
    before = _show(scene, url, pages[0])
    closures: dict[str, frozenset[str]] = {}
    with Load(url, pages) as load:
        scene.say("load: 2 clients, one keeps its connection, one opens a new one for each page")
        _changed(scene, report, PROMPT, closures)
        (scene.bundle.parent / "picture.svg").write_text(_picture(scene), encoding="utf-8")
        after = _show(scene, url, pages[0])
        if after == before:
            report.broken.append("the prompt changed but the summary did not")
        _changed(scene, report, CODE, closures)
        _changed(scene, report, WEIGHTS, closures)
        _take_back(scene, report, load, "a plain git revert of the last promote", loading=False)
        _again(scene, report, WEIGHTS.version)
        _stage(scene, report, SLOW)
        _take_back(scene, report, load, f"git revert while {SLOW.version} is still loading", loading=True)
        _never_ready(scene, report, load)
    _count(scene, report, load, closures)
    _finish(scene, report)
    return report


def _first(scene: Scene, report: Report) -> None:
    scene.git("tag", "v1.0.0")
    _release(scene, report, "1.0.0", "the first release")
    scene.lockstep("stage", scene.environment, "1.0.0")
    scene.lockstep("promote", scene.environment, "1.0.0")
    scene.place.start()
    scene.until("release 1.0.0 is served", lambda: scene.place.served() == "1.0.0")
    scene.say(f"served   1.0.0 at {scene.place.url()}")


def _release(scene: Scene, report: Report, version: str, title: str) -> dict[str, Any]:
    made = scene.lockstep("release", version, *scene.place.reach)
    why = sorted(
        {
            change["component"]
            + (" (calls " + change["path"] + ")" if change["kind"] == "callee" else f": {change['kind']}")
            for change in made["changes"]
        }
    )
    scene.say(
        f"release  {version:<6} {title}: {len(made['built'])} runtimes built, {_amount(made['stored_bytes'])} new, "
        f"{made['seconds']:.2f} s"
    )
    scene.say(f"         {'; '.join(why)}")
    scene.place.released(version)
    report.releases.append(
        {
            "version": version,
            "digest": made["digest"],
            "built": made["built"],
            "uploaded_bytes": made["stored_bytes"],
            "seconds": made["seconds"],
            "changes": why,
        }
    )
    return made


def _stage(scene: Scene, report: Report, change: Change) -> list[str]:
    """Commits, tags, releases and stages a change; returns the instances that stage added."""
    change.apply(scene.bundle)
    if change.kind == "weights":
        scene.lockstep("weights", "lock", "ocr")
    scene.git("commit", "--quiet", "--all", "--message", change.title)
    scene.git("tag", f"v{change.version}")
    made = _release(scene, report, change.version, change.title)
    staged = scene.lockstep("stage", scene.environment, change.version)
    scene.place.committed()
    report.changes.append(
        {
            "kind": change.kind,
            "builds": len(made["built"]),
            "uploaded_bytes": made["stored_bytes"],
            "seconds": made["seconds"],
        }
    )
    return [Path(item["path"]).stem for item in staged["files"] if "/instances/" in item["path"]]


def _changed(scene: Scene, report: Report, change: Change, closures: dict[str, frozenset[str]]) -> None:
    """A change from the editor to the answer."""
    added = _stage(scene, report, change)
    began = time.monotonic()
    scene.until(f"{', '.join(added)} ready", lambda: _are_ready(scene, added))
    warm = time.monotonic() - began
    scene.lockstep("promote", scene.environment, change.version)
    scene.place.committed()
    committed = time.monotonic()
    scene.until(f"{change.version} is served", lambda: scene.place.served() == change.version)
    seconds = time.monotonic() - committed
    scene.say(
        f"promote  {change.version:<6} {len(added)} instances started and warm in {warm:.1f} s, gate passed and front "
        f"moved {seconds:.2f} s after the promote"
    )
    report.changes[-1]["instances_started"] = len(added)
    report.changes[-1]["promote_seconds"] = round(seconds, 3)
    closures.update(_closures(scene))


def _again(scene: Scene, report: Report, version: str) -> None:
    before = _Instances.of(scene.place)
    scene.lockstep("promote", scene.environment, version)
    scene.place.committed()
    scene.until(f"{version} is served", lambda: scene.place.served() == version)
    is_still = before.are_still(scene.place)
    if not is_still:
        report.broken.append(f"promote of {version} again: an instance was started, stopped or restarted")
    scene.say(f"promote  {version:<6} again: {'no' if is_still else 'an'} instance had to start")


def _take_back(scene: Scene, report: Report, load: Load, title: str, *, loading: bool) -> None:
    """Reverts the newest promote and measures until the last answer of what it had promoted began."""
    commit = scene.git("log", "--format=%H", "--max-count=1", "--grep=^Lockstep-Edit: promote")
    if loading:
        scene.until("an instance is loading", lambda: "starting" in scene.place.states().values())
        time.sleep(_LOADING_SECONDS)
    place = scene.place
    bad, bad_root, before = place.served(), place.root(), _Instances.of(place)
    if loading and "starting" not in place.states().values():
        raise BrokenPromise("nothing was loading, so the revert would prove nothing")
    reverted = time.monotonic_ns()
    scene.git("revert", "--no-edit", commit)
    done = time.monotonic_ns()
    place.committed()
    scene.until("the front moved back", lambda: place.served() not in {"", bad}, 20)
    time.sleep(_LATE_SECONDS)  # long enough for an answer that began late to be counted
    last = last_began(load.answers, bad_root, reverted)
    is_still = before.are_still(place)
    lived = "no instance started or stopped" if is_still else "an instance was started, stopped or restarted"
    if not is_still:
        report.broken.append(f"{title}: {lived}")
    seconds = max(0.0, (last - place.seen_ns(done)) / 1e9)
    scene.say(
        f"revert   {bad} -> {place.served()}: {title}; {(last - done) / 1e9:.2f} s after git returned, "
        f"{seconds * 1000:.0f} ms after {place.since}, {lived}"
    )
    report.rollbacks.append(
        {
            "what": title,
            "from": bad,
            "to": place.served(),
            "seconds_from_seen": round(seconds, 4),
            "seconds_from_git": round((last - done) / 1e9, 4),
        }
    )
    report.rollback_seconds = max(report.rollback_seconds or 0.0, round(seconds, 4))


def _never_ready(scene: Scene, report: Report, load: Load) -> None:
    """A release whose instance never becomes ready is staged and promoted all the same: the front must not move."""
    added = _stage(scene, report, BROKEN)
    serving = scene.place.served()
    promoted = scene.lockstep("promote", scene.environment, BROKEN.version)
    scene.place.committed()
    seen = len(load.answers)
    failing = scene.until("an instance of it fails", lambda: scene.place.failing(added), 60)
    time.sleep(_REFUSED_SECONDS)
    if scene.place.served() != serving or len(load.answers) == seen:
        report.broken.append(f"{BROKEN.version} was served although it never became ready")
    reason = f"{failing} never became ready"
    scene.say(f"refused  {BROKEN.version:<6} promoted in Git, but {reason}; {serving} keeps serving")
    report.refused.append({"version": BROKEN.version, "reason": reason})
    scene.git("revert", "--no-edit", promoted["commit"])
    scene.place.committed()


def _are_ready(scene: Scene, instances: list[str]) -> bool:
    states = scene.place.states()
    return all(states.get(name) == "ready" for name in instances)


def _picture(scene: Scene) -> str:
    """The environment as its own tool draws it: two releases, what they share, and the front."""
    return scene.plain("status", scene.environment, "--picture")


def _closures(scene: Scene) -> Mapping[str, frozenset[str]]:
    status = scene.lockstep("status", scene.environment)["environments"][0]
    return {root["root"]: frozenset(root["instances"]) for root in status["roots"]}


def _count(scene: Scene, report: Report, load: Load, closures: dict[str, frozenset[str]]) -> None:
    closures.update(_closures(scene))
    bad, mix = failed(load.answers), mixed(load.answers, closures)
    report.requests = {"total": len(load.answers), "failed": len(bad), "mixed": len(mix)}
    scene.say(f"requests {len(load.answers)} in all, {len(bad)} failed, {len(mix)} mixed")
    for answer in [*bad, *mix][:5]:
        scene.say(f"         {answer}")
    if not load.answers or bad or mix:
        report.broken.append(f"{len(bad)} failed and {len(mix)} mixed of {len(load.answers)} requests")


def _finish(scene: Scene, report: Report) -> None:
    code, data, text = scene.try_lockstep("verify")
    if code:
        report.broken.append(f"verify found something: {text or json.dumps(data)[:500]}")
    scene.say("verify   every release and environment, every digest: " + ("clean" if code == 0 else "NOT clean"))


def _show(scene: Scene, url: str, page: Path) -> str:
    """Posts a page and shows what the system says of it; returns the summary."""
    request = urllib.request.Request(url, data=page.read_bytes(), headers={"content-type": "image/png"})  # noqa: S310 - our own loopback address
    with urllib.request.urlopen(request, timeout=20) as response:  # noqa: S310
        answer = json.load(response)
    scene.say(f"answer   {page.name}: {len(answer['text'])} characters read, summary: {answer['summary']}")
    scene.say(f"         by {', '.join(sorted(answer['served_by'].values()))}")
    return str(answer["summary"])


def _amount(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB" if size else "0 bytes"
