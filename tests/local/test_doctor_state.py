"""doctor, where releases live in a project of their own: protections are asked for there, tags and variables here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fake_gitlab import OWN, FakeGitlab, serving_gitlab, well_set
from lockstep.cli.main import main
from tiny import Tiny, set_identity, tiny_bundle

Doctor = Callable[[], dict[str, tuple[str, str]]]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    with pytest.MonkeyPatch.context() as patch:
        set_identity(patch)
        return tiny_bundle(tmp_path_factory.mktemp("doctor-state") / "bundle")


@pytest.fixture
def gitlab() -> FakeGitlab:
    """The project of the code, which is set badly where only releases matter; beside it that of the releases."""
    state = well_set()
    for path in ("protected_tags", "variables", "protected_environments"):
        state.lists[path].clear()
    gitlab = well_set(others={"team/releases": state})
    for path in ("protected_branches", "hooks"):
        gitlab.lists[path].clear()
    state.name = "team/releases"
    return gitlab


@pytest.fixture
def doctor(
    tiny: Tiny,
    gitlab: FakeGitlab,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Doctor]:
    """Outcome and words by rule; Git finds the other project in a folder, under the address that GitLab has."""
    for name in ("CI_API_V4_URL", "CI_PROJECT_ID", "CI_PROJECT_PATH", "CI_JOB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOCKSTEP_GITLAB_TOKEN", OWN)
    first = Tiny(tmp_path / "releases")
    first.folder.mkdir()
    first.git("init", "-q", "-b", "main")
    first.write("CODEOWNERS", "* @team/releasers\n")
    first.commit("first")
    with serving_gitlab(gitlab) as api:
        base = api.removesuffix("/api/v4")
        tiny.git("remote", "add", "origin", f"{base}/team/documents.git")
        tiny.git("config", f"url.{first.folder}.insteadOf", f"{base}/team/releases.git")
        address = f'state: {{repository: "{base}/team/releases.git"}}\nenvironments:'
        tiny.replace("lockstep.yaml", "environments:", address)
        tiny.commit("releases live elsewhere")

        def ask() -> dict[str, tuple[str, str]]:
            capsys.readouterr()
            main(["doctor", "-C", str(tiny.folder), "-o", "json"])
            checks = json.loads(capsys.readouterr().out)["checks"]
            return {one["rule"].removeprefix("doctor/"): (one["outcome"], one["said"]) for one in checks}

        yield ask


def test_each_project_is_asked_for_what_it_has(doctor: Doctor) -> None:
    assert {rule for rule, (outcome, _) in doctor().items() if outcome != "fine"} == set()


def test_what_is_wrong_there_is_found(doctor: Doctor, gitlab: FakeGitlab) -> None:
    gitlab.others["team/releases"].lists["hooks"].clear()
    gitlab.others["team/releases"].project["merge_method"] = "merge"

    assert {rule for rule, (outcome, _) in doctor().items() if outcome != "fine"} == {"webhook", "merge"}


def test_another_gitlab_gets_no_token(doctor: Doctor, tiny: Tiny, gitlab: FakeGitlab) -> None:
    at = tiny.read("lockstep.yaml").partition('repository: "')[2].partition('"')[0]
    tiny.git("config", f"url.{tiny.folder.parent}/releases.insteadOf", "https://gitlab.invalid/team/releases.git")
    tiny.replace("lockstep.yaml", at, "https://gitlab.invalid/team/releases.git")
    tiny.commit("elsewhere")

    found = doctor()

    untold = {rule for rule, (outcome, _) in found.items() if outcome == "cannot be told"}
    assert untold == {"branch", "force", "push", "approval", "merge", "pipelines", "jobpush", "webhook"}
    assert "there is no token for it" in found["branch"][1]
    assert gitlab.others["team/releases"].requests == []
