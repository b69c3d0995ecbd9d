"""One registry host over HTTP: requests, bytes in both directions, and what went wrong in words.

TLS by default, with the certificates that the system trusts (SSL_CERT_FILE names others). Without TLS only this
machine's loopback is asked, and what the person names: bytes are checked by digest either way, but a name is not.
"""

from __future__ import annotations

import io
import ipaddress
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, cast

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError, ProtocolError, SSLError

from lockstep.core.errors import OutsideError
from lockstep.core.names import Digest
from lockstep.oci.layer import CHUNK

_TIMEOUT = urllib3.Timeout(connect=10, read=300)  # seconds; a registry hashes a large blob before it answers
_KEPT = 16  # connections that stay open between requests
_FOLLOW = urllib3.Retry(total=None, connect=0, read=0, status=0, other=0, redirect=5)  # many keep blobs elsewhere
DIGEST = "docker-content-digest"
_AGAIN = "run the same command again: what is there is not sent twice"
_FIXES = {
    401: "use a registry that lets this machine in without a login: logins are not built yet",
    403: "check that this machine may write there",
    404: "check `registry:` in lockstep.yaml",
    413: "raise the registry's limit on the size of a blob",
}


class NoAnswer(OutsideError):  # noqa: N818 - said as it is
    """A registry gave no whole answer: whether it did what was asked is not known."""


@dataclass(frozen=True)
class Access:
    """How registries are asked. `plain_http`: without TLS, also where they are not on this machine's loopback."""

    plain_http: bool = False


@dataclass(frozen=True)
class Answer:
    """A whole answer; headers by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Host:
    """A registry host.

    Args:
        name: Host and port, such as `registry.example.org` or `127.0.0.1:5000`.
        access: How it is asked.
        holders: For blobs that were seen there: a repository that has them, for others to mount from.
    """

    name: str
    access: Access = Access()
    holders: dict[Digest, str] = field(default_factory=dict, compare=False)
    _pool: urllib3.PoolManager = field(
        default_factory=lambda: urllib3.PoolManager(timeout=_TIMEOUT, blocksize=CHUNK, maxsize=_KEPT),
        repr=False,
        compare=False,
    )

    @property
    def url(self) -> str:
        """Where its repositories begin."""
        scheme = "http" if self.access.plain_http or is_loopback(self.name) else "https"
        return f"{scheme}://{self.name}/v2/"

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: Iterable[bytes] | Callable[[], Iterable[bytes]] | bytes | None = None,
    ) -> Answer:
        """The answer to a request, whatever its status. An iterable body needs its content-length among the headers.

        Raises:
            NoAnswer: no answer came.
        """
        reads = method in {"GET", "HEAD"}
        body = body() if callable(body) else body
        try:
            found = self._pool.request(
                method, url, body=body, headers=dict(headers or {}), redirect=reads, retries=_FOLLOW if reads else False
            )
        except HTTPError as error:
            raise self._unreachable(url, error) from error
        return Answer(found.status, {name.lower(): value for name, value in found.headers.items()}, found.data)

    def stream(self, url: str) -> BinaryIO | Answer:
        """The body of a GET as it arrives, or the answer where that is not 200. A body cut short is an OutsideError.

        Raises:
            OutsideError: no answer came.
        """
        try:
            found = self._pool.request("GET", url, retries=_FOLLOW, preload_content=False, decode_content=False)
            if found.status == 200:
                return cast("BinaryIO", _Body(self, url, found))
            return Answer(found.status, {}, found.data)
        except HTTPError as error:
            raise self._unreachable(url, error) from error

    def refused(self, what: str, url: str, answer: Answer) -> OutsideError:
        """The error for an answer that is not the one wished for."""
        said = _said(answer.body)
        fix = _FIXES.get(answer.status, f"see the registry's log; {_AGAIN}")
        return OutsideError(
            f"cannot {what}: the registry answered {answer.status}{said}", where=url.partition("?")[0], fix=fix
        )

    def check(self, answer: Answer, digest: Digest, url: str) -> None:
        """Nothing, if the registry stored what was sent, or says no digest.

        Raises:
            OutsideError: it stored something else.
        """
        if DIGEST in answer.headers and said_digest(answer, url) != digest:
            raise OutsideError(
                f"the registry stored {answer.headers[DIGEST]}, sent was {digest}",
                where=url.partition("?")[0],
                fix="check the network and the registry's disk, then run the same command again",
            )

    def silent(self, what: str, url: str) -> OutsideError:
        """The error for a registry that takes nothing any more."""
        return OutsideError(
            f"cannot {what}: {self.name} broke off again and again", where=url.partition("?")[0],
            fix=f"see the registry's log; {_AGAIN}",
        )  # fmt: skip

    def _unreachable(self, url: str, error: HTTPError) -> NoAnswer:
        reason = error.reason if isinstance(error, MaxRetryError) and error.reason else error
        fix = f"check that {self.name} is up and reachable from here; {_AGAIN}"
        if isinstance(reason, SSLError):
            fix = "trust its certificate (SSL_CERT_FILE=ca.pem), or, if it has no TLS at all, add: --plain-http"
        said = reason.args[0] if isinstance(reason, ProtocolError) and reason.args else reason
        return NoAnswer(f"no whole answer from {self.name}: {said}", where=url.partition("?")[0], fix=fix)


class _Body(io.RawIOBase):
    """What arrives of an answer; errors in mid-body come out as ours."""

    def __init__(self, host: Host, url: str, found: urllib3.BaseHTTPResponse) -> None:
        super().__init__()
        self._host, self._url, self._found = host, url, found

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            data = self._found.read(len(buffer))
        except HTTPError as error:
            raise self._host._unreachable(self._url, error) from error  # noqa: SLF001 - one thing in two classes
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._found.close()
            self._found.release_conn()
        super().close()


def is_loopback(host: str) -> bool:
    """Whether a `host[:port]` is this machine's loopback."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def said_digest(answer: Answer, url: str) -> Digest:
    """The digest that an answer says.

    Raises:
        OutsideError: it is none.
    """
    try:
        return Digest(answer.headers[DIGEST])
    except ValueError as error:
        raise strange(url, str(error)) from error


def strange(url: str, what: str) -> OutsideError:
    """The error for an answer that no registry gives."""
    return OutsideError(
        f"the registry's answer cannot be understood: {what}",
        where=url.partition("?")[0],
        fix="check that `registry:` in lockstep.yaml names a registry of images (OCI distribution v1.1)",
    )


def _said(body: bytes) -> str:
    """What an answer says of itself. Source: distribution-spec v1.1.0, "Error Codes"."""
    try:
        errors = json.loads(body)["errors"]
        return "".join(f"; {error['code']}: {error.get('message', '')}" for error in errors)[:300]
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
