"""Connections with a maximum age, at the level of the server's protocol.

A moved Service pointer cuts no open connection: a client that keeps one open would stay with the old release for as long as it likes.
So each connection knows when it was made. The first response that starts after the maximum age carries `connection: close`,
and a connection that is idle then is closed a grace period later. The grace is for requests already on their way: on a connection
in use one arrives within it and is answered with `connection: close`, which, unlike a close without words, loses nothing.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from gateway.service import Message, Receive, Send

IDLE_GRACE_SECONDS = 0.25


def aging_protocol(max_age: float) -> type[H11Protocol]:
    """The HTTP/1.1 protocol whose connections live for `max_age` seconds."""

    class AgingProtocol(H11Protocol):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self._application = self.app
            self.app = self._answer

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._expires = self.loop.time() + max_age
            self._timer = self.loop.call_later(max_age + IDLE_GRACE_SECONDS, self._close_if_idle)

        def connection_lost(self, exc: Exception | None) -> None:
            self._timer.cancel()
            super().connection_lost(exc)

        async def _answer(self, scope: Any, receive: Receive, send: Send) -> None:
            async def send_with_age(message: Message) -> None:
                if message["type"] == "http.response.start" and self.loop.time() >= self._expires:
                    message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
                await send(message)

            await self._application(scope, receive, send_with_age)  # type: ignore[arg-type]

        def _close_if_idle(self) -> None:
            """Closes between requests; a running one closes by itself, for its response starts after the maximum age."""
            if self.cycle is None or self.cycle.response_complete:
                self.timeout_keep_alive_handler()
            elif self.cycle.response_started:
                self.cycle.keep_alive = False

    return AgingProtocol
