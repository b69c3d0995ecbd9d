"""This machine as the place: `lockstep up` beside the clone, watched through its status document."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.place import BrokenPromise


@dataclass
class Local:
    """The local runner of one environment.

    Args:
        bundle: The clone's folder.
        environment: The environment that it follows.
    """

    bundle: Path
    environment: str
    since: str = "the revert was seen"
    reach: tuple[str, ...] = ()
    touches: str = ""
    runner: subprocess.Popen[bytes] | None = None

    def settle(self) -> None:
        """Nothing: the clone is ready as it is."""

    def released(self, version: str) -> None:
        """Nothing: images are in the clone's own store."""

    def committed(self) -> None:
        """Nothing: the runner follows HEAD."""

    def look(self) -> tuple[str, ...]:
        """None: the runner writes beside the clone what it does."""
        return ()

    def start(self) -> None:
        """Starts `lockstep up` on a free port of the loopback."""
        (self.bundle / ".lockstep").mkdir(exist_ok=True)
        command = [sys.executable, "-m", "lockstep.cli.main", "up", self.environment, "--port", "0"]
        with (self.bundle / ".lockstep" / "demo-runner.log").open("wb") as log:
            self.runner = subprocess.Popen(command, cwd=self.bundle, stdout=log, stderr=log)

    def stop(self) -> None:
        """Stops it by its pid; it stops its instances."""
        if self.runner and self.runner.poll() is None:
            self.runner.send_signal(signal.SIGTERM)
            self.runner.wait(timeout=60)

    def check(self) -> None:
        """Nothing while the runner runs.

        Raises:
            BrokenPromise: it ended by itself.
        """
        if self.runner and self.runner.poll() is not None:
            raise BrokenPromise(
                f"the runner ended with {self.runner.returncode}; see {self.bundle}/.lockstep/demo-runner.log"
            )

    def url(self) -> str:
        """Where the front answers."""
        return str(self._status()["front_url"])

    def served(self) -> str:
        """The release that the front answers with; empty for none."""
        return str((self._status().get("front") or {}).get("release", ""))

    def root(self) -> str:
        """The root that the front names."""
        return str(self._status()["front"]["root"])

    def states(self) -> Mapping[str, str]:
        """What every instance is."""
        return {name: str(item["state"]) for name, item in self._status().get("instances", {}).items()}

    def lives(self) -> Mapping[str, str]:
        """The process id of every instance that is ready."""
        instances = self._status().get("instances", {})
        return {name: str(item["pid"]) for name, item in instances.items() if item["state"] == "ready"}

    def failing(self, instances: list[str]) -> str:
        """The first of these instances that the runner gave up on for now; empty if none."""
        events = (event for event in self._events() if event["event"] == "instance-failing")
        return next((str(event["instance"]) for event in events if event["instance"] in instances), "")

    def seen_ns(self, reverted_ns: int) -> int:  # noqa: ARG002 - the runner knows better
        """When the runner saw the commit that moved the front last."""
        return int([event for event in self._events() if event["event"] == "front-moved"][-1]["seen_ns"])

    def _status(self) -> dict[str, Any]:
        try:
            data: dict[str, Any] = json.loads(self._file("status.json").read_bytes())
        except (OSError, ValueError):
            return {}
        return data if self.runner and data.get("pid") == self.runner.pid else {}

    def _events(self) -> list[dict[str, Any]]:
        path = self._file("events.jsonl")
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []

    def _file(self, name: str) -> Path:
        return self.bundle / ".lockstep" / "run" / self.environment / name
