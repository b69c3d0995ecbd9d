"""push: a release's images reach its registry once, whole, under their tag; and a base image comes from there."""

from __future__ import annotations

import json

import pytest
import yaml
from click.testing import CliRunner

from lockstep.cli.main import main, program
from lockstep.core.bundle import Platform
from lockstep.core.errors import OutsideError, Refused, UsageError
from lockstep.core.names import digest_of
from lockstep.core.version import Version
from lockstep.oci.image import InvalidManifest, Settings, image_of, parse_manifest
from lockstep.oci.layout import Layout
from lockstep.oci.registry import Registries
from lockstep.oci.store import copy_image, read_blob, writing
from lockstep.oci.unpack import unpacked
from lockstep.verbs.images.stores import own_stores
from lockstep.verbs.push import push_release
from tiny import base_image, tiny_bundle, with_base

ONE = Version("1.0.0")


@pytest.fixture
def tiny(tmp_path, host):
    """The tiny bundle whose registry is the fake one; its v1.0.0 is not released."""
    tiny = tiny_bundle(tmp_path / "bundle")
    tiny.replace("lockstep.yaml", "lockstep.local/tiny", f"{host}/team/tiny")
    tiny.commit("a registry")
    tiny.git("tag", "-f", "v1.0.0")
    return tiny


def push(tiny, *, dry=False):
    workspace = tiny.workspace
    return push_release(workspace, ONE, own_stores(workspace), dry=dry)


def test_push_brings_every_image_that_the_objects_name(tiny, fake, host):
    tiny.release("1.0.0")
    tiny.serve("1.0.0")

    pushed = push(tiny)

    named = {
        reference
        for path in (tiny.folder / "releases/staging/instances").iterdir()
        for item in yaml.safe_load_all(path.read_text())
        if item["kind"] == "Deployment"
        for reference in (
            item["spec"]["template"]["spec"]["containers"][0]["image"],
            *(one["image"]["reference"] for one in item["spec"]["template"]["spec"]["volumes"] if "image" in one),
        )
    }
    assert {image.reference for image in pushed.images} == named
    assert len(named) == 3
    for reference in named:
        name, _, digest = reference.partition("@")
        path = name.removeprefix(f"{host}/")
        assert fake.tags[path] == {"release-1.0.0": digest}
        assert fake.manifests[path][digest]
    assert (
        pushed.sent_bytes + sum(len(one) for path in fake.manifests.values() for one in path.values()) == fake.received
    )


def test_a_registry_that_mounts_nothing_gets_a_shared_layer_once_for_each_repository(tiny, fake, tmp_path):
    store, base = base_image(tmp_path / "base")
    copy_image(store, Layout(tiny.folder / ".lockstep/store", "x"), base.digest, "1")
    with_base(tiny, f"registry.invalid/python@{base.digest}")
    tiny.release("1.0.0")
    fake.mounts = False

    push(tiny)

    holders = [name for name, blobs in fake.blobs.items() if base.layers[0].digest in blobs]
    assert len(holders) == 3, "two images, and the copier among the weights"
    assert push(tiny).sent_bytes == 0


def test_a_second_push_sends_nothing(tiny, fake):
    tiny.release("1.0.0")
    push(tiny)
    fake.requests.clear()

    again = push(tiny)

    assert again.sent_bytes == 0
    assert all(image.present == image.blobs and not image.is_new for image in again.images)
    assert {method for method, _, _ in fake.requests} == {"HEAD"}


def test_a_dry_push_says_what_it_would_send_and_sends_nothing(tiny, fake):
    tiny.release("1.0.0")

    said = push(tiny, dry=True)

    assert {method for method, _, _ in fake.requests} == {"HEAD"}
    assert said == push(tiny)


def test_a_push_cut_short_is_finished_by_the_next(tiny, fake):
    tiny.release("1.0.0")
    whole = push(tiny, dry=True).sent_bytes
    fake.accepts = 2
    with pytest.raises(OutsideError):
        push(tiny)
    assert len(fake.tags) < 3, "an image that is not whole has no tag"
    fake.accepts = -1

    rest = push(tiny)

    assert 0 < rest.sent_bytes < whole
    assert push(tiny).sent_bytes == 0


def test_a_tag_that_names_something_else_stops_the_push_before_anything_is_sent(tiny, fake, host, tmp_path):
    tiny.release("1.0.0")
    store, image = base_image(tmp_path / "other")
    copy_image(store, Registries().at(f"{host}/team/tiny/model"), image.digest, "release-1.0.0")
    before = fake.received

    with pytest.raises(Refused) as caught:
        push(tiny)

    (finding,) = caught.value.findings
    assert (finding.rule, finding.where) == ("push/tag", f"{host}/team/tiny/model:release-1.0.0")
    assert image.digest in finding.what
    assert fake.received == before


