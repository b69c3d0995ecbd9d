"""How a registry asks for a login, and for which right: WWW-Authenticate headers and the scopes of tokens. Pure.

Source: RFC 7235, section 4.1; RFC 7617 (Basic); RFC 6750, section 3 (Bearer); distribution v2.8.2,
    docs/spec/auth/token.md and docs/spec/auth/scope.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - a pattern of RFC 7230, section 3.2.6
_BETWEEN = re.compile(r"[\s,]*")
_SCHEME = re.compile(rf"({_TOKEN})(?=[\s,]|$)(?:[ \t]+[A-Za-z0-9._~+/-]+=*[ \t]*(?=,|$))?")  # with a token68, if any
_PARAMETER = re.compile(rf'({_TOKEN})[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))[ \t]*(?=,|$)')
_REPOSITORY = re.compile(r"/v2/(.+)/(?:blobs|manifests|tags|referrers)/")
_ACTIONS = {"GET": {"pull"}, "HEAD": {"pull"}, "DELETE": {"delete"}}  # all others write


@dataclass(frozen=True)
class Challenge:
    """One way to be let in. `scheme` and the names of parameters are in lower case."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, order=True)
class Scope:
    """Rights on repositories, in canonical order: equal rights are equal values, and equal texts."""

    parts: tuple[str, ...] = ()

    def __str__(self) -> str:
        """As a challenge and a token request write it."""
        return " ".join(self.parts)

    def __or__(self, other: Scope) -> Scope:
        """The rights of both."""
        rights: dict[str, set[str]] = {}
        for part in (*self.parts, *other.parts):
            resource, _, actions = part.rpartition(":")
            rights.setdefault(resource, set()).update(filter(None, actions.split(",")))
        return Scope(tuple(f"{name}:{','.join(sorted(rights[name]))}" for name in sorted(rights)))


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """The challenges of a WWW-Authenticate header, in its order; several headers are one, joined by commas.

    Raises:
        ValueError: it does not follow RFC 7235; says at which character.
    """
    found: list[tuple[str, dict[str, str]]] = []
    at = _after(_BETWEEN, header, 0)
    while at < len(header):
        parameter = _PARAMETER.match(header, at) if found else None
        scheme = None if parameter else _SCHEME.match(header, at)
        match = parameter or scheme
        if match is None or (parameter and parameter[1].lower() in found[-1][1]):
            raise ValueError(f"no challenge of RFC 7235 at character {at + 1}")
        if parameter:
            quoted = re.sub(r"\\(.)", r"\1", parameter[2] or "")
            found[-1][1][parameter[1].lower()] = parameter[3] or quoted
        else:
            found.append((match[1].lower(), {}))
        at = _after(_BETWEEN, header, match.end())
    return tuple(Challenge(scheme, parameters) for scheme, parameters in found)


def _after(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def parse_scope(text: str) -> Scope:
    """A scope from its text, such as `repository:documents/ocr:pull,push`; any text is one."""
    return Scope() | Scope(tuple(text.split()))


def scope_of(method: str, url: str) -> Scope:
    """The rights that a request needs; none for what is in no repository.

    A mount reads another repository, which a challenge need not say: see distribution v2.8.2, registry/handlers/app.go,
    appendAccessRecords.
    """
    parts = urlsplit(url)
    repository = _REPOSITORY.match(parts.path)
    if repository is None:
        return Scope()
    actions = ",".join(_ACTIONS.get(method, {"pull", "push"}))
    query = parse_qs(parts.query)
    holders = query.get("from", []) if "mount" in query else []
    own = (f"repository:{repository[1]}:{actions}", *(f"repository:{holder}:pull" for holder in holders))
    return Scope() | Scope(own)
