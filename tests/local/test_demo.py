"""The README's demo, as a user runs it: every promise is watched under load, and the report says what was measured."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

Played = tuple[subprocess.CompletedProcess[str], dict]
TOP = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def played() -> Played:
    before = _state()
    done = subprocess.run(
        [sys.executable, "-m", "demo"], cwd=TOP, capture_output=True, text=True, timeout=600, check=False
    )
    report = json.loads((TOP / ".lockstep" / "demo.json").read_text(encoding="utf-8"))
    assert _state() == before, "the demo touched the repository that it was started in"
    return done, report


def _state() -> tuple[str, ...]:
    commands = (["rev-parse", "HEAD"], ["for-each-ref"], ["status", "--porcelain"])
    return tuple(
        subprocess.run(["git", *command], cwd=TOP, capture_output=True, text=True, check=True).stdout
        for command in commands
    )


@pytest.mark.timeout(700)
def test_demo_keeps_every_promise(played: Played) -> None:
    done, report = played

    assert report["broken"] == []
    assert done.returncode == 0, done.stderr


def test_readme_shows_what_the_demo_prints(played: Played) -> None:
    readme = (TOP / "README.md").read_text(encoding="utf-8")
    shown = readme.partition("<!-- demo -->\n```text\n")[2].partition("\n```")[0]

    assert _shape(shown) == _shape(played[0].stdout)


def _shape(text: str) -> list[str]:
    """The lines of the timeline without what differs from run to run: times, sizes, ids, ports."""
    lines = re.sub(r"-[0-9a-f]{10}\b", "-ID", text.strip()).splitlines()
    return [re.sub(r"\s*[\d.]+( k| M| m|)(B|s|bytes|)\b", " N", line) for line in lines if "Python 3" not in line]


def test_demo_fails_and_mixes_no_request(played: Played) -> None:
    requests = played[1]["requests"]

    assert requests["total"] > 100
    assert (requests["failed"], requests["mixed"]) == (0, 0)


def test_a_change_costs_what_it_changes(played: Played) -> None:
    prompt, code, weights = played[1]["changes"][:3]

    assert (prompt["kind"], prompt["builds"], prompt["uploaded_bytes"], prompt["instances_started"]) == (
        "prompt",
        0,
        0,
        2,
    )
    assert (code["kind"], code["builds"]) == ("code", 0)
    assert 0 < code["uploaded_bytes"] < 200_000
    assert (weights["kind"], weights["builds"]) == ("weights", 0)
    assert 0 < weights["uploaded_bytes"] < 1_000_000


def test_reverts_are_warm_also_while_a_release_is_loading(
    played: Played,
) -> None:
    rollbacks = played[1]["rollbacks"]

    assert len(rollbacks) == 2
    assert [rollback["to"] for rollback in rollbacks] == ["1.0.2", "1.0.2"]


def test_a_release_that_never_gets_ready_is_refused(played: Played) -> None:
    assert [refused["version"] for refused in played[1]["refused"]] == ["1.1.2"]


@pytest.mark.usefixtures("played")
def test_demo_leaves_no_process() -> None:
    status = json.loads(
        (TOP / ".lockstep/demo/bundle/.lockstep/run/production/status.json").read_text(encoding="utf-8")
    )

    assert status["state"] == "stopped"
    with pytest.raises(ProcessLookupError):
        os.kill(status["pid"], signal.SIG_DFL)


@pytest.mark.usefixtures("played")
def test_an_answer_is_traced_to_its_release_weights_and_prompt() -> None:
    bundle = TOP / ".lockstep/demo/bundle"
    front = (bundle / "releases/production/front/front.yaml").read_text(encoding="utf-8")
    root = front.rpartition('lockstep.dev/instance: "')[2].partition('"')[0]

    done = subprocess.run(
        [sys.executable, "-m", "lockstep.cli.main", "trace", root, "-o", "json"],
        cwd=bundle,
        capture_output=True,
        text=True,
        check=True,
    )

    traced = {item["instance"].rpartition("-")[0]: item for item in json.loads(done.stdout)["instances"]}
    assert traced["gateway"]["versions"] == ["1.0.2"]
    assert sorted(traced) == ["embedding", "gateway", "llm", "ocr", "summarizer"]
    assert "in one sentence" in traced["summarizer"]["prompts"]["summary.prompt"]
    assert traced["ocr"]["weights"]["files"][0]["sha256"].startswith("sha256:")
