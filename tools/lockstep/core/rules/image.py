"""Steps 5 and 10: the images that a release pins or an environment runs, compared with what the store has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from lockstep.core.environment import Environment
from lockstep.core.errors import Finding
from lockstep.core.names import ComponentName, Digest, ImageRef
from lockstep.core.release import Pinned, Release
from lockstep.core.rules.facts import Blob, Facts, Filed, StoredImage
from lockstep.core.rules.instance import is_one_of
from lockstep.core.tags import copier_tag, release_tag


@dataclass(frozen=True)
class Wanted:
    """An image of ours that a release pins, the tag that keeps it, the layers that it must have above those of its
    base, lowest first, and what it says of sizes.
    """

    component: ComponentName
    reference: ImageRef
    tag: str
    layers: tuple[Digest, ...]
    sizes: tuple[int, ...] = ()
    base: Digest | None = None


def wanted_images(release: Release) -> tuple[Wanted, ...]:
    """Every image of a release that lies in our store, by component; third-party ones are elsewhere."""
    tags = (release_tag(release.version), copier_tag(release.version))
    return tuple(one for name, pinned in release.components.items() for one in _wanted(name, pinned, tags))


def third_party_images(release: Release) -> tuple[tuple[ComponentName, ImageRef], ...]:
    """Every image of a release that is named by digest and not built, with its component: programs and weights. Pods
    pull them by this name; with `wanted_images` and their bases, these are all that a release names.
    """
    parts = [(name, part) for name, pinned in release.components.items() for part in (pinned.image, pinned.weights)]
    return tuple((name, part.reference) for name, part in parts if part and part.is_third_party)


def our_images(release: Release) -> tuple[Wanted, ...]:
    """Every image of the release that lies in the bundle's own store, sorted by name."""
    return tuple(sorted(wanted_images(release), key=lambda image: image.reference))


def _wanted(name: ComponentName, pinned: Pinned, tags: tuple[str, str]) -> Iterator[Wanted]:
    (tag, copier_tag), image, weights = tags, pinned.image, pinned.weights
    if image and not image.is_third_party:
        layers = (*(image.runtime.layers if image.runtime else ()), *((image.code,) if image.code else ()))
        digests, sizes = tuple(layer.digest for layer in layers), tuple(layer.size for layer in layers)
        base = image.runtime.base.digest if image.runtime and image.runtime.base else None
        yield Wanted(name, image.reference, tag, digests, sizes, base)
    if weights and not weights.is_third_party:
        files = sorted(weights.files, key=lambda file: file.name)
        digests = tuple(dict.fromkeys(file.layer for file in files))
        yield Wanted(name, weights.reference, tag, digests)
        if weights.copier:
            yield Wanted(name, weights.copier.reference, copier_tag, digests, base=weights.copier.base.digest)


def sizes_of(release: Release) -> Mapping[Digest, int]:
    """Bytes of every layer of ours that a release pins; of weights the files' own, without the archive's."""
    found: dict[Digest, int] = {}
    for pinned in release.components.values():
        if pinned.image and pinned.image.runtime:
            found |= {layer.digest: layer.size for layer in pinned.image.runtime.layers}
        if pinned.image and pinned.image.code:
            found[pinned.image.code.digest] = pinned.image.code.size
        if pinned.weights:
            for file in pinned.weights.files:
                found[file.layer] = found.get(file.layer, 0) + file.size
    return found


def image_findings(filed: Filed, facts: Facts) -> Iterator[Finding]:
    """What is wrong with the images of one release."""
    if filed.release is None or filed.folder in facts.let_go:
        return
    for wanted in wanted_images(filed.release):
        stored = facts.images[wanted.reference.repository, wanted.reference.digest]
        found = tuple(stored_findings(stored, wanted.component, _again(filed.release, facts)))
        yield from found
        if not found:
            yield from _layer_findings(filed, wanted, stored)
            yield from _tag_findings(wanted, stored, f"lockstep build {filed.release.commit}")


