"""A swap in Git: standby at stage, one commit at promote, and a plain revert that is a swap."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lockstep.cli.main import main
from tiny import STAGING, Tiny, good_tree, set_identity

Run = Callable[..., str]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """1.1.0 serves; 1.2.0 has another model, staged in standby."""
    with pytest.MonkeyPatch.context() as patch:
        set_identity(patch)
        tiny = good_tree(tmp_path_factory.mktemp("swap") / "bundle")
        tiny.replace(
            "components/model/component.yaml", "description: Knows.", "description: Knows.\nconfig: {SIZE: large}"
        )
        tiny.commit("a larger model")
        tiny.tag("1.2.0")
        tiny.release("1.2.0")
        assert main(["stage", "staging", "1.2.0", "--swap", "model", "-C", str(tiny.folder)]) == 0
    return tiny


@pytest.fixture
def run(tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> Run:
    def command(*words: str, code: int = 0) -> str:
        found = main([*words, "-C", str(tiny.folder)])
        printed = capsys.readouterr()
        assert found == code, printed.err
        return printed.out + printed.err

    return command


def _replicas(tiny: Tiny) -> dict[str, int]:
    environment = tiny.workspace.state.environment(STAGING)
    return {name: item.replicas for name, item in environment.instances.items()}


def _verified(tiny: Tiny) -> bool:
    return not tiny.verify("staging").findings


def test_a_plain_promote_of_what_is_in_standby_is_refused(run: Run) -> None:
    printed = run("promote", "staging", "1.2.0", code=1)

    assert "promote/standby" in printed
    assert "--swap model" in printed


def test_promote_swaps_in_one_commit_and_says_the_cost_before(tiny: Tiny, run: Run) -> None:
    before = _replicas(tiny)

    printed = run("promote", "staging", "1.2.0", "--swap", "model")

    after = _replicas(tiny)
    changed = {name.rpartition("-")[0]: (before[name], after[name]) for name in after if before[name] != after[name]}
    assert sorted(before.values()) == [0, 0, 1, 1, 1]
    assert changed == {"model": changed["model"], "front-door": (0, 1)}
    assert sorted(after.values()) == [0, 1, 1, 1, 1]
    assert re.search(r"cost: until then every request that needs model fails", printed)
    assert tiny.git("log", "--format=%s", "-1") == "promote 1.2.0 in staging"
    assert _verified(tiny)


def test_a_plain_revert_of_a_swap_is_a_swap(tiny: Tiny, run: Run) -> None:
    before = tiny.git("rev-parse", "HEAD:releases/staging")
    run("promote", "staging", "1.2.0", "--swap", "model")

    tiny.git("revert", "--no-edit", "HEAD")

    assert tiny.git("rev-parse", "HEAD:releases/staging") == before


def test_rollback_of_a_swap_brings_the_old_one_up_and_makes_room(tiny: Tiny, run: Run) -> None:
    before = _replicas(tiny)
    run("promote", "staging", "1.2.0", "--swap", "model")

    printed = run("rollback", "staging")

    after = _replicas(tiny)
    models = {name: count for name, count in after.items() if name.startswith("model")}
    assert models == {name: before[name] for name in models}
    assert "cost:" in printed
    assert _verified(tiny)


def test_staging_again_and_a_dry_run_change_nothing(tiny: Tiny, run: Run) -> None:
    assert "nothing to do" in run("stage", "staging", "1.2.0", "--swap", "model")
    tip = tiny.git("rev-parse", "HEAD")

    run("promote", "staging", "1.2.0", "--swap", "model", "--dry-run")

    assert tiny.git("rev-parse", "HEAD") == tip


@pytest.mark.parametrize("word", ["front_door", "No"])
def test_what_is_no_component_is_a_usage_error(run: Run, word: str) -> None:
    run("stage", "staging", "1.2.0", "--swap", word, code=2)


def test_wait_takes_seconds_or_stands_alone_and_needs_a_cluster(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    assert "--wait=600" in run("stage", "--wait", "staging", "1.2.0", code=2)
    assert "--kubeconfig FILE" in run("stage", "staging", "1.2.0", "--wait", code=2)
    assert "not a kubeconfig" in run("stage", "staging", "1.2.0", "--kubeconfig", str(tmp_path / "none"), code=2)
