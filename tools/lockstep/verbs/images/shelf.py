"""What stores really hold, for verify: the bundle's own, where each blob is looked at once and read only where that is
asked for; or a registry, which vouches for the bytes of its blobs until --deep asks for them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Protocol

from lockstep.core.errors import OutsideError
from lockstep.core.names import Digest, ImageRef
from lockstep.core.rules.facts import Blob, StoredImage
from lockstep.core.rules.image import Wanted
from lockstep.oci.image import Descriptor, InvalidManifest, Manifest, parse_manifest
from lockstep.oci.layer import CHUNK, Layer
from lockstep.oci.store import Hashed, Store
from lockstep.verbs.images.stores import Stores
from lockstep.verbs.workspace import Workspace

_AT_ONCE = 8  # images of a registry that are asked for


class Shelf(Protocol):
    """Looks for images."""

    @property
    def place(self) -> str:
        """The registry; empty for the bundle's own store."""
        ...

    def images(self, wanted: Iterable[Wanted], *, read: bool, read_base: bool) -> list[StoredImage]:
        """The images as they are there; layers are hashed if `read`, those of bases if `read_base`, the rest always."""
        ...

    def counts(self) -> dict[str, int]:
        """How many blobs were looked for, and how many bytes were hashed."""
        ...


@dataclass
class OwnShelf:
    """The bundle's own store.

    Args:
        store_of: The store of a repository of images.
        sizes: Bytes of every blob that was looked for; None for what is absent.
        hashes: sha256 of every blob that was read.
    """

    store_of: Callable[[str], Store]
    sizes: dict[Digest, int | None] = field(default_factory=dict)
    hashes: dict[Digest, Digest] = field(default_factory=dict)
    place: str = ""

    def images(self, wanted: Iterable[Wanted], *, read: bool, read_base: bool) -> list[StoredImage]:
        """The images as the store has them."""
        return [self._image(one, read=read, read_base=read_base) for one in wanted]

    def counts(self) -> dict[str, int]:
        """How many blobs were looked for, and how many bytes were hashed."""
        return {"blobs": len(self.sizes), "bytes_hashed": sum(self.sizes[digest] or 0 for digest in self.hashes)}

    def _image(self, wanted: Wanted, *, read: bool, read_base: bool) -> StoredImage:
        repository, digest = _repository(wanted), wanted.reference.digest
        store = self.store_of(repository)
        tags = {wanted.tag: store.digest_of(wanted.tag)}
        top = self._blob(store, digest, "manifest", None, read=True)
        if top.found != digest:
            return StoredImage(repository, digest, (top,), (), "", tags)
        lowest, base = self._base(store, wanted.base)
        try:
            manifest = parse_manifest(store.manifest(digest), str(digest))
            below = tuple(layer.digest for layer in parse_manifest(base, str(wanted.base)).layers) if base else ()
        except InvalidManifest as error:
            return StoredImage(repository, digest, (top, *lowest), (), error.what, tags)
        config = self._blob(store, manifest.config.digest, "configuration", manifest.config.size, read=True)
        layers = [
            self._blob(store, one.digest, "layer", one.size, read=read_base if one.digest in below else read)
            for one in manifest.layers
        ]
        names = tuple(layer.digest for layer in manifest.layers)
        return StoredImage(repository, digest, (top, config, *layers, *lowest), names, "", tags, below)

    def _base(self, store: Store, digest: Digest | None) -> tuple[tuple[Blob, ...], bytes]:
        """The blob of a base image's manifest, and its bytes if they are there and right."""
        if digest is None:
            return (), b""
        blob = self._blob(store, digest, "base image", None, read=True)
        return (blob,), store.manifest(digest) if blob.found == digest else b""

    def _blob(self, store: Store, digest: Digest, role: str, said: int | None, *, read: bool) -> Blob:
        if digest not in self.sizes or (read and digest not in self.hashes):
            self._look(store, digest, read=read)
        return Blob(digest, role, said, self.sizes[digest], self.hashes.get(digest))

    def _look(self, store: Store, digest: Digest, *, read: bool) -> None:
        self.sizes[digest] = store.size(digest)
        if self.sizes[digest] is not None and read:
            found = _hashed(store, digest)
            self.sizes[digest], self.hashes[digest] = found.size, found.digest


