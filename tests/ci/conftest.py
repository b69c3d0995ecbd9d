"""What the tests of pipelines share: a project with a bare repository, Debian's registry and this repository's own
.gitlab-ci.yml.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from debian_registry import DebianRegistry, free_port
from fake_gitlab import JOB, serving_gitlab
from pipeline import PIPELINE, PROGRAM, Event, Project, make_tool
from tiny import Tiny, set_identity, tiny_bundle

_API = ("CI_API_V4_URL", "CI_PROJECT_ID", "CI_PROJECT_PATH", "CI_JOB_TOKEN")


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[DebianRegistry]:
    """Debian's registry, running and empty."""
    folder = tmp_path / "registry"
    folder.mkdir()
    made = DebianRegistry(folder, free_port())
    with made.serving():
        yield made


@pytest.fixture(scope="session")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """The tiny bundle with this repository's pipeline, tests and an identity; its tag is not pushed yet."""
    assert PROGRAM.exists(), f"{PROGRAM} is not there; fix: make test-ci"
    with pytest.MonkeyPatch.context() as patch:
        set_identity(patch)
        folder = tmp_path_factory.mktemp("origin")
        tiny = tiny_bundle(folder / "tiny")
        tiny.write(".gitlab-ci.yml", PIPELINE.read_bytes())
        tiny.write("Makefile", make_tool(folder))
        tiny.write(".gitignore", "/.lockstep/\n/.venv/\n/.cache/\n__pycache__/\n")
        tiny.write("components/front-door/tests/test_front_door.py", "def test_it():\n    assert True\n")
        tiny.write("components/model/tests/test_model.py", "def test_it():\n    assert True\n")
        tiny.git("tag", "-d", "v1.0.0")
    return tiny


@pytest.fixture
def project(
    origin: Tiny, registry: DebianRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Project]:
    """A project of this test's own: its repository, its registry, and GitLab's API as a job reaches it."""
    set_identity(monkeypatch)
    made = Project(tmp_path, {"LOCKSTEP_PUSH_URL": str(tmp_path / "tiny.git"), "GITLAB_USER_NAME": "Ada"})
    origin.copy(made.work.folder)
    made.work.replace("lockstep.yaml", "lockstep.local/tiny", f"{registry.host}/tiny")
    made.work.commit("a registry and a pipeline")
    made.work.git("clone", "-q", "--bare", str(made.work.folder), str(made.bare.folder))
    made.bare.git("config", "receive.advertisePushOptions", "true")
    made.work.git("remote", "add", "origin", str(made.bare.folder))
    with serving_gitlab(made.gitlab) as api:
        given = (api, "42", "team/documents", JOB)
        made.variables |= dict(zip(_API, given, strict=True))
        yield made


@pytest.fixture
def tagged(project: Project) -> Event:
    """The push of v1.0.0."""
    return project.tag("1.0.0")
