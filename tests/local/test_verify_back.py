"""verify --front and --since: a way back is checked by itself, everything else whole; nothing that is not needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from broken.exhibit import Good, apply_edits
from debian_registry import DebianRegistry, free_port
from lockstep.cli.main import main
from tiny import STAGING, Tiny, good_tree

ONLY = "only the front, which names 1.0.0"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """1.0.0 served in staging, 1.1.0 serves there now."""
    return good_tree(tmp_path_factory.mktemp("back") / "tiny")


@pytest.fixture
def tiny(served: Tiny, tmp_path: Path) -> Tiny:
    return served.copy(tmp_path / "tiny")


@pytest.fixture
def returned(tiny: Tiny) -> Tiny:
    """The same after a plain `git revert` of the promote."""
    tiny.git("revert", "--no-edit", "HEAD")
    return tiny


def verify(tiny: Tiny, *arguments: str) -> int:
    return main(["verify", *arguments, "-C", str(tiny.folder)])


def test_since_a_revert_checks_the_way_back_alone(tiny: Tiny, capsys: pytest.CaptureFixture[str]):
    promote = tiny.git("rev-parse", "HEAD")
    tiny.write("releases/staging/templates/extra.yaml", "kind: Secret\n")
    tiny.commit("whoever verifies all of it finds this")
    tiny.git("revert", "--no-edit", promote)

    assert verify(tiny, "--since", "HEAD~1") == 0
    assert ONLY in capsys.readouterr().out
    assert verify(tiny, "--since", "HEAD~2") == 1
    assert "environment/file" in capsys.readouterr().out


def test_since_a_rollback_of_lockstep_checks_the_way_back_alone(tiny: Tiny, capsys: pytest.CaptureFixture[str]):
    assert main(["rollback", "staging", "--hold", "wrong totals", "-C", str(tiny.folder)]) == 0

    code = verify(tiny, "--since", "HEAD~1")

    assert code == 0
    assert ONLY in capsys.readouterr().out


@pytest.mark.parametrize(
    ("since", "said"),
    [
        ("HEAD~1", "verified: 0 releases, 1 environment, 3 instances"),  # the promote
        ("HEAD~2", "verified: 0 releases, 1 environment, 3 instances"),  # stage and promote
        ("HEAD~3", "verified: 1 release, 1 environment, 3 instances"),  # the release too
        ("v1.0.0", "verified: 2 releases, 1 environment, 3 instances"),
        ("0" * 40, "verified: 2 releases, 1 environment, 3 instances"),  # CI's word for a new branch
    ],
)
def test_since_anything_else_verifies_what_was_touched_whole(
    tiny: Tiny, since: str, said: str, capsys: pytest.CaptureFixture[str]
):
    code = verify(tiny, "--since", since)

    shown = capsys.readouterr().out
    assert code == 0
    assert shown.startswith(said)
    assert "only the front" not in shown


@pytest.mark.parametrize(
    ("path", "text", "rule"),
    [
        ("templates/manifests.yaml", "kind: Secret\n", "environment/chart"),
        ("bindings.yaml", "nonsense: 1\n", "bindings/field"),
        ("instances/front-door-0123456789.yaml", "kind: Secret\n", "environment/canonical"),
    ],
)
def test_since_a_way_back_that_changes_more_is_verified_whole(
    returned: Tiny, path: str, text: str, rule: str, capsys: pytest.CaptureFixture[str]
):
    returned.write(f"releases/staging/{path}", text)
    returned.commit("and something else")

    code = verify(returned, "--since", "HEAD~2")

    assert code == 1
    assert rule in capsys.readouterr().out


def test_since_a_release_was_deleted_says_so(tiny: Tiny, capsys: pytest.CaptureFixture[str]):
    tiny.git("rm", "-rq", "releases/1.0.0")
    tiny.commit("tidy up")

    code = verify(tiny, "--since", "HEAD~1")

    assert code == 1
    assert "- release/edited: it was deleted\n    where: releases/1.0.0/release.yaml" in capsys.readouterr().out


def test_since_looks_at_the_commit_that_is_checked_out(tiny: Tiny, capsys: pytest.CaptureFixture[str]):
    """CI checks out a commit and no branch; of a merge request it is on no branch at all."""
    tiny.git("checkout", "-q", "--detach")
    tiny.write("releases/staging/templates/extra.yaml", "kind: Secret\n")
    tiny.commit("a merge request")

    code = verify(tiny, "--since", "main")

    assert code == 1
    assert "environment/file" in capsys.readouterr().out


def test_since_nothing_changed_there_is_nothing_to_verify(tiny: Tiny, capsys: pytest.CaptureFixture[str]):
    tiny.write("components/front-door/prompts/answer.prompt", "Answer in three words.\n")
    tiny.commit("no release of it")

    code = verify(tiny, "--since", "HEAD~1")

    assert code == 0
    assert "nothing below releases/ changed" in capsys.readouterr().err


def test_front_names_what_is_missing_of_a_way_back(returned: Tiny, capsys: pytest.CaptureFixture[str]):
    gone = returned.workspace.state.environment(STAGING).front
    assert gone
    callee = next(name for name in gone.serves if name.component == "model")
    (returned.folder / f"releases/staging/instances/{callee}.yaml").unlink()
    returned.commit("somebody deleted it")

    code = verify(returned, "--front", "staging")

    assert code == 1
    assert f"- instance/callee front-door: it calls {callee}, which is not in staging" in capsys.readouterr().out


def test_front_computes_the_ids_of_what_it_needs_again(returned: Tiny, capsys: pytest.CaptureFixture[str]):
    front = returned.workspace.state.environment(STAGING).front
    assert front
    path = f"releases/staging/instances/{front.root}.yaml"
    returned.replace(path, "hello", "hallo")
    returned.commit("edit what serves")

    code = verify(returned, "--front")

    shown = capsys.readouterr().out
    assert code == 1
    assert f"where: {path}" in shown
    assert "- instance/id front-door: " in shown


def test_front_reads_no_instance_that_it_does_not_need(returned: Tiny):
    """The proof that little is read: what nobody needs may be unreadable."""
    environment = returned.workspace.state.environment(STAGING)
    assert environment.front
    other = next(name for name in environment.instances if name not in environment.front.serves)
    returned.write(f"releases/staging/instances/{other}.yaml", "not: [a manifest\n")
    returned.write("releases/1.1.0/release.yaml", "not: [a release\n")
    returned.commit("broken elsewhere")

    assert verify(returned, "--front", "staging") == 0
    assert verify(returned) == 1


def test_front_looks_for_images_in_the_registry(returned: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    registry = DebianRegistry(tmp_path, free_port())
    returned.replace("lockstep.yaml", "lockstep.local/tiny", f"{registry.host}/tiny")
    returned.commit("a registry")
    with registry.serving():
        before = verify(returned, "--front", "staging", "--registry")
        missing = capsys.readouterr().out
        assert main(["push", "1.0.0", "-C", str(returned.folder)]) == 0
        after = verify(returned, "--front", "staging", "--registry")

    assert (before, after) == (1, 0)
    assert "store/absent" in missing
    assert "fix:   lockstep push 1.0.0" in missing


def test_front_of_an_environment_where_nothing_serves_proves_nothing(tiny: Tiny, capsys: pytest.CaptureFixture[str]):
    assert verify(tiny, "--front", "production") == 1
    assert "- verify/empty: nothing serves in production" in capsys.readouterr().out


def test_front_of_a_shallow_clone_says_what_to_fetch(
    returned: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    returned.git("clone", "-q", "--depth", "1", f"file://{returned.folder}", str(tmp_path / "shallow"))
    shallow = Tiny(tmp_path / "shallow")

    assert verify(shallow, "--front", "staging") == 3
    assert "git fetch --unshallow" in capsys.readouterr().err


def test_since_takes_nothing_else_and_knows_its_commits(tiny: Tiny, capsys: pytest.CaptureFixture[str]):
    assert verify(tiny, "staging", "--since", "HEAD~1") == 2
    assert verify(tiny, "--since", "nonsense") == 2
    assert "'nonsense' names no commit here" in capsys.readouterr().err


def test_since_an_image_of_the_way_back_is_gone(returned: Tiny, capsys: pytest.CaptureFixture[str]):
    apply_edits(returned, Good(returned), [{"delete_blob": {"image": "model", "blob": "layer"}}])

    assert verify(returned, "--since", "HEAD~1") == 1
    assert "store/absent model" in capsys.readouterr().out
