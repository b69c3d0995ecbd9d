from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lockstep.truth.serving import try_contract

CONTRACT = Path(__file__).parents[1] / "contract/openapi.yaml"


def test_echo_answers_with_the_text(launch: Callable[..., Any]) -> None:
    assert launch("echo")("/echo", {"text": "A letter."}) == (200, {"text": "A letter."})


@pytest.mark.parametrize("body", [[], {}, "text", {"text": 7}])
def test_echo_refuses_what_is_not_a_text(launch: Callable[..., Any], body: object) -> None:
    assert launch("echo")("/echo", body)[0] == 422


def test_echo_keeps_its_contract(launch: Callable[..., Any], tmp_path: Path) -> None:
    trial = try_contract(CONTRACT, launch("echo").url, tmp_path)

    assert trial.faults == (), trial.said
