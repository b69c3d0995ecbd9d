"""A stand-in for a callee: it is what a use file says and nothing more, and keeps every request.

    with StandIn(read_use(Path("contract/uses/echo.yaml"))) as echo:
        ...                        # run the component with ECHO_URL=echo.url, and have it do all that it does
    assert echo.faults() == []

A component that gets along with it needs no more of its callee than the use file says: the answers have the required
fields alone. What it sends is judged when `faults` is asked.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from lockstep.truth.messages import Exchange, Message
from lockstep.truth.using import OWED, Use


class StandIn:
    """A server on the loopback, from `with` to the end of its block.

    Args:
        use: What it stands in for.
        statuses: The status to answer, by operation as in `POST /echo`; the first success of the use file otherwise.
    """

    def __init__(self, use: Use, statuses: Mapping[str, int] | None = None) -> None:
        self.use = use
        self.exchanges: list[Exchange] = []
        chosen = statuses or {}
        self._answers = {str(one): use.lean_answer(one, chosen.get(str(one), 0)) for one in use.operations()}
        self._server = _Server(("127.0.0.1", 0), _Answering)
        self._server.stand_in = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def faults(self) -> list[str]:
        """Each request that the use file does not describe, and each operation that nobody asked."""
        return [*self.use.faults(self.exchanges), *self.use.unused(self.exchanges)]

    def answer(self, method: str, target: str, request: Message) -> tuple[int, Message]:
        """The least answer of the operation, 404 where the use file has none; the request is kept."""
        operation = self.use.asked(Exchange(method, target, request))
        status, answer = self._answers[str(operation)] if operation else (200 if target in OWED else 404, Message({}))
        self.exchanges.append(Exchange(method, target, request, status, answer))
        return status, answer

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    stand_in: StandIn


class _Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        status, answer = self.server.stand_in.answer(self.command, self.path, Message(headers, self._body(headers)))
        self.send_response(status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _body(self, headers: Mapping[str, str]) -> bytes:
        """The whole body; RFC 9112, 7.1, where it comes in chunks (trailers are none that a component sends)."""
        if "chunked" not in headers.get("transfer-encoding", "").lower():
            return self.rfile.read(int(headers.get("content-length", "0")))
        body = b""
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    do_GET = do_PUT = do_POST = do_DELETE = do_OPTIONS = do_HEAD = do_PATCH = do_TRACE = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nothing: what was asked is kept."""
