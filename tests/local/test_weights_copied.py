"""`weights: copy`: an init container brings the weights where images cannot be mounted; the same layers, sent once."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes import FakeRegistry, serving
from lockstep.core.document import parse_objects
from lockstep.core.errors import Refused
from lockstep.core.instance import has_own_name
from lockstep.core.names import Digest, ImageRef
from lockstep.core.release import Copier, PinnedWeights
from lockstep.core.render import TemplateError
from lockstep.core.version import Version
from lockstep.oci.image import parse_manifest
from lockstep.oci.layout import Layout
from lockstep.oci.store import copy_image
from lockstep.oci.unpack import unpacked
from lockstep.runner.volumes import ImageFiles
from lockstep.runner.workload import Workload, parse_deployment
from lockstep.verbs.images.stores import own_stores
from lockstep.verbs.push import push_release
from lockstep.verbs.trace import trace
from tiny import STAGING, WEIGHTS, Tiny, base_image, tiny_bundle, with_base

ONE = Version("1.0.0")


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    """The tiny bundle on a base image; its environment copies weights; v1.0.0 is tagged."""
    tiny = tiny_bundle(tmp_path / "bundle")
    tiny.write("releases/staging/bindings.yaml", "weights: copy\n")
    store, base = base_image(tmp_path / "base")
    copy_image(store, Layout(tiny.folder / ".lockstep/store", "x"), base.digest, "1")
    with_base(tiny, f"registry.invalid/python@{base.digest}")
    return tiny


def weights_of(tiny: Tiny) -> PinnedWeights:
    found = tiny.workspace.state.release(ONE).components["model"].weights
    assert found is not None
    return found


def copier_of(tiny: Tiny) -> Copier:
    found = weights_of(tiny).copier
    assert found is not None
    return found


def staged(tiny: Tiny) -> Workload:
    """The model's Deployment as the local runner reads it."""
    tiny.serve("1.0.0")
    environment = tiny.workspace.state.environment(STAGING)
    (name,) = (name for name in environment.instances if name.component == "model")
    text = (tiny.folder / f"releases/staging/instances/{name}.yaml").read_text()
    objects = [document.data for document in parse_objects(text, name)]
    assert has_own_name(environment.instances[name])
    return parse_deployment(next(one for one in objects if one["kind"] == "Deployment"), {})


def test_the_copier_is_the_weights_own_layers_on_the_base(tiny: Tiny) -> None:
    tiny.release("1.0.0")
    store = Layout(tiny.folder / ".lockstep/store", "model-weights")

    copier, weights = copier_of(tiny), weights_of(tiny)

    manifest = parse_manifest(store.manifest(copier.reference.digest), "copier")
    base = parse_manifest(store.manifest(copier.base.digest), "base")
    assert manifest.base == copier.base.digest
    assert [one.digest for one in manifest.layers] == [
        *(one.digest for one in base.layers), *(file.layer for file in weights.files),
    ]  # fmt: skip
    assert store.tags()["copier-1.0.0"] == copier.reference.digest
    assert store.tags()["release-1.0.0"] == weights.reference.digest


def test_the_objects_copy_what_the_image_has_and_verify_knows_it(tiny: Tiny, tmp_path: Path) -> None:
    tiny.release("1.0.0")

    volume = staged(tiny).mounts["/lockstep/weights"]

    assert volume == ImageFiles(ImageRef(f"lockstep.local/tiny/{copier_of(tiny).reference}"))
    folder = unpacked(
        Layout(tiny.folder / ".lockstep/store", "model-weights"), volume.reference.digest, tmp_path / "cache"
    )
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"model.bin": WEIGHTS}
    assert tiny.verify(deep=True).findings == ()


def test_an_instance_with_copied_weights_is_traced(tiny: Tiny) -> None:
    tiny.release("1.0.0")
    tiny.serve("1.0.0")
    (name,) = (one for one in tiny.workspace.state.environment(STAGING).instances if one.component == "model")

    (found,) = trace(tiny.workspace, name)

    assert found.versions == (ONE,)
    assert found.pinned.weights == weights_of(tiny)


