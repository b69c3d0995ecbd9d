"""Stores of images: what is asked of one, whether it is a folder (layout.py) or a registry over HTTP (registry.py).

A store holds one repository. Layers go in by being written, because a layer's digest is known only after its
last byte.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from typing import BinaryIO, Protocol

from lockstep.core.errors import OutsideError, UsageError
from lockstep.core.names import Digest, digest_of
from lockstep.oci.image import Descriptor, Image, InvalidManifest, Manifest, parse_manifest
from lockstep.oci.layer import CHUNK, Layer, Sink

Fill = Callable[[Sink], None]
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")  # distribution-spec v1.1.0, "Pulling manifests"


class BlobStore(Protocol):
    """Bytes by digest."""

    def has(self, digest: Digest) -> bool:
        """Whether the blob is there. It may still be damaged: readers verify."""
        ...

    def size(self, digest: Digest) -> int | None:
        """Bytes of the blob, as the store says without reading them; None if it is not there."""
        ...

    def open(self, digest: Digest) -> BinaryIO:
        """The blob's bytes, unverified. Raises OutsideError if it is not there."""
        ...

    def put(self, name: str, fill: Fill) -> Layer:
        """Digest and size of what `fill` wrote; all of it is stored, or nothing.

        Args:
            name: What it is, in words for errors, such as `components/ocr weights/ocr.npz`.
            fill: Called once with the sink. What it raises passes through, and nothing is stored then.
        """
        ...

    def add(self, name: str, blob: Layer, source: BlobStore) -> int:
        """How many bytes of a blob of known digest had to be written: 0 if it was there. All of it is stored, or
        nothing. Raises OutsideError if it is missing or damaged in the source.
        """
        ...


class ManifestStore(Protocol):
    """Image manifests by digest, and tags, which are names that can move."""

    def manifest(self, digest: Digest) -> bytes:
        """The manifest's bytes, verified. Raises OutsideError if it is not there or damaged."""
        ...

    def tag(self, name: str, manifest: bytes) -> Digest:
        """The manifest's digest; the manifest is stored and the tag names it from now on."""
        ...

    def digest_of(self, reference: str) -> Digest | None:
        """The manifest that a tag or a digest names here; None if there is none."""
        ...

    def delete(self, digest: Digest) -> bool:
        """Whether a manifest was there; it is not any more, nor is a tag that names it. Raises OutsideError if the
        store lets nobody delete.
        """
        ...

    def tags(self) -> dict[str, Digest]:
        """Every tag and the manifest that it names, sorted by tag."""
        ...


class Store(BlobStore, ManifestStore, Protocol):
    """One repository of images."""


class Hashed:
    """A sink that counts and hashes what passes to another sink, or to none."""

    def __init__(self, sink: Sink | None = None) -> None:
        self._sink = sink
        self._sha256 = hashlib.sha256()
        self._size = 0

    def write(self, data: bytes, /) -> None:
        """Hashes the bytes and passes them on."""
        self._sha256.update(data)
        self._size += len(data)
        if self._sink:
            self._sink.write(data)

    @property
    def layer(self) -> Layer:
        """Digest and size of all bytes so far."""
        return Layer(Digest(f"sha256:{self._sha256.hexdigest()}"), self._size)


def layer_of(fill: Fill) -> Layer:
    """Digest and size of what `fill` writes, stored nowhere."""
    hashed = Hashed()
    fill(hashed)
    return hashed.layer


def put_image(store: Store, image: Image, tag: str) -> Digest:
    """The image's digest, once its configuration and manifest are stored under the tag. Its layers must be
    there already.

    Raises:
        OutsideError: a layer is not in the store.
    """
    for layer in image.layers:
        if not store.has(layer.digest):
            raise OutsideError(
                f"layer {layer.digest} of {tag} is not in the store",
                where=tag,
                fix="build it again: lockstep build",
            )
    store.put(f"configuration of {tag}", writing(image.config))
    return store.tag(tag, image.manifest)


def copy_image(source: Store, target: Store, digest: Digest, tag: str) -> int:
    """How many bytes had to be copied. Blobs come first and the tag last, so a tag never names what is not
    there.

    Raises:
        OutsideError: a blob is missing or damaged in the source; names it.
    """
    data = source.manifest(digest)
    manifest = parse_manifest(data, str(digest))
    copied = 0
    for blob in (*manifest.layers, manifest.config):
        copied += target.add(f"blob {blob.digest} of {tag}", Layer(blob.digest, blob.size), source)
    target.tag(tag, data)
    return copied


def own_layers(store: ManifestStore, manifest: Manifest, where: str) -> tuple[Descriptor, ...]:
    """The layers of an image above those of its base, lowest first.

    Raises:
        OutsideError: the base's manifest is not in the store, or is damaged.
        InvalidManifest: its layers are not the image's lowest.
    """
    if manifest.base is None:
        return manifest.layers
    lowest = parse_manifest(store.manifest(manifest.base), str(manifest.base)).layers
    if manifest.layers[: len(lowest)] != lowest:
        raise InvalidManifest(
            f"it does not stand on {manifest.base}, as it says", where=where, fix="build the image again"
        )
    return manifest.layers[len(lowest) :]


def read_blob(store: BlobStore, digest: Digest) -> bytes:
    """All bytes of a small blob, verified.

    Raises:
        OutsideError: not there, or its bytes have another digest.
    """
    with store.open(digest) as stream:
        data = stream.read()
    if digest_of(data) != digest:
        raise Damaged(digest, digest_of(data))
    return data


def verify_blob(store: BlobStore, digest: Digest) -> int:
    """The blob's size in bytes, after all of them were read and hashed.

    Raises:
        OutsideError: not there, or its bytes have another digest.
    """
    hashed = Hashed()
    verified_copy(store, digest)(hashed)
    return hashed.layer.size


def checked_tag(name: str) -> str:
    """The name, if it can be a tag.

    Raises:
        UsageError: it cannot.
    """
    if not _TAG.fullmatch(name):
        raise UsageError(f"{name!r} is not a tag; a good one: release-1.2.0", fix="use letters, digits and . _ -")
    return name


class Damaged(OutsideError):  # noqa: N818 - what it is, in a word
    """A blob whose bytes are not those of its name."""

    def __init__(self, digest: Digest, found: Digest) -> None:
        super().__init__(
            f"damaged blob: its bytes have {found}, its name says {digest}",
            where=str(digest),
            fix="delete it from the store, then build or copy the image again",
        )
        self.digest = digest


def verified_copy(source: BlobStore, digest: Digest) -> Fill:
    """The fill that copies a blob and raises OutsideError at its end if it was damaged."""

    def fill(sink: Sink) -> None:
        hashed = Hashed(sink)
        with source.open(digest) as stream:
            shutil.copyfileobj(stream, hashed, CHUNK)
        if hashed.layer.digest != digest:
            raise Damaged(digest, hashed.layer.digest)

    return fill


def writing(data: bytes) -> Fill:
    """The fill that writes these bytes."""

    def fill(sink: Sink) -> None:
        sink.write(data)

    return fill
