"""Which jobs each event has: one pipeline for each, no loop, and nothing that an event does not need."""

from __future__ import annotations

import pytest

from pipeline import Project

MANUAL, ALWAYS = "manual", "on_success"
MERGE_REQUEST = {"plan": ALWAYS, "test": ALWAYS}
TAG = {
    "release": ALWAYS, "announce": ALWAYS, "promote staging": MANUAL,
    "stage production": ALWAYS, "promote production": MANUAL, "rollback production": MANUAL,
}  # fmt: skip


def push(project: Project, path: str, text: str = "changed\n") -> None:
    project.work.write(path, text)
    project.work.commit(f"change {path}")
    project.work.git("push", "-q", "origin", "HEAD:main")


@pytest.mark.parametrize(
    ("path", "jobs"),
    [
        ("releases/staging/bindings.yaml", {"verify": ALWAYS}),
        ("components/model/src/model.py", {"build": ALWAYS}),
        ("charts/objects/extra.yaml.j2", {"build": ALWAYS}),
        ("lockstep.yaml", {"build": ALWAYS}),
        ("README.md", {}),
    ],
)
def test_a_push_to_main_has_the_job_of_what_it_changed(project: Project, path: str, jobs: dict[str, str]):
    before = project.git("rev-parse", "main")
    push(project, path)

    assert project.jobs(project.pushed(before)) == jobs


def test_a_tag_has_the_release_and_what_follows_it(project: Project):
    project.work.tag("1.0.0")
    project.work.git("push", "-q", "origin", "v1.0.0")

    assert project.jobs(project.tagged("v1.0.0")) == TAG


def test_a_tag_of_a_prerelease_has_nothing_of_production(project: Project):
    project.work.tag("1.0.0-rc.1")
    project.work.git("push", "-q", "origin", "v1.0.0-rc.1")

    assert project.jobs(project.tagged("v1.0.0-rc.1")) == {
        name: when for name, when in TAG.items() if "production" not in name
    }


@pytest.mark.parametrize(
    ("path", "more"),
    [("components/model/src/model.py", {}), ("releases/staging/bindings.yaml", {"verify proposal": ALWAYS})],
)
def test_a_merge_request_has_plan_and_tests_and_a_check_of_releases(project: Project, path: str, more: dict[str, str]):
    project.work.write(path, "changed\n")
    project.work.git("checkout", "-q", "-b", "proposal")
    project.work.commit("propose it")
    project.work.git("push", "-q", "origin", "proposal")

    assert project.jobs(project.proposed("proposal")) == {**MERGE_REQUEST, **more}


def test_gitlabs_schema_is_asked(project: Project):
    """The proof that the pipeline is valid by GitLab's own schema: a keyword that it does not know is refused."""
    assert project.run(project.pushed("main"), "--list").code == 0
    project.work.replace(".gitlab-ci.yml", "interruptible: true", "interruptable: true")
    project.work.commit("a mistake")
    project.work.git("push", "-q", "origin", "HEAD:main")

    ran = project.run(project.pushed("main"), "--list")

    assert ran.code != 0
    assert "interruptable" in ran.text