@dataclass
class RegistryShelf:
    """The bundle's registry. The manifest's own bytes say what an image stands on: no base image is looked for.

    Args:
        place: The bundle's path there, with its host.
        at: A repository of it by its name.
        known: What was asked for.
    """

    place: str
    at: Callable[[str], Store]
    known: dict[ImageRef, StoredImage] = field(default_factory=dict)

    def images(self, wanted: Iterable[Wanted], *, read: bool, read_base: bool) -> list[StoredImage]:
        """The images as the registry has them."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(lambda one: self._image(one, read=read, read_base=read_base), wanted))

    def counts(self) -> dict[str, int]:
        """How many blobs were asked for, and how many bytes were hashed."""
        blobs = [blob for image in self.known.values() for blob in image.blobs]
        return {"blobs": len(blobs), "bytes_hashed": sum(blob.size or 0 for blob in blobs if blob.found)}

    def _image(self, wanted: Wanted, *, read: bool, read_base: bool) -> StoredImage:
        """One image; of releases that share it, only the first asks for more than its tag."""
        store, digest = self.at(_repository(wanted)), wanted.reference.digest
        tags = {wanted.tag: store.digest_of(wanted.tag)}
        if wanted.reference not in self.known:
            if digest not in tags.values() and store.digest_of(digest) is None:
                blobs = (Blob(digest, "manifest", None, None, None),)
                found = StoredImage(_repository(wanted), digest, blobs, (), "", tags, place=self.place)
            else:
                found = self._parts(store, wanted, read=read, read_base=read_base)
            self.known[wanted.reference] = found
        return replace(self.known[wanted.reference], tags=tags)

    def _parts(self, store: Store, wanted: Wanted, *, read: bool, read_base: bool) -> StoredImage:
        repository, digest = _repository(wanted), wanted.reference.digest
        data = store.manifest(digest)
        top = Blob(digest, "manifest", None, len(data), digest)
        try:
            manifest = parse_manifest(data, str(digest))
            below = _below(manifest, wanted)
        except InvalidManifest as error:
            return StoredImage(repository, digest, (top,), (), error.what, {}, place=self.place)
        config = _asked(store, manifest.config, "configuration", read=True)
        layers = [
            _asked(store, one, "layer", read=read_base if one.digest in below else read) for one in manifest.layers
        ]
        names = tuple(layer.digest for layer in manifest.layers)
        return StoredImage(repository, digest, (top, config, *layers), names, "", {}, below, self.place)


def registry_shelf(workspace: Workspace, stores: Stores) -> RegistryShelf:
    """The bundle's registry.

    Raises:
        UsageError: lockstep.yaml names none.
    """
    place = workspace.registry
    return RegistryShelf(place, lambda name: stores.at(f"{place}/{name}"))


def _repository(wanted: Wanted) -> str:
    return wanted.reference.repository.rpartition("/")[2]


def _below(manifest: Manifest, wanted: Wanted) -> tuple[Digest, ...]:
    """The layers that an image has below its own.

    Raises:
        InvalidManifest: it does not stand on what the release says.
    """
    if manifest.base != wanted.base:
        what = f"it says that it stands on {manifest.base or 'nothing'}, the release says {wanted.base or 'nothing'}"
        raise InvalidManifest(what, where=str(wanted.reference), fix="release a new version")
    names = tuple(layer.digest for layer in manifest.layers)
    return names[: len(names) - len(wanted.layers)] if wanted.base else ()


def _asked(store: Store, one: Descriptor, role: str, *, read: bool) -> Blob:
    """A blob as its registry says it is; hashed if `read`."""
    size = store.size(one.digest)
    if size is None or not read:
        return Blob(one.digest, role, one.size, size, None)
    found = _hashed(store, one.digest)
    return Blob(one.digest, role, one.size, found.size, found.digest)


def _hashed(store: Store, digest: Digest) -> Layer:
    """Digest and size of the bytes that a store has under a name."""
    hashed = Hashed()
    try:
        with store.open(digest) as stream:
            shutil.copyfileobj(stream, hashed, CHUNK)
    except OSError as error:
        raise OutsideError(
            f"cannot read blob {digest}: {error.strerror}", where=str(digest), fix="check the disk"
        ) from error
    return hashed.layer
