"""The archives that a Docker daemon loads and saves: a tar file whose manifest.json names configuration and layers.

Source: moby v20.10.24, image/spec/v1.2.md, "Combined Image JSON + Filesystem Changeset Format".
"""

from __future__ import annotations

import gzip
import json
import tarfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import IO, BinaryIO, cast

from lockstep.core.errors import OutsideError
from lockstep.core.names import Digest, digest_of
from lockstep.oci.docker_image import Under
from lockstep.oci.image import parse_manifest, parse_object
from lockstep.oci.layer import CHUNK, Layer, Sink, bytes_entry, write_layer
from lockstep.oci.store import BlobStore, Fill, layer_of

SECRETS = "run/secrets"  # where BuildKit mounts them, too
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class Lent:
    """What a build may read and no image may hold: files below /run/secrets, and variables that name them.

    Args:
        files: Bytes by file name.
        variables: `NAME=value`, as in a configuration.
        secrets: Byte strings that no layer may have.
    """

    files: tuple[tuple[str, bytes], ...] = ()
    variables: tuple[str, ...] = ()
    secrets: tuple[bytes, ...] = ()

    @property
    def layer(self) -> bytes:
        """The files as a layer; empty if there is none."""
        if not self.files:
            return b""
        sink = BytesIO()
        write_layer([bytes_entry(f"{SECRETS}/{name}", data) for name, data in self.files], sink)
        return sink.getvalue()

    @property
    def diff_ids(self) -> tuple[Digest, ...]:
        """The digest of that layer; nothing if there is none."""
        return (digest_of(self.layer),) if self.files else ()


@dataclass(frozen=True)
class Loading:
    """A base image with what is lent, as a daemon is to know it.

    Args:
        name: What it is called there.
        config: Its configuration; a daemon names an image by its digest.
        diff_ids: Its layers.
    """

    name: str
    config: bytes
    diff_ids: tuple[Digest, ...]


def loading_of(under: Under, lent: Lent) -> Loading:
    """The image that a build begins from: the base, and above it what is lent. Same arguments, same name."""
    data = parse_object(under.config, "base image")
    inner = dict(data.get("config") or {})
    said = list(inner.get("Env") or [])
    named = {pair.partition("=")[0] for pair in said}
    inner["Env"] = [*said, *(pair for pair in lent.variables if pair.partition("=")[0] not in named)]
    diff_ids = (*data["rootfs"]["diff_ids"], *lent.diff_ids)
    config = {
        "architecture": data["architecture"],
        "os": data["os"],
        "config": inner,
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }
    written = json.dumps(config, sort_keys=True).encode()
    return Loading(f"lockstep.local/base:{digest_of(written).hex[:20]}", written, tuple(map(Digest, diff_ids)))


def write_archive(loading: Loading, under: Under, lent: Lent, store: BlobStore, sink: IO[bytes]) -> None:
    """Nothing; writes what `docker load` reads. The base's layers come from the store as they are, compressed or not.

    Raises:
        OutsideError: a layer is missing in the store.
    """
    layers = parse_manifest(under.manifest, "base image").layers
    names = [f"{number}.tar" for number in range(len(layers) + len(lent.diff_ids))]
    listed = [{"Config": "config.json", "RepoTags": [loading.name], "Layers": names}]
    with tarfile.open(fileobj=sink, mode="w|", bufsize=CHUNK) as archive:
        for name, layer in zip(names, layers, strict=False):
            with store.open(layer.digest) as stream:
                _add(archive, name, layer.size, stream)
        if lent.files:
            _add(archive, names[-1], len(lent.layer), BytesIO(lent.layer))
        _add(archive, "config.json", len(loading.config), BytesIO(loading.config))
        body = json.dumps(listed).encode()
        _add(archive, "manifest.json", len(body), BytesIO(body))


