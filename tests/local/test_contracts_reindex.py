"""An embedding that changed: told everywhere, staged freely, promoted and taken back only with its index."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lockstep.cli.main import main
from tiny import Tiny, md5_of, pointer, set_identity, tiny_bundle

MODEL = "components/model/contract/openapi.yaml"
BINDINGS = "releases/staging/bindings.yaml"
Run = Callable[..., str]


def embedding(revision: str) -> str:
    return f"{{model: m, revision: {revision}, dimension: 3, metric: cosine, normalised: true}}"


def contract(revision: str) -> str:
    fields = f"{{x-lockstep: {{embedding: {embedding(revision)}}}, responses: {{'200': {{description: a vector}}}}}}"
    return f"openapi: 3.1.0\ninfo: {{title: model, version: 1.0.0}}\npaths:\n  /embed: {{post: {fields}}}\n"


def declare(tiny: Tiny, *revisions: str) -> None:
    lines = [f"- {{name: documents-{one}, built_with: {{component: model, {embedding(one)[1:]}}}" for one in revisions]
    tiny.write(BINDINGS, "indexes:\n" + "\n".join(lines) + "\n")
    tiny.commit("the indexes that exist")


def change(tiny: Tiny, revision: str) -> None:
    """Another model behind the same JSON: its code differs, and its contract says so."""
    tiny.write(MODEL, contract(revision))
    tiny.write("components/model/src/model.py", tiny.read("components/model/src/model.py") + f"# {revision}\n")
    tiny.commit(f"revision {revision}")


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    """1.0.0, which embeds with revision old, serves in staging; HEAD embeds with revision new."""
    set_identity(monkeypatch)
    tiny = tiny_bundle(tmp_path / "tiny")
    tiny.write(MODEL, contract("old"))
    tiny.commit("it says what it embeds with")
    tiny.git("tag", "-f", "v1.0.0")
    tiny.release("1.0.0")
    tiny.serve("1.0.0")
    change(tiny, "new")
    return tiny


@pytest.fixture
def run(tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> Run:
    def ran(*words: str, code: int = 0) -> str:
        found = main([*words, "-C", str(tiny.folder)])
        said = capsys.readouterr()
        assert found == code, said.out + said.err
        return said.out + said.err

    return ran


def test_a_reindex_is_told_by_plan_release_diff_and_changelog_and_needs_a_major(tiny: Tiny, run: Run):
    sentence = "the embedding changed (revision old -> new): a reindex is needed; front-door must read a new index"

    plan = json.loads(run("plan", "-o", "json"))
    shown, page = run("plan"), run("plan", "-o", "markdown")
    tiny.tag("1.1.0")
    tiny.tag("2.0.0")
    refused = run("release", "1.1.0", code=1)
    said = run("release", "2.0.0")

    assert (plan["bump"], plan["smallest_version"]) == ("major", "2.0.0")
    assert plan["contracts"]["reindexes"][0]["affected"] == ["front-door"]
    assert sentence in shown
    assert "**Reindex needed:** the embedding of `model` changed (`revision old -> new`)." in page
    assert "version/bump" in refused
    assert sentence in refused
    assert sentence in said
    assert sentence in run("diff", "1.0.0", "2.0.0")
    assert sentence in run("changelog", "2.0.0")
    assert "**Reindex needed:**" in run("changelog", "-o", "markdown")
    assert sentence in run("changelog", "--component", "model")
    assert sentence not in run("changelog", "--component", "front-door")


def test_the_border_is_crossed_both_ways_only_with_an_index(tiny: Tiny, run: Run):
    tiny.tag("2.0.0")
    run("release", "2.0.0")
    run("stage", "staging", "2.0.0")

    without = run("promote", "staging", "2.0.0", code=1)
    declare(tiny, "new")
    run("promote", "staging", "2.0.0")
    back = run("rollback", "staging", code=1)
    declare(tiny, "old", "new")
    run("rollback", "staging")

    assert "contract/index model: release 2.0.0 embeds with model m, revision new" in without
    assert "release 1.0.0 embeds with model m, revision old" in without
    assert f"write into {BINDINGS}: indexes:" in without
    assert "the index `documents-new` was built with model m, revision new" in back
    assert "verified" in run("verify", "staging")


def test_a_plain_revert_over_the_border_is_told_by_verify(tiny: Tiny, run: Run):
    tiny.tag("2.0.0")
    run("release", "2.0.0")
    run("stage", "staging", "2.0.0")
    declare(tiny, "new")
    run("promote", "staging", "2.0.0")
    tiny.git("revert", "--no-edit", "HEAD")

    found = [
        run("verify", "--front", "staging", code=1),
        run("verify", "--since", "HEAD~1", code=1),
        run("verify", "staging", code=1),
    ]
    declare(tiny, "new", "old")

    assert all("contract/index model: release 1.0.0 embeds with model m, revision old" in one for one in found)
    assert "verified" in run("verify", "--front", "staging")


def test_a_revert_is_told_where_no_index_is_declared(tiny: Tiny, run: Run):
    tiny.tag("2.0.0")
    run("release", "2.0.0")
    run("stage", "staging", "2.0.0")
    declare(tiny, "new")
    run("promote", "staging", "2.0.0")
    tiny.git("revert", "--no-edit", "HEAD")
    tiny.write(BINDINGS, "indexes: []\n")
    tiny.commit("nothing is declared")

    said = run("verify", "--front", "staging", code=1)

    assert "release 2.0.0 embeds with model m, revision new" in said
    assert "no index of its vectors is declared" in said


def test_the_same_embedding_needs_nothing(tiny: Tiny, run: Run):
    change(tiny, "old")
    tiny.tag("1.0.1")
    run("release", "1.0.1")
    run("stage", "staging", "1.0.1")
    run("promote", "staging", "1.0.1")
    run("rollback", "staging")


def test_what_is_not_said_is_not_held_against_a_release_and_is_noted(tiny: Tiny, run: Run):
    tiny.write(MODEL, contract("old").replace(f"x-lockstep: {{embedding: {embedding('old')}}}, ", ""))
    tiny.commit("it does not say it any more")
    tiny.tag("2.0.0")
    run("release", "2.0.0")
    run("stage", "staging", "2.0.0")

    said = run("promote", "staging", "2.0.0")

    assert "release 2.0.0 does not say what model embeds with: nobody can tell whether its index fits" in said


def test_weights_that_change_under_the_same_words_are_a_doubt(tiny: Tiny, run: Run):
    tiny.write(MODEL, contract("old"))
    tiny.write("components/model/weights/model.bin.dvc", pointer(b"other weights\n", "model.bin"))
    tiny.write(
        ".dvc/remote/files/md5/" + md5_of(b"other weights\n")[:2] + "/" + md5_of(b"other weights\n")[2:],
        b"other weights\n",
    )
    tiny.commit("other weights")
    tiny.lock()
    tiny.commit("locked")

    shown, data = run("plan"), json.loads(run("plan", "-o", "json"))

    assert "! model: its weights changed, and its contract says that it embeds as before" in shown
    assert data["contracts"]["doubts"] == ["model"]
    assert data["bump"] == "minor"


def test_an_index_with_an_unknown_field_is_refused_with_its_line(tiny: Tiny, run: Run):
    tiny.write(BINDINGS, "indexes:\n- name: documents\n  built_with: {component: model, dimensions: 3}\n")
    tiny.commit("a spelling")

    said = run("verify", "staging", code=1)

    assert "bindings/field" in said
    assert "unknown field `indexes.0.built_with.dimensions`" in said
    assert f"{BINDINGS}:3" in said
