"""What of a release is carried to where no network leads: every image that it pins and every base image that those
stand on, each under one name. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from lockstep.core.component import Kind
from lockstep.core.errors import Finding
from lockstep.core.names import ComponentName, Digest
from lockstep.core.release import Release
from lockstep.core.rules.image import Wanted, third_party_images, wanted_images
from lockstep.core.tags import base_tag, release_tag

DOCUMENT = "release.yaml"  # the repository of the document itself; no component's name has a dot


class Role(StrEnum):
    """Why an image is carried."""

    OURS = "ours"
    BASE = "base"
    THIRD_PARTY = "third-party"


@dataclass(frozen=True)
class Carried:
    """One image that is carried.

    Args:
        component: Whose it is; of several, the first by name.
        role: Why it is carried.
        repository: Its repository in the bundle's store; a third-party one's full name, with its registry's host.
        tag: Its tag there.
        digest: Of its manifest.
        origin: The full name of the repository where it comes from if it is not ours; empty if nothing says it.
    """

    component: ComponentName
    role: Role
    repository: str
    tag: str
    digest: Digest
    origin: str = ""

    @property
    def name(self) -> str:
        """Repository and tag, as an image layout names it: `ocr:release-1.4.0`."""
        return f"{self.repository}:{self.tag}"


def carried_images(release: Release) -> tuple[Carried, ...]:
    """Every image that a release needs, sorted by name, each name once."""
    found: dict[str, Carried] = {}
    for one in (*_ours(release), *_third_party(release)):
        found.setdefault(one.name, one)
    return tuple(found[name] for name in sorted(found))


def document_name(release: Release) -> str:
    """The name of release.yaml among the images."""
    return f"{DOCUMENT}:{release_tag(release.version)}"


def external_components(release: Release) -> tuple[ComponentName, ...]:
    """Components that nothing can carry: they run elsewhere."""
    return tuple(sorted(name for name, pinned in release.components.items() if pinned.kind is Kind.EXTERNAL))


def carried_findings(release: Release, named: Iterable[tuple[str, Digest]], where: str) -> Iterator[Finding]:
    """How the images that an archive names differ from those that its release pins.

    Args:
        release: What release.yaml says.
        named: Name and manifest of every image of the archive, without release.yaml.
        where: The archive.
    """
    wanted, found = {one.name: one for one in carried_images(release)}, dict(named)
    fix = "carry it again: lockstep export " + str(release.version)
    for name, one in wanted.items():
        if found.get(name) != one.digest:
            what = f"it has {name} as {found.get(name, 'nothing')}, the release pins {one.digest}"
            yield Finding("import/image", where, what, fix, one.component)
    for name in sorted(found.keys() - wanted.keys()):
        yield Finding("import/image", where, f"it has {name}, which the release does not pin", fix)


def _ours(release: Release) -> Iterator[Carried]:
    for one in wanted_images(release):
        yield Carried(one.component, Role.OURS, one.reference.repository, one.tag, one.reference.digest)
        if one.base:
            yield _base(release, one, one.base)


def _base(release: Release, wanted: Wanted, digest: Digest) -> Carried:
    known = release.platform.base
    origin = known.repository if known and known.digest == digest else ""
    return Carried(wanted.component, Role.BASE, wanted.reference.repository, base_tag(digest), digest, origin)


def _third_party(release: Release) -> Iterator[Carried]:
    """Images that are named by digest and not built. Of several in one repository, each after the first has a tag of
    its own: one name is one image.
    """
    first: dict[str, Digest] = {}
    for name, reference in third_party_images(release):
        repository, digest = reference.repository, reference.digest
        beside = digest if first.setdefault(repository, digest) != digest else None
        tag = release_tag(release.version, beside=beside)
        yield Carried(name, Role.THIRD_PARTY, repository, tag, digest, repository)
