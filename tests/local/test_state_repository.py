"""releases/ in a repository of its own: everything reads it there and writes it there, and nothing else moves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tiny import Tiny, set_identity, tiny_bundle

Run = Callable[..., str]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    with pytest.MonkeyPatch.context() as patch:
        set_identity(patch)
        return tiny_bundle(tmp_path_factory.mktemp("state") / "bundle")


@pytest.fixture
def state(tiny: Tiny, tmp_path: Path) -> Tiny:
    """The other repository, with a first commit; the bundle names it."""
    folder = tmp_path / "state.git"
    first = Tiny(tmp_path / "first")
    first.folder.mkdir()
    first.git("init", "-q", "-b", "main")
    first.write("README.md", "What was released.\n")
    first.commit("first")
    first.git("clone", "-q", "--bare", str(first.folder), str(folder))
    bare = Tiny(folder)
    bare.git("config", "receive.advertisePushOptions", "true")
    tiny.replace("lockstep.yaml", "environments:", f"state: {{repository: {folder}}}\nenvironments:")
    tiny.commit("releases live elsewhere")
    tiny.git("tag", "-f", "v1.0.0")
    return bare


def test_release_stage_promote_and_rollback_are_commits_there(tiny: Tiny, state: Tiny, run: Run) -> None:
    was = tiny.git("rev-parse", "main")

    run("release", "1.0.0", "--stage", "staging")
    run("promote", "staging", "1.0.0")
    tiny.replace("components/front-door/component.yaml", "hello", "good day")
    tiny.commit("another greeting")
    run("tag", "1.0.1")
    run("release", "1.0.1", "--stage", "staging")
    run("promote", "staging", "1.0.1")
    run("rollback", "staging")

    assert [line.split(" ")[0] for line in state.git("log", "--format=%s", "main").splitlines()] == [
        "rollback", "promote", "stage", "release", "promote", "stage", "release", "first",
    ]  # fmt: skip
    assert tiny.git("log", "--format=%s", f"{was}..main") == "another greeting"
    assert tiny.git("ls-tree", "--name-only", "main", "--", "releases") == ""
    assert "1.0.0" in run("status", "staging")
    assert "verified" in run("verify")
    assert "only the front, which names 1.0.0" in run("verify", "--since", state.git("rev-parse", "main~1"))
    assert run("history", "staging").count("\n") >= 5


def test_a_new_clone_sees_what_the_other_one_wrote(tiny: Tiny, state: Tiny, run: Run, tmp_path: Path) -> None:
    run("release", "1.0.0", "--stage", "staging")
    other = Tiny(tmp_path / "other")
    tiny.git("clone", "-q", str(tiny.folder), str(other.folder))
    run("promote", "staging", "1.0.0", folder=other.folder)

    data = json.loads(run("status", "staging", "-o", "json"))

    assert "1.0.0" in json.dumps(data)
    assert state.git("log", "-1", "--format=%s", "main") == "promote 1.0.0 in staging"


def test_where_it_cannot_be_asked_what_was_seen_last_is_read_and_nothing_is_written(state: Tiny, run: Run) -> None:
    run("release", "1.0.0", "--stage", "staging")
    state.folder.rename(state.folder.with_name("away.git"))

    assert "staging" in run("status", "staging")
    assert "state.git" in run("promote", "staging", "1.0.0", code=3)
    state.folder.with_name("away.git").rename(state.folder)
    run("promote", "staging", "1.0.0")


def test_a_merge_request_is_asked_for_there(state: Tiny, run: Run) -> None:
    run("release", "1.0.0", "--mr")

    assert state.git("log", "-1", "--format=%s", "lockstep/release-1.0.0") == "release 1.0.0"
    assert state.git("log", "-1", "--format=%s", "main") == "first"


def test_an_empty_repository_and_a_password_are_refused(tiny: Tiny, tmp_path: Path, run: Run) -> None:
    tiny.git("init", "-q", "--bare", str(tmp_path / "empty.git"))
    tiny.replace("lockstep.yaml", "environments:", f"state: {{repository: {tmp_path}/empty.git}}\nenvironments:")
    tiny.commit("elsewhere")
    assert "give it a first commit" in run("release", "1.0.0", code=2)

    tiny.replace("lockstep.yaml", f"{tmp_path}/empty.git", "https://me:secret@git.example.org/releases.git")
    tiny.commit("with a password")
    assert "lockstep.yaml" in run("status", code=1)
