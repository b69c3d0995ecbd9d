"""Weights as images: one uncompressed layer per file, made, checked and hashed in one pass over the bytes.

A changed file changes its own layer only, so that is what is uploaded. Layers number at most 100 (overlayfs
of older kernels mounts 128): where there are more files, the smallest of them share the last layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, cast

from lockstep.core.bundle import Platform
from lockstep.core.errors import Finding, LockstepError, Refused
from lockstep.core.names import Digest
from lockstep.core.pointer import Pointer, mending
from lockstep.core.weights import WeightsFile, WeightsLock
from lockstep.oci.image import Image, image_of
from lockstep.oci.layer import Entry, Layer, Opener, Sink, bytes_entry, size_of, write_layer
from lockstep.oci.measured import Measured, Meter, Unmetered
from lockstep.oci.statcache import Hashes, Stamp, settled, stamp_of
from lockstep.oci.store import BlobStore, layer_of

MOST_LAYERS = 100


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
        meter: Told of bytes that are read, and of those that must be read once more.
        done: Told of each layer as soon as it is locked.
    """

    component: str
    candidates: Callable[[Pointer], Iterable[Path]]
    missing: Callable[[Pointer], LockstepError]
    store: BlobStore | None = None
    locked: WeightsLock | None = None
    meter: Meter = field(default_factory=Unmetered)
    done: Callable[[Done], None] = lambda _: None


@dataclass(frozen=True)
class Done:
    """The files of one layer, locked.

    Args:
        files: One; or the small ones that share it.
        learnt: What is known now about files, to be remembered; grows from one layer to the next.
        is_read: Whether their bytes were read; if not, they are as they were when they were.
    """

    files: tuple[WeightsFile, ...]
    learnt: Mapping[Stamp, Hashes]
    is_read: bool = True


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
        done = Done(_pack(work, pack), learnt) if len(pack) > 1 else _one(work, pack[0], learnt)
        locked += done.files
        work.done(done)
    files = tuple(sorted(locked, key=lambda file: (file.path, file.name)))
    return WeightsLock(image=weights_image(files).digest, files=files), learnt


def unchanged(work: Work, pointer: Pointer, known: Mapping[Stamp, Hashes], paths: Iterable[Path]) -> Hashes | None:
    """What is known of a pointer's bytes without reading them: from the first of these files that has not changed since
    it was hashed, and whose layer the store has.
    """
    for path in paths:
        hashes = known.get(stamp_of(path))
        if hashes and hashes.name == pointer.name and hashes.md5 == pointer.md5 and _has(work, hashes.layer):
            return hashes
    return None


def weights_layer(
    component: str, sources: Sequence[Source], store: BlobStore | None, meter: Meter | None = None
) -> tuple[WeightsFile, ...]:
    """What the files of one layer are, from one pass that also writes the layer to the store, if there is
    one. The meter is told of bytes that are read.

    Memory does not grow with size. The hashes of the file are computed in threads beside that of the layer.

    Raises:
        WrongBytes: a file differs from its pointer, by size or by md5; the store is left without the layer.
    """
    for source in sources:
        if source.size != source.pointer.size:
            raise _wrong(component, source, f"{source.size} bytes", f"{source.pointer.size} bytes")
    with ExitStack() as stack:
        threads = (stack.enter_context(ThreadPoolExecutor(1)), stack.enter_context(ThreadPoolExecutor(1)))
        measured = [Measured(source.opener, threads, meter or Unmetered()) for source in sources]

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
    """The image of these files. Same files, same bytes."""
    return image_of(layers_of(files), Platform())


def layers_of(files: Iterable[WeightsFile]) -> list[Layer]:
    """The layers of these files, in the order of their names; files with one layer share it."""
    layers: dict[Digest, list[Entry]] = {}
    for file in sorted(files, key=lambda file: file.name):
        layers.setdefault(file.layer, []).append(Entry(file.name, file.size, bytes_entry("", b"").opener))
    return [Layer(digest, size_of(entries)) for digest, entries in layers.items()]


def packs(pointers: Sequence[Pointer]) -> tuple[tuple[Pointer, ...], ...]:
    """The pointers by layer: each its own, and past MOST_LAYERS the smallest of them together. Order of the
    arguments is ignored.
    """
    ordered = sorted(pointers, key=lambda pointer: (-pointer.size, pointer.name))
    alone = ordered if len(ordered) <= MOST_LAYERS else ordered[: MOST_LAYERS - 1]
    rest = tuple(ordered[len(alone) :])
    return (*((pointer,) for pointer in alone), *((rest,) if rest else ()))


def _one(work: Work, pointer: Pointer, learnt: dict[Stamp, Hashes]) -> Done:
    """Tries the candidates in turn; wrong bytes in one of them are an error only if no other has the right
    ones.
    """
    wrong: list[Finding] = []
    for path in work.candidates(pointer):
        stamp = stamp_of(path)
        if hashes := unchanged(work, pointer, learnt, [path]):
            return Done((_file(pointer, hashes.sha256, hashes.layer),), learnt, is_read=False)
        try:
            file = _measure(work, _source(pointer, path))
        except WrongBytes as error:
            wrong += error.findings
            continue
        if settled(path, stamp):
            learnt[stamp] = Hashes(file.name, file.md5, file.sha256, file.layer)
        return Done((file,), learnt)
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
        (file,) = _layer(work, [source], None)
        if _has(work, file.layer):
            return file
        work.meter.also(source.size)
    (file,) = _layer(work, [source], work.store)
    return file


def _layer(work: Work, sources: Sequence[Source], store: BlobStore | None) -> tuple[WeightsFile, ...]:
    """As weights_layer; what was read in vain is to be read again, elsewhere."""
    read = _Counted(work.meter)
    try:
        return weights_layer(work.component, sources, store, read)
    except WrongBytes:
        work.meter.also(read.size)
        raise


def _pack(work: Work, pointers: Sequence[Pointer]) -> tuple[WeightsFile, ...]:
    """Small files that share a layer: first the right candidate of each, then the layer."""
    sources = [_right(work, pointer) for pointer in pointers]
    work.meter.also(sum(source.size for source in sources))
    return _layer(work, sources, work.store)


def _right(work: Work, pointer: Pointer) -> Source:
    wrong: list[Finding] = []
    for path in work.candidates(pointer):
        try:
            _layer(work, [_source(pointer, path)], None)
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
    fix = mending(pointer, component)
    finding = Finding("weights/bytes", pointer.where, what, fix, component)
    return WrongBytes(f"{component}: wrong bytes for {pointer.name}", [finding])


@dataclass
class _Counted:
    """A meter that remembers what it was told."""

    meter: Meter
    size: int = 0

    def moved(self, size: int) -> None:
        self.size += size
        self.meter.moved(size)

    def also(self, size: int) -> None:
        self.meter.also(size)
