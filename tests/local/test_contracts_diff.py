"""lockstep contracts diff: files as they lie there, files of commits, and components; OpenAPI and JSON Schema."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from local.test_contracts_commands import GONE, MODEL, PROMISE, USE
from lockstep.cli.main import main
from tiny import Tiny, tiny_bundle

SAID = PROMISE.replace("description: fine", "description: all is well")
MORE = PROMISE + "  /more:\n    get:\n      responses: {'200': {description: fine}}\n"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Contracts in a folder that is in no repository and no bundle, where one works."""
    texts = {"old": PROMISE, "same": PROMISE, "said": SAID, "gone": GONE, "more": MORE, "bad": "a: 1\na: 2\n"}
    for name, text in texts.items():
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    return tmp_path


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    """model promises less with each commit."""
    tiny = tiny_bundle(tmp_path / "tiny")
    for text in (PROMISE, USE):
        tiny.write(MODEL, text)
        tiny.commit("another contract of model")
    return tiny


def diff(*words: str) -> int:
    return main(["contracts", "diff", *words])


@pytest.mark.parametrize(
    ("new", "code", "said"),
    [
        ("same.yaml", 0, "old.yaml -> same.yaml: keeps every promise\nok: nothing found; bump at the entry: none\n"),
        ("said.yaml", 0, "ok: nothing found; bump at the entry: patch\n"),
        ("more.yaml", 0, "bump at the entry: minor\n"),
        ("gone.yaml", 1, "bump at the entry: major\n"),
    ],
)
@pytest.mark.usefixtures("files")
def test_diff_of_files_needs_no_bundle_and_no_repository(
    capsys: pytest.CaptureFixture[str], new: str, code: int, said: str
):
    assert diff("old.yaml", new) == code
    assert capsys.readouterr().out.endswith(said)


@pytest.mark.usefixtures("files")
def test_diff_fails_on_the_level_that_is_asked_for():
    assert diff("old.yaml", "more.yaml", "--fail-on", "INFO") == 1
    assert diff("old.yaml", "said.yaml", "--fail-on", "INFO") == 0


def test_diff_of_json_schemas(files: Path, capsys: pytest.CaptureFixture[str]):
    """A schema alone says what its owner gives: more than before may be more than a reader knows."""
    for name, least in (("one", 5), ("two", 1)):
        schema = {"type": "object", "properties": {"text": {"type": "string", "minLength": least}}}
        (files / f"{name}.json").write_text(json.dumps(schema), encoding="utf-8")

    assert diff("one.json", "two.json") == 1
    assert "bump at the entry: major" in capsys.readouterr().out


@pytest.mark.usefixtures("files")
def test_diff_names_both_places(capsys: pytest.CaptureFixture[str]):
    diff("old.yaml", "gone.yaml", "-o", "json")

    said = json.loads(capsys.readouterr().out)
    assert said["bump"] == "major"
    (found,) = [one for one in said["findings"] if one["rule"] == "api-removed-without-deprecation"]
    assert (found["operation"], found["needed"]["path"], found["needed"]["line"]) == ("POST /answer", "old.yaml", 7)
    assert found["provider"]["path"] == "gone.yaml"


def test_diff_reads_what_a_file_refers_to_from_beside_it(files: Path, capsys: pytest.CaptureFixture[str]):
    inner = files / "inner"
    inner.mkdir()
    (inner / "new.yaml").write_text(
        "openapi: 3.1.0\ninfo: {title: model, version: 1.0.0}\npaths: {/answer: {$ref: '../path.yaml'}}\n",
        encoding="utf-8",
    )
    (files / "path.yaml").write_text("get: {responses: {}}\n", encoding="utf-8")

    assert diff("old.yaml", "inner/new.yaml", "-o", "json") == 1
    findings = json.loads(capsys.readouterr().out)["findings"]
    assert "api-removed-without-deprecation" in {one["rule"] for one in findings}


def test_diff_says_all_that_is_wrong_with_both_files(files: Path, capsys: pytest.CaptureFixture[str]):
    (files / "lost.yaml").write_text("$ref: nowhere.yaml\n", encoding="utf-8")

    code = diff("bad.yaml", "lost.yaml")

    out = capsys.readouterr().out
    assert code == 1
    assert "cannot be judged: bad.yaml:2\n" in out
    assert "cannot be judged: lost.yaml:1\n" in out


@pytest.mark.parametrize("reference", ["a\\u0000b", "a\\nb", "\\ud800", "x" * 300, "../" * 400, "/dev/zero", "."])
def test_diff_asks_no_machine_for_names_that_no_file_has(
    files: Path, capsys: pytest.CaptureFixture[str], reference: str
):
    (files / "odd.json").write_text(f'{{"$ref": "{reference}"}}', encoding="utf-8")

    for form in ("text", "json", "sarif", "junit", "markdown"):
        assert diff("old.yaml", "odd.json", "-o", form) == 1
        capsys.readouterr().out.encode()


@pytest.mark.parametrize(
    ("old", "new"), [("no.yaml", "old.yaml"), ("old.yaml", "inner"), ("HEAD:old.yaml", "old.yaml")]
)
def test_diff_of_what_is_not_there_is_a_mistake_of_the_command(
    files: Path, capsys: pytest.CaptureFixture[str], old: str, new: str
):
    (files / "inner").mkdir()

    assert diff(old, new) == 2
    assert "fix:" in capsys.readouterr().err


def test_diff_reads_files_of_commits(tiny: Tiny, capsys: pytest.CaptureFixture[str]):
    code = diff(f"HEAD~1:{MODEL}", MODEL, "-C", str(tiny.folder))

    out = capsys.readouterr().out
    assert code == 1
    assert out.startswith(f"HEAD~1:{MODEL} -> {MODEL}: ")
    assert f"old: HEAD~1:{MODEL}:5\n" in out
    assert diff(f"HEAD~1:{MODEL}", f"HEAD~1:{MODEL}", "-C", str(tiny.folder)) == 0


def test_diff_reads_files_of_commits_from_a_folder_within(tiny: Tiny):
    here = str(tiny.folder / "components" / "front-door")

    assert diff("HEAD~1:../model/contract/openapi.yaml", "../model/contract/openapi.yaml", "-C", here) == 1
    assert diff("HEAD~1:../../../beyond.yaml", "../model/contract/openapi.yaml", "-C", here) == 2


@pytest.mark.parametrize("words", [("HEAD~1", "no-such", "--component", "model"), ("HEAD", "HEAD", "--component", "x")])
def test_diff_of_a_component_needs_both(tiny: Tiny, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]):
    assert diff(*words, "-C", str(tiny.folder)) == 2
    assert "fix:" in capsys.readouterr().err


def test_diff_compares_the_contract_of_a_component(tiny: Tiny, capsys: pytest.CaptureFixture[str]):
    code = diff("HEAD~1", "HEAD", "--component", "model", "-o", "json", "-C", str(tiny.folder))

    said = json.loads(capsys.readouterr().out)
    assert code == 1
    assert (said["old"], said["new"]) == (f"HEAD~1:{MODEL}", f"HEAD:{MODEL}")
    assert said["bump"] == "major"
