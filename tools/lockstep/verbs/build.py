"""Building: a component's image and its weights image, each looked up before anything is made.

Four kinds of change, four prices: a prompt builds nothing; code gives one small layer; weights give the changed
files; dependencies
are looked up (last release, then the store's `in-<inputs>` tag) and only then made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Protocol, cast

from lockstep.adapters.dvc import Place, candidates, missing
from lockstep.adapters.git import GitTree
from lockstep.core.bundle import Platform
from lockstep.core.component import Component, Image
from lockstep.core.document import format_json
from lockstep.core.errors import Finding, Refused, refuse_if
from lockstep.core.model import dump
from lockstep.core.names import ComponentName, Digest, ImageRef, digest_of
from lockstep.core.release import LayerRef, Pinned, PinnedImage, PinnedWeights, Runtime
from lockstep.core.source import Source, component_path
from lockstep.core.tree import TreeEntry
from lockstep.core.weights import Pointer, WeightsLock, parse_pointer
from lockstep.oci.code import GitMode, TreeFile, code_entries
from lockstep.oci.image import Image as OciImage
from lockstep.oci.image import Settings, image_of, parse_manifest
from lockstep.oci.layer import Entry, Layer, Sink, write_layer
from lockstep.oci.statcache import read_cache
from lockstep.oci.store import Store, put_image
from lockstep.oci.weights import Work, lock_weights, weights_image
from lockstep.verbs.workspace import Say

_SETTINGS = Settings(env={"PYTHONPATH": "/app/src:/app/site"}, workdir="/app")


class RuntimeBuilder(Protocol):
    """Makes the part of an image that changes seldom. Wheels do it here; Docker will beside it."""

    @property
    def name(self) -> str:
        """The builder's name and revision; one of the inputs, so two builders never share a result."""
        ...

    def layers(self, requirements: bytes, where: str, platform: Platform) -> tuple[Layer, ...]:
        """The layers, stored."""
        ...


@dataclass(frozen=True)
class Builds:
    """What building needs.

    Args:
        tree: The commit that everything is read from.
        source: The bundle at that commit.
        folder: The bundle's folder, where DVC's files lie.
        store_of: The store of a repository of images.
        builder: Makes runtimes.
        say: Where progress goes.
        made: Counts what was really made, for reports: runtimes built and bytes written, by component.
    """

    tree: GitTree
    source: Source
    folder: Path
    store_of: Callable[[str], Store]
    builder: Callable[[Store], RuntimeBuilder]
    say: Say
    made: dict[ComponentName, int] = field(default_factory=dict)
    built: list[ComponentName] = field(default_factory=list)


def build_image(builds: Builds, name: ComponentName, last: Pinned | None) -> PinnedImage | None:
    """The component's image by digest, with every blob in the store. `last` is what the base release pins for it.

    Raises:
        OutsideError: a wheel cannot be had, or the store fails.
        Refused: a requirement without a hash, or a link that leaves the component.
    """
    image = builds.source.components[name].image
    if image is None:
        return None
    if image.reference is not None:
        return PinnedImage(reference=image.reference)
    runtime = _runtime(builds, name, image, last)
    code = _code(builds, name, image)
    whole = image_of(
        [*_layers(runtime.layers), *_layers((code,) if code else ())], builds.source.bundle.platform, _SETTINGS
    )
    store = builds.store_of(name)
    put_image(store, whole, f"code-{whole.digest.hex[:20]}")
    return PinnedImage(reference=ImageRef(f"{name}@{whole.digest}"), runtime=runtime, code=code)


def build_weights(builds: Builds, name: ComponentName) -> PinnedWeights | None:
    """The component's weights image by digest, every layer in the store; layers that are there are not read again.

    Raises:
        WrongBytes: the bytes that DVC has are not those of the lock.
        OutsideError: bytes are nowhere to be had, or the store fails.
    """
    lock = builds.source.locks.get(name)
    if lock is None:
        return None
    repository = f"{name}-weights"
    store = builds.store_of(repository)
    absent = [file for file in lock.files if not store.has(file.layer)]
    if absent:
        builds.say(f"{name}: storing {sum(file.size for file in absent):,} bytes of weights")
        _store_weights(builds, name, lock, store)
        builds.made[name] = builds.made.get(name, 0) + sum(file.size for file in absent)
    put_image(store, _weights_image(name, lock), f"code-{lock.image.hex[:20]}")
    return PinnedWeights(reference=ImageRef(f"{repository}@{lock.image}"), files=lock.files)


