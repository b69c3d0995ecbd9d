"""announce: the page of a release in a GitLab, over real connections; again, after a race, and where it is refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from fake_gitlab import JOB, OWN, REPORTER, FakeGitlab, serving_gitlab
from lockstep.adapters.gitlab import Gitlab
from lockstep.core.errors import OutsideError
from lockstep.core.forge.place import Forge, Token
from lockstep.oci.patience import Patience
from lockstep.oci.wire import Wire
from tiny import Tiny, set_identity, tiny_bundle

Run = Callable[..., str]
CI = ("CI_API_V4_URL", "CI_PROJECT_ID", "CI_PROJECT_PATH", "CI_JOB_TOKEN", "LOCKSTEP_GITLAB_TOKEN")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """Release 1.0.0."""
    with pytest.MonkeyPatch.context() as patch:
        set_identity(patch)
        tiny = tiny_bundle(tmp_path_factory.mktemp("announce") / "bundle")
        tiny.release("1.0.0")
    return tiny


@pytest.fixture
def gitlab(tiny: Tiny) -> FakeGitlab:
    """A project to which the tag was pushed."""
    return FakeGitlab(tags={"v1.0.0": tiny.git("rev-parse", "v1.0.0^{commit}")})


@pytest.fixture
def api(gitlab: FakeGitlab, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Its API; this is no job of a pipeline."""
    for name in CI:
        monkeypatch.delenv(name, raising=False)
    with serving_gitlab(gitlab) as address:
        yield address


