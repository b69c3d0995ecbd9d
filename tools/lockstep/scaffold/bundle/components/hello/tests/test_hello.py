from collections.abc import Callable
from pathlib import Path
from typing import Any

from lockstep.truth.serving import try_contract
from lockstep.truth.standing import StandIn
from lockstep.truth.using import read_use

CONTRACT = Path(__file__).parents[1] / "contract"


def test_greet_answers_with_the_words_of_the_prompt(launch: Callable[..., Any]) -> None:
    echo = launch("echo")
    hello = launch("hello", ECHO_URL=echo.url, LOCKSTEP_INSTANCE="hello-0123456789")

    status, body = hello("/greet?name=Ada")

    assert (status, body["greeting"]) == (200, "Hello Ada, welcome aboard!")
    assert body["served_by"] == {"hello": "hello-0123456789", "echo": "127.0.0.1"}


def test_greet_refuses_a_request_without_a_name(launch: Callable[..., Any]) -> None:
    hello = launch("hello", ECHO_URL=launch("echo").url)

    assert hello("/greet")[0] == 422


def test_hello_keeps_its_contract(launch: Callable[..., Any], tmp_path: Path) -> None:
    hello = launch("hello", ECHO_URL=launch("echo").url, MAX_CONNECTION_AGE_SECONDS="60")

    trial = try_contract(CONTRACT / "openapi.yaml", hello.url, tmp_path)

    assert trial.faults == (), trial.said


def test_hello_asks_what_its_use_of_echo_says_and_needs_no_more(launch: Callable[..., Any]) -> None:
    with StandIn(read_use(CONTRACT / "uses/echo.yaml")) as echo:
        assert launch("hello", ECHO_URL=echo.url)("/greet?name=Ada")[0] == 200

    assert echo.faults() == []