def test_a_bundle_without_a_registry_is_told_where_to_write_one(tmp_path):
    tiny = tiny_bundle(tmp_path / "bundle")
    tiny.release("1.0.0")

    with pytest.raises(UsageError) as caught:
        push(tiny)

    assert caught.value.where == "lockstep.yaml"
    assert "registry: HOST/PATH" in caught.value.fix


def test_a_release_whose_images_are_elsewhere_names_the_command_that_makes_them(tiny, tmp_path):
    tiny.release("1.0.0")
    (tiny.folder / ".lockstep/store").rename(tmp_path / "gone")

    with pytest.raises(OutsideError, match="front-door, model, model-weights") as caught:
        push(tiny)

    assert caught.value.fix.startswith("lockstep build ")


def test_push_on_the_command_line_says_both_in_words_and_in_json(tiny, host):
    tiny.release("1.0.0")

    said = CliRunner().invoke(program, ["push", "1.0.0", "-C", str(tiny.folder)])
    again = CliRunner().invoke(program, ["push", "1.0.0", "-C", str(tiny.folder), "-o", "json"])

    assert said.exit_code == again.exit_code == 0, said.output + again.output
    assert "pushed 1.0.0: 3 images, tag release-1.0.0; blobs: 6 sent" in said.stdout
    data = json.loads(again.stdout)
    assert sorted(data) == [
        "dry_run", "images", "registry", "schema", "seconds", "sent_bytes", "tag", "version",
    ]  # fmt: skip
    assert sorted(data["images"][0]) == [
        "blobs", "is_new", "mounted", "present", "reference", "sent", "sent_bytes",
    ]  # fmt: skip
    assert (data["schema"], data["sent_bytes"], data["registry"]) == (
        "lockstep.dev/cli/push/v1",
        0,
        f"{host}/team/tiny",
    )
    assert main(["push", "7.0.0", "-C", str(tiny.folder)]) == 2


def test_images_stand_on_the_base_that_the_platform_names(tiny, host, tmp_path):
    store, base = base_image(tmp_path / "base")
    copy_image(store, Registries().at(f"{host}/python"), base.digest, "1")
    with_base(tiny, f"{host}/python@{base.digest}")

    release = tiny.release("1.0.0").release

    for name, pinned in release.components.items():
        own = Layout(tiny.folder / ".lockstep/store", name)
        manifest = parse_manifest(own.manifest(pinned.image.reference.digest), name)
        config = json.loads(read_blob(own, manifest.config.digest))
        assert manifest.base == base.digest
        assert manifest.layers[0].digest == base.layers[0].digest
        assert [one.digest for one in manifest.layers[1:]] == [pinned.image.code.digest]
        assert config["rootfs"]["diff_ids"] == [one.digest for one in manifest.layers]
        assert config["config"]["Env"] == ["LANG=C.UTF-8", "PATH=/usr/bin", "PYTHONPATH=/app/src:/app/site"]
        assert pinned.image.runtime.base == f"python@{base.digest}"


def test_a_base_is_fetched_once_and_a_bundle_without_network_builds_again(tiny, fake, host, tmp_path):
    store, base = base_image(tmp_path / "base")
    copy_image(store, Registries().at(f"{host}/python"), base.digest, "1")
    with_base(tiny, f"{host}/python@{base.digest}")
    tiny.release("1.0.0")
    gets = len(fake.sent("GET"))
    fake.refuses["GET"] = fake.refuses["HEAD"] = (500, b"")
    tiny.replace("components/model/src/model.py", "Answers", "Says")
    tiny.commit("code")
    tiny.tag("1.0.1")

    made = tiny.release("1.0.1")

    assert gets == 3, "manifest, configuration and layer, for two components"
    assert made.built == ()


def test_a_base_in_the_store_needs_no_registry(tiny, tmp_path):
    store, base = base_image(tmp_path / "base")
    copy_image(store, Layout(tiny.folder / ".lockstep/store", "from-a-stick"), base.digest, "1")
    with_base(tiny, f"registry.invalid/python@{base.digest}")

    release = tiny.release("1.0.0").release

    assert {pinned.image.runtime.base for pinned in release.components.values()} == {f"python@{base.digest}"}


