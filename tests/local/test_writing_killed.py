"""A command that writes, killed before any of its steps, leaves everything whole; the same command finishes the work,
and what it leaves in the end is, byte for byte, what a run that nobody kills leaves. Nothing is sent twice.

tests/killing.py finds the steps and does it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lockstep.cli.main import COMMANDS
from scenes import VERBS, set_scenes
from tiny import _GIT as GIT

TESTS = Path(__file__).resolve().parents[1]
READING = {"plan", "status", "history", "diff", "trace", "verify", "schema", "doctor", "test"}
ELSEWHERE = {
    "contracts": "reads; a picture is one file, which is there whole or not at all",
    "build": "the steps of release before its commit",
    "init": "a new folder: whoever kills it removes it and begins again",
    "up": "writes only what it runs from; tests/local/test_runner_process.py kills it",
}


@pytest.fixture(scope="module")
def scenes(in_memory: Path) -> Path:
    """The bundle before each command, in a folder of the command's name."""
    set_scenes(in_memory)
    return in_memory


@pytest.mark.timeout(600)
@pytest.mark.parametrize("verb", VERBS)
def test_a_command_killed_at_any_step_leaves_all_whole_and_its_rerun_completes(verb: str, scenes: Path) -> None:
    words, least = VERBS[verb]
    work = scenes / f"work-{verb}"
    work.mkdir()
    command = [sys.executable, "-B", str(TESTS / "killing.py"), str(scenes / verb), str(work), *words]
    paths = os.pathsep.join(map(str, (TESTS, TESTS.parent / "tools")))

    done = subprocess.run(command, env={**os.environ, **GIT, "PYTHONPATH": paths}, capture_output=True, check=False)

    shutil.rmtree(work)
    assert done.returncode == 0, done.stderr.decode()
    report = json.loads(done.stdout)
    assert report["problems"] == []
    assert report["killed"] == report["chosen"], "every run but the first and the reruns was killed"
    assert len(report["chosen"]) >= least


def test_every_command_that_writes_is_killed() -> None:
    killed = {words[0] for words, _ in VERBS.values()}

    assert sorted(killed | READING | ELSEWHERE.keys()) == sorted(COMMANDS)
