"""push: copies every image of a release from the bundle's store to its registry. Idempotent; commits nothing.

1. ask the registry for the tag and the blobs of every image: nothing is sent before all of this is known;
2. refuse if a tag of this release names something else there, or a layer is larger than the registry takes;
3. send each missing blob once, several at a time; then, image by image, let the others mount it, and tag: an image
   `release-<version>`, a copier `copier-<version>`, a runtime `in-<its inputs>`.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

from lockstep.core.errors import Finding, OutsideError, refuse_if
from lockstep.core.names import ComponentName, Digest
from lockstep.core.release import Release
from lockstep.core.rules.image import Wanted, our_images
from lockstep.core.tags import release_tag, runtime_tag
from lockstep.core.version import Version
from lockstep.core.weights import too_large
from lockstep.oci.image import Descriptor, Manifest, parse_manifest
from lockstep.oci.layer import Layer
from lockstep.oci.store import Store, copy_image
from lockstep.verbs.images.naming import naming
from lockstep.verbs.images.stores import Stores
from lockstep.verbs.progress import Progress, Stopped
from lockstep.verbs.workspace import Workspace

AT_ONCE = 4  # blobs


@dataclass(frozen=True)
class Found:
    """One image and what the registry has of it before a push.

    Args:
        component: Whose it is.
        again: The command that makes it.
        name: Its full name there, without tag and digest.
        digest: Of its manifest.
        tag: What it is to be called there.
        source: Where it is.
        target: Where it goes.
        tagged: What its tag names there now.
        blobs: How many layers and configurations it has.
        missing: Those that its repository there lacks.
    """

    component: ComponentName
    again: str
    name: str
    digest: Digest
    tag: str
    source: Store
    target: Store
    tagged: Digest | None
    blobs: int
    missing: tuple[Descriptor, ...]


@dataclass(frozen=True)
class Share:
    """A blob that one image sends for all that need it, and how many bytes of it went up (would go, at most)."""

    image: Found
    blob: Descriptor
    sent_bytes: int


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


def push_release(workspace: Workspace, version: Version, stores: Stores, *, dry: bool, jobs: int = AT_ONCE) -> Pushed:
    """What was sent of a release so that its registry has all of it; every reference of its objects can be pulled then.

    Args:
        workspace: Where.
        version: The release.
        stores: Where its images are, and registries.
        dry: Ask, and send nothing.
        jobs: How many blobs are sent at once.

    Raises:
        UsageError: lockstep.yaml names no registry, or there is no such release.
        Refused: the tag of this release names another image there, or a layer is too large for it.
        OutsideError: an image is not in the store, or the registry failed; a rerun sends what is left.
    """
    registry, release = workspace.registry, workspace.state.release(version)
    images, again = our_images(release), f"lockstep build {release.commit}"
    _refuse_absent(stores, images, again)
    with ThreadPoolExecutor(jobs) as pool:
        found = tuple(pool.map(lambda image: _found(stores, registry, image, again), images))
    limit = workspace.bundle.layer_limit
    refuse_if((*_tag_findings(found), *_size_findings(found, limit)), f"{version} cannot be pushed")
    sent = _shares(found)
    _refuse_lost(sent, again)
    if not dry:
        sent = _send(stores.progress, str(version), sent, jobs)
        for one in found:
            _tag(one)
        _tag_runtimes(release, found)
    pushed = (_pushed(one, tuple(share for share in sent if share.image is one)) for one in found)
    return Pushed(version, registry, release_tag(version), tuple(pushed))


def _shares(found: Iterable[Found]) -> tuple[Share, ...]:
    """Each blob that no repository of the release has, once: for the first image that needs it. The largest first."""
    found = tuple(found)
    placed = {blob for one in found for blob in _present(one)}
    shares = []
    for one in found:
        for blob in one.missing:
            if blob.digest not in placed:
                placed.add(blob.digest)
                shares.append(Share(one, blob, blob.size))
    return tuple(sorted(shares, key=lambda share: (-share.blob.size, share.blob.digest)))


def _send(progress: Progress, what: str, shares: tuple[Share, ...], jobs: int) -> tuple[Share, ...]:
    """The shares with the bytes that were really sent. After the first failure, or Ctrl-C, what is under way ends
    with a piece, from which the next push goes on.
    """
    progress.expect(f"push {what}", sum(share.blob.size for share in shares))

    def send(share: Share) -> Share:
        one, blob = share.image, share.blob
        name = f"{blob.digest} of {one.name}:{one.tag}"
        with naming(one.component, again=one.again):
            return replace(share, sent_bytes=one.target.add(name, Layer(blob.digest, blob.size), one.source))

    with ThreadPoolExecutor(jobs) as pool:
        running = [pool.submit(send, share) for share in shares]
        is_whole = False
        try:
            is_whole = not wait(running, return_when=FIRST_EXCEPTION).not_done
        finally:
            if not is_whole:
                progress.stop()
            pool.shutdown(cancel_futures=True)
    errors = [error for one in running if not one.cancelled() and (error := one.exception())]
    for error in sorted(errors, key=lambda error: isinstance(error, Stopped)):
        raise error
    return tuple(one.result() for one in running)


def _tag(one: Found) -> None:
    """Lets a repository mount what another got, and tags the image, if anything of that is still to be done."""
    if one.missing or one.tagged != one.digest:
        with naming(one.component, again=one.again):
            copy_image(one.source, one.target, one.digest, one.tag)


def _tag_runtimes(release: Release, found: Iterable[Found]) -> None:
    """Names the runtimes of what was pushed by their inputs, where the registry has no such name yet: whoever has an
    empty store need not build them. Their layers are those of the images, so little is sent. No name is moved.
    """
    for one in found:
        image = release.components[one.component].image
        if not (image and image.runtime and image.runtime.layers) or image.reference.digest != one.digest:
            continue
        tag = runtime_tag(image.runtime.inputs)
        digest = one.source.digest_of(tag) if one.tagged != one.digest else None
        if digest is not None and one.target.digest_of(tag) is None:
            with naming(one.component, again=one.again):
                data = one.source.manifest(digest)
                config = parse_manifest(data, tag).config
                if not all(one.target.has(layer.digest) for layer in parse_manifest(data, tag).layers):
                    continue  # made again since, with other bytes than the release pins
                one.target.add(f"configuration of {tag}", Layer(config.digest, config.size), one.source)
                one.target.tag(tag, data)


def _refuse_absent(stores: Stores, images: tuple[Wanted, ...], again: str) -> None:
    """Nothing if each manifest is in the store."""
    named = [(image.reference.repository, image.reference.digest) for image in images]
    absent = sorted({name for name, digest in named if stores.of(name).digest_of(digest) is None})
    if absent:
        raise OutsideError(
            f"{', '.join(absent)} of this release is not in the store", where=".lockstep/store", fix=again
        )


def _refuse_lost(shares: Iterable[Share], again: str) -> None:
    """Nothing if each blob that the registry lacks is in the store."""
    lost = sorted((one.image.component, one.blob.digest) for one in shares if not one.image.source.has(one.blob.digest))
    if lost:
        said = ", ".join(f"{digest} of {component}" for component, digest in lost)
        what = f"neither the registry nor the store has {said}"
        raise OutsideError(what, where=".lockstep/store", fix=again)


def _found(stores: Stores, registry: str, image: Wanted, again: str) -> Found:
    """Step 1 for one image."""
    name, digest, tag = f"{registry}/{image.reference.repository}", image.reference.digest, image.tag
    source, target = stores.of(image.reference.repository), stores.at(name)
    with naming(image.component, again=again):
        blobs = _blobs(parse_manifest(source.manifest(digest), f"{name}@{digest}"))
        missing = tuple(blob for blob in blobs if not target.has(blob.digest))
        tagged = target.digest_of(tag)
    return Found(image.component, again, name, digest, tag, source, target, tagged, len(blobs), missing)


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
                one.component,
            )


def _size_findings(found: Iterable[Found], limit: int | None) -> Iterable[Finding]:
    blobs = {(one.name.rpartition("/")[2].removesuffix("-weights"), blob) for one in found for blob in one.missing}
    for component, blob in blobs:
        yield from too_large(component, [(f"blob {blob.digest}", blob.size)], limit)


def _pushed(one: Found, shares: tuple[Share, ...]) -> PushedImage:
    present, mounted = one.blobs - len(one.missing), len(one.missing) - len(shares)
    size = sum(share.sent_bytes for share in shares)
    return PushedImage(f"{one.name}@{one.digest}", one.blobs, present, mounted, size, one.tagged is None)
