"""An environment that Flux applies: its folder goes with every commit, and with every plain revert."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lockstep.cli.main import main
from tiny import Tiny, good_tree, set_identity, tiny_bundle

Run = Callable[..., str]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """1.0.0 and 1.1.0 staged, 1.1.0 serves in staging, which is Flux's by now; 1.2.0 is tagged."""
    with pytest.MonkeyPatch.context() as patch:
        set_identity(patch)
        tiny = good_tree(tmp_path_factory.mktemp("flux") / "bundle")
        tiny.replace(
            "lockstep.yaml", "staging: {prereleases", "staging: {agent: flux, retire_after_seconds: 0, prereleases"
        )
        tiny.commit("Flux applies staging")
        tiny.replace("components/front-door/component.yaml", "hello", "good day")
        tiny.commit("another greeting")
        tiny.tag("1.2.0")
        assert main(["stage", "staging", "1.1.0", "-C", str(tiny.folder)]) == 0
        assert main(["release", "1.2.0", "-C", str(tiny.folder)]) == 0
    return tiny


def _tree(tiny: Tiny, at: str = "main") -> str:
    return tiny.git("rev-parse", f"{at}:releases/staging")


def _verified(tiny: Tiny) -> bool:
    return not tiny.verify("staging").findings


def test_the_next_stage_writes_what_a_new_agent_is_told_and_takes_it_away_from_another(tiny: Tiny, run: Run) -> None:
    assert _verified(tiny)
    assert sorted(path.name for path in (tiny.folder / "releases/staging/flux").iterdir()) == [
        "front",
        "gate",
        "gates",
        "objects",
    ]

    tiny.replace("lockstep.yaml", "agent: flux", "agent: argocd")
    tiny.commit("Argo CD applies staging")
    assert not _verified(tiny)
    run("stage", "staging", "1.1.0")

    assert not (tiny.folder / "releases/staging/flux").exists()
    assert _verified(tiny)


def test_every_edit_leaves_a_folder_that_verify_accepts(tiny: Tiny, run: Run) -> None:
    for words in (
        ["stage", "staging", "1.2.0"], ["promote", "staging", "1.2.0"], ["rollback", "staging"],
        ["promote", "staging", "1.2.0"], ["retire", "staging"], ["retire", "staging", "--drop", "1.1.0"],
        ["rollback", "staging", "--to", "1.1.0"],
    ):  # fmt: skip
        run(*words)
        assert _verified(tiny), words


def test_a_plain_revert_right_after_gives_the_very_tree_that_was(tiny: Tiny, run: Run) -> None:
    run("stage", "staging", "1.2.0")
    before = _tree(tiny)
    run("promote", "staging", "1.2.0")

    tiny.git("revert", "--no-edit", "HEAD")

    assert _tree(tiny) == before


def test_a_plain_revert_after_a_later_stage_does_not_conflict(tiny: Tiny, run: Run) -> None:
    promote = tiny.git("log", "-1", "--format=%H", "--grep=^stage 1.1.0")
    run("stage", "staging", "1.2.0")
    run("promote", "staging", "1.2.0")
    promote = tiny.git("rev-parse", "HEAD")
    tiny.replace("components/front-door/component.yaml", "good day", "good evening")
    tiny.commit("another greeting")
    tiny.tag("1.3.0")
    run("release", "1.3.0")
    run("stage", "staging", "1.3.0")

    tiny.git("revert", "--no-edit", promote)

    assert _verified(tiny)
    assert "serves release 1.1.0" in run("status", "staging")


def test_a_revert_of_the_revert_promotes_again(tiny: Tiny, run: Run) -> None:
    run("stage", "staging", "1.2.0")
    run("promote", "staging", "1.2.0")
    before = _tree(tiny)

    tiny.git("revert", "--no-edit", "HEAD")
    tiny.git("revert", "--no-edit", "HEAD")

    assert _tree(tiny) == before


def test_an_environment_of_flux_keeps_an_instance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_identity(monkeypatch)
    tiny = tiny_bundle(tmp_path / "tiny")
    tiny.replace("lockstep.yaml", "production: {}", "production: {agent: flux, namespace: tiny-production}")
    tiny.commit("Flux applies production")
    tiny.release("1.0.0")
    folder = str(tiny.folder)
    assert main(["stage", "production", "1.0.0", "-C", folder]) == 0

    code = main(["retire", "production", "--drop", "1.0.0", "-C", folder])

    assert code == 1
    assert "retire/last" in capsys.readouterr().err


def test_a_plain_revert_after_retire_brings_the_gate_back_that_nobody_answers(tiny: Tiny, run: Run) -> None:
    """It does not conflict, and what asks the root that is gone stands beside the front, for every agent."""
    run("stage", "staging", "1.2.0")
    run("promote", "staging", "1.2.0")
    promoted = tiny.git("rev-parse", "HEAD")
    gone = (tiny.folder / "releases/staging/front/gate.yaml").read_text(encoding="utf-8")
    run("retire", "staging", "--drop", "1.1.0")

    tiny.git("revert", "--no-edit", promoted)

    back = (tiny.folder / "releases/staging/front/gate.yaml").read_text(encoding="utf-8")
    root = back.partition('lockstep.dev/gate: "')[2].partition('"')[0]
    assert back != gone
    assert not (tiny.folder / f"releases/staging/instances/{root}.yaml").exists()
    told = (tiny.folder / "releases/staging/flux/objects/gate.yaml").read_text(encoding="utf-8")
    assert f'name: "root-{root}"' in told
