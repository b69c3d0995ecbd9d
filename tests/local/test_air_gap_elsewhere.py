"""What export takes from elsewhere: a registry, a base image, third-party images, large ones too."""

from __future__ import annotations

import json
import shutil
import tracemalloc

import pytest
from click.testing import CliRunner

from carried import (
    ONE,
    canonical,
    clone,
    exported,
    findings_of,
    imported,
    store_of,
)
from lockstep.cli.main import program
from lockstep.core.bundle import Platform
from lockstep.core.errors import OutsideError, UsageError
from lockstep.core.names import digest_of
from lockstep.oci.archive import Archive
from lockstep.oci.image import InvalidManifest, image_of
from lockstep.oci.registry import Registries
from lockstep.oci.store import copy_image, layer_of, put_image, writing
from lockstep.verbs.images.stores import own_stores
from lockstep.verbs.import_ import import_release
from lockstep.verbs.push import push_release
from lockstep.verbs.release import build_commit
from lockstep.verbs.wait import pull_problems
from tiny import base_image, set_identity, tiny_bundle, with_base

INDEX = "application/vnd.oci.image.index.v1+json"
LARGE = 48 << 20


def test_a_blob_that_is_elsewhere_comes_from_the_registry(tmp_path, host, fake, monkeypatch):
    set_identity(monkeypatch)
    tiny = tiny_bundle(tmp_path / "bundle")
    tiny.replace("lockstep.yaml", "lockstep.local/tiny", f"{host}/team/tiny")
    tiny.commit("a registry")
    tiny.git("tag", "-f", "v1.0.0")
    tiny.release("1.0.0")
    push_release(tiny.workspace, ONE, own_stores(tiny.workspace), dry=False)
    exported(tiny, tmp_path / "own.tar")
    shutil.rmtree(tiny.folder / ".lockstep")

    exported(tiny, tmp_path / "registry.tar")
    fake.blobs["team/tiny/model"].clear()
    with pytest.raises(OutsideError) as caught:
        exported(tiny, tmp_path / "absent.tar")

    assert (tmp_path / "registry.tar").read_bytes() == (tmp_path / "own.tar").read_bytes()
    assert not (tiny.folder / ".lockstep/store").exists(), "an export writes into no store"
    assert caught.value.what.startswith("model: blob sha256:")
    assert caught.value.fix.startswith("lockstep build ")
    assert not (tmp_path / "absent.tar").exists()


def test_images_on_a_base_bring_it_and_the_other_side_builds_on_it(tmp_path, host, monkeypatch):
    """The base's layer is compressed, and stays so."""
    set_identity(monkeypatch)
    store, digest = compressed_base(tmp_path / "base")
    copy_image(store, Registries().at(f"{host}/python"), digest, "1")
    tiny = tiny_bundle(tmp_path / "bundle")
    with_base(tiny, f"{host}/python@{digest}")
    tiny.release("1.0.0")
    exported(tiny, tmp_path / "x.tar")
    other = clone(tiny, tmp_path / "other")

    done = imported(other, (tmp_path / "x.tar").read_bytes())

    tag = f"base-{digest.hex[:20]}"
    assert findings_of(other) == ()
    assert sorted(one.image.name for one in done.images if one.image.role == "base") == [
        f"front-door:{tag}", f"model-weights:{tag}", f"model:{tag}",
    ]  # fmt: skip
    assert any(one.image.name == "model-weights:copier-1.0.0" for one in done.images)
    other.replace("lockstep.yaml", host, "registry.invalid")
    other.replace("components/model/src/model.py", "Answers", "Says")
    assert set(build_commit(other.workspace, other.commit("code"), own_stores(other.workspace))) >= {"model"}


def compressed_base(folder):
    """A base image whose layer no reader of ours unpacks."""
    store, image = base_image(folder)
    layer = store.put("gzip", writing(b"\x1f\x8b" + bytes(range(256))))
    manifest = json.loads(image.manifest)
    manifest["layers"][0] = {
        "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": layer.digest, "size": layer.size
    }  # fmt: skip
    return store, store.tag("gzip", canonical(manifest))


@pytest.fixture
def served_model(tmp_path, host, monkeypatch):
    """A bundle whose model is served by a third-party image of the fake registry; and that image."""
    set_identity(monkeypatch)
    store, image = base_image(tmp_path / "third")
    copy_image(store, Registries().at(f"{host}/llm/server"), image.digest, "1")
    return of_third_party(tmp_path / "bundle", f"{host}/llm/server@{image.digest}"), image


