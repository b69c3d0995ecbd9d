"""Continuous load on the front, and what came back: every answer with its times, its release and who served it."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from pathlib import Path
from typing import Self

import aiohttp

from demo.answers import Answer

RELEASE_HEADER = "x-lockstep-release"
_PAUSE_SECONDS = 0.05


class Load:
    """Clients that post pages one after another: half of them keep their connection, half open a new one for each
    request.
    """

    def __init__(self, url: str, pages: tuple[Path, ...], clients: int = 2) -> None:
        self._url = url
        self._pages = [(path.read_bytes(), "image/png" if path.suffix == ".png" else "image/jpeg") for path in pages]
        self._clients = clients
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="load")
        self.answers: list[Answer] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    async def _run(self) -> None:
        await asyncio.gather(*(self._client(keep=number % 2 == 0) for number in range(self._clients)))

    async def _client(self, *, keep: bool) -> None:
        connector = aiohttp.TCPConnector(force_close=not keep)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=30)) as session:
            turn = 0
            while not self._stop.is_set():
                self.answers.append(await self._ask(session, turn))
                turn += 1
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _ask(self, session: aiohttp.ClientSession, turn: int) -> Answer:
        page, kind = self._pages[turn % len(self._pages)]
        sent = time.monotonic_ns()
        try:
            async with session.post(self._url, data=page, headers={"content-type": kind}) as response:
                began = time.monotonic_ns()
                body = await response.read()
                served = json.loads(body).get("served_by", {}) if response.status == 200 else {}
                error = "" if response.status == 200 else body.decode(errors="replace")[:300]
                return Answer(sent, began, response.status, response.headers.get(RELEASE_HEADER, ""), served, error)
        except (aiohttp.ClientError, TimeoutError, ValueError) as failure:
            return Answer(sent, time.monotonic_ns(), 0, "", {}, f"{type(failure).__name__}: {failure}")
