"""Security schemes: how a caller shows who it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lockstep.core.contract.case import Case, Pair, Reader
from lockstep.core.contract.contract import Node
from lockstep.core.contract.unjudged import FLOW, SCHEME, unjudged

FLOWS = ("implicit", "password", "clientCredentials", "authorizationCode", "deviceAuthorization")
_URLS = (
    ("authorizationUrl", "api-security-component-oauth-url-changed"),
    ("tokenUrl", "api-security-component-oauth-token-url-changed"),
    ("refreshUrl", "api-security-component-oauth-refresh-url-changed"),
)
_WIRE = (
    ("name", "api-security-component-api-key-name-changed"),
    ("in", "api-security-component-api-key-in-changed"),
    ("scheme", "api-security-component-http-scheme-changed"),
    ("bearerFormat", "api-security-component-bearer-format-changed"),
    ("openIdConnectUrl", "api-security-component-openid-connect-url-changed"),
)
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)(.*)", re.DOTALL)
_PORTS = {"http": ":80", "https": ":443"}
_ENCODED = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")


def schemes_of(reader: Reader, root: Node) -> dict[str, Node]:
    """The security schemes of a contract, by name."""
    components = reader.mapping(root.get("components"))
    return reader.entries(components.get("securitySchemes")) if components else {}


def scheme_names(case: Case, root: Pair) -> dict[str, str]:
    """Schemes of the provider that are needed under another name, to that name: a name is chosen by whoever writes."""
    ours, theirs = schemes_of(case.provider, root.provider), schemes_of(case.needed, root.needed)
    shown = {_shown(case.needed, theirs[name]): name for name in sorted(theirs.keys() - ours.keys())}
    found = ((name, shown.get(_shown(case.provider, ours[name]))) for name in sorted(ours.keys() - theirs.keys()))
    return {name: other for name, other in found if other is not None}


def _shown(reader: Reader, node: Node) -> tuple[Any, ...]:
    """All that decides about what a caller sends."""
    flows = reader.entries(node.get("flows"))
    urls = tuple((name, *(reader.text(flows[name], key) for key, _ in _URLS)) for name in sorted(flows))
    fields = (reader.text(node, key) for key, _ in _WIRE if key not in ("scheme", "bearerFormat"))
    return (reader.text(node, "type"), reader.text(node, "scheme").lower(), *fields, urls)


def scheme_findings(case: Case, root: Pair) -> None:
    """Notes what is found about the security schemes that both sides name."""
    ours, theirs = schemes_of(case.provider, root.provider), schemes_of(case.needed, root.needed)
    at = root.below("components").below("securitySchemes")
    for name in sorted(ours.keys() | theirs.keys()):
        if name not in ours:
            case.add("api-security-component-removed", f"`{name}` is gone", Pair(at.provider, theirs[name]))
        elif name not in theirs:
            case.add("api-security-component-added", f"`{name}` is new", Pair(ours[name], at.needed))
        else:
            _one_scheme(case, name, Pair(ours[name], theirs[name]))


def _one_scheme(case: Case, name: str, pair: Pair) -> None:
    old, new = case.needed.text(pair.needed, "type"), case.provider.text(pair.provider, "type")
    if old != new:
        what = f"`{name}` was {old} and is {new}"
        case.add("api-security-component-type-changed", what, pair.below("type"), old=old, new=new)
        return
    _flows(case, name, pair)
    for key, rule in _WIRE:
        old, new = case.needed.text(pair.needed, key), case.provider.text(pair.provider, key)
        if old != new and not _is_same(key, old, new):
            what = f"`{key}` of `{name}` was {old or 'not there'} and is {new or 'not there'}"
            case.add(rule, what, pair.below(key), old=old or None, new=new or None)
    unjudged(case, pair, SCHEME)


def _is_same(key: str, old: str, new: str) -> bool:
    """Whether two values mean the same; names of schemes are so in any case (RFC 9110, section 11.1)."""
    return old.lower() == new.lower() if key == "scheme" else key.endswith("Url") and is_same_url(old, new)


def _flows(case: Case, name: str, pair: Pair) -> None:
    ours, theirs = case.provider.entries(pair.provider.get("flows")), case.needed.entries(pair.needed.get("flows"))
    for flow in (flow for flow in FLOWS if flow in ours and flow in theirs):
        here = Pair(ours[flow], theirs[flow])
        for key, rule in _URLS:
            old, new = case.needed.text(here.needed, key), case.provider.text(here.provider, key)
            if old != new and not is_same_url(old, new):
                what = f"`{key}` of the flow {flow} of `{name}` was {old or 'not there'} and is {new or 'not there'}"
                case.add(rule, what, here.below(key), old=old or None, new=new or None)
        _scopes(case, f"the flow {flow} of `{name}`", here)
        unjudged(case, here, FLOW)
    if gone := [flow for flow in FLOWS if flow in theirs and flow not in ours]:
        what = f"{'the flow ' if len(gone) == 1 else 'the flows '}{', '.join(gone)} of `{name}` cannot be used any more"
        case.add("api-security-component-flow-removed", what, pair.below("flows"), old=gone)


def _scopes(case: Case, name: str, pair: Pair) -> None:
    ours, theirs = (_words(node.get("scopes")) for node in (pair.provider, pair.needed))
    at = pair.below("scopes")
    for scope in sorted(ours.keys() | theirs.keys()):
        if ours.get(scope) != theirs.get(scope):
            rule = "removed" if scope not in ours else "added" if scope not in theirs else "changed"
            what = f"the scope `{scope}` of {name} was {rule}"
            old, new = theirs.get(scope), ours.get(scope)
            case.add(f"api-security-component-oauth-scope-{rule}", what, at, old=old, new=new)


def _words(node: Node | None) -> Mapping[str, Any]:
    return node.value if node is not None and isinstance(node.value, dict) else {}


def is_same_url(one: str, other: str) -> bool:
    """Whether two addresses are the same (RFC 3986, sections 6.2.2 and 6.2.3)."""
    return _normal(one) == _normal(other)


def _normal(url: str) -> str:
    if parts := _URL.fullmatch(url):
        scheme, host, rest = parts[1].lower(), parts[2].lower(), parts[3]
        host = host.removesuffix(_PORTS.get(scheme, "\0"))
        rest = rest if rest.startswith("/") or scheme not in _PORTS else f"/{rest}"
        url = f"{scheme}://{host}{rest}"
    return _ENCODED.sub(_decoded, url)


def _decoded(found: re.Match[str]) -> str:
    letter = chr(int(found[1], 16))
    return letter if _UNRESERVED.fullmatch(letter) else found[0].upper()
