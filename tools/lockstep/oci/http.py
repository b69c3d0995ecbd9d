"""One registry host over HTTP: requests, bytes in both directions, and what went wrong in words.

send -> patience (wire.py) -> login (admission.py) -> one exchange (wire.py)

TLS by default, with the certificates that the system trusts (SSL_CERT_FILE names others). Without TLS only this
machine's loopback is asked, and what the person names: bytes are checked by digest either way, but a name is not.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, cast

import urllib3
from urllib3.exceptions import HTTPError

from lockstep.adapters.docker_logins import DockerLogins
from lockstep.core.errors import OutsideError
from lockstep.core.names import Digest
from lockstep.oci.admission import Admission, Logins, said_in
from lockstep.oci.challenges import scope_of
from lockstep.oci.patience import Patience
from lockstep.oci.wire import AGAIN, CERTIFICATES, Body, NoAnswer, Reply, Request, Wire, is_loopback, origin

__all__ = ["DIGEST", "Access", "Answer", "Host", "NoAnswer", "is_loopback", "said_digest", "strange"]

DIGEST = "docker-content-digest"
_FIXES = {
    404: "check `registry:` in lockstep.yaml",
    405: "let the registry delete (for Docker's: REGISTRY_STORAGE_DELETE_ENABLED=true), or use its own retention rules",
    407: "put the proxy's login into HTTPS_PROXY or HTTP_PROXY: http://USER:PASSWORD@HOST:PORT",
    413: "raise the registry's limit on the size of a blob",
    429: f"the registry asks for fewer requests: wait some minutes, then {AGAIN}",
}


def _silent(_: str) -> None:
    pass


@dataclass(frozen=True)
class Access:
    """How registries are asked.

    Args:
        plain_http: Without TLS, also where they are not on this machine's loopback.
        logins: Who we are there.
        patience: How often something is tried.
        say: Told about each wait, one line.
        certificates: Folder of folders `<host:port>` with authorities to trust there, `*.crt`.
    """

    plain_http: bool = False
    logins: Logins = field(default_factory=DockerLogins)
    patience: Patience = field(default_factory=Patience)
    say: Callable[[str], None] = _silent
    certificates: Path = CERTIFICATES


@dataclass(frozen=True)
class Answer:
    """A whole answer; headers by lower-case name. `scope` is the right that was asked for."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    scope: str = ""


