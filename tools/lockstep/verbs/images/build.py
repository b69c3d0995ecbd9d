"""Building: a component's image and its weights image, each looked up before anything is made.

Four kinds of change, four prices: a prompt builds nothing; code gives one small layer; weights give the changed
files; dependencies are looked up (runtime.py) and only then made.
"""

from __future__ import annotations

from io import BytesIO
from typing import cast

from lockstep.adapters.dvc import candidates, missing
from lockstep.adapters.git import GitTree
from lockstep.core.builder import Builder
from lockstep.core.component import Component, Image
from lockstep.core.errors import Finding, Refused, refuse_if
from lockstep.core.names import ComponentName, ImageRef
from lockstep.core.pointer import Pointer, parse_pointer
from lockstep.core.release import Copier, LayerRef, Pinned, PinnedImage, PinnedWeights
from lockstep.core.source import component_path
from lockstep.core.tags import made_tag
from lockstep.core.tree import TreeEntry
from lockstep.core.weights import WeightsLock, fit_a_system
from lockstep.oci.code import GitMode, TreeFile, code_entries
from lockstep.oci.docker_image import with_layer
from lockstep.oci.image import Image as OciImage
from lockstep.oci.image import Settings, appended
from lockstep.oci.layer import Entry, Layer, Sink, write_layer
from lockstep.oci.statcache import read_cache
from lockstep.oci.store import Store, put_image
from lockstep.oci.weights import Work, lock_weights, weights_image
from lockstep.verbs.images.runtime import Builds, assembled, base_of, check_image, runtime_of
from lockstep.verbs.progress import Progress
from lockstep.verbs.weights.pointed import bring, place_of


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
        if builds.source.bundle.builder is Builder.DOCKER:
            check_image(builds, name, image.reference)
        return PinnedImage(reference=image.reference)
    store = builds.store_of(name)
    found = builds.found.get(name) or runtime_of(builds, name, last, base_of(builds, store))
    code = _code(builds, name, image)
    above = [Layer(code.digest, code.size)] if code else []
    if name in builds.source.contexts:
        whole = with_layer(found.image, above[0]) if above else found.image
    else:
        whole = assembled(found.base, [*found.image.layers, *above], builds.source.bundle.platform)
    put_image(store, whole, made_tag(whole.digest))
    return PinnedImage(reference=ImageRef(f"{name}@{whole.digest}"), runtime=found.runtime, code=code)


def build_weights(builds: Builds, name: ComponentName) -> PinnedWeights | None:
    """The component's weights image and its copier by digest, every layer in the store; layers that are there are not
    read again. An image that exists already is pinned as it is named, and nobody is asked for it.

    Raises:
        WrongBytes: the bytes that DVC has are not those of the lock.
        OutsideError: bytes are nowhere to be had, or the store fails.
    """
    if named := builds.source.components[name].weights_image:
        return PinnedWeights(reference=named.image, files=(), path=named.path)
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
    image = _weights_image(name, lock)
    put_image(store, image, made_tag(lock.image))
    copier = _copier(builds, repository, image) if fit_a_system(lock.files) else None
    return PinnedWeights(reference=ImageRef(f"{repository}@{lock.image}"), files=lock.files, copier=copier)


def _copier(builds: Builds, repository: str, weights: OciImage) -> Copier | None:
    """The weights' own layers on the base image, in the same repository, so that no registry gets them twice."""
    store = builds.store_of(repository)
    base = base_of(builds, store)
    if base is None:
        return None
    image = appended(base.manifest, base.config, weights.layers, Settings())
    put_image(store, image, made_tag(image.digest))
    return Copier(reference=ImageRef(f"{repository}@{image.digest}"), base=base.name)


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
    progress = Progress(builds.say)
    place = place_of(builds.folder, name, progress)
    cache = builds.folder / ".lockstep" / "cache" / "weights.json"
    pointed = pointers_of(builds.tree, name, builds.source.components[name])
    pointers = bring(pointed, place, progress, builds.say)
    progress.expect(f"{name}: stored", sum(pointer.size for pointer in pointers))
    work = Work(
        name, lambda pointer: candidates(pointer, place), lambda pointer: missing(pointer, place), store, lock, progress
    )
    made, _ = lock_weights(work, pointers, read_cache(cache))
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
    paths = {path: component_path(name, path) for path in component.pointers}
    files = tree.read(list(paths.values()))
    return tuple(parse_pointer(files[full].decode(), path, name) for path, full in paths.items())


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
