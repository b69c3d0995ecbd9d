"""A registry that asks who is there, its token server, and a clock: small, honest, and on this machine's loopback."""

from __future__ import annotations

import base64
import contextlib
import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fakes import FakeRegistry, _error, _Handler
from lockstep.oci.patience import Patience

DROP = 0  # in a plan, instead of a status: the connection ends without an answer


@dataclass
class Clock:
    """Time that passes only by waiting, and every wait, in seconds."""

    now: float = 1_000_000.0
    waits: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def patience(self, **changed: Any) -> Patience:
        """Patience on this clock, without luck."""
        given = {"clock": lambda: self.now, "now": lambda: self.now, "sleep": self.sleep, "chance": lambda: 1.0}
        return Patience(**{**given, **changed})


@dataclass
class FakeTokens:
    """A token server. Source: distribution v2.8.2, docs/spec/auth/token.md and oauth.md.

    Args:
        clock: Tells when tokens expire.
        users: Passwords by name; empty: everybody gets a token without a login.
        identities: Identity tokens that it knows.
        denies: Rights that nobody gets, such as `repository:a:push`; the token is given without them.
        life: Seconds; None says nothing of it, which means 60.
        answers: Status and body instead of a token.
        planned: Statuses of the next answers.
        asked: Every request: method, scopes, and the Authorization header or the form.
    """

    clock: Clock
    users: dict[str, str] = field(default_factory=dict)
    identities: set[str] = field(default_factory=set)
    denies: set[str] = field(default_factory=set)
    life: int | None = 300
    answers: tuple[int, bytes] | None = None
    planned: list[int] = field(default_factory=list)
    asked: list[tuple[str, list[str], str]] = field(default_factory=list)
    given: dict[str, tuple[set[str], float]] = field(default_factory=dict)

    def token(self, scopes: list[str]) -> bytes:
        value = f"token-{len(self.asked) - 1}"
        rights = {
            f"{scope.rpartition(':')[0]}:{action}" for scope in scopes for action in scope.rpartition(":")[2].split(",")
        }
        self.given[value] = (rights - self.denies, self.clock.now + (60 if self.life is None else self.life))
        return json.dumps({"token": value} | ({} if self.life is None else {"expires_in": self.life})).encode()

    def lets(self, authorization: str, needed: set[str]) -> bool:
        rights, until = self.given.get(authorization.removeprefix("Bearer "), (set(), 0))
        return needed <= rights and self.clock.now < until


@dataclass
class Guarded(FakeRegistry):
    """A registry with a guard.

    Args:
        users: Passwords by name, if it asks for Basic.
        tokens: What gives tokens, if it asks for Bearer.
        challenge: What it says instead of its own WWW-Authenticate.
        realm: Address of its token server.
        forbids: Methods that it answers with 403, whoever asks.
        moved: `scheme://host:port` where its blobs are.
        planned: Statuses (or DROP) and headers of the next answers, before any other rule.
        shown: The Authorization header of every request, with its method and path.
    """

    users: dict[str, str] = field(default_factory=dict)
    tokens: FakeTokens | None = None
    challenge: str = ""
    realm: str = ""
    forbids: set[str] = field(default_factory=set)
    moved: str = ""
    planned: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    shown: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def is_guarded(self) -> bool:
        return bool(self.users or self.tokens or self.challenge)

    def lets(self, authorization: str, needed: set[str]) -> bool:
        if self.tokens:
            return self.tokens.lets(authorization, needed)
        return authorization in {basic(user, password) for user, password in self.users.items()}

    def asks(self, scope: str) -> str:
        if self.challenge:
            return self.challenge
        if self.tokens:
            return f'Bearer realm="{self.realm}",service="registry",scope="{scope}"'
        return 'Basic realm="registry"'


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def docker_config(folder: Path, host: str, user: str, password: str) -> Path:
    """The file, after `docker login`."""
    path = folder / "config.json"
    folder.mkdir(exist_ok=True)
    path.write_text(json.dumps({"auths": {host: {"auth": basic(user, password).removeprefix("Basic ")}}}))
    return path