@dataclass(frozen=True)
class Host:
    """A registry host; shared by threads.

    Args:
        name: Host and port, such as `registry.example.org` or `127.0.0.1:5000`.
        access: How it is asked.
        holders: For blobs that were seen there: a repository that has them, for others to mount from.
    """

    name: str
    access: Access = Access()
    holders: dict[Digest, str] = field(default_factory=dict, compare=False)
    _wire: Wire = field(init=False, repr=False, compare=False)
    _admission: Admission = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        access = self.access
        wire = Wire(access.patience, access.say, access.certificates)
        object.__setattr__(self, "_wire", wire)
        admission = Admission(self.name, self.url, access.logins, wire, access.plain_http)
        object.__setattr__(self, "_admission", admission)

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
        body: Body = None,
        *,
        repeatable: bool = False,
    ) -> Answer:
        """The answer to a request, whatever its status, after the tries that are worth it (patience.py).

        Args:
            method: GET and so on.
            url: Where; a login goes along only to this host.
            headers: By name; a body that is not bytes needs its content-length among them.
            body: Bytes, or what gives them from the start whenever it is called: both can be sent again. Any other
                iterable is sent once and never again.
            repeatable: Whether doing it twice is as good as once, though the method (POST, PATCH) does not say so.

        Raises:
            NoAnswer: no whole answer came to the last try.
            OutsideError: no token was to be had, or the login ran out with a body that cannot be sent again.
        """
        request = Request(method, url, headers or {}, body, repeatable)
        reply = self._asked(request)
        return Answer(reply.status, reply.headers, reply.found.data, str(scope_of(method, url)))

    def stream(self, url: str) -> BinaryIO | Answer:
        """The body of a GET as it arrives, or the answer where that is not 200. A body cut short is an OutsideError.

        Raises:
            NoAnswer: no whole answer came to the last try.
            OutsideError: no token was to be had.
        """
        reply = self._asked(Request("GET", url), stream=True)
        if reply.status == 200:
            return cast("BinaryIO", _Body(reply.url, reply.found))
        return Answer(reply.status, reply.headers, reply.found.data, str(scope_of("GET", url)))

    def refused(self, what: str, url: str, answer: Answer) -> OutsideError:
        """The error for an answer that is not the one wished for."""
        said = self._admission.without_secrets(said_in(answer.body))
        fix = _FIXES.get(answer.status, f"see the registry's log; {AGAIN}")
        if origin(url) != origin(self.url) and answer.status in {401, 403}:
            fix = f"no login is sent there, because it is not {self.url}: correct the address that the registry gives"
        elif answer.status == 401:
            fix = self._admission.fix()
        elif answer.status == 404 and "BLOB_UPLOAD_UNKNOWN" in said:
            fix = f"the registry forgot this upload: see its log; {AGAIN}"
        elif answer.status == 403:
            fix = f"give {self._admission.who()} the right {answer.scope or 'to do this'} on {self.name}"
        return OutsideError(
            f"cannot {what}: the registry answered {answer.status}{said}", where=url.partition("?")[0], fix=fix
        )

    def check(self, answer: Answer, digest: Digest, url: str) -> None:
        """Nothing, if the registry says that it has what was sent or asked for, or says no digest.

        Raises:
            OutsideError: it has something else.
        """
        if DIGEST in answer.headers and said_digest(answer, url) != digest:
            raise OutsideError(
                f"the registry says that it has {answer.headers[DIGEST]} where {digest} must be",
                where=url.partition("?")[0],
                fix="check the network and the registry's disk, then run the same command again",
            )

    def silent(self, what: str, url: str) -> OutsideError:
        """The error for a registry that takes nothing any more."""
        return OutsideError(
            f"cannot {what}: {self.name} broke off again and again",
            where=url.partition("?")[0],
            fix=f"see the registry's log; {AGAIN}",
        )

    def _asked(self, request: Request, *, stream: bool = False) -> Reply:
        return self._wire.patiently(request, lambda: self._admitted(request, stream=stream))

    def _admitted(self, request: Request, *, stream: bool) -> Reply:
        """The answer, after a 401 that of the same request with what the host asked for. Only the host itself, not
        one that it sent us on to, is shown a login or may ask for one.
        """
        if origin(request.url) != origin(self.url):
            return self._wire.exchange(request, stream=stream)
        scope = scope_of(request.method, request.url)
        shown = self._admission.header(scope)
        reply = self._wire.exchange(_with(request, shown), stream=stream)
        if reply.status != 401 or origin(reply.url) != origin(self.url):
            return reply
        other = self._admission.header_after(reply, scope, shown)
        if not other:
            return reply
        if not request.is_again:
            raise OutsideError(
                f"{self.name} asked for a login in the middle of an upload that cannot be sent again",
                where=request.url.partition("?")[0],
                fix=AGAIN,
            )
        return self._wire.exchange(_with(request, other), stream=stream)


def _with(request: Request, login: str) -> Request:
    return replace(request, headers={**request.headers, "authorization": login}) if login else request


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


class _Body(io.RawIOBase):
    """What arrives of an answer; errors in mid-body come out as ours."""

    def __init__(self, url: str, found: urllib3.BaseHTTPResponse) -> None:
        super().__init__()
        self._url, self._found = url, found

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            data = self._found.read(len(buffer))
        except HTTPError as error:
            raise NoAnswer(self._url, error) from error
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._found.close()
            self._found.release_conn()
        super().close()
