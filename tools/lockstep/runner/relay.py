"""One HTTP request handed to one local port and its answer handed back, both as streams of bounded size.

Every request has a connection of its own to the instance. A kept connection may be closed by the instance (for its age)
at the very moment a request enters it, and then nobody can know whether a POST was processed; on a fresh connection
that cannot happen, and nothing is ever sent twice. The price is one connect on the loopback.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from lockstep.core.errors import OutsideError

# Source: RFC 9110 section 7.6.1, and RFC 9112 for transfer-encoding; `expect` is answered here.
_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "expect",
    }
)
_HEADERS_AT_MOST = 64 * 1024
_OURS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")

Began = Callable[[int], None]


@asynccontextmanager
async def http_client() -> AsyncIterator[aiohttp.ClientSession]:
    """A client that changes nothing on the way: no redirects, cookies or decompression, no time limit of its own."""
    connector = aiohttp.TCPConnector(force_close=True, limit=0)
    async with aiohttp.ClientSession(
        connector=connector,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=5),
        skip_auto_headers=_OURS,
        max_line_size=_HEADERS_AT_MOST,
        max_field_size=_HEADERS_AT_MOST,
    ) as session:
        yield session


@asynccontextmanager
async def http_server(
    answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
    port: int,
    drain_seconds: float,
) -> AsyncIterator[int]:
    """A server on 127.0.0.1; gives its port. At the end it lets running requests finish for `drain_seconds`."""
    server = web.Server(
        answer,
        access_log=None,
        auto_decompress=False,
        handler_cancellation=True,
        max_line_size=_HEADERS_AT_MOST,
        max_field_size=_HEADERS_AT_MOST,
    )
    runner = web.ServerRunner(server, shutdown_timeout=drain_seconds)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, backlog=1024)
    try:
        await _listening(site, port)
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


async def _listening(site: web.TCPSite, port: int) -> None:
    try:
        await site.start()
    except OSError as error:
        what = f"cannot listen on 127.0.0.1:{port}: {error.strerror}"
        raise OutsideError(
            what, where=f"127.0.0.1:{port}", fix="take another port, or any free one: --port 0"
        ) from error


async def relay(
    request: web.BaseRequest,
    client: aiohttp.ClientSession,
    address: str,
    began: Began,
) -> web.StreamResponse:
    """The answer of the server at `address` (scheme, host, port and raw path), streamed to whoever asked.

    Args:
        request: What was asked; its body is read as it is sent on.
        client: From http_client.
        address: Where it goes; nothing in it is encoded again.
        began: Called with the monotonic time in nanoseconds when the answer's headers have been sent.
    """
    if request.headers.get("Expect", "").lower() == "100-continue":
        await _say_continue(request)
    body = request.content.iter_any() if request.can_read_body else None
    headers = _end_to_end(request.headers)
    try:
        url = URL(address, encoded=True)
        async with client.request(request.method, url, headers=headers, data=body, allow_redirects=False) as given:
            return await _handed_back(request, given, began)
    except (aiohttp.ClientError, OSError, ValueError) as error:  # ValueError: a path that no URL can have
        what = f"the instance did not answer: {error or type(error).__name__}"
        return problem(502, what, "see its log in .lockstep/run/<env>/logs")


async def _handed_back(request: web.BaseRequest, given: aiohttp.ClientResponse, began: Began) -> web.StreamResponse:
    response = web.StreamResponse(status=given.status, reason=given.reason, headers=_end_to_end(given.headers))
    await response.prepare(request)
    began(time.monotonic_ns())
    try:
        async for chunk in given.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
    except (aiohttp.ClientError, OSError):
        _cut(request)  # half an answer must not look like a whole one
    return response


def problem(status: int, what: str, fix: str) -> web.Response:
    """An error of the runner itself, in the form that instances use."""
    return web.json_response({"error": {"what": what, "fix": fix, "instance": "lockstep-runner"}}, status=status)


def _cut(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.abort()


async def _say_continue(request: web.BaseRequest) -> None:
    await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    request.writer.output_size = 0  # as aiohttp's own handler of Expect: the answer has not begun


def _end_to_end(headers: CIMultiDictProxy[str]) -> CIMultiDict[str]:
    """The headers without those that belong to one connection."""
    named = {token.strip().lower() for value in headers.getall("Connection", ()) for token in value.split(",")}
    return CIMultiDict((name, value) for name, value in headers.items() if name.lower() not in _HOP | named)
