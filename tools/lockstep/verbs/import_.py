"""import: takes a release that `export` wrote into the bundle's store. Idempotent; commits nothing.

1. read what the file says it is: its index, the artifact, release.yaml; a release.yaml in Git must be the same bytes;
2. read the manifests: they are the images that release.yaml pins, all of them, and no other;
3. read the blobs: each has the size that a manifest says and the digest of its name; one that the store lacks goes in;
4. read the end; only then the tags are set, so a file that is cut or changed anywhere moves none.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass

from lockstep.core.carry import (
    DOCUMENT,
    Carried,
    Role,
    carried_findings,
    carried_images,
    document_name,
    external_components,
)
from lockstep.core.errors import Finding, Refused, refuse_if
from lockstep.core.names import ComponentName, Digest, digest_of
from lockstep.core.release import Release, parse_release
from lockstep.oci.archive import LAYOUT_PATH, Archive, Member, blob_member
from lockstep.oci.image import Descriptor, parse_manifest
from lockstep.oci.index import (
    DOCUMENT_TYPE,
    EMPTY,
    LAYOUT_FILE,
    RELEASE_TYPE,
    Named,
    blobs_in_order,
    named_image,
    parse_named,
    release_artifact,
    release_said,
)  # fmt: skip
from lockstep.oci.layer import Sink
from lockstep.oci.store import Fill, Hashed, Store, writing
from lockstep.verbs.images.stores import Stores
from lockstep.verbs.workspace import Workspace, release_path

_AGAIN = "carry the file again, as lockstep export wrote it"


@dataclass(frozen=True)
class ImportedImage:
    """One image after an import (or as it would be, in a dry run).

    Args:
        image: Which one.
        blobs: How many blobs the file brings for it that no image before it has.
        new_blobs: Those that the store lacked.
        new_bytes: Bytes of these.
        is_new: Whether its tag was not there, or named another image.
    """

    image: Carried
    blobs: int
    new_blobs: int
    new_bytes: int
    is_new: bool


@dataclass(frozen=True)
class Imported:
    """What an import did or would do.

    Args:
        release: The release that release.yaml of the file is.
        document: Digest of the bytes of that release.yaml.
        is_in_git: Whether Git has the same release.yaml; if not, Git has none of that version.
        images: Every image, in the order of the archive.
        external: Components that run elsewhere, so that nothing of them was carried.
    """

    release: Release
    document: Digest
    is_in_git: bool
    images: tuple[ImportedImage, ...]
    external: tuple[ComponentName, ...]

    @property
    def new_bytes(self) -> int:
        """Bytes that the store lacked."""
        return sum(one.new_bytes for one in self.images)

    @property
    def third_party(self) -> tuple[str, ...]:
        """References that pods pull from a registry of their own, so that somebody must mirror them."""
        carried = (one.image for one in self.images)
        return tuple(f"{one.repository}@{one.digest}" for one in carried if one.role is Role.THIRD_PARTY)


@dataclass(frozen=True)
class Brought:
    """What the first members of an archive say: the release, its bytes, and the bytes of the artifact."""

    release: Release
    document: bytes
    artifact: bytes

    @property
    def documents(self) -> dict[Digest, bytes]:
        """The documents by digest, in the order of the archive."""
        return {digest_of(data): data for data in (self.artifact, EMPTY, self.document)}


def import_release(workspace: Workspace, archive: Archive, stores: Stores, *, dry: bool) -> Imported:
    """What was taken into the store; in a dry run, after all of the file was checked, what would be.

    Raises:
        Refused: the file is not, byte for byte, what export writes; or Git has another release.yaml of that version.
            No tag was moved.
        OutsideError: it cannot be read, or the store cannot be written; a rerun takes what is left.
    """
    if archive.document(Member(LAYOUT_PATH, len(LAYOUT_FILE))) != LAYOUT_FILE:  # step 1
        raise _refused(f"{archive.name}:{LAYOUT_PATH}", f"it is not {LAYOUT_FILE.decode()}", rule="import/archive")
    named = parse_named(archive.index(), f"{archive.name}:index.json")
    brought = _brought(archive, named)
    is_in_git = _is_in_git(workspace, brought, archive.name)
    images = _images(archive, named, brought.release)  # step 2
    documents = brought.documents | _manifests(archive, named, images, brought.documents)
    parsed = [(image.name, parse_manifest(documents[image.digest], image.name)) for image in images]
    shares = blobs_in_order(parsed, {digest: len(data) for digest, data in documents.items()})
    with nullcontext() if dry else workspace.using_store("lockstep import"):
        imported = tuple(  # step 3
            _image(workspace, archive, stores.of(image.repository), (image, blobs), dry=dry)
            for image, blobs in zip(images, shares, strict=True)
        )
        archive.end()  # step 4
        if not dry:
            _tag(stores, brought, images, documents)
    release = brought.release
    return Imported(release, digest_of(brought.document), is_in_git, imported, external_components(release))


def _brought(archive: Archive, named: tuple[Named, ...]) -> Brought:
    """Step 1: the artifact, which must say what its release.yaml is."""
    first = named[0] if named else None
    if first is None or first.artifact_type != RELEASE_TYPE:
        raise _refused(f"{archive.name}:index.json", "its first entry is not a release", rule="import/archive")
    artifact = _document(archive, first.digest, first.size)
    manifest = parse_manifest(artifact, f"{archive.name}:{first.name}")
    said = [layer for layer in manifest.layers if layer.media_type == DOCUMENT_TYPE]
    if _document(archive, digest_of(EMPTY), len(EMPTY)) != EMPTY or not said:
        raise _refused(f"{archive.name}:{first.name}", "it is no artifact with a release.yaml", rule="import/archive")
    document = _document(archive, said[0].digest, said[0].size)
    release = _release(document, f"{archive.name}:release.yaml")
    if artifact != release_artifact(document, release) or first != named_image(document_name(release), artifact):
        what = f"the artifact says release {release_said(artifact) or 'nothing'}, its release.yaml is {release.digest}"
        raise _refused(f"{archive.name}:{first.name}", what, rule="import/release")
    return Brought(release, document, artifact)


def _release(document: bytes, where: str) -> Release:
    try:
        return parse_release(document.decode(), where)
    except UnicodeDecodeError as error:
        raise _refused(where, f"not UTF-8: {error}", rule="import/release") from error


def _is_in_git(workspace: Workspace, brought: Brought, where: str) -> bool:
    """Whether Git has the same bytes; not if it has no release of that version.

    Raises:
        Refused: it has others.
    """
    path = release_path(brought.release.version)
    here = workspace.state.tree.read([path]).get(path)
    if here not in {None, brought.document}:
        what = f"{where} carries another {path}: its bytes are {digest_of(brought.document)}, Git's {digest_of(here)}"
        fix = f"see who is right: git log -- {path}; an archive of what Git has: lockstep export"
        raise Refused("this is not the release that Git has", [Finding("import/release", path, what, fix)])
    return here is not None


def _images(archive: Archive, named: tuple[Named, ...], release: Release) -> tuple[Carried, ...]:
    """Step 2: what the index names, which must be what the release pins, in that order, each once."""
    given = [(one.name, one.digest) for one in named[1:]]
    images = carried_images(release)
    wrong = tuple(carried_findings(release, given, archive.name))
    refuse_if(wrong, f"{archive.name} does not hold what release {release.version} pins")
    if [name for name, _ in given] != [image.name for image in images]:
        raise _refused(f"{archive.name}:index.json", "an image stands twice or out of order", rule="import/archive")
    return images


def _manifests(
    archive: Archive, named: tuple[Named, ...], images: tuple[Carried, ...], known: Mapping[Digest, bytes]
) -> dict[Digest, bytes]:
    """Step 2: the manifests, which must be what the index says."""
    found: dict[Digest, bytes] = {}
    for entry, image in zip(named[1:], images, strict=True):
        if entry.digest not in known and entry.digest not in found:
            found[entry.digest] = _document(archive, entry.digest, entry.size, image.component)
        data = found.get(entry.digest) or known[entry.digest]
        parse_manifest(data, f"{archive.name}:{entry.name}")
        if named_image(entry.name, data) != entry:
            what = f"the index says {entry}, the manifest {named_image(entry.name, data)}"
            raise _refused(f"{archive.name}:{entry.name}", what, image.component, rule="import/archive")
    return found


def _document(archive: Archive, digest: Digest, size: int, component: str = "") -> bytes:
    """The next member, a document of this digest."""
    member = blob_member(digest, size, component)
    data = archive.document(member)
    _check(archive, member, digest, digest_of(data))
    return data


def _image(
    workspace: Workspace, archive: Archive, store: Store, part: tuple[Carried, tuple[Descriptor, ...]], *, dry: bool
) -> ImportedImage:
    """Step 3 for one image."""
    image, blobs = part
    if blobs:
        workspace.say(f"{image.name}: {len(blobs)} blobs, {sum(blob.size for blob in blobs):,} bytes")
    new = [blob for blob in blobs if not store.has(blob.digest)]
    for blob in blobs:
        fill = _checked(archive, blob, image.component)
        if blob in new and not dry:
            store.put(f"blob {blob.digest} of {image.name}", fill)
        else:
            fill(Hashed())
    is_new = store.digest_of(image.tag) != image.digest
    return ImportedImage(image, len(blobs), len(new), sum(blob.size for blob in new), is_new)


def _checked(archive: Archive, blob: Descriptor, component: str) -> Fill:
    """The fill that takes the next member and raises Refused at its end if it is not the blob."""
    member = blob_member(blob.digest, blob.size, component)

    def fill(sink: Sink) -> None:
        hashed = Hashed(sink)
        archive.copy(member, hashed)
        _check(archive, member, blob.digest, hashed.layer.digest)

    return fill


def _check(archive: Archive, member: Member, digest: Digest, found: Digest) -> None:
    if found != digest:
        what = f"its bytes have {found}, its name says {digest}"
        raise _refused(f"{archive.name}:{member.path}", what, member.component, rule="import/blob")


def _tag(stores: Stores, brought: Brought, images: tuple[Carried, ...], documents: Mapping[Digest, bytes]) -> None:
    """Step 4: every blob of every image is there. A tag that is right already is not written."""
    release, own = brought.release, stores.of(DOCUMENT)
    for data in (EMPTY, brought.document):
        if not own.has(digest_of(data)):
            own.put(document_name(release), writing(data))
    named = [(own, document_name(release).rpartition(":")[2], brought.artifact)]
    named += [(stores.of(image.repository), image.tag, documents[image.digest]) for image in images]
    for store, tag, manifest in named:
        if store.digest_of(tag) != digest_of(manifest):
            store.tag(tag, manifest)


def _refused(where: str, what: str, component: str = "", *, rule: str) -> Refused:
    return Refused("this archive is not whole, or was changed", [Finding(rule, where, what, _AGAIN, component)])
