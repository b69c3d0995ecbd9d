"""The edits of an environment as Git has them: plain reverts, working copies that are not clean, other branches."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tiny import Tiny, next_tagged, set_identity

Run = Callable[..., str]
KEYS = json.loads((Path(__file__).parents[1] / "goldens" / "json-keys.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """1.0.0 and 1.1.0 staged, 1.1.0 serves in staging; 1.2.0 is tagged."""
    with pytest.MonkeyPatch.context() as patch:
        set_identity(patch)
        return next_tagged(tmp_path_factory.mktemp("git") / "bundle")


def _tree(tiny: Tiny, path: str = "releases/staging", at: str = "main") -> str:
    return tiny.git("rev-parse", f"{at}:{path}")


def _clean(tiny: Tiny) -> bool:
    return tiny.git("status", "--porcelain") == ""


def _next_release(tiny: Tiny, run: Run) -> str:
    """Stages 1.2.0 after the promote of 1.1.0; the id of that promote's commit."""
    promote = tiny.git("log", "-1", "--format=%H", "--grep=^promote 1.1.0")
    run("release", "1.2.0")
    run("stage", "staging", "1.2.0")
    return promote


def test_a_plain_revert_of_a_promote_does_not_conflict_after_later_stages(tiny: Tiny, run: Run) -> None:
    promote = _next_release(tiny, run)
    staged = _tree(tiny, "releases/staging/instances")

    tiny.git("revert", "--no-edit", promote)

    assert _tree(tiny, "releases/staging/front") == _tree(tiny, "releases/staging/front", f"{promote}^")
    assert _tree(tiny, "releases/staging/instances") == staged
    assert "serves release 1.0.0" in run("status", "staging")


def test_a_plain_revert_right_after_gives_the_very_tree_that_was(tiny: Tiny) -> None:
    promote = tiny.git("log", "-1", "--format=%H", "--grep=^promote 1.1.0")

    tiny.git("revert", "--no-edit", promote)

    assert _tree(tiny) == _tree(tiny, at=f"{promote}^")


def test_a_revert_of_the_revert_promotes_again(tiny: Tiny, run: Run) -> None:
    before = _tree(tiny)
    tiny.git("revert", "--no-edit", tiny.git("log", "-1", "--format=%H", "--grep=^promote 1.1.0"))

    tiny.git("revert", "--no-edit", "HEAD")

    assert _tree(tiny) == before
    kinds = [edit["kind"] for edit in json.loads(run("history", "staging", "-o", "json"))["edits"]]
    assert kinds == ["stage", "promote", "stage", "promote", "rollback", "promote"]


def test_rollback_gives_the_front_that_a_plain_revert_gives(tiny: Tiny, run: Run, tmp_path: Path) -> None:
    """The one difference: a revert also takes away the gate of the root that it leaves, which nobody waits for."""
    other = tiny.copy(tmp_path / "other")
    other.git("revert", "--no-edit", other.git("log", "-1", "--format=%H", "--grep=^promote 1.1.0"))

    run("rollback", "staging")

    for path in ("front", "instances", "Chart.yaml", "templates"):
        assert _tree(tiny, f"releases/staging/{path}") == _tree(other, f"releases/staging/{path}")
    assert tiny.git("rev-list", "--count", "--no-merges", "main") == other.git("rev-list", "--count", "main")


def test_a_revert_after_retire_names_what_is_gone_and_staging_again_brings_the_same_bytes(tiny: Tiny, run: Run) -> None:
    """Documented: Git knows nothing of warmth, so a revert of an old promote may name instances that were retired."""
    promote = tiny.git("log", "-1", "--format=%H", "--grep=^promote 1.1.0")
    instances = _tree(tiny, "releases/staging/instances")
    run("retire", "staging", "--drop", "1.0.0")
    assert _tree(tiny, "releases/staging/instances") != instances

    tiny.git("revert", "--no-edit", promote)

    assert "missing" in run("status", "staging")
    run("stage", "staging", "1.0.0")
    assert "missing" not in run("status", "staging")
    assert _tree(tiny, "releases/staging/instances") == instances


def test_rollback_to_a_retired_release_restores_its_bytes_in_two_commits(tiny: Tiny, run: Run) -> None:
    promote = tiny.git("log", "-1", "--format=%H", "--grep=^promote 1.1.0")
    instances = _tree(tiny, "releases/staging/instances")
    run("retire", "staging", "--drop", "1.0.0")
    before = tiny.git("rev-parse", "main")

    run("rollback", "staging", "--to", "1.0.0")

    assert tiny.git("log", "--format=%s", f"{before}..main").splitlines() == [
        "rollback 1.0.0 in staging",
        "stage 1.0.0 in staging",
    ]
    assert _tree(tiny, "releases/staging/instances") == instances
    assert _tree(tiny, "releases/staging/front") == _tree(tiny, "releases/staging/front", f"{promote}^")
    assert _clean(tiny)


def test_a_commit_that_lockstep_made_never_triggers_the_release_that_made_it(tiny: Tiny, run: Run) -> None:
    run("release", "1.2.0")
    tiny.tag("1.2.1")
    run("stage", "staging", "1.2.0")
    tiny.tag("1.3.0")

    for version in ("1.2.1", "1.3.0"):
        assert "version/unchanged" in run("release", version, code=1)
    assert json.loads(run("plan", "-o", "json"))["unchanged"] is True


