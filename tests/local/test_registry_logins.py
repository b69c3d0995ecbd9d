"""Logins of this machine: the files in their order, and real credential helpers on the PATH."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import pytest

from fake_auth import Guarded, basic, docker_config, guarding
from lockstep.adapters.docker_logins import DockerLogins
from lockstep.core.errors import OutsideError
from lockstep.core.names import digest_of
from lockstep.oci.http import Access
from lockstep.oci.logins import Login
from lockstep.oci.registry import Registries

HOSTS = ("a.example", "b.example:5050", "c.example:5050", "d.example")
PASSWORD = "hunter2-never-said"  # noqa: S105 - the tests' own
HELPER = """#!/bin/sh
read -r host || true
echo "$1 $host" >>"{log}"
case "$host" in
known*) printf '{{"ServerURL":"%s","Username":"ada","Secret":"{secret}"}}' "$host" ;;
cloud*) printf '{{"ServerURL":"%s","Username":"<token>","Secret":"{secret}"}}' "$host" ;;
broken*) echo "{secret}" ;;
hanging*) exec sleep 600 ;;
failing*) echo "locked: {secret}"; exit 1 ;;
127*) printf '{{"ServerURL":"%s","Username":"ada","Secret":"{secret}"}}' "$host" ;;
*) echo "credentials not found in native keychain"; exit 1 ;;
esac
"""


@pytest.fixture
def helper(tmp_path, monkeypatch):
    """What docker-credential-tests was asked, line by line."""
    log, program = tmp_path / "asked", tmp_path / "bin/docker-credential-tests"
    program.parent.mkdir()
    program.write_text(HELPER.format(log=log, secret=PASSWORD))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return lambda: log.read_text().splitlines() if log.exists() else []


def configured(tmp_path, **document):
    (tmp_path / "config.json").write_text(json.dumps(document))
    return DockerLogins({"DOCKER_CONFIG": str(tmp_path)})


def test_podmans_file_comes_first_then_dockers(tmp_path):
    first = docker_config(tmp_path / "podman", "a.example", "podman", "x")
    docker_config(tmp_path / "docker", "a.example", "docker", "x")
    docker_config(tmp_path / ".docker", "a.example", "home", "x")
    everything = {
        "REGISTRY_AUTH_FILE": str(first),
        "DOCKER_CONFIG": str(tmp_path / "docker"),
        "HOME": str(tmp_path),
    }

    found = []
    for name in ("", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "HOME"):
        everything.pop(name, None)
        login = DockerLogins(dict(everything)).of("a.example")
        found.append(login.user if login else None)

    assert found == ["podman", "docker", "home", None]


def test_a_file_without_the_host_leaves_it_to_the_next(tmp_path):
    first = docker_config(tmp_path / "podman", "other.example", "podman", "x")
    docker_config(tmp_path, "a.example", "docker", "x")

    found = DockerLogins({"REGISTRY_AUTH_FILE": str(first), "DOCKER_CONFIG": str(tmp_path)}).of("a.example")

    assert found == Login("docker", "x", where=str(tmp_path / "config.json"))


def test_the_environment_of_this_process_is_the_default(tmp_path, monkeypatch):
    docker_config(tmp_path, "a.example", "ada", "x")
    logins = Access().logins
    monkeypatch.delenv("REGISTRY_AUTH_FILE", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))

    assert logins.of("a.example").user == "ada"


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "config.json").mkdir()

    with pytest.raises(OutsideError, match="cannot be read: Is a directory") as caught:
        DockerLogins({"DOCKER_CONFIG": str(tmp_path)}).of("a.example")

    assert caught.value.where == str(tmp_path / "config.json")


@pytest.mark.parametrize("key", ["credsStore", "credHelpers"])
def test_a_helper_is_asked_by_its_protocol(tmp_path, helper, key):
    value = "tests" if key == "credsStore" else dict.fromkeys(["known.example:5000", "cloud.example"], "tests")
    logins = configured(tmp_path, **{key: value})

    assert logins.of("known.example:5000") == Login("ada", PASSWORD, where="docker-credential-tests")
    assert logins.of("cloud.example") == Login("", identity=PASSWORD, where="docker-credential-tests")
    assert helper() == ["get known.example:5000", "get cloud.example"]


def test_a_host_without_a_secret_has_the_files_login_or_none(tmp_path, helper):
    entry = {"a.example": {"username": "bob", "password": "x"}}
    logins = configured(tmp_path, credsStore="tests", auths=entry)

    assert logins.of("a.example").user == "bob"
    assert logins.of("b.example") is None
    assert helper() == ["get a.example", "get b.example"]


@pytest.mark.parametrize(
    ("host", "what"), [("broken.example", "not understood"), ("failing.example", "failed with exit code 1")]
)
def test_a_helper_that_fails_is_named_and_not_quoted(tmp_path, helper, host, what):
    with pytest.raises(OutsideError, match=what) as caught:
        configured(tmp_path, credsStore="tests").of(host)

    assert caught.value.where.startswith("docker-credential-tests")
    assert PASSWORD not in f"{caught.value.what}{caught.value.where}{caught.value.fix}"
    assert helper() == [f"get {host}"]


@pytest.mark.usefixtures("helper")
def test_a_helper_that_hangs_is_ended_and_named(tmp_path):
    logins = replace(configured(tmp_path, credsStore="tests"), limit=0.2)

    with pytest.raises(OutsideError, match=r"docker-credential-tests gave no answer for 0\.2 s") as caught:
        logins.of("hanging.example")

    assert "docker-credential-tests get" in caught.value.fix


def test_a_helper_that_is_not_installed_is_named(tmp_path):
    with pytest.raises(OutsideError, match="cannot start docker-credential-absent") as caught:
        configured(tmp_path, credsStore="absent").of("a.example")

    assert "install docker-credential-absent" in caught.value.fix


def test_a_helper_is_asked_once_and_only_when_the_registry_asks(tmp_path, helper):
    access = Access(logins=configured(tmp_path, credsStore="tests"))
    guarded = Guarded()
    with guarding(guarded) as host:
        store = Registries(access).at(f"{host}/docs/ocr")
        store.tags()
        assert helper() == []
        guarded.users = {"ada": PASSWORD}

        store.tags()
        store.has(digest_of(b""))

    assert helper() == [f"get {host}"]
    assert guarded.shown[-1][2] == basic("ada", PASSWORD)


def test_a_job_of_gitlab_is_given_its_logins_by_variables(tmp_path):
    """A file of its own comes first, then DOCKER_AUTH_CONFIG as GitLab Runner reads it; the job's own login last."""
    given = json.loads(docker_config(tmp_path / "given", "a.example", "given", "x").read_text())
    docker_config(tmp_path / "docker", "a.example", "docker", "x")
    docker_config(tmp_path / "docker", "b.example:5050", "docker", "x")
    everything = {
        "DOCKER_AUTH_CONFIG": json.dumps(given),
        "DOCKER_CONFIG": str(tmp_path / "docker"),
        "CI_REGISTRY": "c.example:5050",
        "CI_REGISTRY_USER": "gitlab-ci-token",
        "CI_REGISTRY_PASSWORD": PASSWORD,
    }

    logins = DockerLogins(everything)

    users = [login.user if (login := logins.of(host)) else None for host in HOSTS]
    assert users == ["given", "docker", "gitlab-ci-token", None]
    file = docker_config(tmp_path / "file", "a.example", "may-push", "x")
    more = DockerLogins({**everything, "REGISTRY_AUTH_FILE": str(file)})
    explicit = [login.user if (login := more.of(host)) else None for host in HOSTS]
    assert explicit == ["may-push", *users[1:]]
    assert PASSWORD not in repr(logins)
    assert PASSWORD not in repr(logins.of("c.example:5050"))


@pytest.mark.parametrize("missing", ["CI_REGISTRY", "CI_REGISTRY_USER", "CI_REGISTRY_PASSWORD"])
def test_half_a_login_of_a_job_is_none(missing):
    whole = {"CI_REGISTRY": "c.example", "CI_REGISTRY_USER": "u", "CI_REGISTRY_PASSWORD": PASSWORD}

    assert DockerLogins({**whole, missing: ""}).of("c.example") is None


def test_a_variable_that_cannot_be_read_is_named_and_not_shown():
    with pytest.raises(OutsideError) as caught:
        DockerLogins({"DOCKER_AUTH_CONFIG": f'{{"auths": "{PASSWORD}"'}).of("a.example")

    assert caught.value.where == "DOCKER_AUTH_CONFIG"
    assert PASSWORD not in str(caught.value) + caught.value.fix
