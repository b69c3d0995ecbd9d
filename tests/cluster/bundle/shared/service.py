"""What every component of the scenarios' bundle owes: /healthz, /readyz, one question, a drain, faults on demand.

HTTP/1.1 on asyncio alone, so that a component needs no wheels and starts fast. Each component carries a copy
(kit/bundle.py writes it): components share nothing.

Environment: LOCKSTEP_INSTANCE, PORT; START_SECONDS until it is ready; FAULT=never-ready, crash or wrong.
POST /fault/bad makes it fail from then on, as a model does whose device is gone; POST /fault/good heals it.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

IDLE_GRACE_SECONDS = 0.25  # for requests that are on their way when the connection's age is reached
FIRST_SECONDS = 10.0  # for the first request of a connection: a busy client may pause between the two
BACKLOG = 1024

Question = Callable[[], Awaitable[dict[str, Any]]]
Headers = tuple[tuple[str, str], ...]


class CalleeError(Exception):
    """A component that this one asked gave no good answer."""


@dataclass
class Service:
    """One instance.

    Args:
        question: Answers GET /answer.
        prepare: Ends when it can answer; it is not ready before.
        max_age: Seconds after which a connection is closed; 0 keeps it.
        switch: Takes over a connection whose first line is HTTP/2's.
    """

    question: Question
    prepare: Callable[[], Awaitable[None]]
    max_age: float = 0.0
    switch: Callable[[Service, Connection], Awaitable[None]] | None = None
    name: str = field(default_factory=lambda: os.environ["LOCKSTEP_INSTANCE"])
    fault: str = field(default_factory=lambda: os.environ.get("FAULT", ""))
    is_ready: bool = False
    is_bad: bool = False
    draining: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def headers(self) -> Headers:
        """What every answer carries."""
        return (("content-type", "application/json"), ("x-lockstep-release", self.name))

    async def answer(self, method: str, path: str) -> tuple[int, bytes]:
        """Status and body for one request."""
        status, body = await self._ask(method, path) if path == "/answer" else self._operate(method, path)
        return status, json.dumps(body, separators=(",", ":")).encode()

    async def _ask(self, method: str, path: str) -> tuple[int, Mapping[str, Any]]:
        if self.is_bad or self.fault == "wrong":
            return 500, {"error": {"what": "this instance fails on purpose", "instance": self.name}}
        try:
            return 200, await self.question()
        except CalleeError as error:
            return 502, {"error": {"what": f"{method} {path}: {error}", "instance": self.name}}

    def _operate(self, method: str, path: str) -> tuple[int, Mapping[str, Any]]:
        if path == "/healthz":
            return 200, {"instance": self.name}
        if path == "/readyz":
            is_ready = self.is_ready and not self.is_bad
            return (200 if is_ready else 503), {"instance": self.name, "ready": is_ready}
        if method == "POST" and path in {"/fault/bad", "/fault/good"}:
            self.is_bad = path == "/fault/bad"
            return 200, {"bad": self.is_bad}
        return 404, {"error": {"what": f"{path} is not part of this contract", "fix": "ask GET /answer"}}


@dataclass
class Connection:
    """One client's connection, and when it is too old."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    expires: float

    @property
    def is_old(self) -> bool:
        """Whether its maximum age is reached."""
        return asyncio.get_running_loop().time() >= self.expires

    @property
    def rest(self) -> float:
        """Seconds that it may be idle."""
        return self.expires + IDLE_GRACE_SECONDS - asyncio.get_running_loop().time()

    async def head(self, draining: asyncio.Event, seconds: float) -> bytes:
        """The next request's head; empty when the client left, did not ask in time, or at a drain."""
        read = asyncio.ensure_future(self.reader.readuntil(b"\r\n\r\n"))
        drained = asyncio.ensure_future(draining.wait())
        done, _ = await asyncio.wait({read, drained}, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
        drained.cancel()
        if read not in done:
            read.cancel()
            await asyncio.wait({read})
            return b""
        return b"" if read.exception() else read.result()


async def _http1(service: Service, connection: Connection) -> None:
    head = await connection.head(asyncio.Event(), FIRST_SECONDS)  # answered also while draining
    if head.startswith(b"PRI ") and service.switch:
        await service.switch(service, connection)
        return
    while head:
        method, path = head.split(b" ", 2)[:2]
        await connection.reader.readexactly(_length(head))
        if path.startswith(b"/stream"):
            await _stream(service, connection, seconds_of(path.decode()))
            return
        status, body = await service.answer(method.decode(), path.decode())
        closes = connection.is_old or service.draining.is_set() or b"\r\nconnection: close" in head.lower()
        connection.writer.write(_head(status, service.headers, len(body), closes=closes) + body)
        await connection.writer.drain()
        if closes:
            return
        head = await connection.head(service.draining, connection.rest)


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0


def _head(status: int, headers: Headers, length: int | None, *, closes: bool) -> bytes:
    reason = "OK" if status == 200 else "Failed"
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers)]
    lines.append(f"content-length: {length}" if length is not None else "transfer-encoding: chunked")
    return "\r\n".join([*lines, *(["connection: close"] if closes else []), "", ""]).encode()


def seconds_of(path: str) -> float:
    """How long a stream shall last: /stream?seconds=60."""
    return float(path.partition("seconds=")[2] or 1)


async def _stream(service: Service, connection: Connection, seconds: float) -> None:
    connection.writer.write(_head(200, service.headers, None, closes=True))
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        line = stream_line(service)
        connection.writer.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        await connection.writer.drain()
        await asyncio.sleep(0.5)
    connection.writer.write(b"0\r\n\r\n")
    await connection.writer.drain()


def stream_line(service: Service) -> bytes:
    """One line of a stream: who wrote it."""
    return json.dumps({"root": service.name}).encode() + b"\n"


async def _serve(service: Service) -> None:
    running: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        running.add(task)
        now = asyncio.get_running_loop().time()
        try:
            await _http1(service, Connection(reader, writer, now + (service.max_age or 3600.0)))
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client left
        finally:
            running.discard(task)
            writer.close()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, service.draining.set)
    server = await asyncio.start_server(connected, port=int(os.environ["PORT"]), backlog=BACKLOG)
    preparing = asyncio.ensure_future(_prepare(service))
    await service.draining.wait()
    preparing.cancel()
    server.close()
    while running:
        await asyncio.wait(running)


async def _prepare(service: Service) -> None:
    await asyncio.sleep(float(os.environ.get("START_SECONDS", "0")))
    await service.prepare()
    service.is_ready = service.fault != "never-ready"


async def nothing() -> None:
    """For components that need no preparation."""


def serve(service: Service) -> None:
    """Serves until SIGTERM; running requests and streams are finished."""
    if service.fault == "crash":
        sys.exit("this instance crashes on purpose (FAULT=crash)")
    asyncio.run(_serve(service))
