from collections.abc import Callable
from typing import Any


def test_greet_answers_with_the_words_of_the_prompt(launch: Callable[..., Any]) -> None:
    echo = launch("echo")
    hello = launch("hello", ECHO_URL=echo.url, LOCKSTEP_INSTANCE="hello-0123456789")

    status, body = hello("/greet?name=Ada")

    assert (status, body["greeting"]) == (200, "Hello Ada, welcome aboard!")
    assert body["served_by"] == {"hello": "hello-0123456789", "echo": "127.0.0.1"}


def test_greet_refuses_a_request_without_a_name(launch: Callable[..., Any]) -> None:
    hello = launch("hello", ECHO_URL=launch("echo").url)

    assert hello("/greet")[0] == 422
