"""lockstep contracts check and edges on a real bundle in Git; tests/unit/test_contract_forms.py has the forms."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from lockstep.cli.main import main
from tiny import Tiny, tiny_bundle

OPERATION = "responses: {'200': {description: fine}}"
PROMISE = f"""\
openapi: 3.1.0
info: {{title: model, version: 1.0.0}}
paths:
  /answer:
    get:
      {OPERATION}
    post:
      {OPERATION}
"""
USE = PROMISE.replace(f"    get:\n      {OPERATION}\n", "")
MODEL, NEEDED = "components/model/contract/openapi.yaml", "components/front-door/contract/uses/model.yaml"
GONE = PROMISE.replace("    post:", "    put:")


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    """front-door needs POST /answer of model, which promises it."""
    tiny = tiny_bundle(tmp_path / "tiny")
    tiny.write(MODEL, PROMISE)
    tiny.write(NEEDED, USE)
    tiny.commit("contracts with something in them")
    return tiny


@pytest.fixture
def broken(tiny: Tiny) -> Tiny:
    """The same, and model does not promise it any more."""
    tiny.write(MODEL, GONE)
    tiny.commit("POST is gone")
    return tiny


class Lockstep:
    """`lockstep contracts` in a bundle: exit code, standard output and standard error."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, tiny: Tiny, *words: str) -> tuple[int, str, str]:
        code = main(["contracts", *words, "-C", str(tiny.folder)])
        shown = self.capsys.readouterr()
        return code, shown.out, shown.err


@pytest.fixture
def lockstep(capsys: pytest.CaptureFixture[str]) -> Lockstep:
    return Lockstep(capsys)


def test_check_says_that_all_calls_fit(tiny: Tiny, lockstep: Lockstep):
    code, out, err = lockstep(tiny, "check")

    assert (code, err) == (0, "")
    assert out == "front-door calls model: fits\nok: nothing found\n"


def test_check_refuses_what_does_not_fit_with_both_places(broken: Tiny, lockstep: Lockstep):
    code, out, _ = lockstep(broken, "check")

    assert code == 1
    assert "  POST /answer\n    ERR   api-removed-without-deprecation\n" in out
    assert f"needed:   {NEEDED}:5\n" in out
    assert f"promised: {MODEL}:" in out
    assert out.endswith("not ok: 1 ERR\n")


def test_check_reads_a_commit_and_says_which(broken: Tiny, lockstep: Lockstep):
    before = lockstep(broken, "check", "HEAD~1")
    now = lockstep(broken, "check", "main", "-o", "json")

    assert before[0] == 0
    finding = json.loads(now[1])["calls"][0]["findings"][0]
    assert finding["provider"]["revision"] == finding["needed"]["revision"] == "main"
    assert lockstep(broken, "check", "no-such-commit")[0] == 2


def test_check_of_the_working_copy_needs_no_commit(tiny: Tiny, lockstep: Lockstep):
    tiny.write(MODEL, GONE)

    committed, working = lockstep(tiny, "check"), lockstep(tiny, "check", "--working-copy")

    assert committed[0] == 0
    assert "1 uncommitted file is not part of this" in committed[2]
    assert working[0] == 1
    assert working[2] == ""
    assert lockstep(tiny, "check", "HEAD", "--working-copy")[0] == 2


def test_check_of_the_working_copy_finds_what_a_commit_of_it_does(broken: Tiny, lockstep: Lockstep):
    said = [json.loads(lockstep(broken, "check", *words, "-o", "json")[1]) for words in ((), ("--working-copy",))]

    assert said[0].pop("commit") == broken.git("rev-parse", "HEAD")
    assert said[1].pop("commit") is None
    assert said[0] == said[1]


def test_check_names_every_file_that_cannot_be_read_and_judges_the_rest(broken: Tiny, lockstep: Lockstep):
    broken.write("components/front-door/contract/openapi.yaml", "openapi: 3.1.0\npaths: {/a: {get: {$ref: '#/x'}}}\n")
    broken.write("components/model/other.yaml", "a: 1\na: 2\n")
    broken.write("components/model/contract/openapi.yaml", GONE + "    put:\n      {}\n")
    broken.commit("three files with mistakes")

    code, out, _ = lockstep(broken, "check")

    assert code == 1
    assert "cannot be judged: components/front-door/contract/openapi.yaml:2\n" in out
    assert f"cannot be judged: {MODEL}:9\n" in out
    assert "duplicate key `put`" in out
    assert "2 reasons why something cannot be judged" in out


def test_check_follows_references_to_files_beside_a_contract(tiny: Tiny, lockstep: Lockstep):
    tiny.write(
        MODEL,
        PROMISE.replace(f"    post:\n      {OPERATION}\n", "").replace("/answer:", "/answer: {$ref: 'p.yaml'}\n  /b:"),
    )
    tiny.write("components/model/contract/p.yaml", f"post:\n  {OPERATION}\nget:\n  {OPERATION}\n")
    tiny.commit("a file beside it")

    code, out, _ = lockstep(tiny, "check", "-o", "json")

    assert code == 0
    assert "components/model/contract/p.yaml" in json.loads(out)["files"]


def test_check_refuses_a_file_of_another_component(tiny: Tiny, lockstep: Lockstep):
    """A release would refuse it: what is beside another component is not pinned with this one."""
    tiny.write(MODEL, f"{PROMISE}  /more: {{$ref: '../../front-door/contract/p.yaml'}}\n")
    tiny.write("components/front-door/contract/p.yaml", "get: {responses: {}}\n")
    tiny.commit("a file of somebody else")

    code, out, _ = lockstep(tiny, "check")

    assert code == 1
    assert "it refers to components/front-door/contract/p.yaml, which is not in components/model/" in out


