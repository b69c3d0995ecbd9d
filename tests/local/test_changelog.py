"""diff and changelog of real releases in real Git."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lockstep.adapters.git import open_repository
from lockstep.adapters.history import commit_days
from lockstep.core.names import GitSha
from lockstep.core.release import format_release
from lockstep.core.version import Version
from tiny import Tiny, set_identity, tiny_bundle

Run = Callable[..., str]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """1.0.0, 1.1.0 after a pre-release (another prompt), 1.2.0 (code of model)."""
    with pytest.MonkeyPatch.context() as patch:
        set_identity(patch)
        tiny = tiny_bundle(tmp_path_factory.mktemp("changelog") / "bundle")
        tiny.release("1.0.0")
        tiny.write("components/front-door/prompts/answer.prompt", "Answer in two words.\n```\n# Now\n")
        tiny.commit("another prompt")
        tiny.tag("1.1.0-rc.1")
        tiny.release("1.1.0-rc.1")
        tiny.tag("1.1.0")
        tiny.release("1.1.0")
        tiny.replace("components/model/src/model.py", "Answers every", "Answers each")
        tiny.commit("code")
        tiny.tag("1.2.0")
        tiny.release("1.2.0")
    return tiny


def test_diff_says_what_changed_and_what_follows(run: Run) -> None:
    first, second = run("diff", "1.0.0", "1.1.0"), run("diff", "1.1.0", "1.2.0")

    assert "  front-door: prompt\n    prompt answer.prompt\n" in first
    assert "      -Answer in one word.\n      +Answer in two words.\n" in first
    assert first.endswith("  as before: model\n")
    assert "  model: code\n    code components/model/src  " in second
    assert second.endswith("  front-door: calls model, which changed\n")
    assert run("diff", "1.1.0", "1.1.0-rc.1") == "1.1.0 and 1.1.0-rc.1 pin the same\n"


def test_diff_has_the_same_content_as_markdown_and_json(run: Run) -> None:
    shown = run("diff", "1.0.0", "1.1.0", "-o", "markdown")
    data = json.loads(run("diff", "1.0.0", "1.1.0", "-o", "json"))

    assert shown.startswith("## 1.0.0 → 1.1.0\n\n### front-door: prompt\n\nPrompt `answer.prompt`:\n\n````diff\n")
    assert "\n+```\n+# Now\n````\n" in shown
    assert [one["what"] for one in data["differences"]] == ["prompts.answer.prompt"]
    assert data["notes"]["components"][0]["kinds"] == ["prompt"]


def test_changelog_tells_each_final_with_its_prereleases_newest_first(run: Run) -> None:
    lines = run("changelog").splitlines()

    assert [line for line in lines if line[:1].strip()] == [
        "1.2.0 (2026-01-02): a minor release since 1.1.0",
        "1.1.0 (2026-01-02): a minor release since 1.0.0, with all of 1.1.0-rc.1",
        "1.0.0 (2026-01-02): the first release",
    ]
    assert run("changelog", "1.1.0-rc.1").startswith("1.1.0-rc.1 (2026-01-02): a minor pre-release since 1.0.0\n")
    assert "model" not in run("changelog", "--component", "front-door").replace("as before: model", "")


def test_changelog_writes_one_file_that_any_clone_gives_alike(tiny: Tiny, run: Run, tmp_path: Path) -> None:
    tiny.git("clone", "-q", str(tiny.folder), str(tmp_path / "clone"))

    first, again = run("changelog", "--write"), run("changelog", "--write")
    run("changelog", "--write", folder=tmp_path / "clone")

    assert (first.split(";")[0], again) == ("CHANGELOG.md: written", "CHANGELOG.md: as it was\n")
    assert tiny.read("CHANGELOG.md") == run("changelog", "-o", "markdown")
    assert (tmp_path / "clone" / "CHANGELOG.md").read_text(encoding="utf-8") == tiny.read("CHANGELOG.md")


def test_changelog_of_somebody_else_is_not_overwritten(tiny: Tiny, run: Run) -> None:
    tiny.write("CHANGELOG.md", "# What we did\n")

    shown = run("changelog", "--write", code=1)

    assert "changelog/own" in shown
    assert tiny.read("CHANGELOG.md") == "# What we did\n"


def test_changelog_of_a_shallow_clone_is_shown_without_days_and_not_written(
    tiny: Tiny, run: Run, tmp_path: Path
) -> None:
    tiny.git("clone", "-q", "--depth", "1", f"file://{tiny.folder}", str(tmp_path / "clone"))

    shown = run("changelog", "1.0.0", folder=tmp_path / "clone")
    refused = run("changelog", "--write", folder=tmp_path / "clone", code=2)

    assert shown.startswith("1.0.0: the first release\n")
    assert "git fetch --unshallow --tags" in refused
    assert not (tmp_path / "clone" / "CHANGELOG.md").exists()


@pytest.mark.parametrize("words", [("9.9.9",), ("one",), ("--component", "nobody"), ("1.0.0", "--write")])
def test_changelog_refuses_what_is_not_there(run: Run, words: tuple[str, ...]) -> None:
    assert run("changelog", *words, code=2)


def test_changelog_reads_however_many_releases_with_as_many_processes(
    tiny: Tiny, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = tiny.workspace.state.release(Version("1.2.0"))

    def processes() -> int:
        trace = tmp_path / "trace"
        trace.unlink(missing_ok=True)
        monkeypatch.setenv("GIT_TRACE", str(trace))
        run("changelog")
        monkeypatch.delenv("GIT_TRACE")
        return trace.read_text(encoding="utf-8").count("built-in: git")

    few = processes()
    for minor in range(3, 23):
        version, base = Version(f"1.{minor}.0"), Version(f"1.{minor - 1}.0")
        more = last.model_copy(update={"version": version, "base": base})
        tiny.write(f"releases/{version}/release.yaml", format_release(more))
    tiny.commit("twenty more")

    assert 0 < few == processes()


def test_commit_days_leaves_out_what_this_clone_lacks(tiny: Tiny) -> None:
    repository = open_repository(tiny.folder)
    head = GitSha(subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=tiny.folder, text=True).strip())

    assert commit_days(repository, [head, head, GitSha("a" * 40)]) == {head: "2026-01-02"}
    assert commit_days(repository, []) == {}
