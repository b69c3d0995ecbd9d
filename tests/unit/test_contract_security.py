"""Security: what a caller shows must be enough."""

import pytest

from contract_pairs import breaks, compared, rules
from lockstep.core.contract.judge import Question

SCHEMES = "components: {securitySchemes: {KEY: {type: apiKey, in: header, name: X-Key}}}\n"


def asks(security: str) -> str:
    return f"paths: {{/a: {{get: {{security: {security}}}}}}}"


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("[]", "[{key: []}]", ["api-security-anonymous-access-removed"]),
        ("[{key: []}, {}]", "[{key: []}]", ["api-security-anonymous-access-removed"]),
        ("[{key: []}]", "[]", ["api-security-anonymous-access-added"]),
        ("[{key: []}]", "[{other: []}]", ["api-security-removed", "api-security-added"]),
        ("[{key: []}]", "[{key: []}, {other: []}]", ["api-security-added"]),
        ("[{key: []}, {other: []}]", "[{other: []}]", ["api-security-removed"]),
        ("[{one: [read]}]", "[{one: [read, write]}]", ["api-security-scope-added"]),
        ("[{one: [read, write]}]", "[{one: [read]}]", ["api-security-scope-removed"]),
        ("[{one: [read]}, {one: [write]}]", "[{one: [write]}, {one: [read]}]", []),
        ("[{one: [], two: []}]", "[{one: []}]", ["api-security-added"]),
        ("[{one: []}]", "[{one: [], two: []}]", ["api-security-removed", "api-security-added"]),
    ],
)
def test_what_was_enough_to_be_let_in_must_be_enough(old: str, new: str, found: list[str]) -> None:
    assert rules(compared(provider=asks(new), needed=asks(old))) == found


def test_an_operation_has_the_security_of_the_whole_unless_it_has_its_own() -> None:
    whole = "security: [{key: []}]\npaths: {/a: {get: {}}}"
    own = "security: [{key: []}]\npaths: {/a: {get: {security: []}}}"

    assert breaks(compared(provider=whole, needed="paths: {/a: {get: {}}}")) == [
        "api-security-anonymous-access-removed"
    ]
    assert compared(provider=own, needed="paths: {/a: {get: {}}}") == ()
    assert compared(provider=whole, needed=asks("[{key: []}]")) == ()


def test_a_caller_that_states_no_security_does_not_fit_where_some_is_asked_for() -> None:
    found = compared(provider=asks("[{key: []}]"), needed="paths: {/a: {get: {}}}", question=Question.EDGE)

    assert breaks(found) == ["api-security-anonymous-access-removed"]
    assert found[0].what == "GET /a asks for key; nothing is shown"


def test_a_scheme_is_the_same_under_another_name() -> None:
    old, new = (SCHEMES.replace("KEY", name) + asks(f"[{{{name}: []}}]") for name in ("one", "two"))

    assert breaks(compared(provider=new, needed=old)) == []
    assert breaks(compared(provider=new.replace("X-Key", "X-Other"), needed=old)) == ["api-security-removed"]


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("type: apiKey, in: header, name: a", "type: apiKey, in: header, name: b", "api-key-name-changed"),
        ("type: apiKey, in: header, name: a", "type: apiKey, in: query, name: a", "api-key-in-changed"),
        ("type: apiKey, in: header, name: a", "type: http, scheme: basic", "type-changed"),
        ("type: http, scheme: basic", "type: http, scheme: bearer", "http-scheme-changed"),
        ("type: http, scheme: basic", "type: http, scheme: Basic", ""),
        (
            "type: openIdConnect, openIdConnectUrl: 'https://EXAMPLE.org:443/%7ea'",
            "type: openIdConnect, openIdConnectUrl: 'https://example.org/~a'",
            "",
        ),
        (
            "type: openIdConnect, openIdConnectUrl: 'https://example.org/a'",
            "type: openIdConnect, openIdConnectUrl: 'https://example.org/b'",
            "openid-connect-url-changed",
        ),
        (
            "type: oauth2, flows: {password: {tokenUrl: 'https://example.org/a', scopes: {}}}",
            "type: oauth2, flows: {password: {tokenUrl: 'https://example.org/b', scopes: {}}}",
            "oauth-token-url-changed",
        ),
        (
            "type: oauth2, flows: {password: {tokenUrl: a}}",
            "type: oauth2, flows: {implicit: {authorizationUrl: a}}",
            "flow-removed",
        ),
    ],
)
def test_a_scheme_keeps_how_a_caller_shows_who_it_is(old: str, new: str, rule: str) -> None:
    scheme = "components: {{securitySchemes: {{one: {{{}}}}}}}"

    found = compared(provider=scheme.format(new), needed=scheme.format(old))

    assert breaks(found) == ([f"api-security-component-{rule}"] if rule else [])
