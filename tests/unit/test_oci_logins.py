"""Docker's configuration of logins: what is read, what is refused, and that no secret is ever said."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.core.errors import OutsideError
from lockstep.oci.logins import Login, host_of_key, parse_helper, parse_logins

NEVER_SAID = "hunter2-never-said"


def packed(user="ada", password=NEVER_SAID):
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def read(document):
    return parse_logins(json.dumps(document).encode(), "config.json")


def test_a_login_is_read_in_each_of_its_forms():
    found = read(
        {
            "auths": {
                "a.example:5000": {"auth": packed("ada", "with:colon")},
                "b.example": {"username": "bob", "password": NEVER_SAID},
                "c.example": {"auth": packed("cy", ""), "identitytoken": NEVER_SAID},
                "d.example": {},
            },
            "psFormat": "table",
        }
    )

    assert found.login("a.example:5000") == Login("ada", "with:colon", where="config.json")
    assert found.login("B.example") == Login("bob", NEVER_SAID, where="config.json")
    assert found.login("c.example") == Login("cy", identity=NEVER_SAID, where="config.json")
    assert found.login("d.example") is None
    assert found.login("a.example") is None, "another port is another registry"


def test_zero_bytes_after_a_password_are_dropped():
    found = read({"auths": {"a.example": {"auth": packed("ada", "secret\0\0")}}})

    assert found.login("a.example") == Login("ada", "secret", where="config.json")


@pytest.mark.parametrize("key", ["https://a.example:5000/v2/", "http://A.example:5000", "a.example:5000/team"])
def test_a_key_counts_by_its_host_and_port(key):
    assert host_of_key(key) == "a.example:5000"
    assert read({"auths": {key: {"auth": packed()}}}).login("a.example:5000").user == "ada"


@pytest.mark.parametrize("turned", [False, True])
def test_the_key_that_is_the_host_comes_before_longer_ones(turned):
    entries = {"https://a.example/v1/": {"auth": packed("old")}, "a.example": {"auth": packed("new")}}
    ordered = dict(reversed(entries.items())) if turned else entries

    assert read({"auths": ordered}).login("a.example").user == "new"


def test_the_helper_of_a_host_comes_before_the_store():
    found = read({"credHelpers": {"https://a.example": "cloud-login"}, "credsStore": "pass"})

    assert [found.helper(host) for host in ("a.example", "b.example")] == ["cloud-login", "pass"]
    assert read({}).helper("a.example") == ""


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "the document is not an object"),
        ({"auths": [NEVER_SAID]}, "auths is not an object"),
        ({"auths": {"a": NEVER_SAID}}, "auths.a is not an object"),
        ({"auths": {"a": {"auth": NEVER_SAID}}}, "auths.a.auth is not the base64"),
        ({"auths": {"a": {"auth": base64.b64encode(NEVER_SAID.encode()).decode()}}}, "auths.a.auth is not the base64"),
        ({"auths": {"a": {"auth": base64.b64encode(b"\xff" + NEVER_SAID.encode()).decode()}}}, "auths.a.auth is not"),
        ({"auths": {"a": {"username": "x", "password": [NEVER_SAID]}}}, "auths.a.password is not a string"),
        ({"auths": {"a": {"identitytoken": 5}}}, "auths.a.identitytoken is not a string"),
        ({"credsStore": "../evil"}, "credsStore is not the name"),
        ({"credHelpers": {"a": 5}}, "credHelpers.a is not the name"),
    ],
)
def test_another_form_is_refused_with_its_place_and_without_its_value(document, said):
    with pytest.raises(OutsideError) as caught:
        read(document)

    assert said in caught.value.what
    assert caught.value.where == "config.json"
    assert "docker login" in caught.value.fix
    assert NEVER_SAID not in caught.value.what + caught.value.fix
    assert caught.value.__cause__ is None


def test_what_is_no_json_is_said_with_its_line():
    with pytest.raises(OutsideError, match="not JSON at line 2") as caught:
        parse_logins(f'{{\n"auths": {NEVER_SAID}}}'.encode(), "config.json")

    assert NEVER_SAID not in caught.value.what
    with pytest.raises(OutsideError, match="not UTF-8"):
        parse_logins(b'{"auths": "\xff"}', "config.json")


def test_a_helpers_answer_is_a_login_or_an_identity_token():
    answer = {"ServerURL": "a.example", "Username": "ada", "Secret": NEVER_SAID}

    assert parse_helper(json.dumps(answer).encode(), "helper") == Login("ada", NEVER_SAID, where="helper")
    answer["Username"] = "<token>"
    assert parse_helper(json.dumps(answer).encode(), "helper") == Login("", identity=NEVER_SAID, where="helper")


@pytest.mark.parametrize(
    "output", [NEVER_SAID.encode(), b"[]", b"{}", b'{"Username": 5, "Secret": "hunter2-never-said"}']
)
def test_a_helpers_answer_of_another_form_is_not_repeated(output):
    with pytest.raises(OutsideError) as caught:
        parse_helper(output, "docker-credential-x")

    assert caught.value.where == "docker-credential-x"
    assert NEVER_SAID not in caught.value.what + caught.value.fix


def test_no_repr_holds_a_secret_and_texts_lose_them():
    login = Login("ada", NEVER_SAID, NEVER_SAID.upper(), "config.json")

    assert "ada" in repr(login)
    assert NEVER_SAID not in repr(login)
    assert NEVER_SAID.upper() not in repr(login)
    assert login.without_secrets(f"ada {NEVER_SAID} {NEVER_SAID.upper()} {login.basic}") == "ada *** *** ***"


@given(st.text(min_size=1).filter(lambda text: ":" not in text), st.text(min_size=1))
def test_what_docker_packs_is_unpacked(user, password):
    found = read({"auths": {"a.example": {"auth": packed(user, password)}}}).login("a.example")

    assert found is None if not password.rstrip("\0") else (found.user, found.password) == (user, password.rstrip("\0"))
