"""Contracts that are meant to hurt end with a clear error or a verdict, within bounds that the kernel keeps."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import bombs
import lockstep

TOOLS = str(Path(lockstep.__path__[0]).parent)


def _judge(name: str) -> Any:
    command = [sys.executable, bombs.__file__, name]
    ran = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": TOOLS}, capture_output=True, text=True, check=False, timeout=600
    )
    assert ran.returncode == 0, (ran.returncode, ran.stderr[-2000:])
    return json.loads(ran.stdout)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", bombs.REFUSED)
def test_a_bomb_is_refused_with_its_place_and_a_way_out(name: str) -> None:
    kind, where, what, fix = _judge(name)

    assert kind == "error"
    assert bombs.REFUSED[name][1] in what
    assert len(what) < 500
    assert re.fullmatch(r"provider\.yaml:[1-9][0-9]*", where)
    assert fix


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", bombs.JUDGED)
def test_a_bomb_is_judged_within_the_bounds(name: str) -> None:
    """Both sides are the same file: it fits, or it is said that this could not be decided."""
    kind, rules = _judge(name)

    assert kind == "judged"
    assert set(rules) <= {"schema-undecided", "schema-unsupported"}
