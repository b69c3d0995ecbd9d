from collections.abc import Callable
from typing import Any

import pytest


def test_echo_answers_with_the_text(launch: Callable[..., Any]) -> None:
    assert launch("echo")("/echo", {"text": "A letter."}) == (200, {"text": "A letter."})


@pytest.mark.parametrize("body", [[], {}, "text"])
def test_echo_refuses_what_is_not_a_text(launch: Callable[..., Any], body: object) -> None:
    assert launch("echo")("/echo", body)[0] == 422
