"""Where a forge is, and which token it is shown."""

from __future__ import annotations

import pytest

from lockstep.core.forge.answers import SaidRelease, parse_answer
from lockstep.core.forge.place import Forge, beside, forge_of_ci, parse_address, token_for

API = "https://gitlab.example.org/api/v4"
CI = {"CI_API_V4_URL": API, "CI_PROJECT_ID": "42", "CI_PROJECT_PATH": "team/documents", "CI_JOB_TOKEN": "job"}


@pytest.mark.parametrize(
    ("address", "api", "project"),
    [
        ("git@gitlab.example.org:team/documents.git", API, "team/documents"),
        ("ssh://git@gitlab.example.org:2222/team/sub/documents.git", API, "team/sub/documents"),
        ("https://gitlab.example.org/team/documents", API, "team/documents"),
        ("https://bob:secret@gitlab.example.org/team/documents.git/", API, "team/documents"),
        ("https://gitlab.example.org/team/documents/-/releases/v1", API, "team/documents"),
        ("https://gitlab.example.org:8443/team/d.x", "https://gitlab.example.org:8443/api/v4", "team/d.x"),
        ("http://127.0.0.1:80/a/b", "http://127.0.0.1:80/api/v4", "a/b"),
        ("https://[::1]:8443/a/b", "https://[::1]:8443/api/v4", "a/b"),
    ],
)
def test_an_address_names_a_project(address: str, api: str, project: str) -> None:
    assert parse_address(address) == Forge(api, project, project)


@pytest.mark.parametrize(
    "address",
    ["", "/srv/git/x/y.git", "file:///srv/x/y", "../x/y", "git@gitlab.example.org:documents.git", "C:\\x\\y",
     "https://gitlab.example.org/documents", "https://gitlab.example.org/a/../b", "git@host:/srv/git/x.git",
     "ftp://gitlab.example.org/a/b", "https://evil.example\\@gitlab.example.org/a/b", "https://h/a/b c"],
)  # fmt: skip
def test_an_address_that_names_none_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(ValueError, match=r"no address of a project such as \S+$"):
        parse_address(address)


@pytest.mark.parametrize(
    ("address", "project"),
    [
        ("git@gitlab.example.org:team/releases.git", "team/releases"),
        ("ssh://git@GitLab.example.org:2222/team/releases", "team/releases"),
        ("git@b.example.org:team/releases.git", None),
        ("git@gitlab.example.org.evil.example:team/releases.git", None),
    ],
)
def test_a_project_beside_another_is_in_the_same_gitlab(address: str, project: str | None) -> None:
    found = beside(Forge(API, "42", "team/documents"), address)

    assert (found and (found.api, found.project)) == (project and (API, project))


def test_a_project_beside_another_is_below_the_same_folder_of_a_host() -> None:
    below = "https://example.org:8443/git/lab/api/v4"

    found = beside(Forge(below, "42", "x/y"), "https://example.org:8443/git/lab/team/releases.git")

    assert found == Forge(below, "team/releases", "team/releases")


def test_ci_says_where_it_is() -> None:
    assert forge_of_ci(CI) == Forge(API, "42", "team/documents")
    assert forge_of_ci({**CI, "CI_PROJECT_ID": ""}) == Forge(API, "team/documents", "team/documents")
    below = "https://example.org/git/lab/api/v4"
    assert forge_of_ci({**CI, "CI_API_V4_URL": f"{below}/"}) == Forge(below, "42", "team/documents")
    assert forge_of_ci({"CI_API_V4_URL": API}) is None
    assert forge_of_ci({"CI_PROJECT_ID": "42"}) is None
    with pytest.raises(ValueError, match="CI_API_V4_URL"):
        forge_of_ci({**CI, "CI_API_V4_URL": "gitlab.example.org"})


def test_the_own_token_comes_first_and_the_job_s_is_for_its_own_gitlab() -> None:
    forge, other = Forge(API, "42", "x"), Forge("https://b.example/api/v4", "42", "x")
    own = {**CI, "LOCKSTEP_GITLAB_TOKEN": "own"}

    assert [(token.header, token.value) for token in [token_for(forge, own)] if token] == [("private-token", "own")]
    assert [(token.header, token.value) for token in [token_for(forge, CI)] if token] == [("job-token", "job")]
    assert token_for(other, CI) is None
    assert "value" not in repr(token_for(forge, own))
    with pytest.raises(
        ValueError, match=r"^LOCKSTEP_GITLAB_TOKEN has a blank or a line break in it, so it is no token$"
    ):
        token_for(forge, {"LOCKSTEP_GITLAB_TOKEN": "a secret\n"})


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b'{"tag_name": 1}', b'{"tag_name": "v1", "commit": {"id": "secret"}}']
)
def test_an_answer_of_another_form_is_refused_and_not_repeated(body: bytes) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is looked at below
        parse_answer(SaidRelease, body)

    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
