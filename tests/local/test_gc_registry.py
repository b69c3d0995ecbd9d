"""gc --registry and verify --registry: what a registry keeps of releases, and what it may lose."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from fakes import FakeRegistry
from lockstep.cli.main import program
from tiny import Tiny, tiny_bundle

Run = Callable[..., str]


@pytest.fixture
def tiny(tmp_path: Path, host: str) -> Tiny:
    """1.0.0, and 1.1.0 with other code, of a bundle whose registry is the fake one; followed by a clone's remote."""
    tiny = tiny_bundle(tmp_path / "bundle")
    tiny.replace("lockstep.yaml", "lockstep.local/tiny", f"{host}/team/tiny")
    tiny.commit("a registry")
    tiny.git("tag", "-f", "v1.0.0")
    tiny.release("1.0.0")
    tiny.write("components/model/src/model.py", tiny.read("components/model/src/model.py") + "#\n")
    tiny.commit("other code")
    tiny.tag("1.1.0")
    tiny.release("1.1.0")
    return tiny


@pytest.fixture
def pushed(tiny: Tiny, run: Run) -> Tiny:
    """Both are in the registry."""
    run("push", "1.0.0")
    run("push", "1.1.0")
    return tiny


def retain(tiny: Tiny, rule: str) -> None:
    tiny.write("lockstep.yaml", tiny.read("lockstep.yaml") + f"retention: {rule}\n")
    tiny.commit("retention")


def test_a_registry_vouches_for_what_was_pushed_and_deep_reads_it(pushed: Tiny, run: Run, fake: FakeRegistry):
    fake.requests.clear()
    quick = json.loads(run("verify", "--registry", "-o", "json"))
    asked = list(fake.requests)
    deep = json.loads(run("verify", "--registry", "--deep", "-o", "json"))

    layers = {one["digest"] for held in fake.manifests.values() for data in held.values()
              for one in json.loads(data)["layers"]}  # fmt: skip
    assert quick["findings"] == deep["findings"] == []
    assert not [path for method, path, _ in asked if method == "GET" and path.rpartition("/")[2] in layers]
    assert deep["checked"]["bytes_hashed"] > quick["checked"]["bytes_hashed"] > 0
    assert any("--deep hashes them" in note for note in quick["notes"])
    assert pushed.verify(deep=True).findings == ()


def test_verify_finds_what_a_registry_lost(pushed: Tiny, fake: FakeRegistry, host: str):
    layer = json.loads(next(iter(fake.manifests["team/tiny/model-weights"].values())))["layers"][0]["digest"]
    del fake.blobs["team/tiny/model-weights"][layer]
    del fake.tags["team/tiny/model"]["release-1.0.0"]
    del fake.manifests["team/tiny/front-door"][fake.tags["team/tiny/front-door"]["release-1.0.0"]]
    fake.tags["team/tiny/front-door"].clear()
    found = findings(pushed)

    assert {(rule, component) for rule, component, _, _ in found} == {
        ("store/absent", "model"), ("store/tag", "model"), ("store/absent", "front-door"),
    }  # fmt: skip
    assert all(f"{host}/team/tiny" in what for rule, _, what, _ in found if rule == "store/absent")
    assert all(fix.startswith("lockstep push 1.") for rule, _, _, fix in found if rule == "store/absent")


def test_bytes_that_changed_in_a_registry_are_found_by_deep(pushed: Tiny, fake: FakeRegistry):
    layer = json.loads(next(iter(fake.manifests["team/tiny/model-weights"].values())))["layers"][0]["digest"]
    data = fake.blobs["team/tiny/model-weights"][layer]
    fake.blobs["team/tiny/model-weights"][layer] = bytes(len(data))

    assert findings(pushed) == []
    (one, _) = findings(pushed, "--deep")

    assert one[:2] == ("store/damaged", "model")
    assert "delete it from" in one[3]


def test_what_no_release_needs_is_deleted_and_the_rest_verifies(pushed: Tiny, run: Run, fake: FakeRegistry):
    retain(pushed, "{last: 1}")
    before = {name: dict(held) for name, held in fake.manifests.items()}

    listed = run("gc", "--registry")
    assert fake.manifests == before
    said = run("gc", "--registry", "--delete")

    assert "nothing was deleted; to delete: lockstep gc --registry --delete" in listed
    assert "1.0.0 is past its retention" in said
    assert "believed: this repository has no remote" in said
    gone = {name: sorted(set(held) - set(fake.manifests[name])) for name, held in before.items()}
    assert {name for name, digests in gone.items() if digests} == {"team/tiny/model"}, "what 1.1.0 shares stays"
    assert findings(pushed, "--deep") == []
    assert "0 images" in run("gc", "--registry", "--delete")


