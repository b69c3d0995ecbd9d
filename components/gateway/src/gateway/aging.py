"""Connections with a maximum age, at the level of the server's protocol.

A moved Service pointer cuts no open connection: a client that keeps one open would stay with the old release for as
long as it likes. So each connection knows when it was made. The first response that starts after the maximum age
carries `connection: close`, and a connection that is idle then is closed a grace period later. The grace is for
requests already on their way: on a connection in use one arrives within it and is answered with `connection: close`,
which, unlike a close without words, loses nothing. A connection that brought no request yet is left open for longer:
its client is about to send one, and on a busy machine that takes more than the age.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from gateway.service import Message, Receive, Send

IDLE_GRACE_SECONDS = 0.25
FIRST_REQUEST_SECONDS = 10.0


class AgingProtocol(H11Protocol):
    """HTTP/1.1 whose connections live for `max_age` seconds."""

    max_age = 1.0
    release_headers: tuple[tuple[bytes, bytes], ...] = ()  # for answers that no application sees

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._application = self.app
        self.app = self._answer

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Starts the connection's clock."""
        super().connection_made(transport)
        self._expires = self.loop.time() + self.max_age
        self._timer = self.loop.call_later(self.max_age + IDLE_GRACE_SECONDS, self._close_if_idle)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the connection's clock."""
        self._timer.cancel()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answers bytes that are no HTTP request with a problem like any other."""
        problem = {"error": {"what": msg, "fix": "send an HTTP/1.1 request"}}
        fixed = [(b"content-type", b"application/json"), (b"connection", b"close"), *self.release_headers]
        response = h11.Response(status_code=400, headers=fixed, reason=b"Bad Request")
        for event in (response, h11.Data(data=json.dumps(problem).encode()), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    async def _answer(self, scope: Any, receive: Receive, send: Send) -> None:
        async def send_with_age(message: Message) -> None:
            if message["type"] == "http.response.start" and self.loop.time() >= self._expires:
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            await send(message)

        await self._application(scope, receive, send_with_age)

    def _close_if_idle(self) -> None:
        """Closes between requests; a running one closes by itself, for its response starts after the maximum age."""
        if self.cycle is None and self.loop.time() < self._expires - self.max_age + FIRST_REQUEST_SECONDS:
            self._timer = self.loop.call_later(FIRST_REQUEST_SECONDS, self._close_if_idle)
        elif self.cycle is None or self.cycle.response_complete:
            self.timeout_keep_alive_handler()
        elif self.cycle.response_started:
            self.cycle.keep_alive = False


def aging_protocol(max_age: float, headers: tuple[tuple[bytes, bytes], ...]) -> type[AgingProtocol]:
    """The protocol with this maximum age in seconds, and with these headers on what no application answers."""
    return type("AgingProtocol", (AgingProtocol,), {"max_age": max_age, "release_headers": headers})
