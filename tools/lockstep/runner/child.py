"""A started program: whether it runs, and how it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

from lockstep.adapters import files, process
from lockstep.runner.program import Program

_LOOK_SECONDS = 0.05
# Below 32768, where Linux starts to choose ports for outgoing connections: none of those takes one of ours.
_PORTS = range(20_000, 32_000)
_next_port: Iterator[int] = cycle(
    [*_PORTS[os.getpid() * 97 % len(_PORTS) :], *_PORTS[: os.getpid() * 97 % len(_PORTS)]]
)


class Child:
    """A running program and its log. Start it in the main thread: it dies with the thread that started it."""

    def __init__(self, program: Program, log: Path) -> None:
        self.log = log
        with files.fresh_log(log) as stream:
            self._process: subprocess.Popen[bytes] = process.start(
                program.command,
                folder=program.folder,
                environment=program.environment,
                log=stream,
            )

    @property
    def pid(self) -> int:
        """The process id, which is also its group's."""
        return int(self._process.pid)

    @property
    def code(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    async def exited(self, seconds: float) -> bool:
        """Whether it has ended; waits for that at most `seconds`."""
        end = asyncio.get_running_loop().time() + seconds
        while self.code is None:
            left = end - asyncio.get_running_loop().time()
            if left <= 0:
                return False
            await asyncio.sleep(min(_LOOK_SECONDS, left))
        return True

    async def stop(self, grace: float) -> None:
        """Ends it: SIGTERM, `grace` seconds, then SIGKILL; what it left behind in its group is killed as well."""
        try:
            if self.code is None:
                self._process.send_signal(signal.SIGTERM)
                await self.exited(grace)
        finally:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()

    def last_words(self) -> str:
        """How it ended and the last line of its log, for people."""
        code = self.code
        ended = (
            "is running"
            if code is None
            else f"exit code {code}"
            if code >= 0
            else f"killed by {signal.Signals(-code).name}"
        )
        with contextlib.suppress(OSError):
            lines = self.log.read_bytes()[-4000:].decode(errors="replace").strip().splitlines()
            if lines:
                return f"{ended}: {lines[-1][-300:]}"
        return ended


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens now, another one at every call."""
    for _ in _PORTS:
        port = next(_next_port)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port between 20000 and 31999")
