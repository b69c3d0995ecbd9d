"""Where the demo plays: a clone of this repository and the command line in it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from demo.place import BrokenPromise, Place

_WAIT_SECONDS = 90.0
ENVIRONMENT = "production"


@dataclass
class Scene:
    """The clone and the tools that play in it.

    Args:
        bundle: The clone's folder.
        environment: The environment that is shown.
        place: Where it runs.
    """

    bundle: Path
    environment: str
    place: Place
    began: float = field(default_factory=time.monotonic)

    def say(self, line: str) -> None:
        """A line of the timeline."""
        print(f"{time.monotonic() - self.began:6.1f} s  {line}", flush=True)

    def git(self, *arguments: str) -> str:
        """What git printed; it must succeed."""
        done = subprocess.run(["git", *arguments], cwd=self.bundle, check=False, capture_output=True, text=True)
        if done.returncode:
            raise BrokenPromise(f"git {' '.join(arguments)} failed: {done.stderr.strip()}")
        return done.stdout.strip()

    def lockstep(self, *arguments: str) -> dict[str, Any]:
        """The JSON that a command printed; it must succeed."""
        code, data, text = self.try_lockstep(*arguments)
        if code:
            raise BrokenPromise(f"lockstep {' '.join(arguments)} ended with {code}: {text}")
        return data

    def try_lockstep(self, *arguments: str) -> tuple[int, dict[str, Any], str]:
        """Exit code, JSON and error text of a command, run as a user would: as a process of its own."""
        command = [sys.executable, "-m", "lockstep.cli.main", *arguments, "-o", "json"]
        done = subprocess.run(command, cwd=self.bundle, check=False, capture_output=True, text=True)
        return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr.strip()

    def plain(self, *arguments: str) -> str:
        """What a command prints for people."""
        done = subprocess.run(
            [sys.executable, "-m", "lockstep.cli.main", *arguments],
            cwd=self.bundle,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    def until(self, what: str, holds: Callable[[], Any], seconds: float = _WAIT_SECONDS) -> Any:
        """The first true answer of `holds`; asked often.

        Raises:
            BrokenPromise: it did not come in time, or the place ended.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            answer = holds()
            if answer:
                return answer
            self.place.check()
            time.sleep(0.05)
        raise BrokenPromise(f"not within {seconds:.0f} s: {what}")


def prepare(repository: Path, home: Path, place: Callable[[Path, str], Place]) -> Scene:
    """A fresh clone of the repository's HEAD in `home`, on a branch main, without releases, for a place and this
    machine's Python.

    Store and caches of the last run are kept: they are named by content. The repository itself stays as it is.
    """
    bundle = home / "bundle"
    kept = home / "kept"
    if (bundle / ".lockstep").exists():
        shutil.rmtree(kept, ignore_errors=True)
        (bundle / ".lockstep").rename(kept)
    shutil.rmtree(bundle, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", str(repository), str(bundle)], check=True)
    if kept.exists():
        kept.rename(bundle / ".lockstep")
    scene = Scene(bundle, ENVIRONMENT, place(bundle, ENVIRONMENT))
    scene.git("checkout", "--quiet", "-B", "main")
    scene.git("config", "user.name", os.environ.get("GIT_AUTHOR_NAME", "Lockstep demo"))
    scene.git("config", "user.email", os.environ.get("GIT_AUTHOR_EMAIL", "demo@localhost"))
    _start_afresh(scene)
    return scene


def _start_afresh(scene: Scene) -> None:
    """Commits what the story needs: no releases, no tags of the repository's own, and this machine's Python."""
    for tag in scene.git("tag", "--list").split():
        scene.git("tag", "--delete", tag)
    for path in (scene.bundle / "releases").glob("*/"):
        if path.is_dir():
            scene.git("rm", "-r", "--quiet", f"releases/{path.name}")
    config = scene.bundle / "lockstep.yaml"
    here = f"3.{sys.version_info.minor}"
    stated = yaml.safe_load(config.read_text(encoding="utf-8")).get("platform", {}).get("python", "3.11")
    if stated != here:
        config.write_text(
            config.read_text(encoding="utf-8").replace(f'python: "{stated}"', f'python: "{here}"'), encoding="utf-8"
        )
        scene.say(f"this machine has Python {here}, so the clone's lockstep.yaml says so (it was {stated})")
    scene.place.settle()
    scene.git("add", "--all")
    scene.git("commit", "--quiet", "--allow-empty", "--message", "demo: start without releases")
