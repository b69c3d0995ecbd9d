"""Requests and answers as bytes: connections, proxies, certificates, redirects, and tries.

Proxies are those of the environment (HTTPS_PROXY, HTTP_PROXY, NO_PROXY); this machine's loopback is never behind one.
Certificates are those that the system trusts (SSL_CERT_FILE and SSL_CERT_DIR name others, OpenSSL reads them), and
for a host those in its folder below /etc/docker/certs.d. A login stays with the scheme, host and port it was for.
"""

from __future__ import annotations

import ipaddress
import ssl
import threading
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)
from urllib3.util.ssl_ import create_urllib3_context

from lockstep.core.errors import OutsideError
from lockstep.oci.layer import CHUNK
from lockstep.oci.patience import Asked, Patience

CERTIFICATES = Path("/etc/docker/certs.d")  # dockerd(8), "Certificates": <host:port>/*.crt are authorities
AGAIN = "run the same command again: what is there is not sent twice"
_TIMEOUT = urllib3.Timeout(connect=10, read=300)  # seconds; a registry hashes a large blob before it answers
_LOGINS = {
    "authorization",
    "private-token",
    "job-token",
}  # the last two: GitLab's documentation, api/rest/authentication
_REDIRECTS = 5  # many registries keep blobs elsewhere
_CONNECTIONS = 16  # kept open per host

Body = bytes | Callable[[], Iterable[bytes]] | Iterable[bytes] | None


@dataclass(frozen=True)
class Request:
    """What is asked.

    Args:
        method: GET and so on.
        url: Where; http or https.
        headers: By name; those of a login are in no repr.
        body: Bytes, or what gives them from the start whenever it is called; else an iterable, which is sent once.
        repeatable: Whether doing it twice is as good as once, though its method does not say so.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Body = field(default=None, repr=False)
    repeatable: bool = False

    @property
    def is_again(self) -> bool:
        """Whether its body can be sent again."""
        return self.body is None or isinstance(self.body, bytes) or callable(self.body)

    @property
    def host(self) -> str:
        """`host[:port]` of its address, without a name and a password in it."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    def given(self) -> bytes | Iterator[bytes] | None:
        """The body to send now."""
        if self.body is None or isinstance(self.body, bytes):
            return self.body
        return _readable(self.body() if callable(self.body) else self.body)

    def moved(self, location: str) -> Request:
        """The same request for where it was sent on to; a login does not leave the place it was for."""
        url = urljoin(self.url, location)
        is_own = origin(url) == origin(self.url)
        kept = {name: value for name, value in self.headers.items() if is_own or name.lower() not in _LOGINS}
        return replace(self, url=url, headers=kept)


@dataclass(frozen=True)
class Reply:
    """An answer and the address that gave it. Headers by lower-case name; `found` has the body."""

    status: int
    headers: Mapping[str, str]
    url: str
    found: urllib3.BaseHTTPResponse


class NoAnswer(OutsideError):  # noqa: N818 - what happened, in a word
    """No whole answer came. `worth`: whether trying again may help; `sent`: whether any of it may have arrived."""

    def __init__(self, url: str, error: HTTPError) -> None:
        host = Request("GET", url).host
        fix = f"check that {host} is up and reachable from here; {AGAIN}"
        if isinstance(error, SSLError):
            fix = (
                f"trust its certificate (SSL_CERT_FILE=ca.pem, or {CERTIFICATES}/{host}/ca.crt), or, if it has no TLS "
                "at all, add: --plain-http"
            )
        elif isinstance(error, ProxyError):
            fix = f"check the proxy of HTTPS_PROXY or HTTP_PROXY, or add {host} to NO_PROXY; {AGAIN}"
        said = error.args[0] if isinstance(error, ProtocolError) and error.args else error
        super().__init__(f"no whole answer from {host}: {said}", where=url.partition("?")[0], fix=fix)
        reason = error.original_error if isinstance(error, ProxyError) else error
        self.sent = not isinstance(reason, NewConnectionError | ConnectTimeoutError)
        is_lost = not self.sent or isinstance(reason, ProtocolError | ReadTimeoutError)
        self.worth = is_lost and not isinstance(reason, NameResolutionError)