@contextlib.contextmanager
def guarding(registry: Guarded, address: str = "127.0.0.1", certificate: Path | None = None) -> Iterator[str]:
    """`host:port` of the registry as long as the block lasts; with a certificate (and its key beside it) over TLS."""
    with _served(type("Handler", (_Guard,), {"registry": registry}), address, certificate) as port:
        yield f"{address}:{port}"


@contextlib.contextmanager
def giving(tokens: FakeTokens) -> Iterator[str]:
    """The realm of a token server as long as the block lasts."""
    with _served(type("Handler", (_Giver,), {"tokens": tokens}), "127.0.0.1", None) as port:
        yield f"http://127.0.0.1:{port}/token"


def made_certificate(folder: Path, address: str) -> Path:
    """A certificate that signs itself, for an IP address; its key is beside it as key.pem."""
    path = folder / "ca.crt"
    words = f"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test -keyout {folder}"
    command = ["openssl", *words.split(), "-out", str(path), "-addext", f"subjectAltName=IP:{address}"]
    command[command.index("-keyout") + 1] += "/key.pem"
    subprocess.run(command, check=True, capture_output=True)
    return path


@contextlib.contextmanager
def _served(handler: Any, address: str, certificate: Path | None) -> Iterator[int]:
    server = ThreadingHTTPServer((address, 0), handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # a client that does not trust us leaves in the middle
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.parent / "key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Guard(_Handler):
    registry: Guarded

    def _serve(self) -> None:
        shown = self.headers.get("authorization", "")
        self.registry.shown.append((self.command, self.path, shown))
        scope, needed = self._needed()
        if self.registry.planned:
            self._plan(*self.registry.planned.pop(0))
        elif self.registry.is_guarded and not self.registry.lets(shown, needed):
            self._refuse(401, {"www-authenticate": self.registry.asks(scope)})
        elif self.command in self.registry.forbids:
            self._refuse(403, {})
        elif self.registry.moved and self.command == "GET" and "/blobs/" in self.path:
            self._answer(307, b"", {"location": self.registry.moved + self.path})
        else:
            super()._serve()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def _plan(self, status: int, headers: dict[str, str]) -> None:
        self._body()
        if status == DROP:
            self.registry.requests.append((self.command, self.path, DROP))
            self.close_connection = True
        else:
            self._answer(status, b"", headers)

    def _refuse(self, status: int, headers: dict[str, str]) -> None:
        self._body()
        self._answer(status, _error({401: "UNAUTHORIZED", 403: "DENIED"}[status]), headers)

    def _needed(self) -> tuple[str, set[str]]:
        """The scope that the challenge names, and every right that the request needs: a mount's second repository is
        not in the challenge, as with several registries.
        """
        parts = urlsplit(self.path)
        repository = parts.path.removeprefix("/v2/").rpartition("/blobs/")[0] or parts.path.split("/", 2)[2]
        repository = repository.partition("/manifests/")[0].partition("/tags/")[0]
        actions = ["pull"] if self.command in {"GET", "HEAD"} else ["pull", "push"]
        needed = {f"repository:{repository}:{action}" for action in actions}
        holders = parse_qs(parts.query).get("from", [])
        return f"repository:{repository}:{','.join(actions)}", needed | {f"repository:{one}:pull" for one in holders}


class _Giver(BaseHTTPRequestHandler):
    tokens: FakeTokens
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        shown, users = self.headers.get("authorization", ""), self.tokens.users
        known = not users or shown in {basic(user, password) for user, password in users.items()}
        self._give("GET", query.get("scope", []), shown, known=known and query.get("service") == ["registry"])

    def do_POST(self) -> None:
        form = {
            key: values[0] for key, values in parse_qs(self.rfile.read(int(self.headers["content-length"]))).items()
        }
        text = {key.decode(): value.decode() for key, value in form.items()}
        known = text["grant_type"] == "refresh_token" and text["refresh_token"] in self.tokens.identities
        self._give(
            "POST", text["scope"].split(), self.headers.get("authorization", ""), known=known and "client_id" in text
        )

    def _give(self, method: str, scopes: list[str], shown: str, *, known: bool) -> None:
        self.tokens.asked.append((method, scopes, shown))
        status, body = self.tokens.answers or ((200, self.tokens.token(scopes)) if known else (401, _error("UNKNOWN")))
        status = self.tokens.planned.pop(0) if self.tokens.planned else status
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
