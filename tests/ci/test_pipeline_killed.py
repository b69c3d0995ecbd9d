"""Pipelines that meet, and jobs that are killed: a rerun completes what they began, and nothing is there twice."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

from debian_registry import DebianRegistry
from pipeline import Event, Project, tags_of
from tiny import Tiny

PROMPT = "components/front-door/prompts/answer.prompt"
DONE = ["stage 1.0.0 in staging", "release 1.0.0"]
_HANGS = "#!/bin/sh\ntouch {sign}\nexec sleep 600\n"


def test_two_tags_at_once_both_land(project: Project, tagged: Event):
    events = [tagged]
    project.push(PROMPT, "Answer in two words.\n")
    events.append(project.tag("1.1.0"))
    clones = [project.clone(event) for event in events]

    running = [_started(project, clone, event, "release") for clone, event in zip(clones, events, strict=True)]
    said = [one.communicate()[0].decode() for one in running]
    for event in events:
        rerun = project.run(event, "release")
        assert rerun.passed, [*said, rerun.text]

    assert sorted(project.subjects(4)) == [
        "release 1.0.0", "release 1.1.0", "stage 1.0.0 in staging", "stage 1.1.0 in staging",
    ]  # fmt: skip
    for version in ("1.0.0", "1.1.0"):
        added = project.git("log", "--format=%s", "--diff-filter=A", "main", "--", f"releases/{version}/release.yaml")
        assert added == f"release {version}"


@pytest.mark.parametrize("blobs", [1, 4])
def test_a_job_that_is_killed_while_it_uploads_is_completed_by_its_rerun(
    project: Project, registry: DebianRegistry, tagged: Event, blobs: int
):
    """Killed once that many blobs are in the registry."""
    job = _started(project, project.clone(tagged), tagged, "release")
    while len(registry.blobs()) < blobs:
        assert job.poll() is None, job.communicate()[0].decode()
        time.sleep(0.01)
    _kill(job)
    was = registry.blobs()

    ran = project.run(tagged, "release")

    assert ran.passed, ran.text
    assert project.subjects(2) == DONE
    assert was <= registry.blobs()


@pytest.mark.parametrize(("hook", "landed"), [("pre-receive", False), ("post-receive", True)])
def test_a_job_that_is_killed_while_it_pushes_is_completed_by_its_rerun(
    project: Project, registry: DebianRegistry, tagged: Event, hook: str, *, landed: bool
):
    """Killed before the branch moved, and after it moved and before the job knew."""
    was, sign = project.git("rev-parse", "main"), project.folder / "pushed"
    script = project.bare.folder / "hooks" / hook
    script.write_text(_HANGS.format(sign=sign))
    script.chmod(0o755)
    job = _started(project, project.clone(tagged), tagged, "release")
    while not sign.exists():
        assert job.poll() is None, job.communicate()[0].decode()
        time.sleep(0.01)
    _kill(job)
    moved, blobs = project.git("rev-parse", "main"), registry.blobs()
    script.unlink()

    ran = project.run(tagged, "release")

    assert (moved != was) is landed
    assert ran.passed, ran.text
    assert project.subjects(2) == DONE
    assert registry.blobs() == blobs
    assert not landed or project.git("rev-parse", "main") == moved
    assert "release-1.0.0" in tags_of(registry.host, "model-weights")


def _started(project: Project, clone: Tiny, event: Event, *jobs: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        project.command(clone, event, *jobs), cwd=clone.folder, env=project.environment(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip


def _kill(job: subprocess.Popen[bytes]) -> None:
    """As a runner's machine goes: everything that the job started, at once."""
    if job.poll() is None:
        os.killpg(job.pid, signal.SIGKILL)
    job.communicate()
