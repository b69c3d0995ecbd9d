"""A model that somebody else put into a registry as an image, and the tiny bundle that mounts it."""

from __future__ import annotations

from pathlib import Path

from lockstep.core.bundle import Platform
from lockstep.core.names import ImageRef
from lockstep.oci.http import Access
from lockstep.oci.image import image_of
from lockstep.oci.layer import bytes_entry, write_layer
from lockstep.oci.layout import Layout
from lockstep.oci.registry import Registries
from lockstep.oci.store import copy_image, put_image
from tiny import STAGING, Tiny, tiny_bundle

MODEL = "components/model/component.yaml"
_LISTED = "weights: [weights/model.bin.dvc]"


def model_image(host: str, scratch: Path, content: bytes) -> ImageRef:
    """An image of a registry, with a model in the folder models/tiny."""
    store = Layout(scratch, "x")
    layer = store.put("model", lambda sink: write_layer([bytes_entry("models/tiny/model.bin", content)], sink))
    image = image_of([layer], Platform())
    put_image(store, image, "1")
    registries = Registries(Access(plain_http=True))
    copy_image(store, registries.at(f"{host}/models/tiny"), image.digest, image.digest.hex[:12])
    return ImageRef(f"{host}/models/tiny@{image.digest}")


def named(reference: ImageRef, tag: str = "1.0", path: str = "models/tiny") -> str:
    """How component.yaml names it."""
    repository, digest = reference.split("@")
    return f'weights: {{image: "{repository}:{tag}@{digest}", path: {path}}}'


def bundle_with(reference: ImageRef, host: str, folder: Path) -> Tiny:
    """The tiny bundle whose model has these weights, which lie below the bundle's own registry; v1.0.0 is tagged."""
    tiny = tiny_bundle(folder)
    tiny.replace("lockstep.yaml", "lockstep.local/tiny", f"{host}/models")
    tiny.replace(MODEL, _LISTED, named(reference))
    tiny.git("rm", "-rq", "components/model/weights.lock", "components/model/weights")
    tiny.commit("a model that exists already")
    tiny.git("tag", "-f", "v1.0.0")
    return tiny


def staged(tiny: Tiny) -> dict[str, str]:
    """Ids of what is staged, by component."""
    return {str(one.component): str(one) for one in tiny.workspace.state.environment(STAGING).instances}