def test_another_base_builds_runtimes_and_the_same_base_elsewhere_does_not(tiny, tmp_path):
    shelf = Layout(tiny.folder / ".lockstep/store", "shelf")
    for folder, path in (("a", "/usr/bin"), ("b", "/bin")):
        store, base = base_image(tmp_path / folder, Settings(env={"PATH": path}))
        copy_image(store, shelf, base.digest, folder)
    first, second = shelf.tags()["a"], shelf.tags()["b"]
    with_base(tiny, f"one.invalid/python@{first}")
    released = tiny.release("1.0.0")
    tiny.replace("lockstep.yaml", "one.invalid/python", "two.invalid/mirror/python")
    tiny.commit("a mirror")

    tiny.tag("1.0.1")
    with pytest.raises(Refused, match="cannot be released"):
        tiny.release("1.0.1")
    tiny.replace("lockstep.yaml", first, second)
    tiny.commit("a newer base")
    tiny.tag("1.1.0")
    rebuilt = tiny.release("1.1.0")

    assert len(released.built) == len(rebuilt.built) == 2
    assert [change.path for change in rebuilt.release.changes if change.kind == "runtime"] == [
        "lockstep.yaml platform"
    ] * 2
    code = [[pinned.image.code for pinned in one.release.components.values()] for one in (released, rebuilt)]
    assert code[0] == code[1]


def test_a_base_without_a_path_gets_the_usual_one(tiny, tmp_path):
    store, base = base_image(tmp_path / "base", Settings())
    copy_image(store, Layout(tiny.folder / ".lockstep/store", "x"), base.digest, "1")
    with_base(tiny, f"registry.invalid/python@{base.digest}")

    pinned = tiny.release("1.0.0").release.components["model"]

    own = Layout(tiny.folder / ".lockstep/store", "model")
    manifest = parse_manifest(own.manifest(pinned.image.reference.digest), "x")
    env = json.loads(read_blob(own, manifest.config.digest))["config"]["Env"]
    assert any(one.startswith("PATH=/usr/local/sbin:") for one in env)


def test_a_base_for_another_processor_is_refused(tiny, tmp_path):
    store, base = base_image(tmp_path / "base", arch="arm64")
    copy_image(store, Layout(tiny.folder / ".lockstep/store", "x"), base.digest, "1")
    with_base(tiny, f"registry.invalid/python@{base.digest}")

    with pytest.raises(Refused) as caught:
        tiny.release("1.0.0")

    (finding,) = caught.value.findings
    assert finding.rule == "bundle/base"
    assert "linux/arm64" in finding.what


def test_a_base_that_cannot_be_had_is_named(tiny, host):
    with_base(tiny, f"{host}/python@{digest_of(b'?')}")

    with pytest.raises(OutsideError) as caught:
        tiny.release("1.0.0")

    assert digest_of(b"?") in caught.value.what
    assert "404" in caught.value.what


def test_verify_knows_the_base_and_finds_what_is_wrong_with_it(tiny, tmp_path):
    store, base = base_image(tmp_path / "base")
    shelf = Layout(tiny.folder / ".lockstep/store", "x")
    copy_image(store, shelf, base.digest, "1")
    with_base(tiny, f"registry.invalid/python@{base.digest}")
    tiny.release("1.0.0")
    tiny.serve("1.0.0")

    good = tiny.verify(deep=True)
    blobs = shelf.folder / "blobs/sha256"
    layer = blobs / base.layers[0].digest.hex
    data = layer.read_bytes()
    layer.write_bytes(bytes(len(data)))
    quick = tiny.verify()
    deep = tiny.verify(deep=True)
    layer.write_bytes(data)
    (blobs / base.digest.hex).unlink()
    absent = tiny.verify()

    assert good.findings == quick.findings == ()
    assert any("base images were compared by size only" in note for note in quick.notes)
    assert {finding.rule for finding in deep.findings} == {"store/damaged"}
    assert {finding.rule for finding in absent.findings} == {"store/absent"}
    assert "base image" in absent.findings[0].what


def test_the_local_runner_leaves_the_base_out(tiny, tmp_path):
    store, base = base_image(tmp_path / "base")
    copy_image(store, Layout(tiny.folder / ".lockstep/store", "x"), base.digest, "1")
    with_base(tiny, f"registry.invalid/python@{base.digest}")
    image = tiny.release("1.0.0").release.components["model"].image

    folder = unpacked(Layout(tiny.folder / ".lockstep/store"), image.reference.digest, tmp_path / "cache")

    assert sorted(path.name for path in folder.rglob("*") if path.is_file()) == ["model.py"]


def test_an_image_that_lies_about_its_base_is_not_unpacked(tmp_path):
    store, base = base_image(tmp_path / "store")
    layer = store.put("own", writing(bytes(1024)))
    manifest = json.loads(image_of([layer], Platform()).manifest)
    manifest["annotations"] = {"org.opencontainers.image.base.digest": base.digest}
    store.put("configuration", writing(image_of([layer], Platform()).config))
    digest = store.tag("x", json.dumps(manifest).encode())

    with pytest.raises(InvalidManifest, match="does not stand on"):
        unpacked(store, digest, tmp_path / "cache")
