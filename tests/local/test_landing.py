"""Writing to a remote: from what it has, all or nothing, whoever is first; and as a merge request."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes import FakeRegistry
from tiny import STAGING, Tiny, next_tagged, set_identity

Run = Callable[..., str]
_OPTIONS = """#!/bin/sh
i=0
while [ "$i" -lt "${GIT_PUSH_OPTION_COUNT:-0}" ]; do
  eval "echo \\"\\$GIT_PUSH_OPTION_$i\\"" >> options
  i=$((i + 1))
done
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    with pytest.MonkeyPatch.context() as patch:
        set_identity(patch)
        return next_tagged(tmp_path_factory.mktemp("landing") / "bundle")


@pytest.fixture
def remote(tiny: Tiny, tmp_path: Path) -> Tiny:
    """A bare repository that the bundle calls `origin`, with a hook that writes down push options."""
    folder = tmp_path / "remote.git"
    tiny.git("clone", "-q", "--bare", str(tiny.folder), str(folder))
    tiny.git("remote", "add", "origin", str(folder))
    bare = Tiny(folder)
    bare.git("config", "receive.advertisePushOptions", "true")
    hook = folder / "hooks/pre-receive"
    hook.write_text(_OPTIONS)
    hook.chmod(0o755)
    return bare


@pytest.fixture
def runner(tiny: Tiny, remote: Tiny, tmp_path: Path) -> Tiny:
    """A clone as CI has it: the tagged commit, detached, and no branch."""
    clone = Tiny(tmp_path / "runner")
    tiny.git("clone", "-q", str(remote.folder), str(clone.folder))
    clone.git("checkout", "-q", "--detach", "v1.2.0")
    clone.git("branch", "-q", "-D", "main")
    return clone


def subjects(bare: Tiny, ref: str = "main") -> list[str]:
    """The newest commits of a branch."""
    return bare.git("log", "-4", "--format=%s", ref).splitlines()


def test_ci_releases_and_stages_with_one_push(runner: Tiny, remote: Tiny, run: Run) -> None:
    before = remote.git("rev-parse", "main")

    data = json.loads(
        run("release", "v1.2.0", "--stage", "staging", "--push", "origin", "-o", "json", folder=runner.folder)
    )

    assert subjects(remote)[:2] == ["stage 1.2.0 in staging", "release 1.2.0"]
    assert remote.git("rev-parse", "main~2") == before
    assert data["commit"] == remote.git("rev-parse", "main~1")
    assert data["staged"]["commit"] == remote.git("rev-parse", "main")


def test_the_same_job_again_in_a_new_clone_writes_nothing(runner: Tiny, remote: Tiny, run: Run, tmp_path: Path) -> None:
    job = ("release", "v1.2.0", "--stage", "staging", "--push", "origin")
    run(*job, folder=runner.folder)
    was = remote.git("rev-parse", "main")
    again = Tiny(tmp_path / "again")
    remote.git("clone", "-q", str(remote.folder), str(again.folder))
    again.git("checkout", "-q", "--detach", "v1.2.0")

    run(*job, folder=again.folder)

    assert remote.git("rev-parse", "main") == was


def test_what_cannot_be_staged_is_not_released_there_either(tiny: Tiny, remote: Tiny, run: Run) -> None:
    tiny.tag("1.3.0-rc.1")
    was = remote.git("rev-parse", "main")

    said = run("release", "1.3.0-rc.1", "--stage", "production", "--push", "origin", code=1)

    assert "environment/prerelease" in said
    assert (remote.git("rev-parse", "main"), tiny.git("rev-parse", "main")) == (was, was)


def test_a_dry_run_shows_what_the_remote_would_get(runner: Tiny, remote: Tiny, run: Run) -> None:
    was = remote.git("for-each-ref")

    said = run("stage", "production", "1.1.0", "--push", "origin", "--dry-run", folder=runner.folder)

    assert "+++ b/releases/production/instances/" in said
    assert remote.git("for-each-ref") == was
    assert runner.git("for-each-ref", "refs/heads") == ""


def test_a_clone_that_is_behind_writes_on_what_the_remote_has_and_follows(
    tiny: Tiny, runner: Tiny, remote: Tiny, run: Run
) -> None:
    run("release", "v1.2.0", "--push", "origin", folder=runner.folder)

    run("stage", "production", "1.2.0", "--push", "origin")

    assert subjects(remote)[:2] == ["stage 1.2.0 in production", "release 1.2.0"]
    assert tiny.git("rev-parse", "main") == remote.git("rev-parse", "main")
    assert tiny.git("status", "--porcelain") == ""


def test_a_clone_that_has_nothing_to_write_follows_as_well(tiny: Tiny, runner: Tiny, remote: Tiny, run: Run) -> None:
    run("release", "v1.2.0", "--push", "origin", folder=runner.folder)

    run("release", "1.2.0", "--push", "origin")

    assert tiny.git("rev-parse", "main") == remote.git("rev-parse", "main")
    assert tiny.git("status", "--porcelain") == ""


def test_what_this_clone_has_before_the_remote_goes_with_it(remote: Tiny, run: Run) -> None:
    run("release", "1.2.0")

    run("stage", "production", "1.2.0", "--push", "origin")

    assert subjects(remote)[:2] == ["stage 1.2.0 in production", "release 1.2.0"]


