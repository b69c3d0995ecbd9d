"""What `gc` deletes: images that nothing needs. Pure: from what is tagged and what is needed to what may go, or to the
reasons why nothing can be proved.

The unit is an image with all of its tags in one repository, because registries delete by digest: an image goes only if
every one of its tags lets it go and nothing names its digest. A tag that is not ours keeps what it names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from lockstep.core.errors import Finding
from lockstep.core.names import Digest, ImageRef
from lockstep.core.release import Release
from lockstep.core.rules.image import wanted_images
from lockstep.core.tags import Tag, TagKind, parse_tag, runtime_tag
from lockstep.core.version import Version

_NAMED = re.compile(rb"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Tagged:
    """One image of one repository, with every tag that names it there.

    Args:
        repository: Such as `ocr` or `ocr-weights`, without the registry.
        digest: Of its manifest.
        tags: Sorted; empty for one that only its digest names.
        is_new: Whether it is too young to judge: somebody may be about to release it.
    """

    repository: str
    digest: Digest
    tags: tuple[str, ...]
    is_new: bool = False

    @property
    def name(self) -> str:
        """The image, for messages."""
        return f"{self.repository}@{self.digest}"


@dataclass(frozen=True)
class Needs:
    """What must stay.

    Args:
        kept: Releases that keep their images, and why.
        gone: Releases that do not.
        digests: Images that something names, and what that is.
        runtimes: Tags of runtimes that kept releases were made with.
        promised: What the tag of a release must name, by repository and version; of releases that are kept.
    """

    kept: Mapping[Version, str]
    gone: frozenset[Version] = frozenset()
    digests: Mapping[Digest, str] = field(default_factory=dict)
    runtimes: frozenset[str] = frozenset()
    promised: Mapping[tuple[str, str], Digest] = field(default_factory=dict)


@dataclass(frozen=True)
class Doomed:
    """An image that goes, and why, in words."""

    image: Tagged
    because: str


@dataclass(frozen=True)
class Collection:
    """What a collection deletes and keeps.

    Args:
        doomed: What goes, sorted.
        kept: What stays, and why, sorted.
        findings: Why nothing may go at all; then `doomed` is what would.
    """

    doomed: tuple[Doomed, ...]
    kept: tuple[tuple[Tagged, str], ...]
    findings: tuple[Finding, ...]


def needs_of(releases: Iterable[Release], kept: Mapping[Version, str], named: Mapping[str, Iterable[bytes]]) -> Needs:
    """What must stay.

    Args:
        releases: Every release of the branch.
        kept: Those that keep their images, and why.
        named: The bytes of the files of each environment and of each lock, by what they are: every digest in them
            stays, whether or not the rest of a file can be read.
    """
    releases = tuple(releases)
    digests = {Digest(found.decode()): what for what, files in named.items()
               for data in files for found in _NAMED.findall(data)}  # fmt: skip
    staying = [release for release in releases if release.version in kept]
    for release in sorted(staying, key=lambda one: one.version, reverse=True):
        for digest in _named_in(release):
            digests.setdefault(digest, f"release {release.version}")
    promised = {(one.reference.repository, one.tag): one.reference.digest for release in staying
                for one in wanted_images(release)}  # fmt: skip
    runtimes = frozenset(
        runtime_tag(part.image.runtime.inputs)
        for release in staying
        for part in release.components.values()
        if part.image and part.image.runtime
    )
    return Needs(kept, frozenset(one.version for one in releases) - set(kept), digests, runtimes, promised)


def collect(images: Iterable[Tagged], needs: Needs, abandoned: frozenset[Version] = frozenset()) -> Collection:
    """What may go. `abandoned` are versions of which a person says that they never became releases."""
    doomed: list[Doomed] = []
    kept: list[tuple[Tagged, str]] = []
    findings: list[Finding] = []
    for image in sorted(images, key=lambda one: (one.repository, one.digest)):
        findings += _findings(image, needs, abandoned)
        reason = _stays(image, needs, abandoned)
        if reason:
            kept.append((image, reason))
        else:
            doomed.append(Doomed(image, _because(image, needs, abandoned)))
    return Collection(tuple(doomed), tuple(kept), tuple(sorted(findings)))


def _named_in(release: Release) -> Iterator[Digest]:
    """Every image that a release names, in whatever field: a field of tomorrow must not be forgotten here."""

    def walk(value: object) -> Iterator[Digest]:
        if isinstance(value, Mapping):
            for one in value.values():
                yield from walk(one)
        elif isinstance(value, list):
            for one in value:
                yield from walk(one)
        elif isinstance(value, str) and ImageRef.pattern.fullmatch(value):
            yield ImageRef(value).digest

    return walk(release.model_dump(mode="json"))


def _stays(image: Tagged, needs: Needs, abandoned: frozenset[Version]) -> str:
    """Why an image stays; empty if nothing keeps it."""
    if image.digest in needs.digests:
        return needs.digests[image.digest]
    for text in image.tags:
        tag = parse_tag(text)
        if reason := _tag_keeps(text, tag, needs, abandoned):
            return reason
    return "too new to judge" if image.is_new else ""


def _tag_keeps(text: str, tag: Tag, needs: Needs, abandoned: frozenset[Version]) -> str:
    if tag.kind is TagKind.FOREIGN:
        return f"the tag {text} is not ours"
    if tag.version is not None and tag.version not in needs.gone | abandoned:
        return f"release {tag.version}"
    return "a kept release was made with this runtime" if text in needs.runtimes else ""


def _because(image: Tagged, needs: Needs, abandoned: frozenset[Version]) -> str:
    versions = sorted({tag.version for tag in map(parse_tag, image.tags) if tag.version})
    if not versions:
        return "no release and no environment names it"
    said = ("never became a release" if version in abandoned - needs.gone else "is past its retention"
            for version in versions)  # fmt: skip
    return ", ".join(f"{version} {words}" for version, words in zip(versions, said, strict=True))


def _findings(image: Tagged, needs: Needs, abandoned: frozenset[Version]) -> Iterator[Finding]:
    """What of one image cannot be explained by the releases of this clone."""
    for text in image.tags:
        version, where = parse_tag(text).version, f"{image.repository}:{text}"
        if version is None:
            continue
        if version not in needs.gone | abandoned | set(needs.kept):
            what = f"the tag promises a release {version}, which this clone does not have"
            fix = f"git pull; if it is being released now, wait; if it never will be, add: --abandoned {version}"
            yield Finding("gc/unknown", where, what, fix)
        promised = needs.promised.get((image.repository, text), image.digest)
        if promised != image.digest:
            what = f"the tag names {image.digest}, release {version} pins {promised}, which no tag may keep"
            fix = f"find out who moved the tag; then: lockstep verify {version}, lockstep push {version}"
            yield Finding("gc/moved", where, what, fix, image.repository.removesuffix("-weights"))
