"""Asks another component over kept connections; asks again once when a kept one broke, for questions change nothing."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any
from urllib.parse import urlsplit

from service import CalleeError

TIMEOUT_SECONDS = 5.0
_Pipe = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Callee:
    """The component whose address the environment gives in <NAME>_URL."""

    def __init__(self, name: str) -> None:
        url = urlsplit(os.environ[f"{name.upper()}_URL"])
        self._host, self._port = url.hostname or "", url.port or 80
        self._idle: list[_Pipe] = []

    async def ask(self) -> dict[str, Any]:
        """Its answer.

        Raises:
            CalleeError: it gave none, or no good one.
        """
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                status, body = await self._get("/answer")
        except (OSError, ValueError, asyncio.IncompleteReadError) as error:
            raise CalleeError(f"{self._host}: {type(error).__name__}: {error}") from error
        if status != 200:
            raise CalleeError(f"{self._host} answered {status}: {body[:200].decode(errors='replace')}")
        return dict(json.loads(body))

    async def ready(self) -> None:
        """Returns once it says that it is ready."""
        while True:
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    if (await self._get("/readyz"))[0] == 200:
                        return
            except (OSError, ValueError, asyncio.IncompleteReadError):
                pass
            await asyncio.sleep(0.2)

    async def _get(self, path: str) -> tuple[int, bytes]:
        while self._idle:
            try:
                return await self._exchange(self._idle.pop(), path)
            except (OSError, asyncio.IncompleteReadError):
                continue  # kept too long; the next, or a new one, will do
        return await self._exchange(await asyncio.open_connection(self._host, self._port), path)

    async def _exchange(self, pipe: _Pipe, path: str) -> tuple[int, bytes]:
        reader, writer = pipe
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nhost: {self._host}\r\n\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
            body = await reader.readexactly(length)
        except BaseException:
            writer.close()
            raise
        if b"connection: close" in head:
            writer.close()
        else:
            self._idle.append(pipe)
        return int(head.split(b" ", 2)[1]), body
