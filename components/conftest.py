"""Fixtures for the tests of all components: real server processes on loopback ports, and a small world of names
around them.

A component finds another by name (http://ocr-3f2a91c0de), resolved by an HTTP proxy, as the local runner does
it. `World` is that proxy; behind its names are functions of a test, or the ports of real components.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import pytest
import yaml
from jsonschema import Draft202012Validator

from lockstep.truth.messages import Exchange, Message
from lockstep.truth.serving import Questions, Trial, try_contract
from lockstep.truth.using import Use, read_use

COMPONENTS = Path(__file__).parent
Answer = tuple[int, bytes] | tuple[int, bytes, dict[str, str]]
Handler = Callable[[str, str, dict[str, str], bytes], Answer]  # method, path, headers, body


@dataclass
class Server:
    """A running component."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path
    client: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False, timeout=20))

    def post(self, path: str, **content: Any) -> httpx.Response:
        return self.client.post(self.url + path, **content)

    def get(self, path: str) -> httpx.Response:
        return self.client.get(self.url + path)

    def stop(self) -> int:
        """Asks it to end; its exit code."""
        self.client.close()
        self.process.terminate()
        return self.process.wait(timeout=10)

    def connect(self) -> socket.socket:
        """A raw connection."""
        parts = urlsplit(self.url)
        return socket.create_connection((parts.hostname, parts.port), timeout=5)

    def peak_memory(self) -> int:
        """The largest resident size so far, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) * 1024

    def wait_ready(self) -> Server:
        eventually(
            lambda: self.process.poll() is not None or self._status("/readyz") == 200, f"{self.url} is not ready"
        )
        assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
        return self

    def wait_alive(self) -> Server:
        eventually(
            lambda: self.process.poll() is not None or self._status("/healthz") == 200, f"{self.url} is not alive"
        )
        return self

    def _status(self, path: str) -> int:
        try:
            return self.get(path).status_code
        except httpx.HTTPError:
            return 0


def eventually(is_so: Callable[[], bool], complaint: str, seconds: float = 10.0) -> None:
    """Returns once the condition holds; fails the test at the deadline."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.02)


