"""export: writes a whole release as one file, an image layout in a tar, for carrying it where no network leads.

1. find every image that the release needs, and where each of its blobs is: nothing is written before all of this is
   known;
2. write release.yaml as an artifact, the manifests, then the blobs, each hashed on the way.

The store is read and never written. The same release gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lockstep.adapters import files
from lockstep.core.carry import Carried, Role, carried_images, document_name, external_components
from lockstep.core.errors import OutsideError, UsageError
from lockstep.core.names import HOST, ComponentName, digest_of
from lockstep.core.release import Release
from lockstep.core.version import Version
from lockstep.oci.archive import INDEX_PATH, LAYOUT_PATH, Member, Part, archive_size, blob_member, copied, write_archive
from lockstep.oci.image import Descriptor, parse_manifest
from lockstep.oci.index import EMPTY, LAYOUT_FILE, blobs_in_order, format_named, named_image, release_artifact
from lockstep.oci.layer import Layer, Sink
from lockstep.oci.store import Fill, Store, writing
from lockstep.verbs.images.naming import naming
from lockstep.verbs.images.stores import Stores
from lockstep.verbs.workspace import Workspace, release_path

Target = Path | BinaryIO | None  # a file that gets its name when it is whole; a stream; nothing, for a dry run


@dataclass(frozen=True)
class Packing:
    """What packing needs."""

    workspace: Workspace
    release: Release
    stores: Stores

    def places(self, image: Carried) -> Iterator[Store]:
        """Where an image may be, the nearest first. No registry is asked by being named."""
        yield self.stores.of(image.repository)
        registry = self.workspace.bundle.registry
        if image.role is not Role.THIRD_PARTY and self.workspace.bundle.has_registry:
            yield self.stores.at(f"{registry}/{image.repository}")
        if image.origin:
            yield self.stores.at(image.origin)

    def naming(self, image: Carried) -> AbstractContextManager[None]:
        """Errors about an image name its component, and what makes it again."""
        again = f"lockstep build {self.release.commit}" if image.role is not Role.THIRD_PARTY else ""
        return naming(image.component, image.name, again)


@dataclass(frozen=True)
class Packed:
    """One image as it is carried: the blobs are those of its own that no image before it brings."""

    image: Carried
    blobs: tuple[Descriptor, ...]

    @property
    def size(self) -> int:
        """Bytes of these blobs."""
        return sum(blob.size for blob in self.blobs)


@dataclass(frozen=True)
class Exported:
    """What an export carries or would carry.

    Args:
        release: The release.
        images: Every image, in the order of the archive.
        size: Bytes of the whole archive.
        external: Components that run elsewhere, so that nothing of them is carried.
    """

    release: Release
    images: tuple[Packed, ...]
    size: int
    external: tuple[ComponentName, ...]


def export_release(workspace: Workspace, version: Version, stores: Stores, target: Target) -> Exported:
    """What was written of a release to a file or stream; with None for that, what would be.

    Raises:
        UsageError: there is no such release, or it does not say which registry a third-party image is in.
        InvalidManifest: a third-party image is one of several platforms.
        OutsideError: a blob is nowhere to be had or damaged, or the disk is full; names the component. No file has
            appeared then, and one that had its name is as it was.
    """
    path, release = release_path(version), workspace.state.release(version)
    document = workspace.state.tree.read([path])[path]
    packing, images = Packing(workspace, release, stores), carried_images(release)
    manifests = [_manifest(packing, image) for image in images]  # step 1
    artifact = release_artifact(document, release)
    named = [named_image(document_name(release), artifact)]
    named += [named_image(image.name, data) for image, data in zip(images, manifests, strict=True)]
    documents = {digest_of(data): data for data in (artifact, EMPTY, document, *manifests)}
    parsed = [(image.name, parse_manifest(data, image.name)) for image, data in zip(images, manifests, strict=True)]
    shares = blobs_in_order(parsed, {digest: len(data) for digest, data in documents.items()})
    packed = tuple(Packed(image, blobs) for image, blobs in zip(images, shares, strict=True))
    parts = (
        *(_part(Member(name, len(data)), data) for name, data in _head(format_named(named))),
        *(_part(blob_member(digest, len(data)), data) for digest, data in documents.items()),
        *(part for one in packed for part in _blob_parts(packing, one)),
    )
    if target is not None:
        _write(_told(workspace, packed, parts), target)  # step 2
    return Exported(release, packed, archive_size(part.member for part in parts), external_components(release))


def _head(index: bytes) -> tuple[tuple[str, bytes], ...]:
    return (LAYOUT_PATH, LAYOUT_FILE), (INDEX_PATH, index)


def _part(member: Member, data: bytes) -> Part:
    return Part(member, writing(data))


def _write(parts: Iterable[Part], target: Path | BinaryIO) -> None:
    if isinstance(target, Path):
        with files.replacing(target) as stream:
            write_archive(parts, stream)
    else:
        with files.wrapped(Path("standard output")):
            write_archive(parts, target)
            target.flush()


def _told(workspace: Workspace, packed: tuple[Packed, ...], parts: tuple[Part, ...]) -> Iterator[Part]:
    """The parts; each image is named when its first blob comes."""
    first = {blob_member(one.blobs[0].digest, 0).path: one for one in packed if one.blobs}
    for part in parts:
        if one := first.get(part.member.path):
            workspace.say(f"{one.image.name}: {len(one.blobs)} blobs, {one.size:,} bytes")
        yield part


def _manifest(packing: Packing, image: Carried) -> bytes:
    """Step 1 for one image: its manifest, from the nearest place that has it."""
    if image.role is Role.THIRD_PARTY and not HOST.match(image.repository):
        raise UsageError(
            f"{image.component}: {image.repository} does not say which registry it is in",
            where=release_path(packing.release.version),
            fix=f"write its registry's host before it in components/{image.component}/component.yaml, release it",
        )
    with packing.naming(image):
        for place in packing.places(image):
            if place.digest_of(image.digest):
                data = place.manifest(image.digest)
                parse_manifest(data, f"{image.repository}@{image.digest}")
                return data
    raise _absent(packing, image, f"the image {image.repository}@{image.digest}")


def _blob_parts(packing: Packing, packed: Packed) -> Iterator[Part]:
    """Step 1 for the blobs of one image: where each is."""
    image = packed.image
    for blob in packed.blobs:
        with packing.naming(image):
            place = next((place for place in packing.places(image) if place.has(blob.digest)), None)
        if place is None:
            raise _absent(packing, image, f"blob {blob.digest} of {image.name}")
        fill = copied(place, Layer(blob.digest, blob.size))
        yield Part(blob_member(blob.digest, blob.size, image.component), _named_fill(packing, image, fill))


def _named_fill(packing: Packing, image: Carried, fill: Fill) -> Fill:
    def named(sink: Sink) -> None:
        with packing.naming(image):
            fill(sink)

    return named


def _absent(packing: Packing, image: Carried, what: str) -> OutsideError:
    again = f"lockstep build {packing.release.commit}"
    if image.role is Role.THIRD_PARTY:
        path = f"components/{image.component}/component.yaml"
        again = f"check that its registry still has it, or name another one in {path} and release that"
    registry = packing.workspace.bundle.registry
    asked = ", ".join(
        [".lockstep/store"]
        + [registry] * (image.role is not Role.THIRD_PARTY and packing.workspace.bundle.has_registry)
        + [image.origin] * bool(image.origin)
    )
    return OutsideError(f"{image.component}: {what} is not there", where=asked, fix=again)
