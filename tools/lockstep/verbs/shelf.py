"""What stores really hold, for verify: each blob is looked at once, and read only where that is asked for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field

from lockstep.core.errors import OutsideError
from lockstep.core.names import Digest
from lockstep.core.rules.facts import Blob, StoredImage
from lockstep.core.rules.image import Wanted
from lockstep.oci.image import InvalidManifest, parse_manifest
from lockstep.oci.layer import CHUNK
from lockstep.oci.store import Hashed, Store


@dataclass
class Shelf:
    """Looks into stores; each blob once.

    Args:
        store_of: The store of a repository of images.
        sizes: Bytes of every blob that was looked for; None for what is absent.
        hashes: sha256 of every blob that was read.
    """

    store_of: Callable[[str], Store]
    sizes: dict[Digest, int | None] = field(default_factory=dict)
    hashes: dict[Digest, Digest] = field(default_factory=dict)

    def image(self, wanted: Wanted, *, read: bool, read_base: bool) -> StoredImage:
        """An image as the store has it; its layers are hashed if `read`, its base's if `read_base`, the rest always."""
        repository, digest = wanted.reference.repository.rpartition("/")[2], wanted.reference.digest
        store = self.store_of(repository)
        top = self._blob(store, digest, "manifest", None, read=True)
        if top.found != digest:
            return StoredImage(repository, digest, (top,), (), "", store.tags())
        lowest, base = self._base(store, wanted.base)
        try:
            manifest = parse_manifest(store.manifest(digest), str(digest))
            below = tuple(layer.digest for layer in parse_manifest(base, str(wanted.base)).layers) if base else ()
        except InvalidManifest as error:
            return StoredImage(repository, digest, (top, *lowest), (), error.what, store.tags())
        config = self._blob(store, manifest.config.digest, "configuration", manifest.config.size, read=True)
        layers = [
            self._blob(store, one.digest, "layer", one.size, read=read_base if one.digest in below else read)
            for one in manifest.layers
        ]
        names = tuple(layer.digest for layer in manifest.layers)
        return StoredImage(repository, digest, (top, config, *layers, *lowest), names, "", store.tags(), below)

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
        if not store.has(digest):
            self.sizes[digest] = None
            return
        hashed = Hashed()
        try:
            with store.open(digest) as stream:
                read = read or not stream.seekable()
                if read:
                    shutil.copyfileobj(stream, hashed, CHUNK)
                self.sizes[digest] = hashed.layer.size if read else stream.seek(0, os.SEEK_END)
        except OSError as error:
            raise OutsideError(
                f"cannot read blob {digest}: {error.strerror}", where=str(digest), fix="check the disk"
            ) from error
        if read:
            self.hashes[digest] = hashed.layer.digest
