"""Contracts decide what may be released, staged, promoted and taken back: on real Git bundles."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lockstep.cli.main import main
from tiny import Tiny, set_identity, tiny_bundle

ENTRY = "components/front-door/contract/openapi.yaml"
USE = "components/front-door/contract/uses/model.yaml"
MODEL = "components/model/contract/openapi.yaml"
HEAD = "openapi: 3.1.0\ninfo: {title: tiny, version: 1.0.0}\n"
Run = Callable[..., str]


def api(*paths: str, body: str = "{responses: {'200': {description: fine}}}") -> str:
    return HEAD + "paths:\n" + "".join(f"  {path}: {{get: {body}}}\n" for path in paths)


def model(revision: str) -> str:
    return api(
        "/a",
        body=f"{{x-lockstep: {{embedding: {{model: m, revision: {revision}, dimension: 3}}}}, responses: {{'200': "
        f"{{description: fine}}}}}}",
    )


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    """1.0.0 serves in staging; its entry answers /a and /b, and asks the model for /a."""
    set_identity(monkeypatch)
    tiny = tiny_bundle(tmp_path / "tiny")
    tiny.write(ENTRY, api("/a", "/b"))
    tiny.write(USE, api("/a"))
    tiny.write(MODEL, api("/a", "/b"))
    released(tiny, "1.0.0", "-f")
    tiny.serve("1.0.0")
    return tiny


@pytest.fixture
def run(tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> Run:
    def ran(*words: str, code: int = 0) -> str:
        found = main([*words, "-C", str(tiny.folder)])
        said = capsys.readouterr()
        assert found == code, said.out + said.err
        return said.out + said.err

    return ran


def released(tiny: Tiny, version: str, *options: str) -> None:
    tiny.commit(f"for {version}")
    tiny.git("tag", *options, f"v{version}")
    tiny.release(version)


def test_a_call_that_does_not_fit_is_shown_by_plan_and_refused_by_tag_and_release(tiny: Tiny, run: Run):
    tiny.write(MODEL, api("/b"))
    tiny.commit("the model does not answer /a any more")

    shown, page, data = run("plan"), run("plan", "-o", "markdown"), json.loads(run("plan", "-o", "json"))
    untagged = run("tag", "2.0.0", code=1)
    tiny.tag("2.0.0")
    refused = run("release", "2.0.0", code=1)

    assert "! front-door -> model does not fit" in shown
    assert "**`front-door` calls `model`, and that does not fit:**" in page
    assert [(one["caller"], one["callee"], one["state"]) for one in data["contracts"]["calls"]] == [
        ("front-door", "model", "does not fit")
    ]
    for said in (untagged, refused):
        assert "contract/edge front-door: front-door calls model: GET /a" in said
        assert f"{MODEL}:3 (needed at {USE}:4)" in said
    assert not (tiny.folder / "releases" / "2.0.0").exists()


def test_a_break_passes_when_its_callers_moved_with_it(tiny: Tiny, run: Run):
    tiny.write(MODEL, api("/b"))
    tiny.write(USE, api("/b"))
    tiny.commit("the model and its caller")
    tiny.tag("1.0.1")

    said = run("release", "1.0.1")

    assert "2 components" in said


@pytest.mark.parametrize(
    ("paths", "required", "too_small"),
    [(("/a",), "2.0.0", "1.9.0"), (("/a", "/b", "/c"), "1.1.0", "1.0.1")],
)
def test_the_entrys_contract_decides_the_version(
    tiny: Tiny, run: Run, paths: tuple[str, ...], required: str, too_small: str
):
    tiny.write(ENTRY, api(*paths))
    tiny.commit("the entry")
    tiny.tag(too_small)
    tiny.tag(required)

    plan = json.loads(run("plan", "-o", "json"))
    refused = run("release", too_small, code=1)
    run("release", required)

    assert plan["smallest_version"] == required
    reason = plan["reasons"][0]
    assert (reason["component"], bool(reason["rule"])) == ("front-door", True)
    assert reason["where"].startswith(f"{ENTRY}:")
    assert f"version/bump: {too_small}" in refused
    assert reason["rule"] in refused
    assert f"at {reason['where']}" in refused


def test_words_of_the_entrys_contract_are_a_patch(tiny: Tiny, run: Run):
    tiny.replace(ENTRY, "description: fine", "description: good")
    tiny.commit("words")

    plan = json.loads(run("plan", "-o", "json"))

    assert (plan["bump"], plan["smallest_version"]) == ("patch", "1.0.1")
    assert "words of the entry's contract changed" in [reason["why"] for reason in plan["reasons"]]


def test_a_level_of_the_team_lets_a_call_pass_and_is_shown(tiny: Tiny, run: Run):
    tiny.write(MODEL, api("/b"))
    tiny.commit("the model does not answer /a any more")
    finding = json.loads(run("plan", "-o", "json"))["contracts"]["calls"][0]["findings"][0]
    tiny.replace("lockstep.yaml", "environments:", f"contracts: {{levels: {{{finding['rule']}: WARN}}}}\nenvironments:")
    tiny.commit("a level")
    tiny.tag("1.0.1")

    shown = run("plan")
    said = run("release", "1.0.1")

    assert "! front-door -> model may not fit" in shown
    assert "WARN, by its rule ERR" in said
    run("stage", "staging", "1.0.1")


def test_stage_promote_and_rollback_judge_the_release_again(tiny: Tiny, run: Run):
    """What was released under another level of a rule is judged by the levels of today."""
    tiny.write(MODEL, api("/b"))
    tiny.replace("components/model/src/model.py", "Answers every GET", "Answers each GET")
    tiny.commit("the model does not answer /a any more")
    rule = json.loads(run("plan", "-o", "json"))["contracts"]["calls"][0]["findings"][0]["rule"]
    levels = f"contracts: {{levels: {{{rule}: INFO}}}}\n"
    tiny.replace("lockstep.yaml", "environments:", f"{levels}environments:")
    released(tiny, "1.0.1")
    tiny.serve("1.0.1")
    tiny.write(MODEL, api("/a"))
    tiny.replace("components/model/src/model.py", "Answers each GET", "Answers any GET")
    released(tiny, "1.0.2")
    tiny.serve("1.0.2")
    tiny.replace("lockstep.yaml", levels, "")
    tiny.commit("the rule's own level again")

    said = [
        run("stage", "production", "1.0.1", code=1),
        run("promote", "staging", "1.0.1", code=1),
        run("rollback", "staging", code=1),
    ]

    assert all("contract/edge front-door" in one for one in said)
    assert "contract/edge" in run("verify", "1.0.1", code=1)


def test_texts_that_this_clone_lacks_are_said_with_the_command_that_brings_them(tiny: Tiny, run: Run):
    oid = tiny.git("rev-parse", f"v1.0.0:{MODEL}")
    (tiny.folder / ".git" / "objects" / oid[:2] / oid[2:]).unlink()

    said = run("promote", "staging", "1.0.0", code=1)

    checked = run("verify", "--front", "staging", code=1)

    assert "contract/text model" in said
    assert "git fetch --all --tags" in said
    assert "not checked: whether the indexes of staging fit: components/" in checked


def test_files_that_a_contract_refers_to_are_inputs_and_belong_to_the_component(tiny: Tiny, run: Run):
    schemas = "components/model/contract/schemas.yaml"
    tiny.write(schemas, "A: {type: string}\n")
    answer = "{responses: {'200': {description: fine, content: {a/b: {schema: {$ref: 'schemas.yaml#/A'}}}}}}"
    tiny.write(MODEL, api("/a", "/b", body=answer))
    released(tiny, "1.0.1")
    tiny.write(schemas, "A: {type: string, description: words}\n")
    tiny.commit("another schema")

    changed = run("plan")
    release = tiny.read("releases/1.0.1/release.yaml")
    verified = run("verify", "1.0.1")
    tiny.write(MODEL, api("/a", body=answer.replace("schemas.yaml", "../../front-door/schemas.yaml")))
    tiny.commit("a file of somebody else")
    refused = run("plan", code=1)

    assert f"contract: {schemas}" in changed
    assert f'path: "{schemas}"' in release
    assert "verified: 1 release" in verified
    assert "contract/reference model" in refused
    assert "is not in components/model/" in refused


def test_a_release_that_leaves_out_a_file_of_a_contract_does_not_verify(tiny: Tiny, run: Run):
    schemas = "components/model/contract/schemas.yaml"
    tiny.write(schemas, "A: {type: string}\n")
    answer = "{responses: {'200': {description: fine, content: {a/b: {schema: {$ref: 'schemas.yaml#/A'}}}}}}"
    tiny.write(MODEL, api("/a", "/b", body=answer))
    released(tiny, "1.0.1")
    path = "releases/1.0.1/release.yaml"
    oid = tiny.git("rev-parse", f"HEAD:{schemas}")
    tiny.replace(path, f'    - kind: "contract"\n      oid: "{oid}"\n      path: "{schemas}"\n', "")
    tiny.commit("hide it")

    said = run("verify", "1.0.1", code=1)

    assert "release/source model" in said
    assert schemas in said


def test_a_component_that_is_held_is_judged_by_the_contract_that_it_had(tiny: Tiny, run: Run):
    tiny.write(MODEL, api("/b"))
    tiny.replace("lockstep.yaml", "environments:", "pin: {model: {from: 1.0.0}}\nenvironments:")
    tiny.write("components/front-door/prompts/answer.prompt", "Answer in two words.\n")
    tiny.commit("the model is held; its newer contract is not what would be served")

    assert "calls:   1 fit" in run("plan")
    tiny.tag("1.0.1")
    run("release", "1.0.1")
    assert "verified" in run("verify", "1.0.1")