def of_third_party(folder, reference):
    tiny = tiny_bundle(folder)
    tiny.replace(
        "components/model/component.yaml",
        "image: {dockerfile: Dockerfile, code: [src]}",
        f'image: {{reference: "{reference}"}}',
    )
    tiny.commit("another server")
    tiny.git("tag", "-f", "v1.0.0")
    tiny.release("1.0.0")
    return tiny


def test_a_third_party_image_is_fetched_carried_and_named_for_a_mirror(served_model, fake, host, tmp_path):
    tiny, image = served_model
    other = clone(tiny, tmp_path / "other")
    exported(tiny, tmp_path / "x.tar")
    fake.refuses["GET"] = fake.refuses["HEAD"] = (500, b"")

    said = CliRunner().invoke(program, ["import", str(tmp_path / "x.tar"), "-C", str(other.folder)])
    exported(other, tmp_path / "back.tar")

    assert said.exit_code == 0, said.output
    assert f"third-party: pods pull {host}/llm/server@{image.digest} from there; mirror it" in said.stdout
    assert store_of(other, f"{host}/llm/server").tags() == {"release-1.0.0": image.digest}
    assert findings_of(other) == ()
    assert (tmp_path / "back.tar").read_bytes() == (tmp_path / "x.tar").read_bytes(), "no registry was asked"


def test_a_third_party_image_that_cannot_be_had_names_its_component(served_model, fake, tmp_path):
    tiny, _ = served_model
    fake.manifests["llm/server"].clear()
    with pytest.raises(OutsideError) as absent:
        exported(tiny, tmp_path / "x.tar")
    fake.refuses["HEAD"] = (500, b"")
    with pytest.raises(OutsideError) as down:
        exported(tiny, tmp_path / "x.tar")

    for caught in (absent, down):
        assert caught.value.what.startswith("model: ")
    assert "components/model/component.yaml" in absent.value.fix
    assert not (tmp_path / "x.tar").exists()


def test_a_registry_that_nobody_knows_is_said_with_the_component(tmp_path, monkeypatch):
    set_identity(monkeypatch)
    tiny = of_third_party(tmp_path / "bundle", f"registry.invalid/llm/server@{digest_of(b'x')}")

    with pytest.raises(OutsideError, match=r"^model: no whole answer from registry\.invalid") as caught:
        exported(tiny, tmp_path / "x.tar")

    assert "registry.invalid is up and reachable" in caught.value.fix


def test_an_index_of_several_platforms_can_be_pulled_and_is_no_image_to_carry(tmp_path, host, fake, monkeypatch):
    set_identity(monkeypatch)
    index = canonical({"schemaVersion": 2, "mediaType": INDEX, "manifests": []})
    fake.manifests["llm/server"] = {digest_of(index): index}
    fake.types[digest_of(index)] = INDEX
    tiny = of_third_party(tmp_path / "bundle", f"{host}/llm/server@{digest_of(index)}")

    with pytest.raises(InvalidManifest, match=r"^model: not the manifest of one image") as caught:
        exported(tiny, None)

    assert "one platform" in caught.value.fix
    assert pull_problems(own_stores(tiny.workspace))(f"{host}/llm/server@{digest_of(index)}") == ""


def test_a_third_party_image_without_a_host_is_a_question_of_usage(tmp_path, monkeypatch):
    set_identity(monkeypatch)
    tiny = of_third_party(tmp_path / "bundle", f"llm/server@{digest_of(b'?')}")

    with pytest.raises(UsageError, match=r"^model: llm/server does not say") as caught:
        exported(tiny, None)

    assert "components/model/component.yaml" in caught.value.fix


def test_large_layers_pass_through_little_memory(tmp_path, monkeypatch):
    set_identity(monkeypatch)
    image = image_of([layer_of(fill_large)], Platform())
    tiny = of_third_party(tmp_path / "bundle", f"registry.invalid/llm/server@{image.digest}")
    store = store_of(tiny, "registry.invalid/llm/server")
    store.put("large", fill_large)
    put_image(store, image, "1")
    other = clone(tiny, tmp_path / "other")

    tracemalloc.start()
    exported(tiny, tmp_path / "x.tar")
    with (tmp_path / "x.tar").open("rb") as stream:
        done = import_release(other.workspace, Archive(stream, "x.tar"), own_stores(other.workspace), dry=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert done.new_bytes > LARGE
    assert peak < LARGE / 6


def fill_large(sink):
    for number in range(LARGE >> 20):
        sink.write(bytes([number]) * (1 << 20))