def deployed_images(environment: Environment, releases: Iterable[Release]) -> tuple[tuple[Wanted, Release], ...]:
    """Every image of ours that an environment's instances run, each once, with a release that pins it."""
    running: dict[str, set[str]] = {}
    for image in {image for item in environment.instances.values() for image in item.images}:
        running.setdefault(image.rpartition("@")[2], set()).add(image)
    found: dict[ImageRef, tuple[Wanted, Release]] = {}
    for release in releases:
        for wanted in wanted_images(release):
            if any(is_one_of(image, [wanted.reference]) for image in running.get(wanted.reference.digest, ())):
                found.setdefault(wanted.reference, (wanted, release))
    return tuple(found.values())


def deployed_image_findings(environment: Environment, facts: Facts) -> Iterator[Finding]:
    """Step 10: what is absent or damaged of the images that run, where no chosen release says it already."""
    chosen = [filed.release for filed in facts.releases if filed.release and filed.folder in facts.chosen]
    said = {wanted.reference for release in chosen for wanted in wanted_images(release)}
    for wanted, release in deployed_images(environment, facts.known.values()):
        if wanted.reference not in said:
            stored = facts.images[wanted.reference.repository, wanted.reference.digest]
            yield from stored_findings(stored, wanted.component, _again(release, facts))


def _again(release: Release, facts: Facts) -> str:
    """The command that brings an image of a release back to where it was looked for."""
    return f"lockstep push {release.version}" if facts.registry else f"lockstep build {release.commit}"


def stored_findings(image: StoredImage, component: ComponentName, again: str) -> Iterator[Finding]:
    """What is absent or damaged of one image. `again` is the command that makes it again."""
    for blob in image.blobs:
        if blob.size is None:
            what = f"the {blob.role} {blob.digest} of {image.where} is not in {image.place or 'the store'}"
            yield Finding("store/absent", image.where, what, again, component)
        elif problem := _damage(blob):
            what = f"the {blob.role} {blob.digest} of {image.where} is damaged: {problem}"
            remove = (
                f"delete it from {image.place}" if image.place else f"rm .lockstep/store/blobs/sha256/{blob.digest.hex}"
            )
            fix = f"{remove}, then: {again}"
            yield Finding("store/damaged", image.where, what, fix, component)


def _damage(blob: Blob) -> str:
    if blob.said is not None and blob.size != blob.said:
        return f"it has {blob.size} bytes, its manifest says {blob.said}"
    if blob.found is not None and blob.found != blob.digest:
        return f"its bytes hash to {blob.found}"
    return ""


def _layer_findings(filed: Filed, wanted: Wanted, stored: StoredImage) -> Iterator[Finding]:
    if stored.problem:
        what = f"{stored.where} is not an image: {stored.problem}"
    elif stored.layers != (*stored.base, *wanted.layers):
        pinned = f"{_short(wanted.layers)}{f' on {wanted.base}' if wanted.base else ''}"
        what = f"{stored.where} has the layers {_short(stored.layers)}, the release pins {pinned}"
    elif wanted.sizes and wanted.sizes != (sizes := stored.layer_sizes[len(stored.base) :]):
        what = f"the layers of {stored.where} have {sizes} bytes, the release says {wanted.sizes}"
    else:
        return
    yield Finding("store/layers", filed.path, what, f"git log -- {filed.path}", wanted.component)


def _tag_findings(wanted: Wanted, stored: StoredImage, again: str) -> Iterator[Finding]:
    """A registry may collect what no tag names."""
    tag = wanted.tag
    named = stored.tags.get(tag)
    if named != wanted.reference.digest:
        what = f"the tag {tag} of {stored.repository} names {named or 'nothing'}"
        what += f", the release pins {wanted.reference.digest}"
        yield Finding("store/tag", f"{stored.repository}:{tag}", what, again, wanted.component)


def _short(layers: tuple[Digest, ...]) -> str:
    return ", ".join(layer[:19] for layer in layers) or "none"
