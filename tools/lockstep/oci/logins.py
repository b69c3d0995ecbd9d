"""Logins as Docker and podman keep them: what a configuration file says, and what a credential helper answers.

Pure: bytes in, values out. adapters/docker_logins.py reads the files and runs the helpers.

Source: docker/cli v27.3.1, cli/config/configfile/file.go and docs of `docker login` ("Credential stores");
    docker/docker-credential-helpers v0.8.2, README.md ("Development").
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from lockstep.core.errors import OutsideError

_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # becomes a part of a program's name: no folders
_IDENTITY = "<token>"  # as a user's name: the secret is an identity token; docker-credential-helpers, README.md


_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Login:
    """What a registry is told about who asks. Its secrets are in no repr.

    Args:
        user: Name; empty where there is an identity token alone.
        password: Or an access token in its place; empty if there is none.
        identity: Identity token (OAuth2 refresh token); empty if there is none.
        where: The file or helper that it comes from.
    """

    user: str
    password: str = field(default="", repr=False)
    identity: str = field(default="", repr=False)
    where: str = ""

    def without_secrets(self, text: str) -> str:
        """The text with this login's secrets struck out: servers are known to repeat what they were sent."""
        for secret in (self.password, self.identity, self.basic if self.password else ""):
            text = text.replace(secret, "***") if secret else text
        return text

    @property
    def basic(self) -> str:
        """User and password as Basic writes them. Source: RFC 7617, section 2."""
        return base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


@dataclass(frozen=True)
class LoginFile:
    """What a configuration file says.

    Args:
        logins: By `host[:port]`.
        helpers: Names of helpers, by `host[:port]`.
        store: Name of the helper for all other hosts; empty if there is none.
    """

    logins: Mapping[str, Login] = field(default_factory=dict)
    helpers: Mapping[str, str] = field(default_factory=dict)
    store: str = ""

    def login(self, host: str) -> Login | None:
        """The login that the file itself holds for a `host[:port]`; None if it holds none."""
        return self.logins.get(host.lower())

    def helper(self, host: str) -> str:
        """Name of the helper to ask about a `host[:port]`; empty if none is to be asked."""
        return self.helpers.get(host.lower(), self.store)


def parse_logins(text: bytes, where: str) -> LoginFile:
    """What a file such as ~/.docker/config.json says. Keys are matched by `host[:port]`: `https://` and a path are
    left out, and a key without them comes first. What is not about logins is not read.

    Args:
        text: The file's bytes.
        where: The file, for errors; they say no value, because any may be a secret.

    Raises:
        OutsideError: it is no JSON, or a part of it has another form than Docker's.
    """
    try:
        document = _mapping(json.loads(text), "the document")
        entries = _mapping(document.get("auths"), "auths")
        helpers = _mapping(document.get("credHelpers"), "credHelpers")
        logins = {key: _login(key, entry, where) for key, entry in entries.items()}
        return LoginFile(
            _by_host({key: login for key, login in logins.items() if login}),
            _by_host({key: _helper(name, f"credHelpers.{key}") for key, name in helpers.items()}),
            _helper(document["credsStore"], "credsStore") if document.get("credsStore") else "",
        )
    except json.JSONDecodeError as error:
        raise _wrong(f"not JSON at line {error.lineno}, column {error.colno}", where) from None
    except ValueError as error:
        raise _wrong("not UTF-8" if isinstance(error, UnicodeError) else str(error), where) from None


def parse_helper(output: bytes, helper: str) -> Login:
    """The login in what a credential helper wrote for `get`.

    Args:
        output: Its standard output: JSON with ServerURL, Username, Secret.
        helper: Its program's name, for errors.

    Raises:
        OutsideError: it has another form; the output is not repeated, because it may hold a secret.
    """
    try:
        document = _mapping(json.loads(output), "its answer")
        user, secret = _text(document, "Username", "its answer"), _text(document, "Secret", "its answer")
        if not secret:
            raise ValueError("its answer has no Secret")  # noqa: TRY301 - one place says where
    except ValueError as error:
        what = "its answer is not JSON" if isinstance(error, json.JSONDecodeError | UnicodeError) else str(error)
        raise OutsideError(
            f"the credential helper is not understood: {what}",
            where=helper,
            fix=f"update {helper}, or take it out of the configuration file and log in again",
        ) from None
    return Login("", identity=secret, where=helper) if user == _IDENTITY else Login(user, secret, where=helper)


def host_of_key(key: str) -> str:
    """`host[:port]` of a key, in lower case: `https://registry.example.org/v1/` is registry.example.org."""
    return re.sub(r"^https?://", "", key.lower()).partition("/")[0]


def _by_host(found: Mapping[str, _Value]) -> dict[str, _Value]:
    """By `host[:port]`; of several keys of one host the shortest counts, which is the host itself if it is there."""
    ordered = sorted(found, key=lambda key: (len(key), key), reverse=True)
    return {host_of_key(key): found[key] for key in ordered}


def _login(key: str, entry: Any, where: str) -> Login | None:
    """None for an entry without a secret: Docker leaves one where a helper keeps the secret."""
    at = f"auths.{key}"
    fields = _mapping(entry, at)
    user, password = _text(fields, "username", at), _text(fields, "password", at)
    packed = _text(fields, "auth", at)
    if packed:
        user, password = _unpacked(packed, f"{at}.auth")
    identity = _text(fields, "identitytoken", at)
    return Login(user, password, identity, where) if password or identity else None


def _unpacked(packed: str, at: str) -> tuple[str, str]:
    """User and password. Docker ends some with zero bytes."""
    try:
        user, colon, password = base64.b64decode(packed, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeError):
        raise ValueError(f"{at} is not the base64 of user:password") from None
    if not colon or not user:
        raise ValueError(f"{at} is not the base64 of user:password")
    return user, password.rstrip("\0")


def _helper(name: Any, at: str) -> str:
    if not isinstance(name, str) or not _HELPER.fullmatch(name):
        raise ValueError(f"{at} is not the name of a credential helper, such as pass")
    return name


def _mapping(value: Any, at: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"{at} is not an object")  # noqa: TRY004 - the caller turns ValueError into ours
    return value


def _text(fields: Mapping[str, Any], name: str, at: str) -> str:
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{at}.{name} is not a string")
    return value or ""


def _wrong(what: str, where: str) -> OutsideError:
    return OutsideError(
        f"the file of logins is not understood: {what}",
        where=where,
        fix="correct it, or move it away and log in again: docker login HOST",
    )
