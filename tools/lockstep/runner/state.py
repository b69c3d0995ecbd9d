"""What the runner knows at this moment, and the one way to change it: every change is an event."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Literal

import aiohttp

from lockstep.core.document import format_json
from lockstep.core.names import GitSha, ImageRef, InstanceId
from lockstep.runner.desired import Desired
from lockstep.runner.front import Traffic
from lockstep.runner.ports import Event, ImageFolders, Listener, Options
from lockstep.runner.program import Machine
from lockstep.runner.workload import Workload

InstanceState = Literal["starting", "ready", "failing", "stopping"]
GateState = Literal["waiting", "running", "passed", "failed"]


def utc_now() -> str:
    """This moment as 2026-01-31T12:00:00.000000Z."""
    return _utc(datetime.now(UTC))


def _utc(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass
class Journal:
    """Tells every event to the listener and to events.jsonl, one JSON object per line."""

    stream: BinaryIO
    listener: Listener
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, name: str, data: dict[str, str | int], monotonic_ns: int = 0) -> None:
        """Records that something happened (now, unless a moment is given) and wakes whoever waits for a change."""
        now = time.monotonic_ns()
        moment = monotonic_ns or now
        utc = _utc(datetime.now(UTC) - timedelta(microseconds=(now - moment) // 1000))
        event = Event(name, utc, moment, data)
        line = {"event": event.name, "utc": event.utc, "monotonic_ns": event.monotonic_ns, **data}
        self.stream.write(format_json(line).encode() + b"\n")
        self.listener.event(event)
        self.changed.set()


@dataclass
class Host:
    """What every process of this runner is started with.

    Args:
        unpackers: Threads of their own for what takes long, so that reading Git never waits for an image.
        unpacking: Held while an image is unpacked.
    """

    options: Options
    machine: Machine
    images: ImageFolders
    client: aiohttp.ClientSession
    journal: Journal
    unpackers: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(2, "unpack"))
    unpacking: defaultdict[ImageRef, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))


@dataclass(eq=False)
class Instance:
    """One instance that this runner runs.

    Args:
        port: 0 as long as no process has one.
        is_held: It is no longer in Git but still serves.
        is_edited: Its file in Git has other content than what runs under its name.
    """

    id: InstanceId
    workload: Workload
    journal: Journal
    state: InstanceState = "starting"
    reason: str = ""
    since: str = field(default_factory=utc_now)
    pid: int = 0
    port: int = 0
    restarts: int = 0
    is_held: bool = False
    is_edited: bool = False
    task: asyncio.Task[None] | None = None

    def become(self, state: InstanceState, reason: str = "") -> None:
        """Changes state; event `instance-<state>`."""
        if (state, reason) == (self.state, self.reason) and state != "starting":
            return
        self.state, self.reason, self.since = state, reason, utc_now()
        self.journal.tell(
            f"instance-{state}", {"instance": self.id, "pid": self.pid, "port": self.port, "reason": reason}
        )


@dataclass(eq=False)
class Gate:
    """The question to one root. A passed one proves this root with this question and nothing else."""

    root: InstanceId
    workload: Workload
    journal: Journal
    state: GateState = "waiting"
    reason: str = "the root is not ready yet"
    since: str = field(default_factory=utc_now)
    task: asyncio.Task[None] | None = None

    def become(self, state: GateState, reason: str = "") -> None:
        """Changes state; event `gate-<state>`."""
        self.state, self.reason, self.since = state, reason, utc_now()
        self.journal.tell(f"gate-{state}", {"root": self.root, "reason": reason})


@dataclass
class World:
    """Everything that is wanted and everything that runs."""

    traffic: Traffic
    desired: Desired = field(default_factory=Desired)
    head: GitSha | None = None
    head_seen: str = ""
    head_seen_ns: int = 0
    instances: dict[InstanceId, Instance] = field(default_factory=dict)
    gates: dict[InstanceId, Gate] = field(default_factory=dict)
    obstacle: str = ""


def this_machine(options: Options, proxy_port: int) -> Machine:
    """The machine as programs see it: its own Python, never the one of the venv that the tool is installed in."""
    python = Path(getattr(sys, "_base_executable", "") or sys.executable)
    return Machine(
        python=python,
        path=f"{python.parent}:/usr/local/bin:/usr/bin:/bin",
        proxy=f"http://127.0.0.1:{proxy_port}",
        cache=options.folder.absolute() / "run" / "python-cache",
    )
