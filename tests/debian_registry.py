"""Debian's registry on this machine's loopback, open or behind a login: what the stand-ins of other tests stand for."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fake_auth import Clock, FakeTokens

_ISSUER, _SERVICE = "tests", "registry"


@dataclass(frozen=True)
class DebianRegistry:
    """A registry that is not started yet.

    Args:
        folder: For its configuration, log and blobs.
        port: On the loopback.
        auth: The `auth:` part of its configuration, as JSON; empty: everybody may do everything.
    """

    folder: Path
    port: int
    auth: str = ""

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def config(self) -> Path:
        """Its configuration: it lets its users delete."""
        path = self.folder / "registry.yaml"
        path.write_text(
            f"version: 0.1\nlog: {{level: warn}}\nhttp: {{addr: '{self.host}'}}\n"
            f"storage: {{filesystem: {{rootdirectory: {self.folder}/registry}}, delete: {{enabled: true}}}}\n"
            + (f"auth: {self.auth}\n" if self.auth else "")
        )
        return path

    @contextmanager
    def serving(self) -> Iterator[str]:
        """`host:port`, as long as the block lasts."""
        log = self.folder / "registry.log"
        with log.open("ab") as out:
            process = subprocess.Popen(["docker-registry", "serve", str(self.config)], stdout=out, stderr=out)
        try:
            while not self._answers():
                assert process.poll() is None, log.read_text()
                time.sleep(0.05)
            yield self.host
        finally:
            process.terminate()
            process.wait()

    def collect(self) -> None:
        """Its own collector; nobody may be serving."""
        words = ["docker-registry", "garbage-collect", "--delete-untagged", str(self.config)]
        subprocess.run(words, check=True, capture_output=True)

    def blobs(self) -> set[str]:
        """Digests of its blobs, without the algorithm."""
        return {path.parent.name for path in self.folder.glob("registry/docker/registry/v2/blobs/sha256/*/*/data")}

    def _answers(self) -> bool:
        try:
            urllib.request.urlopen(f"http://{self.host}/v2/", timeout=60).close()
        except urllib.error.HTTPError:  # it wants a login
            return True
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port of the loopback that nobody has."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def htpasswd(folder: Path, user: str, password: str) -> str:
    """The `auth:` of a registry that knows one user. bcrypt is perl's, which every Debian has."""
    made = subprocess.run(
        ["perl", "-e", 'print crypt($ARGV[0], q($2b$05$) . "a" x 22)', password], check=True, capture_output=True
    )
    (folder / "htpasswd").write_text(f"{user}:{made.stdout.decode()}\n")
    return json.dumps({"htpasswd": {"realm": "tests", "path": str(folder / "htpasswd")}})


class SignedTokens(FakeTokens):
    """A token server whose tokens a real registry believes: signed, with the certificate in them.

    Source: distribution v2.8.2, docs/spec/auth/jwt.md; RFC 7515, sections 3 and 4.1.6.
    """

    def __init__(self, folder: Path, users: dict[str, str]) -> None:
        super().__init__(Clock(), users=users)
        self.key, self.certificate = folder / "key.pem", folder / "certificate.pem"
        subject = ("-subj", "/CN=tests", "-days", "2", "-nodes", "-newkey", "rsa:2048")
        files = ("-keyout", str(self.key), "-out", str(self.certificate))
        subprocess.run(["openssl", "req", "-x509", *subject, *files], check=True, capture_output=True)

    def auth(self, realm: str) -> str:
        """The `auth:` of a registry that believes them."""
        bundle = str(self.certificate)
        return json.dumps({"token": {"realm": realm, "service": _SERVICE, "issuer": _ISSUER, "rootcertbundle": bundle}})

    def token(self, scopes: list[str]) -> bytes:
        body = "".join(self.certificate.read_text().splitlines()[1:-1])
        head = {"typ": "JWT", "alg": "RS256", "x5c": [body]}
        parts = [scope.split(":") for scope in scopes]
        access = [{"type": kind, "name": name, "actions": actions.split(",")} for kind, name, actions in parts]
        now = int(time.time())
        times = {"iat": now, "nbf": now - 5, "exp": now + 300}
        claims = {"iss": _ISSUER, "aud": _SERVICE, "sub": "ada", "jti": str(len(self.asked)), "access": access, **times}
        signed = b".".join(_base64(json.dumps(part).encode()) for part in (head, claims))
        done = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", str(self.key)], input=signed, check=True, capture_output=True
        )
        return json.dumps({"token": (signed + b"." + _base64(done.stdout)).decode(), "expires_in": 300}).encode()


def _base64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
