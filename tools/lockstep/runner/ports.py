"""What the runner needs from outside: Git's files, unpacked images, and somebody who listens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lockstep.core.names import EnvironmentName, GitSha, ImageRef

ImageFolders = Callable[[ImageRef], Path]
"""The folder that holds an image's unpacked files. Called from threads, never twice at once for one image."""


class EnvironmentFiles(Protocol):
    """The committed files of one environment. Called from threads."""

    def head(self) -> GitSha | None:
        """The newest commit of the state branch; None before the first. Asked every 100 ms."""

    def files(self, sha: GitSha) -> Mapping[str, bytes]:
        """Every file of releases/<env>/ at a commit, by path relative to that folder."""


@dataclass(frozen=True)
class Event:
    """Something that happened.

    runner-started pid url, runner-stopping pid, runner-stopped pid
    commit-seen commit, file-refused path reason, edit-refused instance reason, git-unreadable reason
    instance-starting, -ready, -failing, -stopping: instance pid port reason; instance-stopped instance
    deletion-held instance reason: gone from Git, but the front or a running request still needs it
    gate-running, -passed, -failed: root reason
    front-waits root reason, front-moved root release from commit seen_ns
    drained root left_ns last_answer_began_ns: no request is left on a former root

    Args:
        name: One of the names above.
        utc: When, as 2026-01-31T12:00:00.000000Z.
        monotonic_ns: When, on the machine's monotonic clock, in nanoseconds; comparable between processes.
        data: What it is about: ids, reasons, counts.
    """

    name: str
    utc: str
    monotonic_ns: int
    data: Mapping[str, str | int]


class Listener(Protocol):
    """Somebody who is told about every event, in order, from the runner's thread. Must return at once."""

    def event(self, event: Event) -> None:
        """Takes one event."""


@dataclass(frozen=True)
class Options:
    """What to run, and where.

    Args:
        environment: Whose objects are run.
        folder: The bundle's `.lockstep` folder: `run/<env>` is written there, `secrets/<env>` is read.
        port: Port of the front on 127.0.0.1; 0 takes a free one.
        drain_seconds: How long running requests may last when the runner is stopped.
    """

    environment: EnvironmentName
    folder: Path
    port: int = 0
    drain_seconds: float = 10.0

    @property
    def run_folder(self) -> Path:
        """Where status, events, logs and mounts are."""
        return self.folder.absolute() / "run" / self.environment

    @property
    def secrets_folder(self) -> Path:
        """Where secrets are read from: one folder per secret, one file per key."""
        return self.folder.absolute() / "secrets" / self.environment
