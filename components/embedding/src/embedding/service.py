"""What every instance owes its environment, as one small ASGI application.

/healthz, /readyz and /openapi.json; one JSON problem per refused request; JSON log lines on stderr; a drain on SIGTERM
that ends with exit code 0. Components share nothing by import, so each carries its own copy of this file
(a gateway test keeps the copies identical).
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

DISCARD_AT_MOST = (
    64 * 1024 * 1024
)  # a refused body is still read so far: closing early would reset the sender's connection
BODY_SECONDS = 30.0  # a sender slower than this is holding the connection, not using it
BACKLOG = 1024

log = logging.getLogger("lockstep")


class RefusalError(Exception):
    """A request that cannot be answered: the status, what happened, how to fix it, and which instance said so."""

    def __init__(self, status: int, what: str, fix: str, instance: str = "") -> None:
        super().__init__(what)
        self.status = status
        self.problem = {"what": what, "fix": fix} | ({"instance": instance} if instance else {})


class ClientLeftError(Exception):
    """The sender closed the connection before the whole request had arrived; nobody is left to answer."""


@dataclass(frozen=True)
class Request:
    """One HTTP request: its headers (lower-case names) and its body, still unread."""

    headers: Mapping[str, str]
    receive: Receive

    async def body(self, limit: int) -> bytes:
        """The whole body; RefusalError 413 above `limit` bytes, of which no more than `limit` are ever held."""
        held, total = bytearray(), 0
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await self.receive()
                if message["type"] == "http.disconnect":
                    raise ClientLeftError
                chunk = message.get("body", b"")
                total += len(chunk)
                if total <= limit:
                    held += chunk
                else:
                    held.clear()
                if not message.get("more_body") or total > DISCARD_AT_MOST:
                    break
        if total > limit:
            raise RefusalError(413, f"the body has more than {limit} bytes", f"send at most {limit} bytes")
        return bytes(held)

    async def json(self, limit: int) -> dict[str, Any]:
        """The body as a JSON object; RefusalError 422 for anything else, and for half a character (`\\ud800`)."""
        content = await self.body(limit)
        try:
            value = json.loads(content)
            if b"\\ud" in content.lower():  # no string with a lone surrogate can be sent on, logged or answered
                json.dumps(value, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            raise RefusalError(
                422, f"the body is not JSON: {error}", 'send a JSON object such as {"text": "..."}'
            ) from error
        if not isinstance(value, dict):
            raise RefusalError(422, "the body is JSON, but not an object", 'send a JSON object such as {"text": "..."}')
        return value

    async def text(self, limit: int) -> str:
        """The field `text` of a JSON body; RefusalError 422 where it is missing, blank or not a string."""
        value = (await self.json(limit)).get("text")
        if not isinstance(value, str) or not value.strip(" \t\r\n"):
            raise RefusalError(422, "the field 'text' is missing, blank or not a string", 'send {"text": "some words"}')
        return value


Handler = Callable[[Request], Awaitable[dict[str, Any]]]
Render = Callable[[RefusalError], dict[str, Any]]


@asynccontextmanager
async def nothing_to_open(_service: Service) -> AsyncIterator[None]:
    """A lifespan for a component that calls nobody."""
    yield


def as_problem(refusal: RefusalError) -> dict[str, Any]:
    """The JSON body of a refused request."""
    return {"error": refusal.problem}


@dataclass
class Service:
    """An ASGI application: exact (method, path) routes around the operational ones."""

    instance: str
    routes: Mapping[tuple[str, str], Handler]
    contract: Mapping[str, Any]
    headers: tuple[tuple[bytes, bytes], ...] = ()
    lifespan: Callable[[Service], AbstractAsyncContextManager[None]] = nothing_to_open
    render: Render = as_problem
    is_ready: bool = True
    is_draining: Callable[[], bool] = field(default=lambda: False)
    log_requests: bool = field(default_factory=lambda: os.environ.get("LOG_REQUESTS") == "1")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answers one HTTP request, or runs the lifespan."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        started = time.perf_counter()
        try:
            status, body = await self._answer(scope, receive)
        except ClientLeftError:
            return
        allowed = [(b"allow", self._methods(scope["path"]).encode())] if status == 405 else []
        await self._send(send, status, body, allowed)
        is_fault = status >= 500 and scope["path"] != "/readyz"
        if self.log_requests or is_fault:
            milliseconds = round((time.perf_counter() - started) * 1000, 2)
            log.log(
                logging.ERROR if is_fault else logging.INFO,
                "request",
                extra={
                    "fields": {"method": scope["method"], "path": scope["path"], "status": status, "ms": milliseconds}
                    | (body if is_fault else {})
                },
            )

    async def _answer(self, scope: Message, receive: Receive) -> tuple[int, dict[str, Any]]:
        method, path = scope["method"], scope["path"]
        request = Request({k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}, receive)
        try:
            if method in {"GET", "HEAD"} and path in {"/healthz", "/readyz", "/openapi.json"}:
                return self._operational(path)
            return 200, await self._handler(method, path)(request)
        except RefusalError as refusal:
            return refusal.status, self.render(refusal)
        except TimeoutError:
            slow = RefusalError(
                408, f"the body did not arrive within {BODY_SECONDS:.0f} s", "send it faster, or smaller"
            )
            return 408, self.render(slow)
        except ClientLeftError:
            raise
        except Exception:
            log.exception("bug", extra={"fields": {"method": method, "path": path}})
            bug = RefusalError(
                500, "this instance failed on the request", "see its log; the request may be sent again", self.instance
            )
            return 500, self.render(bug)

    def _handler(self, method: str, path: str) -> Handler:
        handler = self.routes.get((method, path))
        if handler is None:
            known = ", ".join(f"{m} {p}" for m, p in self.routes)
            status = 405 if self._methods(path) else 404
            raise RefusalError(status, f"{method} {path} is not part of this contract", f"ask one of: {known}")
        return handler

    def _methods(self, path: str) -> str:
        """What a path may be asked, for the Allow header that a 405 must have (RFC 9110, 15.5.6)."""
        return ", ".join(method for method, known in self.routes if known == path)

    def _operational(self, path: str) -> tuple[int, dict[str, Any]]:
        if path == "/openapi.json":
            return 200, dict(self.contract)
        if path == "/readyz" and not self.is_ready:
            return 503, {"instance": self.instance, "ready": False}
        return 200, {"instance": self.instance, "ready": self.is_ready}

    async def _send(self, send: Send, status: int, body: Mapping[str, Any], more: list[tuple[bytes, bytes]]) -> None:
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(content)).encode()),
            *self.headers,
            *more,
        ]
        if self.is_draining():
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self.lifespan(self):
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


class JsonLines(logging.Formatter):
    """Formats a log record as one line of JSON."""

    def __init__(self, instance: str) -> None:
        super().__init__()
        self.instance = instance

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line of JSON."""
        line = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "instance": self.instance,
            "message": record.getMessage(),
        } | getattr(record, "fields", {})
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def environment(name: str, example: str) -> str:
    """The value of an environment variable; exit code 2 with a line that says how to set it where it is missing."""
    value = os.environ.get(name, "")
    if not value:
        sys.stderr.write(f"{name} is not set.  fix: export {name}={example}\n")
        raise SystemExit(2)
    return value


def serve(service: Service, http: type[asyncio.Protocol] | str = "h11") -> None:
    """Serves until SIGTERM or SIGINT: running requests are finished, connections closed, exit code 0."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(service.instance))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    log.setLevel(logging.INFO)
    server = uvicorn.Server(
        uvicorn.Config(
            service,
            host=os.environ.get("HOST", "0.0.0.0"),
            port=int(environment("PORT", "8080")),
            backlog=BACKLOG,
            http=http,
            ws="none",
            loop="asyncio",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=60,
            # longer than any caller keeps an idle connection: the caller closes first, so no request meets a close
            timeout_keep_alive=75,
        )
    )
    service.is_draining = lambda: server.should_exit
    # uvicorn raises a caught signal again after its drain: these handlers turn that into a clean exit.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    log.info("starting", extra={"fields": {"python": sys.version.split()[0]}})
    server.run()
    raise SystemExit(0 if server.started else 1)
