"""How a registry host lets us in: the login for it, the way that it asked for, and the tokens of its token server.

1. Nothing is shown before the host asks: a 401 names its way, Basic or Bearer, and Bearer's token server.
2. Basic: user and password go to the host, from then on with every request.
3. Bearer: the token server gets them (or the identity token, or nothing) and gives a token for a scope; only the
   token goes to the host. It is kept until it expires or is refused, by server, service and scope.
4. What is secret goes over TLS, except to a host that is asked without it; then to this machine, or as asked for.

Source: distribution v2.8.2, docs/spec/auth/token.md (GET) and docs/spec/auth/oauth.md (POST); RFC 6750, RFC 7617.
"""

from __future__ import annotations

import functools
import json
import re
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

from lockstep.core.errors import OutsideError
from lockstep.oci.challenges import Challenge, Scope, parse_challenges, parse_scope
from lockstep.oci.logins import Login
from lockstep.oci.wire import AGAIN, NoAnswer, Reply, Request, Wire, is_loopback

_LIFE = 60  # seconds, where a token server says nothing; token.md, "expires_in"
_EARLY = 0.9  # the part of its life after which a token is renewed: it must arrive before it has expired
_VISIBLE = re.compile(r"[\x21-\x7e]+")


class Logins(Protocol):
    """What knows who we are."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Where logins are looked for."""
        ...

    def of(self, host: str) -> Login | None:
        """The login for a `host[:port]`; None if there is none."""
        ...


@dataclass(frozen=True)
class Token:
    """A right for some time. `until` is on the clock of Patience, in seconds."""

    value: str = field(repr=False)
    until: float


