"""Images as folders, for running them on this machine without a container.

Only uncompressed layers are unpacked. The archive is believed in nothing: its digest is checked while it is read, no
path or link leaves the folder, and modes are 644 and 755 whatever it says. Layers that Lockstep wrote have no
deletions, devices and hard links. Of those that Docker wrote only what lies below /app is unpacked, with its deletions
and hard links: the rest is the system, and what runs here runs on this machine's own.
"""

from __future__ import annotations

import os
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from lockstep.adapters import files
from lockstep.core.errors import LockstepError, OutsideError
from lockstep.core.names import Digest
from lockstep.oci.code import FOLDER as APP
from lockstep.oci.image import Descriptor, parse_manifest
from lockstep.oci.layer import CHUNK, LAYER_TYPE, WHITEOUT, Entry, InvalidEntry, check, is_inside
from lockstep.oci.layout import Layout
from lockstep.oci.store import Damaged, Hashed, Store, own_layers

_OPAQUE = f"{WHITEOUT}{WHITEOUT}.opq"


def unpacked(store: Store, image: Digest, cache: Path) -> Path:
    """The folder with the image's files, `cache/<hex digest>`; made if it is not there, whole or not at all. Layers of
    the image that it stands on are left out: what runs here runs on this machine's own system and Python.

    Each layer is unpacked once, below `cache/layers`, and images that share it share its files by hard links: a code
    change costs its own layer. A cache: it is not synced to disk file by file, and whoever doubts it removes it.

    Args:
        store: Holds the image.
        image: Digest of its manifest.
        cache: Folder of unpacked images; two processes may share it.

    Raises:
        OutsideError: a blob is missing or damaged, or the disk is full.
        LockstepError: a layer is not one of ours: compressed, or with entries that ours never have.
    """
    target = folder_of(image, cache)
    if target.is_dir():
        return target
    manifest = parse_manifest(store.manifest(image), str(image))
    with files.new_folder(target) as folder:
        for layer in own_layers(store, manifest, str(image)):
            _overlay(_layer(store, layer, cache / "layers", is_ours=not manifest.builder), folder)
    return target


def folder_of(image: Digest, cache: Path) -> Path:
    """Where `unpacked` puts an image."""
    return cache / image.hex


def _layer(store: Store, layer: Descriptor, cache: Path, *, is_ours: bool) -> Path:
    """The folder with one layer's files."""
    target = cache / (layer.digest.hex if is_ours else f"{layer.digest.hex}-docker")
    if not target.is_dir():
        with files.new_folder(target) as folder:
            _unpack(store, layer, folder, is_ours=is_ours)
    return target


def _overlay(layer: Path, folder: Path) -> None:
    """Lays a layer over what the folder has: a file takes the place of a lower layer's file, never of a folder."""
    for parent, folders, names in os.walk(layer):
        place = folder / os.path.relpath(parent, layer)
        if place.is_symlink() or place.is_file():
            raise _below_a_file(str(place))
        files.put_folder(place)
        _delete(place, names)
        for name in sorted([*names, *(child for child in folders if Path(parent, child).is_symlink())]):
            path, source = place / name, Path(parent, name)
            if name.startswith(WHITEOUT):
                continue
            if path.is_dir() and not path.is_symlink():
                raise InvalidEntry(
                    "a file in the place of a folder of a lower layer", where=str(path), fix="rename one of them"
                )
            files.remove(path)
            if source.is_symlink():
                files.put_link(path, str(source.readlink()))
            else:
                files.put_same(path, source)


def _delete(place: Path, names: list[str]) -> None:
    """Takes away what a layer says is gone from lower ones. Source: OCI image-spec v1.1.0, layer.md, "Whiteouts"."""
    if _OPAQUE in names:
        files.remove_folder(place)
        files.put_folder(place)
    for name in names:
        gone = place / name.removeprefix(WHITEOUT)
        if name.startswith(WHITEOUT) and gone.is_dir() and not gone.is_symlink():
            files.remove_folder(gone)
        elif name.startswith(WHITEOUT):
            files.remove(gone)


