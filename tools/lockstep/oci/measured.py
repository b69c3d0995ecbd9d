"""Bytes that are hashed while others read them, and how far that is."""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import Executor, Future
from typing import BinaryIO, Protocol, Self, cast

from lockstep.core.names import Digest, DvcMd5
from lockstep.oci.layer import Opener

_AHEAD = 16  # chunks, of md5 and of sha256, that may wait for a thread


class Meter(Protocol):
    """What is told how far long work is."""

    def moved(self, size: int) -> None:
        """So many bytes more are done."""
        ...

    def also(self, size: int) -> None:
        """So many bytes more are to be done than was said before (fewer, if negative)."""
        ...


class Unmetered:
    """A meter that nobody reads."""

    def moved(self, size: int) -> None:
        """Forgets it."""

    def also(self, size: int) -> None:
        """Forgets it."""


class Measured:
    """A file's bytes, hashed as they are read: sha256 and md5 each in a thread of its own, in the order of
    the reads.

    Args:
        opener: Opens the bytes.
        threads: One for each hash.
        meter: Told of the bytes as they are read.
    """

    def __init__(self, opener: Opener, threads: tuple[Executor, Executor], meter: Meter) -> None:
        self._opener = opener
        self._meter = meter
        self._threads = threads
        self._hashes = (hashlib.sha256(), hashlib.md5(usedforsecurity=False))
        self._waiting: deque[Future[None]] = deque()

    def open(self) -> BinaryIO:
        """The stream; it has the two methods that chunks_of uses."""
        self._stream = self._opener()
        return cast("BinaryIO", self)

    def read(self, size: int) -> bytes:
        """The next bytes, on their way to be hashed."""
        data = self._stream.read(size)
        self._meter.moved(len(data))
        for thread, one in zip(self._threads, self._hashes, strict=True):
            self._waiting.append(thread.submit(one.update, data))
        while len(self._waiting) > _AHEAD:
            self._waiting.popleft().result()
        return data

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    @property
    def sha256(self) -> Digest:
        """Of all bytes read."""
        return Digest(f"sha256:{self._done()[0].hexdigest()}")

    @property
    def md5(self) -> DvcMd5:
        """Of all bytes read."""
        return DvcMd5(self._done()[1].hexdigest())

    def _done(self) -> tuple[hashlib._Hash, hashlib._Hash]:
        while self._waiting:
            self._waiting.popleft().result()
        return self._hashes
