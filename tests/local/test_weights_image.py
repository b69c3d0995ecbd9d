"""Weights that are an image already: pinned where they are, from the plan to the trace, and never repacked."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from carried import findings_of
from fakes import FakeRegistry
from local.test_verify_mutations import changed, paths, with_release
from lockstep.core.document import format_yaml, parse_canonical
from lockstep.core.names import ImageRef
from lockstep.core.rules.every import findings
from lockstep.core.rules.facts import Facts
from lockstep.verbs.images.shelf import OwnShelf
from lockstep.verbs.images.stores import own_stores
from lockstep.verbs.verify import Looking, gather
from named_weights import MODEL, bundle_with, model_image, named, staged
from tiny import Tiny, set_identity

Run = Callable[..., str]


@pytest.fixture
def images(host: str, tmp_path: Path) -> tuple[ImageRef, ImageRef]:
    """Two versions of a model that somebody else has put into a registry."""
    return model_image(host, tmp_path / "one", b"one"), model_image(host, tmp_path / "two", b"two")


@pytest.fixture
def tiny(images: tuple[ImageRef, ImageRef], host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    """The tiny bundle whose model has the first of them."""
    set_identity(monkeypatch)
    return bundle_with(images[0], host, tmp_path / "bundle")


def facts_of(tiny: Tiny) -> Facts:
    return gather(tiny.workspace, (), Looking(OwnShelf(own_stores(tiny.workspace).of), deep=True, now=0))[0]


def test_another_digest_is_a_minor_change_of_weights_that_uploads_nothing(
    tiny: Tiny, images: tuple[ImageRef, ImageRef], run: Run
) -> None:
    run("release", "1.0.0")
    tiny.replace(MODEL, named(images[0]), named(images[1], "1.1"))
    tiny.commit("a newer model")
    tiny.tag("1.0.1")

    said = run("plan")
    data = json.loads(run("plan", "-o", "json"))
    refused = run("release", "1.0.1", code=1)

    old, new = (image.digest.hex for image in images)
    assert f"    weights: {MODEL} weights models/tiny sha256:{old[:8]} -> sha256:{new[:8]}\n" in said
    assert f"    nothing of its weights is uploaded: pods pull {images[1]}\n" in said
    assert "uploads: at most 0 B\n" in said
    assert "builds:  none\n" in said
    assert "version: at least 1.1.0 (minor: model: weights changed)" in said
    assert [(one["old"], one["new"]) for one in data["changes"] if one["kind"] == "weights"] == [(old, new)]
    assert data["upload_at_most"] == 0
    assert "a minor bump is required: model: weights changed" in refused


def test_another_tag_of_the_same_digest_renames_no_instance(
    tiny: Tiny, images: tuple[ImageRef, ImageRef], run: Run
) -> None:
    tiny.release("1.0.0")
    tiny.serve("1.0.0")
    before = staged(tiny)
    tiny.replace(MODEL, named(images[0]), named(images[0], "latest"))
    tiny.commit("another word for it")
    tiny.tag("1.0.1")

    said = run("plan")
    run("release", "1.0.1")
    run("stage", "staging", "1.0.1")

    assert "version: at least 1.0.1 (patch: model: component.yaml changed)" in said
    assert "weights" not in said
    assert staged(tiny) == before
    assert findings_of(tiny) == ()


def test_another_host_of_the_same_digest_renames_no_instance_and_verify_takes_the_two_for_one(
    tiny: Tiny, host: str, run: Run
) -> None:
    tiny.release("1.0.0")
    tiny.serve("1.0.0")
    before = staged(tiny)
    tiny.replace(MODEL, f"{host}/models/tiny", "mirror.example.org/models/tiny")
    tiny.commit("it moved")
    tiny.tag("1.0.1")
    tiny.release("1.0.1")
    tiny.serve("1.0.1")
    same = staged(tiny)
    tiny.replace(MODEL, "mirror.example.org/models/tiny", "mirror.example.org/other/tiny")
    tiny.commit("and moved on")
    tiny.tag("1.0.2")
    tiny.release("1.0.2")
    tiny.serve("1.0.2")

    assert same == before
    assert staged(tiny) != before, "pods pull another name"
    assert run("verify", "--deep")


def test_it_is_released_staged_verified_traced_and_pushed_by_nobody(
    tiny: Tiny, images: tuple[ImageRef, ImageRef], fake: FakeRegistry, host: str, run: Run
) -> None:
    sent = len(fake.sent("PUT"))
    locked = run("weights", "lock")
    run("release", "1.0.0")
    run("stage", "staging", "1.0.0")
    run("promote", "staging", "1.0.0")
    assert len(fake.sent("PUT")) == sent
    instance = staged(tiny)["model"]

    verified = run("verify", "--deep")
    traced = run("trace", instance)
    pushed = json.loads(run("push", "1.0.0", "-o", "json"))

    assert locked == f"model            {images[0]}  pinned by digest: nothing to lock\n"
    assert "1 third-party images are named by digest; their registry was not asked" in verified
    assert f"  weights: {images[0]}, folder models/tiny (third-party)\n" in traced
    assert [one["reference"].partition("@")[0] for one in pushed["images"]] == [
        f"{host}/models/front-door", f"{host}/models/model",
    ]  # fmt: skip
    assert not [path for path in fake.sent("PUT")[sent:] if "/models/tiny/" in path]
    objects = list(yaml.safe_load_all(tiny.read(f"releases/staging/instances/{instance}.yaml")))
    (pod,) = [one["spec"]["template"]["spec"] for one in objects if one["kind"] == "Deployment"]
    assert [one["image"]["reference"] for one in pod["volumes"] if "image" in one] == [images[0]]
    assert {"name": "LOCKSTEP_WEIGHTS", "value": "/lockstep/weights/models/tiny"} in pod["containers"][0]["env"]


def test_diff_and_history_of_two_models(tiny: Tiny, images: tuple[ImageRef, ImageRef], run: Run) -> None:
    run("release", "1.0.0")
    tiny.replace(MODEL, named(images[0]), named(images[1], path="models"))
    tiny.commit("a newer model")
    tiny.tag("1.1.0")
    run("release", "1.1.0")

    found = json.loads(run("diff", "1.0.0", "1.1.0", "-o", "json"))["differences"]

    assert [(one["what"], one["old"], one["new"]) for one in found] == [
        ("weights", *images), ("weights.path", "models/tiny", "models"),
    ]  # fmt: skip
    assert findings_of(tiny) == ()


def test_from_files_to_an_image_and_back_is_a_change_of_weights(
    tiny: Tiny, images: tuple[ImageRef, ImageRef], run: Run
) -> None:
    run("release", "1.0.0")
    tiny.git("checkout", "-q", "v1.0.0~1", "--", "components/model")
    tiny.commit("files again")
    tiny.tag("1.1.0")
    said = run("plan")
    run("release", "1.1.0")
    tiny.git("checkout", "-q", "v1.0.0", "--", "components/model/component.yaml")
    tiny.git("rm", "-q", "components/model/weights.lock")
    tiny.commit("and the image again")
    tiny.tag("1.2.0")
    run("release", "1.2.0")

    assert f"{MODEL} weights models/tiny sha256:{images[0].digest.hex[:8]} -> nothing" in said
    assert "version: at least 1.1.0 (minor: model: weights changed)" in said
    assert run("verify", "--deep")


@pytest.mark.parametrize("words", [("plan",), ("release", "1.0.0"), ("weights", "lock")])
def test_a_weights_lock_beside_an_image_is_refused(tiny: Tiny, run: Run, words: tuple[str, ...]) -> None:
    tiny.write("components/model/weights.lock", "schema: x\n")
    tiny.commit("a lock that nobody reads")
    tiny.git("tag", "-f", "v1.0.0")

    said = run(*words, code=1)

    assert "- weights/image model: a weights.lock, but component.yaml names an image as the weights" in said
    assert "fix:   git rm components/model/weights.lock, then commit" in said


def test_an_environment_that_copies_weights_refuses_it(tiny: Tiny, images: tuple[ImageRef, ImageRef], run: Run) -> None:
    tiny.write("releases/staging/bindings.yaml", "weights: copy\n")
    tiny.commit("an old cluster")
    run("release", "1.0.0")

    said = run("stage", "staging", "1.0.0", code=1)

    assert f"- bindings/weights model: `weights: copy`, and those of `model` are the image {images[0]}" in said
    assert "fix:   `weights: volume` (Kubernetes 1.36)" in said


@pytest.mark.parametrize("value", [None, "x", 7], ids=str)
def test_no_value_of_such_a_release_changes_unseen(tiny: Tiny, run: Run, value: object) -> None:
    run("release", "1.0.0")
    facts = facts_of(tiny)
    assert findings(facts) == ()
    text = facts.releases[-1].files["release.yaml"].decode()
    head, data = text.partition("\n")[0], parse_canonical(text, "release.yaml").data
    assert ("components", "model", "weights", "path") in set(paths(data))

    unseen = [
        path
        for path in paths(data)
        if path[:3] in {("components", "model", "weights"), ("inputs", "model")}
        and not findings(with_release(facts, f"{head}\n{format_yaml(changed(data, path, value))}".encode()))
    ]

    assert unseen == []


def test_a_release_that_pins_another_image_than_its_commit_is_found(
    tiny: Tiny, images: tuple[ImageRef, ImageRef], run: Run
) -> None:
    """Well-formed values that are not the commit's: by the digest, the folder, and the input that stands for them."""
    run("release", "1.0.0")
    facts = facts_of(tiny)
    text = facts.releases[-1].files["release.yaml"].decode()

    def rules_of(old: str, new: str) -> set[str]:
        assert old in text
        return {one.rule for one in findings(with_release(facts, text.replace(old, new).encode()))}

    assert rules_of(images[0], images[1]) == {"release/source"}
    assert rules_of('path: "models/tiny"', 'path: "models"') == {"release/source"}
    assert rules_of(f'"{images[0].digest.hex}"', f'"{images[1].digest.hex}"') == {"release/source"}
    assert rules_of("component.yaml weights models/tiny", "component.yaml weights models") == {"release/source"}