def test_push_sends_the_weights_once(tiny: Tiny) -> None:
    fake = FakeRegistry(page=1000)
    with serving(fake) as host:
        tiny.replace("lockstep.yaml", "lockstep.local/tiny", f"{host}/team/tiny")
        tiny.commit("a registry")
        tiny.git("tag", "-f", "v1.0.0")
        tiny.release("1.0.0")
        workspace = tiny.workspace

        pushed = push_release(workspace, ONE, own_stores(workspace), dry=False)
        again = push_release(workspace, ONE, own_stores(workspace), dry=False)

    layer = weights_of(tiny).files[0].layer
    assert sum(f"digest={layer.replace(':', '%3A')}" in path for path in fake.sent("PUT")) == 1
    assert sum(copier_of(tiny).reference in image.reference for image in pushed.images) == 1
    assert again.sent_bytes == 0


@pytest.mark.parametrize("lost", ["manifest", "tag"])
def test_verify_finds_a_copier_that_is_gone(tiny: Tiny, lost: str) -> None:
    tiny.release("1.0.0")
    tiny.serve("1.0.0")
    store = Layout(tiny.folder / ".lockstep/store", "model-weights")
    if lost == "manifest":
        (store.folder / "blobs/sha256" / copier_of(tiny).reference.digest.hex).unlink()
    else:
        store.tag("copier-1.0.0", store.manifest(weights_of(tiny).reference.digest))

    (found,) = tiny.verify().findings

    assert found.component == "model"
    assert found.rule == {"manifest": "store/absent", "tag": "store/tag"}[lost]


def test_an_instance_with_another_copier_comes_from_no_release(tiny: Tiny) -> None:
    tiny.release("1.0.0")
    tiny.serve("1.0.0")
    (name,) = (path for path in (tiny.folder / "releases/staging/instances").glob("model-*"))
    other = Digest(f"sha256:{7:064x}")
    tiny.replace(f"releases/staging/instances/{name.name}", copier_of(tiny).reference.digest, other)
    tiny.commit("by hand")

    found = tiny.verify().findings

    assert {"instance/id", "instance/unreleased"} <= {finding.rule for finding in found}


def test_without_a_base_there_is_nothing_that_copies_and_stage_says_so(tmp_path: Path) -> None:
    tiny = tiny_bundle(tmp_path / "bundle")
    tiny.write("releases/staging/bindings.yaml", "weights: copy\n")
    tiny.commit("an old cluster")
    tiny.release("1.0.0")

    with pytest.raises(Refused) as caught:
        tiny.serve("1.0.0")

    (finding,) = caught.value.findings
    assert (finding.rule, finding.component) == ("bindings/weights", "model")
    assert weights_of(tiny).copier is None


def test_weights_that_are_called_as_a_folder_of_a_system_are_mounted_only(tiny: Tiny) -> None:
    tiny.git("mv", "components/model/weights", "components/model/moved")
    tiny.write(
        "components/model/weights/lib/model.bin.dvc",
        (tiny.folder / "components/model/moved/model.bin.dvc").read_text(),
    )
    (tiny.folder / "components/model/weights/lib/model.bin").write_bytes(WEIGHTS)
    tiny.replace("components/model/component.yaml", "weights/model.bin.dvc", "weights/lib/model.bin.dvc")
    tiny.lock()
    tiny.commit("a folder")
    tiny.git("tag", "-f", "v1.0.0")

    tiny.release("1.0.0")

    assert weights_of(tiny).copier is None


def test_a_template_that_knows_no_copier_is_not_believed(tiny: Tiny) -> None:
    path = tiny.folder / "charts/objects/instance.yaml.j2"
    text = path.read_text()
    first, last = text.index("{%- if copier %}\n      initContainers"), text.index("      containers:")
    tiny.write("charts/objects/instance.yaml.j2", text[:first].rstrip() + "\n" + text[last:])
    tiny.commit("a template of our own")
    tiny.git("tag", "-f", "v1.0.0")
    tiny.release("1.0.0")

    with pytest.raises(TemplateError, match="does not use `copier`"):
        tiny.serve("1.0.0")