def _below_a_file(where: str) -> InvalidEntry:
    return InvalidEntry("an entry below a link or a file", where=where, fix="build the image again")


class _Reader:
    """A stream that hashes what is read."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.hashed = Hashed()

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self.hashed.write(data)
        return data


def _unpack(store: Store, layer: Descriptor, folder: Path, *, is_ours: bool) -> None:
    if layer.media_type != LAYER_TYPE:
        raise LockstepError(
            f"cannot unpack a layer of type {layer.media_type}", where=str(layer.digest),
            fix="run this image with a container runtime; only layers that Lockstep wrote run without one",
        )  # fmt: skip
    with store.open(layer.digest) as stream:
        reader = _Reader(stream)
        try:
            with tarfile.open(fileobj=cast("BinaryIO", reader), mode="r|", bufsize=CHUNK) as archive:
                for member in archive:
                    if is_ours:
                        _place(archive, member, folder)
                    else:
                        _place_of_docker(archive, member, folder)
        except tarfile.TarError as error:
            _rest(reader, layer)
            raise OutsideError(
                f"not a tar archive: {error}", where=str(layer.digest), fix="build it again: lockstep build"
            ) from error
        _rest(reader, layer)


def _rest(reader: _Reader, layer: Descriptor) -> None:
    """Reads to the end; the digest is that of all bytes."""
    while reader.read(CHUNK):
        pass
    if reader.hashed.layer.digest != layer.digest:
        raise Damaged(layer.digest, reader.hashed.layer.digest)


def _place_of_docker(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Makes one member of a layer that Docker wrote, if it is below /app: a deletion as a file of its name, a hard link
    as the file that it is another name of. A link that leaves /app means something in that system alone: it is left
    out.
    """
    member.name = member.name.removeprefix("./").rstrip("/")
    head, _, last = member.name.rpartition("/")
    if member.name.partition("/")[0] != APP:
        return
    if last.startswith(WHITEOUT):
        _checked(head if last == _OPAQUE else f"{head}/{last.removeprefix(WHITEOUT)}", folder)
        files.put_file(folder / member.name, [], 0o644)
    elif member.islnk():
        name, source = member.name, folder / member.linkname.removeprefix("./")
        _checked(name, folder)
        _checked(member.linkname.removeprefix("./"), folder)
        if source.is_file() and not source.is_symlink():
            files.remove(folder / name)
            files.put_same(folder / name, source)
    elif member.isdir() or member.isreg() or (member.issym() and is_inside(member.name, member.linkname)):
        _place(archive, member, folder)


def _checked(name: str, folder: Path, target: str = "") -> None:
    """Nothing, if there may be an entry of this name below the folder."""
    check(Entry(name, 0, lambda: cast("BinaryIO", None), 0o644, target))
    parts = name.split("/")
    above = [folder.joinpath(*parts[:depth]) for depth in range(1, len(parts))]
    if any(parent.is_symlink() or parent.is_file() for parent in above):
        raise _below_a_file(name)


def _place(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Makes one member below the folder; a later member takes the place of an earlier one of its name."""
    path = folder / member.name
    _checked(member.name, folder, member.linkname if member.issym() else "")
    if member.isdir():
        files.put_folder(path)
        return
    if path.is_dir() and not path.is_symlink():
        raise InvalidEntry(
            "a file in the place of a folder of a lower layer", where=member.name, fix="rename one of them"
        )
    files.remove(path)
    if member.issym():
        files.put_link(path, member.linkname)
    elif member.isreg():
        files.put_file(path, _bytes(archive, member), 0o755 if member.mode & 0o111 else 0o644)
    else:
        raise InvalidEntry(
            "neither a file nor a folder nor a symbolic link", where=member.name, fix="build the image again"
        )


def _bytes(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    stream = archive.extractfile(member)
    while stream and (chunk := stream.read(CHUNK)):
        yield chunk


def main() -> None:
    """Unpacks one image, as a program of its own at low priority: python -m lockstep.oci.unpack STORE DIGEST CACHE."""
    store, image, cache = sys.argv[1:]
    os.nice(10)
    unpacked(Layout(Path(store)), Digest(image), Path(cache))


if __name__ == "__main__":
    main()
