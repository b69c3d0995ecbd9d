"""Where a login may go, and what can be sent again."""

from __future__ import annotations

import pytest

from lockstep.oci.wire import Request, origin

BASE = "https://a.example/v2/x"


@pytest.mark.parametrize(
    ("location", "kept"),
    [
        ("/v2/y", True),
        ("?again", True),
        ("https://a.example:443/v2/y", True),
        ("https://A.example/v2/y", True),
        ("https://ada@a.example/v2/y", True),
        ("http://a.example/v2/x", False),
        ("http://a.example:443/v2/x", False),
        ("https://a.example:5000/v2/x", False),
        ("https://b.a.example/v2/x", False),
        ("https://a.example.evil/v2/x", False),
        ("https://a.example@evil.example/v2/x", False),
        ("//evil.example/v2/x", False),
    ],
)
def test_a_login_stays_with_scheme_host_and_port(location, kept):
    request = Request("GET", BASE, {"Authorization": "Basic x", "accept": "y"})

    moved = request.moved(location)

    assert moved.headers == ({"Authorization": "Basic x"} if kept else {}) | {"accept": "y"}
    assert (origin(moved.url) == origin(BASE)) is kept


@pytest.mark.parametrize("name", ["PRIVATE-TOKEN", "job-token"])
def test_a_token_of_a_forge_stays_there_as_well(name):
    request = Request("GET", BASE, {name: "x"})

    assert request.moved("/v2/y").headers == {name: "x"}
    assert request.moved("https://b.a.example/v2/x").headers == {}


def test_a_login_that_was_left_behind_does_not_come_back():
    request = Request("GET", BASE, {"authorization": "Basic x"})

    assert request.moved("https://b.example/").moved(BASE).headers == {}


def test_what_is_given_from_the_start_can_be_sent_again():
    def chunks():
        return iter([b"ab", b"cd"])

    once = Request("PUT", BASE, body=chunks())
    again = Request("PUT", BASE, body=chunks)

    assert [request.is_again for request in (once, again, Request("PUT", BASE, body=b"ab"), Request("GET", BASE))] == [
        False,
        True,
        True,
        True,
    ]
    assert [b"".join(again.given()) for _ in range(2)] == [b"abcd", b"abcd"]
    assert [b"".join(once.given()) for _ in range(2)] == [b"abcd", b""]


def test_a_request_shows_neither_headers_nor_body():
    shown = repr(Request("PUT", BASE, {"authorization": "Basic x"}, b"refresh_token=x"))

    assert "Basic" not in shown
    assert "refresh" not in shown
