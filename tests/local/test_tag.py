"""lockstep tag: real tags in real Git, after every check; and none where one of them fails."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tiny import Tiny, set_identity, tiny_bundle

Run = Callable[..., str]
PROMPT = "components/front-door/prompts/answer.prompt"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """Release 1.0.0, and after it another prompt, committed and not tagged."""
    with pytest.MonkeyPatch.context() as patch:
        set_identity(patch)
        tiny = tiny_bundle(tmp_path_factory.mktemp("tag") / "bundle")
        tiny.release("1.0.0")
        tiny.write(PROMPT, "Answer in two words.\n----BEGIN SSH SIGNATURE-----\n# heading\n")
        tiny.commit("another prompt")
    return tiny


def tags(tiny: Tiny) -> str:
    return tiny.git("for-each-ref", "refs/tags")


def test_a_tag_names_head_says_what_its_release_does_and_can_be_released(tiny: Tiny, run: Run) -> None:
    head = tiny.git("rev-parse", "HEAD")

    shown = run("tag", "1.0.1")

    assert shown == f"v1.0.1 names {head[:10]} (not signed)\nnext: lockstep release 1.0.1\n"
    assert tiny.git("cat-file", "-t", "v1.0.1") == "tag"
    assert tiny.git("rev-parse", "v1.0.1^{commit}") == head
    message = tiny.git("cat-file", "tag", "v1.0.1").split("\n\n", 1)[1]
    assert message.startswith("release 1.0.1\n\nA patch release since 1.0.0.\n\n  front-door: prompt\n")
    assert "      +Answer in two words.\n      +----BEGIN SSH SIGNATURE-----\n      +# heading\n" in message
    assert message.endswith("  as before: model")
    tiny.release("1.0.1")
    assert tiny.verify().findings == ()


def test_the_message_is_what_the_changelog_says_of_the_release(tiny: Tiny, run: Run) -> None:
    """What a preview knows before anything is built is all that notes tell, also of code."""
    tiny.replace("components/model/src/model.py", "Answers every", "Answers each")
    tiny.replace("components/model/component.yaml", "description: Knows.", "description: Knows.\nreplicas: 2")
    tiny.commit("code and replicas")
    previewed = json.loads(run("tag", "1.1.0", "-o", "json"))["notes"]
    tiny.release("1.1.0")

    (told,) = json.loads(run("changelog", "1.1.0", "-o", "json"))["releases"]

    assert previewed["notes"] == told["notes"]
    assert [one["kinds"] for one in told["notes"]["components"]] == [["prompt"], ["code", "config"]]


def test_a_first_release_is_previewed_too(run: Run, tmp_path: Path) -> None:
    first = tiny_bundle(tmp_path / "first")
    first.git("tag", "-d", "v1.0.0")

    previewed = json.loads(run("tag", "1.0.0", "-o", "json", folder=first.folder))["notes"]
    first.release("1.0.0")

    (told,) = json.loads(run("changelog", "1.0.0", "-o", "json", folder=first.folder))["releases"]
    assert previewed["notes"] == told["notes"]
    assert previewed["notes"]["old"] is None


def test_a_dry_run_shows_the_message_and_tags_nothing(tiny: Tiny, run: Run) -> None:
    before = tags(tiny)

    shown = run("tag", "1.0.1", "--dry-run")

    assert tags(tiny) == before
    run("tag", "1.0.1")
    assert tiny.git("cat-file", "tag", "v1.0.1").split("\n\n", 1)[1] + "\n" == shown


def _dirty(tiny: Tiny) -> None:
    tiny.write(PROMPT, "edited\n")


def _new(tiny: Tiny) -> None:
    tiny.write("components/front-door/src/forgotten.py", "")


def _astray(tiny: Tiny) -> None:
    tiny.git("checkout", "-q", "-b", "idea")
    tiny.write(PROMPT, "an idea\n")
    tiny.commit("idea")


def _tagged(tiny: Tiny) -> None:
    tiny.git("tag", "v1.0.1", "HEAD~1")


def _stale(tiny: Tiny) -> None:
    tiny.replace("components/model/weights/model.bin.dvc", "md5: ", "md5: 0123456789abcdef0123456789abcdef #")
    tiny.commit("a pointer moves and its lock does not")


def _uncalled(tiny: Tiny) -> None:
    tiny.replace("components/front-door/component.yaml", "{model: contract", "{modell: contract")
    tiny.commit("calls nobody")


def _large(tiny: Tiny) -> None:
    tiny.replace("lockstep.yaml", "environments:", "largest_layer: 10\nenvironments:")
    tiny.commit("a registry that takes little")


def _same(tiny: Tiny) -> None:
    tiny.git("revert", "--no-edit", "HEAD")


def _minor(tiny: Tiny) -> None:
    tiny.write("components/front-door/contract/openapi.yaml", "openapi: 3.1.0\npaths: {/a: {get: {responses: {}}}}\n")
    tiny.commit("the entry's contract")


def _candidate(tiny: Tiny) -> None:
    tiny.tag("1.0.1-rc.2")
    tiny.release("1.0.1-rc.2")
    tiny.write(PROMPT, "Answer in three words.\n")
    tiny.commit("another prompt again")


@pytest.mark.parametrize(
    ("spoil", "version", "rule", "shown"),
    [
        (_dirty, "1.0.1", "tag/clean", PROMPT),
        (_new, "1.0.1", "tag/clean", "components/front-door/src/forgotten.py"),
        (_tagged, "1.0.1", "tag/exists", "refs/tags/v1.0.1"),
        (_astray, "1.0.1", "version/line", "main"),
        (_stale, "1.0.1", "weights/stale", "lockstep weights lock"),
        (_uncalled, "1.0.1", "bundle/calls", "modell"),
        (_large, "1.0.1", "weights/layer", "largest_layer"),
        (_same, "1.0.1", "version/unchanged", "1.0.0"),
        (_minor, "1.0.1", "version/bump", "release 1.1.0 or later"),
        (_candidate, "1.0.1-rc.1", "tag/backward", "contains release 1.0.1-rc.2"),
        (lambda _: None, "1.0.0", "version/exists", "1.0.1"),
        (lambda _: None, "0.9.0", "version/bump", "is a backward bump from 1.0.0"),
    ],
)
def test_what_cannot_be_released_is_not_tagged(
    tiny: Tiny, run: Run, spoil: Callable[[Tiny], None], version: str, rule: str, shown: str
) -> None:
    spoil(tiny)
    before = tags(tiny)

    said = run("tag", version, code=1)

    assert f"- {rule}" in said
    assert shown in said
    assert tags(tiny) == before


def test_all_findings_are_said_at_once(tiny: Tiny, run: Run) -> None:
    _stale(tiny)
    _dirty(tiny)
    _tagged(tiny)

    said = run("tag", "1.0.1", code=1)

    assert all(f"- {rule}" in said for rule in ("tag/clean", "tag/exists", "weights/stale"))


def test_what_is_beside_the_bundle_may_be_unclean(run: Run, tmp_path: Path) -> None:
    top = tmp_path / "monorepo"
    inner = tiny_bundle(top / "bundle")
    (inner.folder / ".git").rename(top / ".git")
    subprocess.run(["git", "add", "-A"], cwd=top, check=True)
    subprocess.run(["git", "commit", "-qm", "one folder below"], cwd=top, check=True)
    (top / "notes.txt").write_text("not committed\n", encoding="utf-8")

    run("tag", "1.1.0", folder=inner.folder)

    inner.write("lockstep.yml", "")
    assert "not in it: lockstep.yml" in run("tag", "1.2.0", folder=inner.folder, code=1)


def test_a_version_that_is_none_is_a_mistake(run: Run) -> None:
    assert "good one: 1.4.0" in run("tag", "1.4", code=2)


def _with_key(tiny: Tiny, folder: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "key"], check=True)
    public = (folder / "key.pub").read_text(encoding="utf-8")
    (folder / "signers").write_text(f"tiny@example.org {public}", encoding="utf-8")
    tiny.git("config", "gpg.format", "ssh")
    tiny.git("config", "user.signingKey", str(folder / "key"))
    tiny.git("config", "gpg.ssh.allowedSignersFile", str(folder / "signers"))


@pytest.mark.parametrize(("setting", "options"), [("true", ()), ("false", ("--sign",))])
def test_a_tag_is_signed_where_git_is_set_so_or_it_is_asked(
    tiny: Tiny, run: Run, tmp_path: Path, setting: str, options: tuple[str, ...]
) -> None:
    _with_key(tiny, tmp_path)
    tiny.git("config", "tag.gpgSign", setting)

    shown = run("tag", "1.0.1", *options)

    tiny.git("verify-tag", "v1.0.1")
    assert "(signed)" in shown
    assert "(not signed)" in run("tag", "1.0.2", "--no-sign")


def test_a_tag_that_cannot_be_signed_is_not_made(tiny: Tiny, run: Run, tmp_path: Path) -> None:
    _with_key(tiny, tmp_path)
    (tmp_path / "key").unlink()
    before = tags(tiny)

    run("tag", "1.0.1", "--sign", code=3)

    assert tags(tiny) == before


@pytest.fixture
def remote(tiny: Tiny, tmp_path: Path) -> Path:
    """A remote that has main as it was before the last commit."""
    folder = tmp_path / "remote.git"
    tiny.git("init", "-q", "--bare", str(folder))
    tiny.git("remote", "add", "origin", str(folder))
    tiny.git("push", "-q", "origin", "HEAD~1:refs/heads/main")
    return folder


def test_a_tag_is_pushed_and_a_head_that_is_not_there_is_noted(tiny: Tiny, run: Run, remote: Path) -> None:
    data = json.loads(run("tag", "1.0.1", "--push", "origin", "-o", "json"))
    tiny.git("push", "-q", "origin", "main")
    later = json.loads(run("tag", "1.0.2", "--dry-run", "-o", "json"))

    there = tiny.git("ls-remote", str(remote), "refs/tags/v1.0.1").split()[0]
    assert there == data["object"] == tiny.git("rev-parse", "refs/tags/v1.0.1")
    assert (data["unpushed"], later["unpushed"]) == ("origin", None)


@pytest.mark.usefixtures("remote")
def test_a_tag_that_the_remote_refuses_is_taken_back(tiny: Tiny, run: Run) -> None:
    tiny.git("push", "-q", "origin", "HEAD~1:refs/tags/v1.0.1")
    before = tags(tiny)

    taken = run("tag", "1.0.1", "--push", "origin", code=1)
    away = run("tag", "1.0.2", "--push", "nowhere", code=3)

    assert "origin has another tag v1.0.1" in taken
    assert "it was taken back" in away
    assert tags(tiny) == before
