"""Weights as images: one uncompressed layer per file, made, checked and hashed in one pass over the bytes.

A changed file changes its own layer only, so that is what is uploaded. Layers number at most 100 (overlayfs
of older kernels mounts 128): where there are more files, the smallest of them share the last layer.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self, cast

from lockstep.core.bundle import Platform
from lockstep.core.errors import Finding, LockstepError, Refused
from lockstep.core.names import Digest, DvcMd5
from lockstep.core.pointer import Pointer
from lockstep.core.weights import WeightsFile, WeightsLock
from lockstep.oci.image import Image, image_of
from lockstep.oci.layer import Entry, Layer, Opener, Sink, bytes_entry, size_of, write_layer
from lockstep.oci.statcache import Hashes, Stamp, is_settled, stamp_of
from lockstep.oci.store import BlobStore, layer_of

MOST_LAYERS = 100
_AHEAD = 16  # chunks, of md5 and of sha256, that may wait for a thread


class WrongBytes(Refused):
    """A file's bytes are not those that its pointer names. Nothing of it was stored."""


@dataclass(frozen=True)
class Source:
    """Bytes that a pointer may mean.

    Args:
        pointer: What it should be.
        opener: Opens the bytes.
        size: How many there are.
        where: Where they come from, for errors.
    """

    pointer: Pointer
    opener: Opener
    size: int
    where: str


@dataclass(frozen=True)
class Work:
    """What locking needs.

    Args:
        component: Name of the component.
        candidates: Files that may hold a pointer's bytes, nearest first (adapters.dvc.candidates).
        missing: The error for a pointer without bytes (adapters.dvc.missing).
        store: Where layers go; None hashes only.
        locked: The last lock: layers that it names and the store has are not written again.
    """

    component: str
    candidates: Callable[[Pointer], Iterable[Path]]
    missing: Callable[[Pointer], LockstepError]
    store: BlobStore | None = None
    locked: WeightsLock | None = None


def lock_weights(
    work: Work, pointers: Sequence[Pointer], known: Mapping[Stamp, Hashes]
) -> tuple[WeightsLock, dict[Stamp, Hashes]]:
    """The lock, and what was learnt about files on the way (for statcache.write_cache).

    Each file is read once; one that stands as `known` says, and whose layer the store has, not at all.

    Raises:
        WrongBytes: a file was found, and none with the bytes that its pointer names; names component, file
            and both values.
        OutsideError: no file was found, or one cannot be read, or the store is full.
    """
    learnt = dict(known)
    locked: list[WeightsFile] = []
    for pack in packs(pointers):
        locked += _pack(work, pack) if len(pack) > 1 else [_one(work, pack[0], learnt)]
    files = tuple(sorted(locked, key=lambda file: (file.path, file.name)))
    return WeightsLock(image=weights_image(files).digest, files=files), learnt


def weights_layer(component: str, sources: Sequence[Source], store: BlobStore | None) -> tuple[WeightsFile, ...]:
    """What the files of one layer are, from one pass that also writes the layer to the store, if there is
    one.

    Memory does not grow with size. The hashes of the file are computed in threads beside that of the layer.

    Raises:
        WrongBytes: a file differs from its pointer, by size or by md5; the store is left without the layer.
    """
    for source in sources:
        if source.size != source.pointer.size:
            raise _wrong(component, source, f"{source.size} bytes", f"{source.pointer.size} bytes")
    with ExitStack() as stack:
        threads = (stack.enter_context(ThreadPoolExecutor(1)), stack.enter_context(ThreadPoolExecutor(1)))
        measured = [_Measured(source.opener, threads) for source in sources]

        def fill(sink: Sink) -> None:
            entries = [_entry(source, one.open) for source, one in zip(sources, measured, strict=True)]
            write_layer(entries, sink)
            for source, one in zip(sources, measured, strict=True):
                if one.md5 != source.pointer.md5:
                    raise _wrong(component, source, f"md5 {one.md5}", f"md5 {source.pointer.md5}")

        name = f"{component}: {', '.join(source.pointer.name for source in sources[:3])}"
        layer = store.put(name, fill) if store else layer_of(fill)
        return tuple(
            _file(source.pointer, one.sha256, layer.digest) for source, one in zip(sources, measured, strict=True)
        )


def weights_image(files: Iterable[WeightsFile]) -> Image:
    """The image of these files, in the order of their names; files with one layer share it. Same files, same
    bytes.
    """
    layers: dict[Digest, list[Entry]] = {}
    for file in sorted(files, key=lambda file: file.name):
        layers.setdefault(file.layer, []).append(Entry(file.name, file.size, bytes_entry("", b"").opener))
    return image_of([Layer(digest, size_of(entries)) for digest, entries in layers.items()], Platform())


