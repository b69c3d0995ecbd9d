"""Layers on their way from a store to a registry, while the next ones are read and hashed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import BinaryIO

from lockstep.core.names import Digest
from lockstep.oci.layer import Layer
from lockstep.oci.store import BlobStore, Fill, Store
from lockstep.verbs.progress import Progress

_AT_ONCE = 2  # more would take the disk from whoever reads the next file


@dataclass(frozen=True)
class Either:
    """Blobs that one of two stores has; what is written goes to the first. A BlobStore."""

    own: BlobStore
    other: BlobStore

    def has(self, digest: Digest) -> bool:
        """Whether one of them has the blob."""
        return self.own.has(digest) or self.other.has(digest)

    def size(self, digest: Digest) -> int | None:
        """Its bytes, as the first that has it says; None if neither has."""
        found = self.own.size(digest)
        return self.other.size(digest) if found is None else found

    def open(self, digest: Digest) -> BinaryIO:
        """Its bytes from the first that has it, unverified."""
        return (self.own if self.own.has(digest) else self.other).open(digest)

    def put(self, name: str, fill: Fill) -> Layer:
        """Digest and size of what `fill` wrote to the first."""
        return self.own.put(name, fill)

    def add(self, name: str, blob: Layer, source: BlobStore) -> int:
        """How many bytes had to be written to the first."""
        return 0 if self.has(blob.digest) else self.own.add(name, blob, source)


@dataclass(frozen=True)
class Sender:
    """Sends layers from one store to another in threads.

    Args:
        own: Where they are.
        target: Where they go.
        progress: Of the target.
        pool: The threads.
        running: What was begun.
    """

    own: Store
    target: Store
    progress: Progress
    pool: ThreadPoolExecutor
    running: dict[Digest, Future[int]] = field(default_factory=dict)

    def begin(self, name: str, layer: Layer) -> None:
        """Sends a layer beside what the caller does next; nothing if only the target has it.

        Raises:
            OutsideError: one that was begun before has failed.
        """
        for one in self.running.values():
            if one.done():
                one.result()
        if layer.digest not in self.running and self.own.has(layer.digest):
            self.progress.also(layer.size)
            self.running[layer.digest] = self.pool.submit(self._send, name, layer)

    def sent(self) -> Mapping[Digest, int]:
        """Bytes that were sent of each layer, once all have arrived.

        Raises:
            OutsideError: one has failed.
        """
        return {digest: one.result() for digest, one in self.running.items()}

    def _send(self, name: str, layer: Layer) -> int:
        sent = self.target.add(name, layer, self.own)
        if not sent:
            self.progress.also(-layer.size)
        return sent


@contextmanager
def sending(what: str, own: Store, target: Store, progress: Progress) -> Iterator[Sender]:
    """A sender, as long as the block lasts. Where the block fails, what is under way ends with a piece, from which the
    next run goes on.
    """
    progress.expect(what, 0)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        is_whole = False
        try:
            yield Sender(own, target, progress, pool)
            is_whole = True
        finally:
            if not is_whole:
                progress.stop()
                pool.shutdown(wait=False, cancel_futures=True)