def test_edits_of_other_files_survive_and_the_index_follows(tiny: Tiny, run: Run) -> None:
    tiny.write("components/model/src/model.py", "# mine\n")
    tiny.write("components/model/src/new.py", "# new\n")
    tiny.write("components/front-door/prompts/answer.prompt", "staged\n")
    tiny.git("add", "components/front-door/prompts")
    dirty = tiny.git("status", "--porcelain")

    run("release", "1.2.0")
    run("stage", "staging", "1.2.0")
    run("promote", "staging", "1.2.0")
    run("rollback", "staging")

    assert tiny.git("status", "--porcelain") == dirty
    assert tiny.read("components/model/src/model.py") == "# mine\n"
    assert tiny.git("diff", "--cached", "--name-only") == "components/front-door/prompts/answer.prompt"


@pytest.mark.parametrize("away", [["switch", "-q", "-c", "other"], ["checkout", "-q", "--detach"]])
def test_a_branch_that_is_not_checked_out_moves_and_the_working_copy_stays(
    tiny: Tiny, run: Run, away: list[str]
) -> None:
    tiny.git(*away)
    head, was = tiny.git("rev-parse", "HEAD"), tiny.git("rev-parse", "main")

    run("release", "1.2.0")
    run("stage", "staging", "1.2.0")

    assert tiny.git("rev-parse", "HEAD") == head
    assert tiny.git("rev-list", "--count", f"{was}..main") == "2"
    assert _clean(tiny)
    assert not (tiny.folder / "releases/1.2.0").exists()


def test_a_bundle_in_a_folder_of_a_larger_repository_works_alike(tiny: Tiny, run: Run, tmp_path: Path) -> None:
    whole = Tiny(tmp_path / "whole")
    tiny.git("worktree", "prune")
    for name in ("releases", ".git", ".lockstep"):
        _gone(tiny.folder / name)
    whole.folder.mkdir()
    whole.git("init", "-q", "-b", "main")
    whole.write("README.md", "ours\n")
    inner = tiny.copy(whole.folder / "teams/tiny").folder
    whole.commit("all of it")
    whole.tag("1.0.0")

    for words in (["release", "1.0.0"], ["stage", "staging", "1.0.0"], ["promote", "staging", "1.0.0"]):
        run(*words, folder=inner)
    whole.write("teams/tiny/components/front-door/prompts/answer.prompt", "Other.\n")
    whole.commit()
    whole.tag("1.0.1")
    changes = json.loads(run("plan", "-o", "json", folder=inner))["changes"]
    for words in (
        ["release", "1.0.1"],
        ["stage", "staging", "1.0.1"],
        ["promote", "staging", "1.0.1"],
        ["rollback", "staging"],
    ):
        run(*words, folder=inner)

    assert [(change["component"], change["kind"]) for change in changes] == [("front-door", "prompt")]
    assert "serves release 1.0.0" in run("status", "staging", folder=inner)
    assert whole.git("ls-tree", "--name-only", "main") == "README.md\nteams"
    assert _clean(whole)


def _gone(folder: Path) -> None:
    import shutil  # noqa: PLC0415

    shutil.rmtree(folder)


def test_a_dry_run_of_every_writing_verb_changes_nothing_and_shows_the_exact_diff(tiny: Tiny, run: Run) -> None:
    """Each is first run dry, then for real: the shown diff, applied by Git to the old tree, gives the new one."""
    verbs = [
        ["release", "1.2.0"],
        ["stage", "staging", "1.2.0"],
        ["promote", "staging", "1.2.0"],
        ["rollback", "staging"],
        ["retire", "staging", "--drop", "1.2.0"],
    ]
    for words in verbs:
        before, refs = tiny.git("rev-parse", "main"), tiny.git("for-each-ref")
        shown = run(*words, "--dry-run")
        assert (tiny.git("for-each-ref"), tiny.git("status", "--porcelain")) == (refs, ""), words
        (tiny.folder / ".git/shown.patch").write_text(shown, encoding="utf-8")

        run(*words)

        tiny.git("read-tree", "--index-output=.git/tried", before)
        os.environ["GIT_INDEX_FILE"] = str(tiny.folder / ".git/tried")
        try:
            tiny.git("apply", "--cached", ".git/shown.patch")
            assert tiny.git("write-tree") == tiny.git("rev-parse", "main^{tree}"), words
        finally:
            del os.environ["GIT_INDEX_FILE"]


def _shape(data: Any) -> Any:
    """The keys of a JSON value; a list is the shape of its first item."""
    if isinstance(data, dict):
        return {key: _shape(data[key]) for key in sorted(data)}
    return [_shape(data[0])] if isinstance(data, list) and data and isinstance(data[0], dict) else ""


def test_golden_json_forms_have_the_keys_that_programs_rely_on(run: Run) -> None:
    """Prose may change, JSON may not: a key that goes or changes its place needs another schema name."""
    commands = {
        "plan": ["plan"],
        "tag": ["tag", "1.3.0", "--dry-run"],
        "release": ["release", "1.2.0"],
        "stage": ["stage", "staging", "1.2.0"],
        "promote": ["promote", "staging", "1.2.0"],
        "status": ["status", "staging"],
        "history": ["history", "staging"],
        "diff": ["diff", "1.0.0", "1.2.0"],
        "changelog": ["changelog", "1.2.0"],
        "rollback": ["rollback", "staging"],
    }

    found = {name: json.loads(run(*words, "-o", "json")) for name, words in commands.items()}

    shapes = {name: {**_shape(data), "schema": data["schema"]} for name, data in found.items()}
    if os.environ.get("LOCKSTEP_GOLDEN") == "write":
        golden = Path(__file__).parents[1] / "goldens" / "json-keys.json"
        golden.write_text(json.dumps(shapes, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    else:
        assert shapes == KEYS