@dataclass
class Admission:
    """What one host is shown; shared by threads.

    Args:
        name: The registry's `host[:port]`.
        url: Where it is: its scheme says whether it has TLS.
        logins: Where its login is.
        wire: How its token server is asked.
        plain_http: Whether the person asked for requests without TLS.
    """

    name: str
    url: str
    logins: Logins
    wire: Wire
    plain_http: bool = False
    _way: Challenge | None = field(default=None, repr=False)
    _wider: dict[Scope, Scope] = field(default_factory=dict, repr=False)
    _tokens: dict[tuple[str, str, Scope], Token] = field(default_factory=dict, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def header(self, scope: Scope) -> str:
        """The Authorization header for a request that needs these rights; empty as long as nothing is asked for.

        Raises:
            OutsideError: the login cannot be read, or the token server gives no token.
        """
        with self._lock:
            return self._shown(self._way, self._wider.get(scope, scope), "") if self._way else ""

    def header_after(self, reply: Reply, scope: Scope, shown: str) -> str:
        """The Authorization header to try after a 401; empty if there is none that was not refused.

        Args:
            reply: The 401 of the host itself.
            scope: The rights that the request needs; the answer may name more.
            shown: The header that was refused; empty if there was none.

        Raises:
            OutsideError: it asks in a way that cannot be understood, or trusted; or as for `header`.
        """
        header = reply.headers.get("www-authenticate", "")
        try:
            ways = {challenge.scheme: challenge for challenge in reversed(parse_challenges(header))}
        except ValueError as error:
            raise self._strange(f"{error} of its WWW-Authenticate header") from error
        way = ways.get("bearer") or ways.get("basic")
        if way is None:
            return ""
        with self._lock:
            self._way, self._wider[scope] = way, scope | parse_scope(way.parameters.get("scope", ""))
            found = self._shown(way, self._wider[scope], shown)
        return "" if found == shown else found

    def fix(self) -> str:
        """What to do about a 401: log in, and where that was looked for."""
        login = self._login
        again = f"docker login {self.name} (or: podman login {self.name})"
        if login:
            return (
                f"the login of {login.user or 'an identity token'} in {login.where} is refused; log in again: {again}"
            )
        return f"log in: {again}; looked into {', '.join(map(str, self.logins.files)) or 'no file: HOME is not set'}"

    def who(self) -> str:
        """The name that the host knows us by, in words for errors."""
        login = self._login
        return (login.user or "the owner of the identity token") if login else "whoever has no login"

    def without_secrets(self, text: str) -> str:
        """The text with every secret that was shown struck out."""
        if "_login" in self.__dict__ and self._login:  # else none was shown
            text = self._login.without_secrets(text)
        for token in tuple(self._tokens.values()):
            text = text.replace(token.value, "***")
        return text

    @functools.cached_property
    def _login(self) -> Login | None:
        return self.logins.of(self.name)

    def _shown(self, way: Challenge, scope: Scope, refused: str) -> str:
        if way.scheme == "basic":
            return f"Basic {self._login.basic}" if self._login and self._login.password else ""
        realm, service = self._checked(way.parameters.get("realm", "")), way.parameters.get("service", "")
        key = (realm, service, scope)
        kept = self._tokens.get(key)
        if kept is None or kept.until <= self.wire.patience.clock() or f"Bearer {kept.value}" == refused:
            kept = self._tokens[key] = self._fetched(realm, service, scope)
        return f"Bearer {kept.value}"

    def _checked(self, realm: str) -> str:
        """The token server's address, if a secret may go there."""
        parts = urlsplit(realm)
        is_plain = self.url.startswith("http:") and (self.plain_http or is_loopback(parts.netloc))
        if parts.scheme not in ({"https", "http"} if is_plain else {"https"}) or not parts.hostname or parts.username:
            raise self._strange(f"its token server is not an https address: {realm[:100]!r}")
        return realm

    def _fetched(self, realm: str, service: str, scope: Scope) -> Token:
        begun = self.wire.patience.clock()
        request = _token_request(self._login, realm, service, scope)
        try:
            reply = self.wire.patiently(request, lambda: self.wire.exchange(request))
        except NoAnswer as error:  # was tried often enough: not once more with the request that it is for
            raise OutsideError(error.what, where=error.where, fix=error.fix) from error
        where = realm.partition("?")[0]
        if reply.status != 200 or reply.url != request.url:
            said = self.without_secrets(said_in(reply.found.data))
            raise OutsideError(
                f"no token for {scope or self.name}: the token server answered {reply.status}{said}",
                where=where,
                fix=self.fix() if reply.status in {400, 401, 403} else f"see the token server's log; {AGAIN}",
            )
        try:
            return _parsed(reply.found.data, begun)
        except ValueError as error:
            raise OutsideError(
                f"the token server's answer cannot be understood: {error}", where=where, fix="see its log"
            ) from None

    def _strange(self, what: str) -> OutsideError:
        return OutsideError(
            f"{self.name} asks for a login in a way that is not followed: {what}",
            where=self.url,
            fix="correct the registry's configuration of logins (auth: token: realm)",
        )


def said_in(body: bytes) -> str:
    """What an answer says of itself. Source: distribution-spec v1.1.0, "Error Codes"."""
    try:
        errors = json.loads(body)["errors"]
        return "".join(f"; {error['code']}: {error.get('message', '')}" for error in errors)[:300]
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""


def _token_request(login: Login | None, realm: str, service: str, scope: Scope) -> Request:
    if login and login.identity:
        form = {"grant_type": "refresh_token", "service": service, "client_id": "lockstep", "scope": str(scope)}
        body = urlencode({**form, "refresh_token": login.identity}).encode()
        return Request("POST", realm, {"content-type": "application/x-www-form-urlencoded"}, body)
    asked = [("service", service)] * bool(service) + [("scope", part) for part in scope.parts]
    url = f"{realm}{'&' if '?' in realm else '?'}{urlencode(asked)}" if asked else realm
    return Request("GET", url, {"authorization": f"Basic {login.basic}"} if login else {})


def _parsed(body: bytes, begun: float) -> Token:
    """Raises ValueError; its text repeats nothing of the body, which holds a secret."""
    try:
        document: Any = json.loads(body)
    except ValueError:
        raise ValueError("it is not JSON") from None
    if not isinstance(document, dict):
        raise ValueError("it is not an object")  # noqa: TRY004 - one kind of error for one question
    value, life = document.get("token") or document.get("access_token"), document.get("expires_in") or _LIFE
    if not isinstance(value, str) or not _VISIBLE.fullmatch(value):
        raise ValueError("it has no token")
    if isinstance(life, bool) or not isinstance(life, int | float) or life < 0:
        raise ValueError("its expires_in is not a number of seconds")
    return Token(value, begun + life * _EARLY)