def test_check_takes_the_levels_that_the_team_has_chosen(tiny: Tiny, lockstep: Lockstep):
    length = "    post:\n      x-lockstep: {generation: {context_length: %d}}\n"
    tiny.write(MODEL, PROMISE.replace("    post:\n", length % 2000))
    tiny.write(NEEDED, USE.replace("    post:\n", length % 4000))
    tiny.commit("less room for words than is needed")
    before = lockstep(tiny, "check")
    tiny.replace("lockstep.yaml", "name: tiny\n", "name: tiny\ncontracts: {levels: {context-length-decreased: WARN}}\n")
    tiny.commit("that is no error to us")

    code, out, _ = lockstep(tiny, "check")

    assert before[0] == 1
    assert code == 0
    assert "WARN  context-length-decreased (ERR by its rule)" in out
    assert lockstep(tiny, "check", "--fail-on", "WARN")[0] == 1


def test_check_refuses_what_is_said_of_a_model_and_not_understood(tiny: Tiny, lockstep: Lockstep):
    tiny.write(MODEL, PROMISE.replace("    post:\n", "    post:\n      x-lockstep: {generation: {words: many}}\n"))
    tiny.commit("a field that is none")

    code, out, _ = lockstep(tiny, "check")

    assert code == 1
    assert f"cannot be judged: {MODEL}:" in out


def test_check_reads_nothing_beyond_a_symlink(tiny: Tiny, lockstep: Lockstep):
    (tiny.folder / MODEL).rename(tiny.folder / "elsewhere.yaml")
    (tiny.folder / MODEL).symlink_to(tiny.folder / "elsewhere.yaml")
    tiny.commit("a symlink")

    for words in ((), ("--working-copy",)):
        code, out, _ = lockstep(tiny, "check", *words)
        assert code == 1
        assert f"cannot be judged: {MODEL}:1\n          it is no file\n" in out.replace(f"{MODEL}\n", f"{MODEL}:1\n")


def test_check_as_junit_is_a_report_that_a_merge_request_shows(broken: Tiny, lockstep: Lockstep):
    code, out, err = lockstep(broken, "check", "-o", "junit")

    (suite,) = ET.fromstring(out.encode())  # noqa: S314 - our own words
    (case,) = suite
    assert code == 1
    assert (case.get("name"), case.get("file")) == ("front-door calls model", MODEL)
    assert case.find("failure") is not None
    assert "ERR   api-removed-without-deprecation" in err, "the log of the job says it too"


def test_check_as_junit_is_a_report_also_where_a_component_is_not_valid(tiny: Tiny, lockstep: Lockstep):
    tiny.write("components/model/component.yaml", "name: model\n")
    tiny.commit("too little")

    code, out, _ = lockstep(tiny, "check", "-o", "junit")

    (suite,) = ET.fromstring(out.encode())  # noqa: S314 - our own words
    assert code == 1
    assert suite.get("name") == "contract files"
    assert [case.get("name") for case in suite] == ["components/model/component.yaml"]


def test_check_as_sarif_names_files_from_the_top_of_the_repository(tmp_path: Path, tiny: Tiny, lockstep: Lockstep):
    inner = Tiny(tmp_path / "mono" / "bundles" / "tiny")
    inner.folder.parent.mkdir(parents=True)
    tiny.copy(inner.folder)
    inner.git("-C", str(tmp_path / "mono"), "init", "-q", "-b", "main")
    (inner.folder / ".git").rename(tmp_path / "old")
    inner.write(MODEL, GONE)
    inner.commit("in a folder of a larger repository")

    _, out, _ = lockstep(inner, "check", "-o", "sarif")

    (result,) = json.loads(out)["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == f"bundles/tiny/{MODEL}"


def test_edges_shows_each_call(broken: Tiny, lockstep: Lockstep):
    code, out, _ = lockstep(broken, "edges")

    assert code == 1
    assert out.splitlines()[0] == "front-door -> model  does not fit: 1 ERR"
    assert out.splitlines()[-1] == "1 call: 1 does not fit"
    assert lockstep(broken, "edges", "HEAD~1")[:2] == (0, "front-door -> model  fits\n1 call: 1 fits\n")


def test_edges_draws_a_picture_to_a_file_and_to_the_screen(broken: Tiny, lockstep: Lockstep, tmp_path: Path):
    code, out, err = lockstep(broken, "edges", "--svg", str(tmp_path / "calls.svg"))
    drawn = lockstep(broken, "edges", "-o", "svg")[1]

    assert code == 1
    assert (tmp_path / "calls.svg").read_text(encoding="utf-8") == drawn
    assert drawn.startswith("<svg ")
    assert "front-door calls model: does not fit, 1 ERR" in drawn
    assert "picture: " in err
    assert "front-door -> model" in out


def test_edges_says_which_calls_cannot_be_judged_and_why(tiny: Tiny, lockstep: Lockstep):
    tiny.write(MODEL, "a: 1\na: 2\n")
    tiny.commit("a mistake")

    code, out, err = lockstep(tiny, "edges")

    assert code == 1
    assert out.splitlines()[0] == "front-door -> model  cannot be judged"
    assert f"{MODEL}:2: duplicate key `a`" in out
    assert "contract/text" in err
    assert json.loads(lockstep(tiny, "edges", "-o", "json")[1])["calls"][0]["state"] == "cannot be judged"
