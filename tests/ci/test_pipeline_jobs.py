"""Which jobs each event has: one pipeline for each, no loop, and nothing that an event does not need."""

from __future__ import annotations

import pytest

from pipeline import Project

MANUAL, ALWAYS = "manual", "on_success"
MERGE_REQUEST = {"plan": ALWAYS, "contracts": ALWAYS, "test": ALWAYS}
TAG = {
    "release": ALWAYS, "announce": ALWAYS, "promote staging": MANUAL,
    "stage production": ALWAYS, "promote production": MANUAL, "rollback production": MANUAL,
}  # fmt: skip


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
    assert project.jobs(project.push(path)) == jobs


def test_a_tag_has_the_release_and_what_follows_it(project: Project):
    assert project.jobs(project.tag("1.0.0")) == TAG


def test_a_tag_of_a_prerelease_has_nothing_of_production(project: Project):
    assert project.jobs(project.tag("1.0.0-rc.1")) == {
        name: when for name, when in TAG.items() if "production" not in name
    }


@pytest.mark.parametrize(
    ("path", "more"),
    [("components/model/src/model.py", {}), ("releases/staging/bindings.yaml", {"verify proposal": ALWAYS})],
)
def test_a_merge_request_has_plan_contracts_and_tests_and_a_check_of_releases(
    project: Project, path: str, more: dict[str, str]
):
    assert project.jobs(project.propose(path)) == {**MERGE_REQUEST, **more}


def test_gitlabs_schema_is_asked(project: Project):
    """The proof that the pipeline is valid by GitLab's own schema: a keyword that it does not know is refused."""
    assert project.run(project.pushed("main"), "--list").code == 0
    text = project.work.read(".gitlab-ci.yml").replace("interruptible: true", "interruptable: true")

    ran = project.run(project.push(".gitlab-ci.yml", text), "--list")

    assert ran.code != 0
    assert "interruptable" in ran.text