@pytest.fixture
def job(api: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """As in a job of its pipelines."""
    given = zip(CI[:4], (api, "42", "team/documents", JOB), strict=True)
    for name, value in given:
        monkeypatch.setenv(name, value)
    return api


@pytest.mark.usefixtures("job")
def test_announce_writes_what_the_changelog_says_and_again_writes_nothing(run: Run, gitlab: FakeGitlab) -> None:
    notes = run("changelog", "1.0.0", "-o", "markdown")

    first, again = run("announce", "v1.0.0"), run("announce", "1.0.0")

    page = "https://gitlab.example.org/team/documents/-/releases/v1.0.0"
    assert first == f"v1.0.0 of team/documents: created; {page}\n"
    assert again == f"v1.0.0 of team/documents: unchanged; {page}\n"
    assert gitlab.releases["v1.0.0"]["description"] == notes
    assert gitlab.wrote() == ["POST"]


@pytest.mark.usefixtures("job")
@pytest.mark.parametrize(("text", "wrote"), [("Soon.", ["PUT"]), (None, ["PUT"])])
def test_announce_gives_a_page_that_is_there_the_notes_and_leaves_its_title(
    run: Run, gitlab: FakeGitlab, text: str | None, wrote: list[str]
) -> None:
    gitlab.add_release("v1.0.0", "")
    gitlab.releases["v1.0.0"] |= {"name": "The first", "description": text}

    shown = json.loads(run("announce", "1.0.0", "-o", "json"))

    keys = ["api", "before", "done", "dry_run", "notes", "page", "project", "schema", "tag", "version"]
    assert sorted(shown) == keys
    assert (shown["done"], shown["before"]) == ("updated", text or "")
    assert shown["notes"] == gitlab.releases["v1.0.0"]["description"] == run("changelog", "1.0.0", "-o", "markdown")
    assert gitlab.releases["v1.0.0"]["name"] == "The first"
    assert gitlab.wrote() == wrote


@pytest.mark.usefixtures("job")
def test_announce_takes_a_text_that_a_form_sent_for_the_same(run: Run, gitlab: FakeGitlab) -> None:
    notes = run("changelog", "1.0.0", "-o", "markdown")
    gitlab.add_release("v1.0.0", notes.rstrip().replace("\n", "\r\n"))

    assert "unchanged" in run("announce", "1.0.0")
    assert gitlab.wrote() == []


@pytest.mark.usefixtures("job")
def test_announce_dry_shows_the_notes_and_writes_nothing(run: Run, gitlab: FakeGitlab) -> None:
    created = run("announce", "1.0.0", "--dry-run")
    gitlab.add_release("v1.0.0", "Soon.\x1b")
    updated = run("announce", "1.0.0", "--dry-run")

    assert created.startswith("--- /dev/null\n+++ b/releases/v1.0.0\n@@ ")
    assert "\n+### model: added\n" in created
    assert created.endswith("\nv1.0.0 of team/documents: would be created\n")
    assert "\n-Soon.␛\n" in updated
    assert gitlab.wrote() == []


@pytest.mark.usefixtures("job")
def test_announce_updates_a_page_that_another_run_made_in_between(run: Run, gitlab: FakeGitlab) -> None:
    gitlab.before = lambda method, _: method == "POST" and gitlab.add_release("v1.0.0", "Soon.")

    run("announce", "1.0.0")

    assert gitlab.releases["v1.0.0"]["description"] == run("changelog", "1.0.0", "-o", "markdown")
    assert [status for method, _, status in gitlab.requests if method == "POST"] == [409]


def test_announce_from_a_workstation_is_told_the_project_by_its_address(
    run: Run, gitlab: FakeGitlab, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKSTEP_GITLAB_TOKEN", OWN)

    run("announce", "1.0.0", "--project", f"{api.removesuffix('/api/v4')}/team/documents.git")

    assert gitlab.requests[0][1] == "/api/v4/projects/team%2Fdocuments/releases/v1.0.0"
    assert "v1.0.0" in gitlab.releases


def test_announce_from_a_workstation_is_told_the_project_by_the_remote(
    run: Run, tiny: Tiny, gitlab: FakeGitlab, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCKSTEP_GITLAB_TOKEN", OWN)
    tiny.git("remote", "add", "origin", f"{api.removesuffix('/api/v4')}/team/documents.git")

    run("announce", "1.0.0")

    assert "v1.0.0" in gitlab.releases


@pytest.mark.parametrize("remote", ["", "/srv/git/documents.git", "file:///srv/git/documents.git", "../documents"])
@pytest.mark.usefixtures("api")
def test_announce_without_any_gitlab_says_what_to_set(run: Run, tiny: Tiny, remote: str) -> None:
    if remote:
        tiny.git("remote", "add", "origin", remote)

    shown = run("announce", "1.0.0", code=2)

    assert "--project https://gitlab.example.org/team/documents" in shown
    assert "CI_API_V4_URL" in shown


def test_announce_without_a_token_says_which_and_asks_nobody(run: Run, gitlab: FakeGitlab, api: str) -> None:
    shown = run("announce", "1.0.0", "--project", f"{api.removesuffix('/api/v4')}/team/documents", code=2)

    assert "LOCKSTEP_GITLAB_TOKEN" in shown
    assert gitlab.requests == []


def test_the_token_of_a_job_goes_to_the_gitlab_of_the_job_alone(
    run: Run, gitlab: FakeGitlab, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_API_V4_URL", "https://gitlab.example.org/api/v4")
    monkeypatch.setenv("CI_JOB_TOKEN", JOB)

    run("announce", "1.0.0", "--project", f"{api.removesuffix('/api/v4')}/team/documents", code=2)

    assert gitlab.requests == []


@pytest.mark.parametrize(
    ("broken", "code", "said"),
    [
        (lambda gitlab: gitlab.jobs.clear(), 3, "the token of CI_JOB_TOKEN is refused"),
        (lambda gitlab: gitlab.jobs.update({JOB: REPORTER}), 3, "has no right to do this"),
        (lambda gitlab: gitlab.tags.clear(), 3, "git push origin TAG"),
        (lambda gitlab: setattr(gitlab, "number", 43), 3, "see that team/documents is a project there"),
        (lambda gitlab: gitlab.tags.update({"v1.0.0": "a" * 40}), 1, "announce/tag"),
    ],
)
@pytest.mark.usefixtures("job")
def test_announce_that_is_refused_says_what_to_do_and_shows_no_token(
    run: Run, gitlab: FakeGitlab, broken: Callable[[FakeGitlab], None], code: int, said: str
) -> None:
    broken(gitlab)

    shown = run("announce", "1.0.0", code=code)

    assert said in shown
    assert JOB not in shown


@pytest.mark.usefixtures("job")
def test_announce_of_a_tag_that_names_another_commit_asks_nobody(run: Run, tiny: Tiny, gitlab: FakeGitlab) -> None:
    tiny.git("tag", "-f", "v1.0.0", "HEAD")

    assert "announce/tag" in run("announce", "1.0.0", code=1)
    assert gitlab.requests == []


@pytest.mark.usefixtures("job")
@pytest.mark.parametrize("words", [("9.9.9",), ("w1.0.0",)])
def test_announce_of_what_is_no_release_is_usage(run: Run, gitlab: FakeGitlab, words: tuple[str, ...]) -> None:
    assert run("announce", *words, code=2)
    assert gitlab.requests == []


@pytest.mark.usefixtures("job")
def test_announce_waits_where_gitlab_asks_for_it(run: Run, gitlab: FakeGitlab) -> None:
    gitlab.planned = [(429, {"retry-after": "0"}), (503, {"retry-after": "0"})]

    run("announce", "1.0.0")

    assert [status for _, _, status in gitlab.requests] == [429, 503, 404, 201]


def asked(api: str) -> Gitlab:
    wire = Wire(Patience(tries=1), lambda _: None)
    return Gitlab(Forge(api, "42", "team/documents"), Token("T", "private-token", OWN), wire)


def test_what_gitlab_repeats_of_a_token_is_struck_out(gitlab: FakeGitlab, api: str) -> None:
    gitlab.planned = [(500, {})]

    with pytest.raises(OutsideError) as caught:
        asked(api).release("v1.0.0")

    assert caught.value.what.endswith("GitLab answered 500; 500 planned ***␛")
    assert OWN not in repr(asked(api))


def test_a_token_does_not_follow_to_another_place(gitlab: FakeGitlab, api: str) -> None:
    other = FakeGitlab()
    with serving_gitlab(other) as elsewhere:
        gitlab.planned = [(302, {"location": f"{elsewhere}/projects/42/releases/v1.0.0"})]

        assert asked(api).release("v1.0.0") is None

    assert [status for _, _, status in other.requests] == [404], "it came as nobody"


@pytest.mark.parametrize("numbers", [False, True])
def test_lists_are_read_to_their_end(gitlab: FakeGitlab, api: str, *, numbers: bool) -> None:
    gitlab.lists["hooks"], gitlab.page, gitlab.numbers = [{"id": number} for number in range(5)], 2, numbers

    found = asked(api).bodies("hooks")

    assert [one["id"] for page in found for one in json.loads(page)] == [0, 1, 2, 3, 4]


def test_a_list_without_an_end_and_an_answer_without_measure_are_refused(gitlab: FakeGitlab, api: str) -> None:
    gitlab.lists["hooks"], gitlab.page = [{"id": number} for number in range(60)], 1

    with pytest.raises(OutsideError, match="has no end"):
        asked(api).bodies("hooks")
    with pytest.raises(OutsideError, match="larger than 10 bytes"):
        replace(asked(api), largest=10).read("")


@pytest.mark.usefixtures("job")
def test_announce_takes_a_page_whose_making_was_not_answered_for_its_own(run: Run, gitlab: FakeGitlab) -> None:
    notes = run("changelog", "1.0.0", "-o", "markdown")

    def lose(method: str, _: str) -> None:
        if method == "POST" and not gitlab.releases:
            gitlab.add_release("v1.0.0", notes)
            gitlab.planned = [(502, {"retry-after": "0"})]

    gitlab.before = lose

    assert "created" in run("announce", "1.0.0")
    assert [status for _, _, status in gitlab.requests] == [404, 502, 409, 200]


def test_a_token_travels_to_another_machine_over_tls_alone(
    run: Run, tiny: Tiny, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    del api
    monkeypatch.setenv("LOCKSTEP_GITLAB_TOKEN", OWN)
    tiny.git("remote", "add", "origin", "http://ada:word@gitlab.invalid/team/documents.git")

    shown = run("announce", "1.0.0", code=2)

    assert "LOCKSTEP_GITLAB_TOKEN would travel to gitlab.invalid without TLS" in shown
    assert "word" not in shown