def test_a_signature_and_an_image_with_a_tag_of_somebody_else_stay(pushed: Tiny, run: Run, fake: FakeRegistry):
    retain(pushed, "{last: 1}")
    fake.tags["team/tiny/model"]["stable"] = fake.tags["team/tiny/model"]["release-1.0.0"]

    assert "0 images" in run("gc", "--registry", "--delete")
    assert "release-1.0.0" in fake.tags["team/tiny/model"]


@pytest.mark.usefixtures("pushed")
def test_a_release_that_is_being_pushed_stops_it(run: Run, fake: FakeRegistry, host: str):
    fake.tags["team/tiny/model"]["release-1.2.0"] = fake.tags["team/tiny/model"]["release-1.0.0"]

    said = run("gc", "--registry", "--delete", code=1)

    assert "gc/unknown" in said
    assert f"nothing of {host}/team/tiny can be deleted" in said


def test_a_clone_behind_its_remote_stops_it_before_the_registry_is_asked(
    pushed: Tiny, run: Run, fake: FakeRegistry, tmp_path: Path
):
    pushed.git("clone", "-q", "--bare", str(pushed.folder), str(tmp_path / "there.git"))
    pushed.git("remote", "add", "origin", str(tmp_path / "there.git"))
    retain(pushed, "{last: 1}")
    assert "1 image" in run("gc", "--registry"), "ahead of its remote it knows all that the remote knows"
    pushed.git("push", "-q", "origin", "main")
    pushed.git("reset", "-q", "--hard", "HEAD~1")
    pushed.git("reflog", "expire", "--expire=now", "--all")
    pushed.git("gc", "-q", "--prune=now")
    fake.requests.clear()

    said = run("gc", "--registry", "--delete", code=1)

    assert "gc/behind" in said
    assert "git pull origin main" in said
    assert not fake.requests


def test_a_remote_that_cannot_be_asked_stops_it(pushed: Tiny, run: Run, tmp_path: Path):
    pushed.git("remote", "add", "origin", str(tmp_path / "nowhere"))

    assert "nowhere" in run("gc", "--registry", code=3)


def test_a_registry_that_lets_nobody_delete_says_so(pushed: Tiny, run: Run, fake: FakeRegistry):
    retain(pushed, "{last: 1}")
    fake.refuses["DELETE"] = (405, b'{"errors":[{"code":"UNSUPPORTED"}]}')

    said = run("gc", "--registry", "--delete", code=3)

    assert "the registry answered 405" in said
    assert "REGISTRY_STORAGE_DELETE_ENABLED" in said


def test_a_bundle_without_a_registry_is_told_so(tmp_path: Path, run: Run):
    other = tiny_bundle(tmp_path / "other")

    assert "there is no other" in run("gc", "--registry", code=2, folder=other.folder)
    assert "there is no other" in run("verify", "--registry", code=2, folder=other.folder)


def test_what_the_page_shows_works(pushed: Tiny, run: Run):
    page = (Path(__file__).resolve().parents[2] / "docs/operating.md").read_text(encoding="utf-8")
    section = page.partition("## Old images\n")[2].partition("\n## ")[0]
    rule, commands = (section.partition(f"```{kind}\n")[2].partition("```")[0] for kind in ("yaml", "console"))
    retain(pushed, rule.removeprefix("retention: ").replace("1.4.0", "1.0.0"))

    said = [run(*line.split()[1:]) for line in commands.strip().splitlines()]

    assert len(said) == 4
    assert all("0 images" in one for one in said[:3])
    assert "verified" in said[3]


def findings(tiny: Tiny, *options: str) -> list[tuple[str, str, str, str]]:
    """Rule, component, what and fix of everything that verify finds in the registry."""
    said = CliRunner().invoke(program, ["verify", "--registry", "-o", "json", *options, "-C", str(tiny.folder)])
    return [(one["rule"], one["component"], one["what"], one["fix"]) for one in json.loads(said.stdout)["findings"]]