@dataclass(frozen=True)
class Saved:
    """An image in an archive that a daemon saved: its configuration, and each layer, lowest first."""

    config: bytes
    layers: tuple[Callable[[], IO[bytes]], ...]


@contextmanager
def saved_image(stream: BinaryIO) -> Iterator[Saved]:
    """The one image of an archive, as long as the block lasts.

    Raises:
        OutsideError: it is not such an archive.
    """
    try:
        with tarfile.open(fileobj=stream, mode="r:") as archive:
            one = json.loads(_member(archive, "manifest.json").read())[0]
            config = _member(archive, one["Config"]).read()
            yield Saved(config, tuple(_opener(archive, name) for name in one["Layers"]))
    except (tarfile.TarError, ValueError, KeyError, IndexError, TypeError) as error:
        fix = "run the same command again; if it stays so, use the Docker daemon of your distribution"
        raise OutsideError(f"the daemon saved no image: {error}", where="docker save", fix=fix) from error


def layer_fill(opened: IO[bytes]) -> Fill:
    """The fill that writes a saved layer, uncompressed."""

    def fill(sink: Sink) -> None:
        head = opened.read(len(_GZIP))
        opened.seek(0)
        source = cast("IO[bytes]", gzip.GzipFile(fileobj=opened)) if head == _GZIP else opened
        while chunk := source.read(CHUNK):
            sink.write(chunk)

    return fill


def leaked(opened: IO[bytes], lent: Lent) -> str:
    """The first thing of what was lent that a layer holds, in words; empty if it holds nothing of it.

    Files below /run/secrets may not be there at all, and no byte string that is a secret may be in any place.
    """
    found = _Search(lent.secrets)
    layer_fill(opened)(found)
    if found.hit:
        return "a credential or the address of the package index"
    opened.seek(0)
    wanted = {f"{SECRETS}/{name}" for name, _ in lent.files}
    mode = "r:gz" if opened.read(len(_GZIP)) == _GZIP else "r:"
    opened.seek(0)
    with tarfile.open(fileobj=opened, mode=mode) as archive:  # type: ignore[call-overload]
        for member in archive:
            if member.name.lstrip("./") in wanted and member.isreg() and member.size:
                return f"/{member.name.lstrip('./')}"
    return ""


class _Search:
    """A sink that looks for byte strings, also across the borders of what is written."""

    def __init__(self, wanted: Sequence[bytes]) -> None:
        self._wanted = tuple(one for one in wanted if one)
        self._keep = max((len(one) for one in self._wanted), default=1) - 1
        self._tail = b""
        self.hit = False

    def write(self, data: bytes, /) -> None:
        """Looks through the bytes."""
        if self._wanted and not self.hit:
            text = self._tail + data
            self.hit = any(one in text for one in self._wanted)
            self._tail = text[-self._keep :] if self._keep else b""


def stored_layer(store: BlobStore, name: str, opened: IO[bytes], diff_id: Digest) -> Layer:
    """A saved layer, stored; nothing is written where the store has it.

    Raises:
        OutsideError: its bytes are not those that the configuration names.
    """
    known = store.size(diff_id)
    if known is not None:
        return Layer(diff_id, known)
    found = layer_of(layer_fill(opened))
    if found.digest != diff_id:
        fix = "run the same command again; if it stays so, use another Docker daemon"
        raise OutsideError(f"the daemon saved {found.digest} as the layer {diff_id}", where=name, fix=fix)
    opened.seek(0)
    return store.put(name, layer_fill(opened))


def _add(archive: tarfile.TarFile, name: str, size: int, stream: IO[bytes]) -> None:
    info = tarfile.TarInfo(name)
    info.size = size
    archive.addfile(info, stream)


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    found = archive.extractfile(name)
    if found is None:
        raise ValueError(f"{name} is not in it")
    return found


def _opener(archive: tarfile.TarFile, name: str) -> Callable[[], IO[bytes]]:
    return lambda: _member(archive, name)
