"""What the pipeline of each event does, by what it leaves in the repository, the registry and GitLab's releases."""

from __future__ import annotations

import json
from base64 import b64encode
from pathlib import Path

import pytest

from debian_registry import DebianRegistry, free_port, htpasswd
from pipeline import Event, Project, tags_of

PROMPT = "components/front-door/prompts/answer.prompt"
CONTRACT = "openapi: 3.1.0\ninfo: {title: tiny, version: 2.0.0}\npaths: {/a: {get: {responses: {}}}}\n"
NEEDS_MORE = CONTRACT.replace("/a: {get: {responses: {}}}", "/answer: {get: {responses: {'200': {description: x}}}}")
STAGED = ["stage 1.0.0 in production", "stage 1.0.0 in staging", "release 1.0.0"]
WRONG = "def test_it():\n    assert 0, 'planted'\n"


def test_a_merge_request_gets_its_plan_and_its_tests(project: Project):
    ran = project.run(project.propose("components/model/src/model.py"))

    assert ran.passed, ran.text
    assert ran.clone.read("plan.md").startswith("## At least 0.1.0\n")
    assert ran.clone.read("contracts.xml").startswith("<?xml ")
    assert "model            passed" in ran.text
    assert "front-door       passed" not in ran.text
    assert project.git("for-each-ref", "--format=%(refname)") == "refs/heads/main\nrefs/heads/proposal"


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("components/model/component.yaml", "name: model\n", "component/field"),
        ("components/front-door/contract/uses/model.yaml", NEEDS_MORE, "front-door calls model: 1 ERR"),
        ("components/model/tests/test_model.py", WRONG, "AssertionError: planted"),
        ("releases/staging/templates/extra.yaml", "kind: Secret\n", "environment/file"),
    ],
)
def test_a_merge_request_that_is_wrong_fails_and_says_why(project: Project, path: str, text: str, said: str):
    ran = project.run(project.propose(path, text))

    assert not ran.passed
    assert said in ran.text


def test_main_builds_what_is_missing_into_the_registry(project: Project, registry: DebianRegistry):
    event = project.push("components/model/src/model.py")

    ran = project.run(event)
    blobs = registry.blobs()
    again = project.run(event)

    assert ran.passed, ran.text
    assert again.passed, again.text
    assert tags_of(registry.host, "model")
    assert registry.blobs() == blobs
    assert project.git("rev-parse", "main") == event.revision


def test_a_tag_is_released_staged_and_announced_and_again_nothing_happens(
    project: Project, registry: DebianRegistry, tagged: Event
):
    first = project.run(tagged)
    was, blobs = project.git("rev-parse", "main"), registry.blobs()
    again = project.run(tagged)

    assert first.passed, first.text
    assert again.passed, again.text
    assert project.subjects() == STAGED
    assert project.git("ls-tree", "--name-only", "main:releases/1.0.0") == "release.yaml"
    for image in ("front-door", "model", "model-weights"):
        assert "release-1.0.0" in tags_of(registry.host, image)
    assert project.gitlab.releases["v1.0.0"]["description"].startswith("## 1.0.0")
    assert project.gitlab.wrote() == ["POST"]
    assert (project.git("rev-parse", "main"), registry.blobs()) == (was, blobs)
    assert project.git("log", "-1", "--format=%an, %cn", "main") == "Ada, lockstep"


def test_what_a_release_pushes_starts_one_check_and_nothing_else(project: Project, tagged: Event):
    before = project.git("rev-parse", "main")
    released = project.run(tagged)
    event = project.pushed(before)
    jobs = project.jobs(event)
    ran = project.run(event)

    assert released.passed, released.text
    assert jobs == {"verify": "on_success"}
    assert ran.passed, ran.text
    assert "verified: 1 release, 2 environments" in ran.text
    assert project.git("rev-parse", "main") == event.revision


def test_a_tag_that_is_too_small_is_refused_and_leaves_nothing(project: Project, tagged: Event):
    released = project.run(tagged)
    project.push("components/front-door/contract/openapi.yaml", CONTRACT)
    was = project.git("rev-parse", "main")

    ran = project.run(project.tag("1.0.1"))

    assert released.passed, released.text
    assert not ran.passed
    assert "version/bump" in ran.text
    assert project.git("rev-parse", "main") == was
    assert list(project.gitlab.releases) == ["v1.0.0"]


def test_promote_and_rollback_move_the_front_and_the_way_back_is_checked_by_one_job(project: Project, tagged: Event):
    done = [project.run(tagged), project.run(tagged, "promote production")]
    project.push(PROMPT, "Answer in two words.\n")
    newer = project.tag("1.0.1")
    done += [project.run(newer), project.run(newer, "promote production")]
    served, before = project.front(), project.git("rev-parse", "main")
    done += [project.run(newer, "rollback production"), project.run(newer, "rollback production")]
    event = project.pushed(before)
    jobs = project.jobs(event)
    checked = project.run(event)

    assert [ran.text for ran in done if not ran.passed] == []
    assert (served, project.front()) == ("1.0.1", "1.0.0")
    assert project.git("rev-list", "--count", f"{before}..main") == "1"  # twice is not two steps back
    assert jobs == {"verify": "on_success"}
    assert checked.passed, checked.text
    assert "only the front, which names 1.0.0" in checked.text


def test_a_release_that_does_not_serve_cannot_be_taken_back(project: Project, tagged: Event):
    released = project.run(tagged)
    was = project.git("rev-parse", "main")

    ran = project.run(tagged, "rollback production")

    assert released.passed, released.text
    assert not ran.passed
    assert "rollback/from" in ran.text
    assert project.git("rev-parse", "main") == was


def test_a_job_logs_in_with_what_gitlab_gives_it(project: Project, registry: DebianRegistry, tmp_path: Path):
    folder = tmp_path / "closed"
    folder.mkdir()
    closed = DebianRegistry(folder, free_port(), htpasswd(folder, "lockstep", "s3cret"))
    project.push("lockstep.yaml", project.work.read("lockstep.yaml").replace(registry.host, closed.host))
    event = project.tag("1.0.0")
    login = {"auths": {closed.host: {"auth": b64encode(b"lockstep:s3cret").decode()}}}
    with closed.serving():
        refused = project.run(event, "release")
        ran = project.run(event, "release", DOCKER_AUTH_CONFIG=json.dumps(login))

    assert not refused.passed
    assert ran.passed, ran.text
    assert "s3cret" not in ran.text
    assert project.subjects(2) == STAGED[1:]


def test_as_a_merge_request_nothing_is_pushed_to_main(project: Project, tagged: Event):
    was = project.git("rev-parse", "main")

    ran = project.run(tagged, "release", LOCKSTEP_HOW="--push origin --mr")
    (branch,) = project.git("for-each-ref", "--format=%(refname:short)", "refs/heads/lockstep").splitlines()
    event = project.proposed(branch)
    jobs = project.jobs(event)
    checked = project.run(event)

    assert ran.passed, ran.text
    assert project.git("rev-parse", "main") == was
    assert project.subjects(2, branch) == STAGED[1:]
    assert sorted(jobs) == ["contracts", "plan", "test", "verify proposal"]
    assert checked.passed, checked.text
    assert "verified: 1 release, 1 environment" in checked.text
