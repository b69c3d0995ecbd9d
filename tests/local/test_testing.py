"""lockstep test: pytest for each component, of all or of what changed, and a word for each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lockstep.cli.main import main
from tiny import Tiny, tiny_bundle

FINE, WRONG = "def test_it():\n    assert 1\n", "def test_it():\n    assert 0, 'planted'\n"


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    """front-door has a test, model has none."""
    tiny = tiny_bundle(tmp_path / "tiny")
    tiny.write("components/front-door/tests/test_front_door.py", FINE)
    tiny.commit("a test")
    return tiny


def run(tiny: Tiny, *words: str) -> int:
    return main(["test", *words, "-C", str(tiny.folder)])


def results(tiny: Tiny, capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, str]:
    run(tiny, *words, "-o", "json")
    data = json.loads(capsys.readouterr().out)
    assert data["schema"] == "lockstep.dev/cli/test/v1"
    return {one["component"]: one["result"] for one in data["components"]}


def test_test_says_what_became_of_each_component(tiny: Tiny, capsys: pytest.CaptureFixture[str]):
    code = run(tiny)

    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert [line.split(" in ")[0].split(maxsplit=1) for line in lines] == [
        ["front-door", "passed"], ["model", "no tests"],
    ]  # fmt: skip


def test_test_fails_where_one_fails_and_shows_why(tiny: Tiny, capsys: pytest.CaptureFixture[str]):
    tiny.write("components/front-door/tests/test_front_door.py", WRONG)
    tiny.write("components/model/tests/test_model.py", FINE)

    code = run(tiny)

    shown = capsys.readouterr()
    assert code == 1
    assert "front-door       failed" in shown.out
    assert "model            passed" in shown.out
    assert "AssertionError: planted" in shown.err


def test_test_of_what_cannot_be_run_fails(tiny: Tiny, capsys: pytest.CaptureFixture[str]):
    tiny.write("components/front-door/tests/test_front_door.py", "import no_such_module\n")

    assert results(tiny, capsys, "front-door") == {"front-door": "failed"}


@pytest.mark.parametrize(
    ("path", "tested"),
    [
        ("components/model/src/model.py", {"model": "no tests"}),
        ("components/front-door/prompts/answer.prompt", {"front-door": "passed"}),
        ("components/conftest.py", {"front-door": "passed", "model": "no tests"}),
        ("lockstep.yaml", {}),
    ],
)
@pytest.mark.parametrize("is_committed", [True, False])
def test_test_since_runs_what_changed(
    tiny: Tiny, path: str, tested: dict[str, str], capsys: pytest.CaptureFixture[str], *, is_committed: bool
):
    old = tiny.git("rev-parse", "HEAD")
    tiny.write(path, (tiny.read(path) if (tiny.folder / path).exists() else "") + "\n")
    if is_committed:
        tiny.commit()

    assert results(tiny, capsys, "--since", old) == tested


def test_test_since_what_is_not_here_tests_all(tiny: Tiny, capsys: pytest.CaptureFixture[str]):
    assert set(results(tiny, capsys, "--since", "0" * 40)) == {"front-door", "model"}


def test_test_of_an_unknown_component_is_a_usage_error(tiny: Tiny, capsys: pytest.CaptureFixture[str]):
    assert run(tiny, "modle") == 2
    assert "choose from: front-door, model" in capsys.readouterr().err