@dataclass(frozen=True)
class Wire:
    """Connections to a registry and to whatever it names, shared by threads.

    Args:
        patience: How often something is tried.
        say: Told about each wait.
        certificates: Folder of folders `<host:port>` with authorities to trust there, `*.crt`.
    """

    patience: Patience
    say: Callable[[str], None]
    certificates: Path = CERTIFICATES
    _pools: dict[tuple[str, str], urllib3.PoolManager] = field(default_factory=dict, repr=False, compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def exchange(self, request: Request, *, stream: bool = False) -> Reply:
        """The answer to one request. Reads are sent on to where a redirect says. `stream`: the body of a 200 is not
        read yet.

        Raises:
            NoAnswer: none came.
        """
        for _ in range(_REDIRECTS + 1):
            found = self._once(request, stream=stream)
            location = found.get_redirect_location() if request.method in {"GET", "HEAD"} else None
            if not location:
                headers = {name.lower(): value for name, value in found.headers.items()}
                return Reply(found.status, headers, request.url, found)
            found.drain_conn()
            request = request.moved(location)
            if urlsplit(request.url).scheme not in {"http", "https"}:
                raise NoAnswer(request.url, HTTPError("redirected to an address that is not http or https"))
        raise NoAnswer(request.url, HTTPError(f"redirected more than {_REDIRECTS} times"))

    def patiently(self, request: Request, once: Callable[[], Reply]) -> Reply:
        """What `once` gives in the end: it is called again, after a wait, as long as patience says.

        Raises:
            NoAnswer: none came to the last try.
        """
        asked = Asked(request.method, request.is_again, request.repeatable)
        patience, began = self.patience, None
        for number in range(1, patience.tries + 1):
            got = _tried(once)
            if isinstance(got, Reply):
                is_last, told = not asked.after_answer(got.status, got.headers), got.headers.get("retry-after")
            else:
                is_last, told = not (got.worth and asked.after_silence(sent=got.sent)), None
            now = patience.clock()
            began = now if began is None else began
            wait = patience.wait(number, told)
            if is_last or number == patience.tries or now + wait - began > patience.total:
                break
            what = f"answered {got.status}" if isinstance(got, Reply) else "gave no answer"
            self.say(f"{request.host} {what}: waiting {wait:.2g} s (try {number + 1} of {patience.tries})")
            patience.sleep(wait)
        if isinstance(got, NoAnswer):
            raise got
        return got

    def _once(self, request: Request, *, stream: bool) -> urllib3.BaseHTTPResponse:
        pool, body = self._pool(request.url), request.given()
        try:
            found = pool.request(
                request.method,
                request.url,
                body=body,
                headers=dict(request.headers),
                redirect=False,
                retries=False,
                preload_content=not stream,
                decode_content=not stream,
            )
            if stream and found.status != 200:
                _ = found.data  # the connection is free for the next request
        except HTTPError as error:
            raise NoAnswer(request.url, error) from error
        return found

    def _pool(self, url: str) -> urllib3.PoolManager:
        scheme, host = urlsplit(url).scheme, Request("GET", url).host
        with self._lock:
            if (scheme, host) not in self._pools:
                context = _trust(self.certificates / host) if scheme == "https" else None
                self._pools[scheme, host] = _pool(proxy_of(scheme, host), context)
            return self._pools[scheme, host]


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port: what a login is for. Source: RFC 6454, section 4."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)


def is_loopback(host: str) -> bool:
    """Whether a `host[:port]` is this machine's loopback."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def proxy_of(scheme: str, host: str) -> str:
    """Address of the proxy to ask a `host[:port]` through, as urllib.request finds it; empty if there is none."""
    proxy = urllib.request.getproxies().get(scheme, "")
    if not proxy or is_loopback(host) or urllib.request.proxy_bypass(host):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def _pool(proxy: str, context: ssl.SSLContext | None) -> urllib3.PoolManager:
    if not proxy:
        return urllib3.PoolManager(timeout=_TIMEOUT, blocksize=CHUNK, maxsize=_CONNECTIONS, ssl_context=context)
    parts = urlsplit(proxy)
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}" if parts.username else None
    address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    try:
        return urllib3.ProxyManager(
            address,
            proxy_headers=urllib3.make_headers(proxy_basic_auth=login) if login else None,
            timeout=_TIMEOUT,
            blocksize=CHUNK,
            maxsize=_CONNECTIONS,
            ssl_context=context,
        )
    except HTTPError as error:
        raise OutsideError(
            f"the proxy cannot be used: {error}", where=address, fix="set HTTPS_PROXY=http://proxy.example.org:3128"
        ) from None


def _trust(folder: Path) -> ssl.SSLContext | None:
    """What the system trusts and the authorities of the folder; None if there are none in it."""
    try:
        authorities = sorted(folder.glob("*.crt"))
    except OSError as error:
        raise OutsideError(
            f"cannot be read: {error.strerror}", where=str(folder), fix=f"chmod a+rx {folder}"
        ) from error
    if not authorities:
        return None
    context = create_urllib3_context()
    context.load_default_certs()
    for path in authorities:
        try:
            context.load_verify_locations(path)
        except OSError as error:  # ssl.SSLError is one
            fix = f"openssl x509 -in {path} -noout"
            raise OutsideError("not a certificate in PEM form that can be read", where=str(path), fix=fix) from error
    return context


def _tried(once: Callable[[], Reply]) -> Reply | NoAnswer:
    try:
        return once()
    except NoAnswer as error:
        return error


def _readable(body: Iterable[bytes]) -> Iterator[bytes]:
    """The same; what cannot be read is said as that, because a bare OSError would pass for a lost connection."""
    try:
        yield from body
    except OSError as error:
        raise OutsideError(
            f"what was to be sent cannot be read: {error.strerror}",
            where=str(error.filename or ""),
            fix="check the disk, then run the same command again",
        ) from error
