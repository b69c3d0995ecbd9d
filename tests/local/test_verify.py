"""verify from the command line: what it prints, its exit codes, and what it says that it did not check."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from broken.exhibit import Good, apply_edits
from lockstep.cli.main import main
from tiny import Tiny, good_tree, md5_of, pointer, tiny_bundle

LARGE = bytes(64_000_001)


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return good_tree(tmp_path_factory.mktemp("good") / "tiny")


@pytest.fixture
def tiny(good: Tiny, tmp_path: Path) -> Tiny:
    return good.copy(tmp_path / "tiny")


def verify(tiny: Tiny, *arguments: str) -> int:
    return main(["verify", *arguments, "-C", str(tiny.folder)])


def test_verify_says_what_it_checked(good: Tiny, capsys: pytest.CaptureFixture[str]):
    code = verify(good)

    shown = capsys.readouterr()
    assert code == 0
    assert shown.err == ""
    assert shown.out.startswith("verified: 2 releases, 1 environment, 3 instances, 3 images, 9 blobs; ")


def test_verify_checks_only_what_it_is_asked_for(tiny: Tiny, capsys: pytest.CaptureFixture[str]):
    tiny.write("releases/1.0.0/notes.txt", "nothing reads this\n")
    tiny.commit()

    assert [verify(tiny, "1.1.0"), verify(tiny, "staging"), verify(tiny, "1.0.0")] == [0, 0, 1]
    assert "- release/place: this file belongs to no release" in capsys.readouterr().out


def test_verify_shows_rule_place_and_fix(tiny: Tiny, capsys: pytest.CaptureFixture[str]):
    tiny.write("releases/staging/templates/extra.yaml", "kind: Secret\n")
    tiny.write("releases/staging/crds/extra.yaml", "kind: Secret\n")
    tiny.commit()

    code = verify(tiny)

    lines = capsys.readouterr().out.splitlines()
    assert code == 1
    assert lines[0] == "- environment/file: an agent would apply this file, but no release and no chart put it there"
    assert lines[1] == "    where: releases/staging/crds/extra.yaml"
    assert lines[2].startswith("    fix:   git rm releases/staging/crds/extra.yaml")
    assert lines[6] == "not verified: 2 findings of 1 rule; docs/rules.md explains each"


def test_verify_gives_json(tiny: Tiny, capsys: pytest.CaptureFixture[str]):
    tiny.write("releases/staging/templates/extra.yaml", "kind: Secret\n")
    tiny.commit()

    code = verify(tiny, "staging", "-o", "json")

    shown = json.loads(capsys.readouterr().out)
    assert code == 1
    assert sorted(shown) == ["checked", "findings", "notes", "ok", "schema"]
    assert shown["schema"] == "lockstep.dev/cli/verify/v1"
    assert shown["ok"] is False
    assert sorted(shown["checked"]) == ["blobs", "bytes_hashed", "environments", "images", "instances", "releases"]
    assert sorted(shown["findings"][0]) == ["component", "fix", "rule", "what", "where"]


def test_verify_of_something_unknown_is_a_usage_error(good: Tiny, capsys: pytest.CaptureFixture[str]):
    code = verify(good, "9.9.9")

    assert code == 2
    assert "choose from: production, staging, 1.0.0, 1.1.0" in capsys.readouterr().err


def test_verify_of_a_bundle_without_releases_proves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    code = verify(tiny_bundle(tmp_path / "tiny"))

    assert code == 1
    assert "verify/empty" in capsys.readouterr().out


def test_verify_notices_that_a_policy_is_gone(tiny: Tiny, capsys: pytest.CaptureFixture[str]):
    tiny.git("rm", "-q", "releases/staging/policies/default-deny.yaml")
    tiny.commit()

    code = verify(tiny)

    assert code == 1
    assert "environment/chart: it was copied from charts/environment/policies/default-deny.yaml and is gone" in (
        capsys.readouterr().out
    )


def test_verify_accepts_the_chart_that_an_environment_was_staged_with(tiny: Tiny):
    tiny.replace("charts/environment/templates/NOTES.txt", "Serving", "Now serving")
    tiny.write("charts/environment/policies/more.yaml", "kind: NetworkPolicy\n")
    tiny.commit("a newer chart")

    assert verify(tiny) == 0


def test_verify_sees_an_edit_that_a_merge_brought(tiny: Tiny, capsys: pytest.CaptureFixture[str]):
    tiny.git("checkout", "-q", "-b", "side")
    tiny.replace("releases/1.0.0/release.yaml", "replicas: 1", "replicas: 9")
    tiny.commit("edit")
    tiny.git("revert", "--no-edit", "HEAD")
    tiny.git("checkout", "-q", "main")
    tiny.commit("meanwhile")
    tiny.git("merge", "-q", "--no-edit", "side")

    code = verify(tiny)

    assert code == 1
    assert "release/edited: it was edited or deleted after it was added" in capsys.readouterr().out


def test_verify_looks_at_commits_and_not_at_the_working_tree(tiny: Tiny):
    tiny.replace("releases/1.0.0/release.yaml", "replicas: 1", "replicas: 9")

    assert verify(tiny) == 0


def test_verify_after_rollback_and_retire_is_clean(tiny: Tiny):
    folder = ["-C", str(tiny.folder)]
    tiny.replace("lockstep.yaml", "prereleases: true", "prereleases: true, retire_after_seconds: 0")
    tiny.commit()

    assert main(["rollback", "staging", *folder]) == 0
    assert verify(tiny) == 0
    assert main(["retire", "staging", "--drop", "1.1.0", *folder]) == 0
    assert verify(tiny) == 0


@pytest.mark.parametrize("blob", ["manifest", "config", "layer"])
@pytest.mark.parametrize("edit", ["corrupt_blob", "delete_blob"])
def test_verify_finds_every_kind_of_blob(tiny: Tiny, edit: str, blob: str, capsys: pytest.CaptureFixture[str]):
    apply_edits(tiny, Good(tiny), [{edit: {"image": "model", "blob": blob}}])

    code = verify(tiny, "staging")

    word = {"manifest": "manifest", "config": "configuration", "layer": "layer"}[blob]
    rule = {"corrupt_blob": "store/damaged", "delete_blob": "store/absent"}[edit]
    assert code == 1
    assert f"- {rule} model: the {word} sha256:" in capsys.readouterr().out


def test_verify_hashes_large_layers_only_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    tiny = tiny_bundle(tmp_path / "tiny")
    stored = tiny.folder / ".dvc/remote/files/md5" / md5_of(LARGE)[:2] / md5_of(LARGE)[2:]
    stored.parent.mkdir(parents=True)
    stored.write_bytes(LARGE)
    tiny.write("components/model/weights/model.bin.dvc", pointer(LARGE, "model.bin"))
    tiny.lock()
    tiny.commit("large weights")
    tiny.tag("1.1.0")
    tiny.release("1.1.0")
    apply_edits(tiny, Good(tiny), [{"corrupt_blob": {"image": "model-weights", "blob": "layer"}}])

    codes = verify(tiny), verify(tiny, "--deep")

    shown = capsys.readouterr().out
    assert codes == (0, 1)
    assert "not checked: 1.1.0: 64,0" in shown
    assert "were compared by size only; --deep hashes them" in shown
    assert "store/damaged" in shown


def test_verify_help_has_examples(capsys: pytest.CaptureFixture[str]):
    main(["verify", "--help"])

    shown = capsys.readouterr().out
    assert "lockstep verify 1.4.0 production --deep" in shown
    assert "Exit codes: 0 verified" in shown