class QuietServer(ThreadingHTTPServer):
    """A server whose askers may leave before they are answered."""

    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a timeout is part of some tests."""


class World:
    """A proxy that answers for instance names; every request is kept in `seen` as (host, method, path, body)."""

    def __init__(self) -> None:
        self.hosts: dict[str, Handler] = {}
        self.seen: list[tuple[str, str, str, bytes]] = []
        self.exchanges: list[tuple[str, Exchange]] = []  # of the whole module, by the component that was asked
        world = self

        class Proxy(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _answer(self) -> None:
                target = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                world.seen.append((target.netloc, self.command, target.path, body))
                handler = world.hosts.get(target.netloc)
                headers = {k.lower(): v for k, v in self.headers.items()}
                status, content, *more = (
                    handler(self.command, target.path, headers, body) if handler else (502, b"no such name")
                )
                answer = Message({"content-type": "application/json"}, content)
                path = urlunsplit(("", "", target.path, target.query, ""))
                exchange = Exchange(self.command, path, Message(headers, body), status, answer)
                world.exchanges.append((target.netloc.partition("-")[0], exchange))
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                for name, value in (more[0] if more else {}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = _answer  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.server = QuietServer(("127.0.0.1", 0), Proxy)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def say(self, host: str, path: str, answer: dict[str, Any] | Callable[[bytes], Any], status: int = 200) -> None:
        """Lets a host answer one path with JSON, and /readyz; everything else is 404."""
        before = self.hosts.get(host)

        def handler(method: str, asked: str, headers: dict[str, str], body: bytes) -> Answer:
            if asked == path:
                return status, json.dumps(answer(body) if callable(answer) else answer).encode()
            if before:
                return before(method, asked, headers, body)
            return (200, b"{}") if asked == "/readyz" else (404, b"{}")

        self.hosts[host] = handler

    def route(self, host: str, server: Server) -> None:
        """Lets a host be a running component."""

        def handler(method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
            kept = {k: v for k, v in headers.items() if k == "content-type"}
            answer = httpx.request(method, server.url + path, content=body, headers=kept, trust_env=False, timeout=20)
            return answer.status_code, answer.content, {k: v for k, v in answer.headers.items() if k.startswith("x-")}

        self.hosts[host] = handler

    def judged(self, consumer: str) -> dict[str, tuple[Use, list[Exchange]]]:
        """The use files of a component, and what was asked and answered, by callee."""
        uses = {path.stem: read_use(path) for path in (COMPONENTS / consumer / "contract/uses").glob("*.yaml")}
        return {name: (use, [one for asked, one in self.exchanges if asked == name]) for name, use in uses.items()}

    def asked(self, host: str, path: str) -> list[bytes]:
        """The bodies that a host was asked at a path."""
        return [body for h, _, p, body in self.seen if (h, p) == (host, path)]


@pytest.fixture(scope="module")
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """A world; whatever the component of the test module asks in it must be in its use files."""
    made = World()
    yield made
    made.server.shutdown()
    made.server.server_close()
    for name, (use, exchanges) in made.judged(request.path.parents[1].name).items():
        assert use.faults(exchanges) == [], name


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Starts components; each gets a free port, and is ended with the test module."""
    tmp_path = tmp_path_factory.mktemp("servers")
    servers: list[Server] = []

    def start_component(component: str, **environment: str) -> Server:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        clean = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
        own = {
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "LOCKSTEP_INSTANCE": f"{component}-0123456789",
            "PYTHONPATH": str(COMPONENTS / component / "src"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        log = tmp_path / f"{component}-{len(servers)}.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, "-m", component], env=clean | own | environment, cwd=tmp_path, stderr=stream
            )
        servers.append(Server(process, f"http://127.0.0.1:{port}", log))
        return servers[-1]

    yield start_component
    for server in servers:
        server.client.close()
        if server.process.poll() is None:
            server.process.kill()
        server.process.wait(timeout=10)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Makes a weights folder from DVC pointers and the remote inside the repository, re-hashed: no dvc needed."""

    def folder(pointer: str) -> str:
        out = yaml.safe_load((COMPONENTS / pointer).read_text(encoding="utf-8"))["outs"][0]
        data = (COMPONENTS.parent / ".dvc/remote/files/md5" / out["md5"][:2] / out["md5"][2:]).read_bytes()
        assert (hashlib.md5(data, usedforsecurity=False).hexdigest(), len(data)) == (out["md5"], out["size"])
        made = tmp_path_factory.mktemp("weights")
        (made / out["path"]).write_bytes(data)
        return str(made)

    return folder


@pytest.fixture
def committed_contract(request: pytest.FixtureRequest) -> dict[str, Any]:
    """contract/openapi.yaml of the component whose test asks."""
    return yaml.safe_load((request.path.parents[1] / "contract/openapi.yaml").read_text(encoding="utf-8"))


@pytest.fixture
def keeps_contract(committed_contract: dict[str, Any]) -> Callable[[httpx.Response], None]:
    """Checks that an answer is one of those that the committed contract has for its path and status."""

    def check(answer: httpx.Response) -> None:
        operation = committed_contract["paths"][answer.request.url.path][answer.request.method.lower()]
        schema = operation["responses"][str(answer.status_code)]["content"]["application/json"]["schema"]
        Draft202012Validator({**schema, "components": committed_contract["components"]}).validate(answer.json())

    return check


@pytest.fixture
def try_server(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Trial]:
    """Has schemathesis ask a running component everything that the committed contract of its test says."""

    def trial(server: Server, questions: Questions | None = None) -> Trial:
        return try_contract(request.path.parents[1] / "contract/openapi.yaml", server.url, tmp_path, questions)

    return trial


@pytest.fixture
def drains() -> Callable[..., bytes]:
    """Sends SIGTERM while a request is half sent, then the rest: the request is answered, and the process ends with
    code 0.
    """

    def check(server: Server, path: str, content_type: str, body: bytes) -> bytes:
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
        with server.connect() as connection, server.connect() as idle:
            connection.sendall(head.encode() + body[: len(body) // 2])
            time.sleep(0.1)
            server.process.terminate()
            assert idle.recv(1) == b"", "an idle connection was not closed"
            assert server.process.poll() is None, "it ended with a request running"
            with pytest.raises(ConnectionRefusedError):
                server.connect()
            connection.sendall(body[len(body) // 2 :])
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        assert server.process.wait(timeout=5) == 0
        return answer

    return check
