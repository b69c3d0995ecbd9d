"""Load on the front from a process of its own: `python -m kit.load URL FILE [RATE]`, until standard input ends.

Lanes: two clients that keep their HTTP/1.1 connection, one that opens a new one for each request, one that keeps its
HTTP/2 connection (prior knowledge), one stream of 60 s over each protocol. No lane opens more than a few dozen new
connections per second: above about 300 per second a client meets reused ports and sees stalls that are its own.
Every answer becomes one line of FILE as soon as it ended; a stream that the end of the load cuts is no failure.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Self, TextIO

from demo.answers import Answer
from kit.record import read_answers

RELEASE_HEADER = "x-lockstep-release"
STREAM_SECONDS = 60
TIMEOUT_SECONDS = 20.0
DEFAULT_RATE = 100.0
_STOP_SECONDS = 30.0

Ask = Callable[[], Awaitable[Answer]]
Write = Callable[[Answer], None]


class Load:
    """The process, as a context: load from entry to exit, then `answers`.

    Args:
        url: Of the front, such as http://10.220.4.7.
        file: Where the answers go.
        rate: Requests per second of all lanes together, streams apart.
    """

    def __init__(self, url: str, file: Path, rate: float = DEFAULT_RATE) -> None:
        self._command = [sys.executable, "-m", "kit.load", url, str(file), str(rate)]
        self._file, self._before = file, 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._file.touch()
        self._before = self._answers()
        environment = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, env=environment)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process and self._process.stdin:
            self._process.stdin.close()
            self._process.wait(timeout=_STOP_SECONDS)

    @property
    def count(self) -> int:
        """How many answers have come back since this load began."""
        return self._answers() - self._before

    def _answers(self) -> int:
        with self._file.open("rb") as file:
            return sum(1 for _ in file)

    @property
    def answers(self) -> tuple[Answer, ...]:
        """What has come back so far, by when it began."""
        return read_answers(self._file)


async def run(url: str, rate: float, write: Write, stop: asyncio.Event) -> None:
    """Asks until `stop`."""
    import aiohttp  # noqa: PLC0415 - the parent process needs none of the clients
    import httpx  # noqa: PLC0415

    keep = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_connect=TIMEOUT_SECONDS))
    each = aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True), timeout=keep.timeout)
    second = httpx.AsyncClient(http1=False, http2=True, timeout=TIMEOUT_SECONDS)
    streaming = httpx.AsyncClient(http1=False, http2=True, timeout=TIMEOUT_SECONDS)
    lanes: list[tuple[Ask, float]] = [
        (lambda: _over_1(keep, url, "keep-1.1-a"), 0.3),
        (lambda: _over_1(keep, url, "keep-1.1-b"), 0.2),
        (lambda: _over_1(each, url, "new-1.1"), 0.3),
        (lambda: _over_2(second, url, "keep-2"), 0.2),
    ]
    tasks = [asyncio.ensure_future(_lane(ask, 1 / (rate * share), write, stop)) for ask, share in lanes]
    tasks.append(asyncio.ensure_future(_streams(lambda: _stream_1(each, url, stop), write, stop)))
    tasks.append(asyncio.ensure_future(_streams(lambda: _stream_2(streaming, url, stop), write, stop)))
    await asyncio.gather(*tasks)
    for client in (keep, each):
        await client.close()
    for other in (second, streaming):
        await other.aclose()


async def _lane(ask: Ask, period: float, write: Write, stop: asyncio.Event) -> None:
    """Asks at a steady rate, one request at a time; what a slow answer delayed is not caught up."""
    loop = asyncio.get_running_loop()
    due = loop.time()
    while not stop.is_set():
        write(await ask())
        due = max(due + period, loop.time() - period)
        await asyncio.sleep(max(0.0, due - loop.time()))


async def _streams(ask: Ask, write: Write, stop: asyncio.Event) -> None:
    while not stop.is_set():
        write(await ask())
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 0.2)


async def _over_1(session, url: str, lane: str) -> Answer:  # type: ignore[no-untyped-def]
    sent = time.monotonic_ns()
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS), session.get(f"{url}/answer") as response:
            began = time.monotonic_ns()
            body = await response.read()
            return _answer(lane, (sent, began), response.status, response.headers.get(RELEASE_HEADER, ""), body)
    except Exception as failure:  # noqa: BLE001 - whatever it is, it is what came back
        return _no_answer(lane, sent, failure)


async def _over_2(client, url: str, lane: str) -> Answer:  # type: ignore[no-untyped-def]
    sent = time.monotonic_ns()
    try:
        async with client.stream("GET", f"{url}/answer") as response:
            began = time.monotonic_ns()
            body = await response.aread()
            return _answer(lane, (sent, began), response.status_code, response.headers.get(RELEASE_HEADER, ""), body)
    except Exception as failure:  # noqa: BLE001
        return _no_answer(lane, sent, failure)


async def _stream_1(session, url: str, stop: asyncio.Event) -> Answer:  # type: ignore[no-untyped-def]
    sent = time.monotonic_ns()
    try:
        async with session.get(f"{url}/stream?seconds={STREAM_SECONDS}") as response:
            began = time.monotonic_ns()
            root = response.headers.get(RELEASE_HEADER, "")
            lines = await _read(aiter(response.content), stop)
            return _streamed("stream-1.1", (sent, began), response.status, root, lines)
    except Exception as failure:  # noqa: BLE001
        return _no_answer("stream-1.1", sent, failure)


async def _stream_2(client, url: str, stop: asyncio.Event) -> Answer:  # type: ignore[no-untyped-def]
    sent = time.monotonic_ns()
    try:
        async with client.stream("GET", f"{url}/stream?seconds={STREAM_SECONDS}") as response:
            began = time.monotonic_ns()
            root = response.headers.get(RELEASE_HEADER, "")
            lines = await _read(response.aiter_lines(), stop)
            return _streamed("stream-2", (sent, began), response.status_code, root, lines)
    except Exception as failure:  # noqa: BLE001
        return _no_answer("stream-2", sent, failure)


async def _read(lines, stop: asyncio.Event) -> list[str]:  # type: ignore[no-untyped-def]
    """The roots that wrote the lines, until the stream's or the load's end."""
    found = []
    async for line in lines:
        if line.strip():
            found.append(str(json.loads(line)["root"]))
        if stop.is_set():
            break
    return found


def _answer(lane: str, times: tuple[int, int], status: int, root: str, body: bytes) -> Answer:
    try:
        served = json.loads(body)["served_by"] if status == 200 else {}
        error = "" if status == 200 else body.decode(errors="replace")[:300]
    except (ValueError, KeyError, TypeError) as failure:
        served, error = {}, f"{failure!r} in {body[:200]!r}"
    return Answer(*times, status, root, served, error, time.monotonic_ns(), lane)


def _streamed(lane: str, times: tuple[int, int], status: int, root: str, lines: list[str]) -> Answer:
    error = "" if status == 200 and lines else f"status {status}, {len(lines)} lines"
    return Answer(*times, status, root, {}, error, time.monotonic_ns(), lane, tuple(dict.fromkeys(lines)))


def _no_answer(lane: str, sent: int, failure: Exception) -> Answer:
    now = time.monotonic_ns()
    return Answer(sent, now, 0, "", {}, f"{type(failure).__name__}: {failure}", now, lane)


def _writer(file: TextIO) -> Write:
    def write(answer: Answer) -> None:
        file.write(json.dumps(asdict(answer), separators=(",", ":")) + "\n")

    return write


async def _main(url: str, path: Path, rate: float) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    with path.open("a", encoding="utf-8", buffering=1) as file:
        loop.add_reader(sys.stdin.fileno(), stop.set)
        await run(url, rate, _writer(file), stop)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]) if len(sys.argv) > 3 else DEFAULT_RATE))