def packs(pointers: Sequence[Pointer]) -> tuple[tuple[Pointer, ...], ...]:
    """The pointers by layer: each its own, and past MOST_LAYERS the smallest of them together. Order of the
    arguments is ignored.
    """
    ordered = sorted(pointers, key=lambda pointer: (-pointer.size, pointer.name))
    alone = ordered if len(ordered) <= MOST_LAYERS else ordered[: MOST_LAYERS - 1]
    rest = tuple(ordered[len(alone) :])
    return (*((pointer,) for pointer in alone), *((rest,) if rest else ()))


def _one(work: Work, pointer: Pointer, learnt: dict[Stamp, Hashes]) -> WeightsFile:
    """Tries the candidates in turn; wrong bytes in one of them are an error only if no other has the right
    ones.
    """
    wrong: list[Finding] = []
    for path in work.candidates(pointer):
        stamp = stamp_of(path)
        hashes = learnt.get(stamp)
        if hashes and hashes.name == pointer.name and hashes.md5 == pointer.md5 and _has(work, hashes.layer):
            return _file(pointer, hashes.sha256, hashes.layer)
        try:
            file = _measure(work, _source(pointer, path))
        except WrongBytes as error:
            wrong += error.findings
            continue
        if stamp_of(path) == stamp and is_settled(stamp):
            learnt[stamp] = Hashes(file.name, file.md5, file.sha256, file.layer)
        return file
    raise _unfound(work, pointer, wrong)


def _measure(work: Work, source: Source) -> WeightsFile:
    """One pass; without writing where the last lock promises a layer that the store has, unless the promise
    proves wrong.
    """
    promised = (
        next((file.layer for file in work.locked.files if file.md5 == source.pointer.md5), None)
        if work.locked
        else None
    )
    if promised and _has(work, promised):
        (file,) = weights_layer(work.component, [source], None)
        if _has(work, file.layer):
            return file
    (file,) = weights_layer(work.component, [source], work.store)
    return file


def _pack(work: Work, pointers: Sequence[Pointer]) -> tuple[WeightsFile, ...]:
    """Small files that share a layer: first the right candidate of each, then the layer."""
    return weights_layer(work.component, [_right(work, pointer) for pointer in pointers], work.store)


def _right(work: Work, pointer: Pointer) -> Source:
    wrong: list[Finding] = []
    for path in work.candidates(pointer):
        try:
            weights_layer(work.component, [_source(pointer, path)], None)
        except WrongBytes as error:
            wrong += error.findings
        else:
            return _source(pointer, path)
    raise _unfound(work, pointer, wrong)


def _unfound(work: Work, pointer: Pointer, wrong: Sequence[Finding]) -> LockstepError:
    return WrongBytes(f"{work.component}: no right bytes for {pointer.name}", wrong) if wrong else work.missing(pointer)


def _has(work: Work, layer: Digest) -> bool:
    return work.store is None or work.store.has(layer)


def _source(pointer: Pointer, path: Path) -> Source:
    return Source(pointer, lambda: cast("BinaryIO", path.open("rb", buffering=0)), stamp_of(path).size, str(path))


def _entry(source: Source, opener: Opener) -> Entry:
    return Entry(source.pointer.name, source.size, opener)


def _file(pointer: Pointer, sha256: Digest, layer: Digest) -> WeightsFile:
    return WeightsFile(
        path=pointer.path, name=pointer.name, md5=pointer.md5, size=pointer.size, sha256=sha256, layer=layer
    )


def _wrong(component: str, source: Source, found: str, expected: str) -> WrongBytes:
    pointer = source.pointer
    what = f"{source.where} has {found}, {pointer.path} says {expected}"
    add = f"dvc add {pointer.path.removesuffix('.dvc')}"
    fix = f"if the file is meant: {add}; if it is damaged, delete it and run: dvc pull {pointer.path}"
    finding = Finding("weights/bytes", pointer.where, what, fix, component)
    return WrongBytes(f"{component}: wrong bytes for {pointer.name}", [finding])


class _Measured:
    """A file's bytes, hashed as they are read: sha256 and md5 each in a thread of its own, in the order of
    the reads.
    """

    def __init__(self, opener: Opener, threads: tuple[Executor, Executor]) -> None:
        self._opener = opener
        self._threads = threads
        self._hashes = (hashlib.sha256(), hashlib.md5(usedforsecurity=False))
        self._waiting: deque[Future[None]] = deque()

    def open(self) -> BinaryIO:
        """The stream; it has the two methods that chunks_of uses."""
        self._stream = self._opener()
        return cast("BinaryIO", self)

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
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