def test_two_ways_are_refused_with_the_command_that_joins_them(
    tiny: Tiny, runner: Tiny, remote: Tiny, run: Run
) -> None:
    run("release", "v1.2.0", "--push", "origin", folder=runner.folder)
    tiny.commit("meanwhile")
    was = remote.git("rev-parse", "main"), tiny.git("rev-parse", "main")

    said = run("stage", "production", "1.1.0", "--push", "origin", code=2)

    assert "git pull --rebase origin main" in said
    assert (remote.git("rev-parse", "main"), tiny.git("rev-parse", "main")) == was


def test_a_merge_request_is_asked_for_and_nothing_else_moves(tiny: Tiny, remote: Tiny, run: Run) -> None:
    was = remote.git("rev-parse", "main"), tiny.git("rev-parse", "main")

    run("release", "1.2.0", "--stage", "staging", "--push", "origin", "--mr")

    branch = "lockstep/release-1.2.0-stage-it-in-staging"
    assert subjects(remote, branch)[:2] == ["stage 1.2.0 in staging", "release 1.2.0"]
    assert (remote.folder / "options").read_text().splitlines() == [
        "merge_request.create",
        "merge_request.target=main",
        "merge_request.title=release 1.2.0, stage it in staging",
        "merge_request.remove_source_branch",
    ]
    assert (remote.git("rev-parse", "main"), tiny.git("rev-parse", "main")) == was


def test_a_server_without_push_options_is_told(remote: Tiny, run: Run) -> None:
    remote.git("config", "receive.advertisePushOptions", "false")

    said = run("release", "1.2.0", "--push", "origin", "--mr", code=3)

    assert "run it without --mr" in said


def test_a_proposed_rollback_of_what_was_retired_has_both_commits(tiny: Tiny, remote: Tiny, run: Run) -> None:
    run("retire", "staging", "--drop", "1.0.0")
    tiny.git("push", "-q", "origin", "main")

    run("rollback", "staging", "--to", "1.0.0", "--push", "origin", "--mr")

    (branch,) = remote.git("for-each-ref", "--format=%(refname:short)", "refs/heads/lockstep").split()
    assert remote.git("rev-parse", f"{branch}~2") == remote.git("rev-parse", "main")


def test_mr_and_wait_need_what_they_need(run: Run) -> None:
    assert "--push origin --mr" in run("release", "1.2.0", "--mr", code=2)
    assert "until merged" in run("promote", "staging", "1.0.0", "--push", "origin", "--mr", "--wait=1", code=2)


def test_rollback_from_is_done_once_however_often_it_runs(tiny: Tiny, run: Run) -> None:
    serves = tiny.workspace.state.environment(STAGING).front
    assert serves is not None
    run("rollback", "staging", "--from", str(serves.release))
    was = tiny.git("rev-parse", "main")

    run("rollback", "staging", "--from", f"v{serves.release}")
    other = run("rollback", "staging", "--from", "1.2.0", code=1)

    assert tiny.git("rev-parse", "main") == was
    assert "rollback/from" in other
    assert "serves in staging, not 1.2.0" in other


def test_images_go_straight_to_the_registry_and_a_new_clone_builds_and_sends_nothing(
    tiny: Tiny, remote: Tiny, run: Run, fake: FakeRegistry, host: str, tmp_path: Path
) -> None:
    tiny.replace("lockstep.yaml", "lockstep.local/tiny", f"{host}/team/tiny")
    tiny.commit("a registry")
    tiny.git("tag", "-f", "v1.2.0")
    tiny.git("push", "-q", "-f", "origin", "main", "v1.2.0")
    clones = [Tiny(tmp_path / name) for name in ("first", "second")]
    for clone in clones:
        remote.git("clone", "-q", str(remote.folder), str(clone.folder))
    run("build", "--push", folder=clones[0].folder)
    shutil.rmtree(clones[1].folder / ".dvc/remote")  # the weights' bytes: nobody may ask for them again
    received, stored = fake.received, list(fake.stored)

    run("release", "1.2.0", "--push", "origin", folder=clones[1].folder)

    assert fake.stored == stored
    assert set(fake.tags["team/tiny/model"]) >= {"release-1.2.0"}
    assert fake.received > received  # manifests under the release's tag
    assert not (clones[1].folder / ".lockstep/store/index.json").exists()
    assert "verified" in run("verify", "1.2.0", "--registry", folder=clones[1].folder)


def test_a_release_in_the_registry_is_there_before_git_knows_it(
    tiny: Tiny, remote: Tiny, run: Run, fake: FakeRegistry, host: str
) -> None:
    tiny.replace("lockstep.yaml", "lockstep.local/tiny", f"{host}/team/tiny")
    tiny.commit("a registry")
    tiny.git("tag", "-f", "v1.2.0")
    tiny.git("push", "-q", "-f", "origin", "main", "v1.2.0")
    was = remote.git("rev-parse", "main")
    fake.refuses["PUT"] = (500, b"")

    said = run("release", "1.2.0", "--push", "origin", code=3)

    assert "500" in said
    assert remote.git("rev-parse", "main") == was
    fake.refuses.clear()
    run("release", "1.2.0", "--push", "origin")
    assert subjects(remote)[0] == "release 1.2.0"