def _weights_image(name: ComponentName, lock: WeightsLock) -> OciImage:
    image = weights_image(lock.files)
    if image.digest != lock.image:
        raise Refused(
            "a weights.lock contradicts itself",
            [
                Finding(
                    "weights/lock",
                    component_path(name, "weights.lock"),
                    f"its files give the image {image.digest}, it says {lock.image}",
                    f"lockstep weights lock {name}",
                    name,
                )
            ],
        )
    return image


def _store_weights(builds: Builds, name: ComponentName, lock: WeightsLock, store: Store) -> None:
    place = Place(name, builds.folder / "components" / name)
    cache = builds.folder / ".lockstep" / "cache" / "weights.json"
    work = Work(name, lambda pointer: candidates(pointer, place), lambda pointer: missing(pointer, place), store, lock)
    made, _ = lock_weights(work, pointers_of(builds.tree, name, builds.source.components[name]), read_cache(cache))
    if made != lock:
        raise Refused(
            "a weights.lock is wrong",
            [
                Finding(
                    "weights/lock",
                    component_path(name, "weights.lock"),
                    f"the bytes give the image {made.image}, the lock says {lock.image}",
                    f"lockstep weights lock {name}",
                    name,
                )
            ],
        )


def pointers_of(tree: GitTree, name: ComponentName, component: Component) -> tuple[Pointer, ...]:
    """What the .dvc files of a component point to."""
    paths = {path: component_path(name, path) for path in component.weights}
    files = tree.read(list(paths.values()))
    return tuple(parse_pointer(files[full].decode(), path, name) for path, full in paths.items())


def _runtime(builds: Builds, name: ComponentName, image: Image, last: Pinned | None) -> Runtime:
    """Looked up in the base release, then by the store's tag of these inputs, then made."""
    path = component_path(name, image.requirements or image.dockerfile or "")
    requirements = builds.tree.read([path]).get(path, b"") if image.requirements else b""
    store = builds.store_of(name)
    builder = builds.builder(store)
    inputs = _inputs_digest(builder.name, requirements, builds.source.bundle.platform)
    known = last.image.runtime if last and last.image else None
    if known and known.inputs == inputs and all(store.has(layer.digest) for layer in known.layers):
        return known
    tag = f"in-{inputs.hex}"
    layers = _tagged_layers(store, tag)
    if layers is None:
        builds.say(f"{name}: building its runtime from {path}")
        layers = builder.layers(requirements, path, builds.source.bundle.platform)
        put_image(store, image_of(layers, builds.source.bundle.platform, _SETTINGS), tag)
        builds.built.append(name)
    return Runtime(
        inputs=inputs,
        builder=builder.name,
        layers=tuple(LayerRef(digest=layer.digest, size=layer.size) for layer in layers),
    )


def _inputs_digest(builder: str, requirements: bytes, platform: Platform) -> Digest:
    return digest_of(
        format_json({"builder": builder, "platform": dump(platform), "requirements": digest_of(requirements)}).encode()
    )


def _tagged_layers(store: Store, tag: str) -> tuple[Layer, ...] | None:
    """The layers of a runtime made earlier; None if there is none or one of its blobs is gone."""
    digest = store.tags().get(tag)
    if digest is None or not store.has(digest):
        return None
    layers = tuple(Layer(item.digest, item.size) for item in parse_manifest(store.manifest(digest), tag).layers)
    return layers if all(store.has(layer.digest) for layer in layers) else None


def _code(builds: Builds, name: ComponentName, image: Image) -> LayerRef | None:
    """The code of the tagged commit as one layer at /app."""
    if not image.code:
        return None
    entries = _code_entries(builds, name, image)

    def fill(sink: Sink) -> None:
        write_layer(entries, sink)

    layer = builds.store_of(name).put(f"code of {name}", fill)
    return LayerRef(digest=layer.digest, size=layer.size)


def _code_entries(builds: Builds, name: ComponentName, image: Image) -> tuple[Entry, ...]:
    own = f"components/{name}/"
    listed = builds.tree.below([own + path for path in image.code])
    data = builds.tree.read([entry.path for entry in listed])
    entries, findings = code_entries(name, (_tree_file(entry, own, data.get(entry.path, b"")) for entry in listed))
    refuse_if(findings, f"the code of {name} cannot be packed")
    return entries


def _tree_file(entry: TreeEntry, own: str, data: bytes) -> TreeFile:
    target = data.decode(errors="replace") if entry.mode == "120000" else ""
    return TreeFile(
        entry.path.removeprefix(own), cast("GitMode", entry.mode), len(data), lambda: BytesIO(data), target, entry.path
    )


def _layers(references: tuple[LayerRef, ...]) -> tuple[Layer, ...]:
    return tuple(Layer(item.digest, item.size) for item in references)
