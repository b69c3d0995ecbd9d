"""push: copies every image of a release from the bundle's store to its registry. Idempotent; commits nothing.

1. ask the registry for the tag and the blobs of every image: nothing is sent before all of this is known;
2. refuse if a tag of this release names something else there;
3. send what is missing, image by image: blobs first, the tag last (`release-<version>`, a copier's `copier-<version>`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lockstep.core.bundle import OWN_STORE
from lockstep.core.errors import Finding, OutsideError, UsageError, refuse_if
from lockstep.core.names import Digest
from lockstep.core.rules.image import Wanted
from lockstep.core.version import Version
from lockstep.oci.image import Descriptor, Manifest, parse_manifest
from lockstep.oci.store import Store, copy_image
from lockstep.verbs.release import Stores, our_images
from lockstep.verbs.workspace import Workspace


@dataclass(frozen=True)
class Found:
    """One image and what the registry has of it before a push.

    Args:
        name: Its full name there, without tag and digest.
        digest: Of its manifest.
        tag: What it is to be called there.
        source: Where it is.
        target: Where it goes.
        tagged: What its tag names there now.
        blobs: How many layers and configurations it has.
        missing: Those that its repository there lacks.
    """

    name: str
    digest: Digest
    tag: str
    source: Store
    target: Store
    tagged: Digest | None
    blobs: int
    missing: tuple[Descriptor, ...]


@dataclass(frozen=True)
class PushedImage:
    """One image after a push (or before, in a dry run).

    Args:
        reference: Its full name with its digest.
        blobs: How many layers and configurations it has.
        present: Those that were there.
        mounted: Those that another repository of the registry gave, or was asked to give.
        sent_bytes: Bytes that went up; in a dry run, would go up at most.
        is_new: Whether its tag was not there.
    """

    reference: str
    blobs: int
    present: int
    mounted: int
    sent_bytes: int
    is_new: bool

    @property
    def sent(self) -> int:
        """How many blobs went up."""
        return self.blobs - self.present - self.mounted


@dataclass(frozen=True)
class Pushed:
    """What a push did or would do."""

    version: Version
    registry: str
    tag: str
    images: tuple[PushedImage, ...]

    @property
    def sent_bytes(self) -> int:
        """Bytes that went up."""
        return sum(image.sent_bytes for image in self.images)


def push_release(workspace: Workspace, version: Version, stores: Stores, *, dry: bool) -> Pushed:
    """What was sent of a release so that its registry has all of it; every reference of its objects can be pulled then.

    Raises:
        UsageError: lockstep.yaml names no registry, or there is no such release.
        Refused: the tag of this release names another image there.
        OutsideError: an image is not in the store, or the registry failed; a rerun sends what is left.
    """
    registry, release = workspace.bundle.registry, workspace.state.release(version)
    if registry.partition("/")[0] == OWN_STORE:
        raise UsageError(
            f"`registry: {registry}` stands for the store in .lockstep: there is nowhere to push to",
            where="lockstep.yaml",
            fix=f"write `registry: HOST/PATH` of a registry there, commit it, then: lockstep push {version}",
        )
    images = _stored(stores, our_images(release), f"lockstep build {release.commit}")
    found = [_found(stores, registry, image) for image in images]
    refuse_if(_tag_findings(found), f"{version} cannot be pushed")
    placed = {blob for one in found for blob in _present(one)}
    pushed = []
    for one in found:
        new = _new(one, placed)
        if one.missing and not dry:
            workspace.say(f"{one.name}: {len(new)} of {one.blobs} blobs to send, {sum(b.size for b in new):,} bytes")
        size = sum(blob.size for blob in new) if dry else copy_image(one.source, one.target, one.digest, one.tag)
        placed |= {blob.digest for blob in one.missing}
        pushed.append(_pushed(one, new, size))
    return Pushed(version, registry, f"release-{version}", tuple(pushed))


def _stored(stores: Stores, images: tuple[Wanted, ...], again: str) -> tuple[Wanted, ...]:
    """The images, once each manifest is known to be in the store."""
    named = [(image.reference.repository, image.reference.digest) for image in images]
    absent = sorted({name for name, digest in named if stores.of(name).digest_of(digest) is None})
    if absent:
        raise OutsideError(
            f"{', '.join(absent)} of this release is not in the store", where=".lockstep/store", fix=again
        )
    return images


def _found(stores: Stores, registry: str, image: Wanted) -> Found:
    """Step 1 for one image."""
    name, digest, tag = f"{registry}/{image.reference.repository}", image.reference.digest, image.tag
    source, target = stores.of(image.reference.repository), stores.at(name)
    blobs = _blobs(parse_manifest(source.manifest(digest), f"{name}@{digest}"))
    missing = tuple(blob for blob in blobs if not target.has(blob.digest))
    return Found(name, digest, tag, source, target, target.digest_of(tag), len(blobs), missing)


def _blobs(manifest: Manifest) -> tuple[Descriptor, ...]:
    return tuple({blob.digest: blob for blob in (*manifest.layers, manifest.config)}.values())


def _present(one: Found) -> set[Digest]:
    blobs = {blob.digest for blob in _blobs(parse_manifest(one.source.manifest(one.digest), one.name))}
    return blobs - {blob.digest for blob in one.missing}


def _tag_findings(found: Iterable[Found]) -> Iterable[Finding]:
    for one in found:
        if one.tagged not in {None, one.digest}:
            yield Finding(
                "push/tag",
                f"{one.name}:{one.tag}",
                f"the tag names {one.tagged} there, this release has {one.digest}",
                "another bundle uses this path: choose another `registry:` in lockstep.yaml; or remove the tag there",
                one.name.rpartition("/")[2],
            )


def _new(one: Found, placed: set[Digest]) -> tuple[Descriptor, ...]:
    """The missing blobs that no other image of the release gives."""
    return tuple(blob for blob in one.missing if blob.digest not in placed)


def _pushed(one: Found, new: tuple[Descriptor, ...], size: int) -> PushedImage:
    present, mounted = one.blobs - len(one.missing), len(one.missing) - len(new)
    return PushedImage(f"{one.name}@{one.digest}", one.blobs, present, mounted, size, one.tagged is None)
