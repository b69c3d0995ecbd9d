"""The changelog: what every release did, newest first. A pre-release is told only until its final is there."""

from __future__ import annotations

from collections.abc import Mapping

from lockstep.core.contract.reindex import Reindex
from lockstep.core.errors import UsageError
from lockstep.core.model import Value
from lockstep.core.names import ComponentName, GitSha
from lockstep.core.notes import Notes, notes
from lockstep.core.release import Release
from lockstep.core.version import Bump, Version, bump_between

Releases = Mapping[Version, Release]
Dates = Mapping[GitSha, str]
Reindexes = Mapping[Version, tuple[Reindex, ...]]


class ReleaseNotes(Value):
    """What one release did.

    Args:
        notes: Against the release that it is counted from.
        bump: How far that is; none for the first release.
        date: Day of the commit that it was made from (UTC), such as 2026-11-21; None if that is not known.
        prereleases: The pre-releases that these notes contain, smallest first.
    """

    notes: Notes
    bump: Bump
    date: str | None = None
    prereleases: tuple[Version, ...] = ()

    @property
    def version(self) -> Version:
        """The release's version."""
        return self.notes.new


def release_notes(
    releases: Releases, release: Release, dates: Dates, reindexes: tuple[Reindex, ...] = ()
) -> ReleaseNotes:
    """What a release did.

    Args:
        releases: The one that it is counted from (`origin_of`), and pre-releases of its version.
        release: The release; it need not be one of them.
        dates: Days of commits.
        reindexes: The embeddings that changed since the one that it is counted from.

    Raises:
        UsageError: the release that it is counted from is none.
    """
    version, origin = release.version, origin_of(releases, release)
    if origin and origin not in releases:
        raise UsageError(
            f"release {version} is counted from {origin}, which is no release here",
            where=f"releases/{version}/release.yaml",
            fix=f"lockstep verify {version}",
        )
    return ReleaseNotes(
        notes=notes(releases[origin] if origin else None, release, reindexes),
        bump=bump_between(origin, version) if origin else Bump.NONE,
        date=dates.get(release.commit),
        prereleases=tuple(sorted(one for one in releases if _is_before(one, version))),
    )


def origin_of(releases: Releases, release: Release) -> Version | None:
    """The version that a release's notes are counted from: its base, but past pre-releases of the same version, whose
    changes are its own. None where nothing came before.
    """
    base = release.base
    while base and base in releases and _is_before(base, release.version):
        base = releases[base].base
    return base


def _is_before(earlier: Version, version: Version) -> bool:
    """Whether `earlier` is a pre-release of the same version, and comes before it."""
    return earlier.is_prerelease and earlier.final == version.final and earlier < version


def leading(versions: tuple[Version, ...]) -> tuple[Version, ...]:
    """The versions that a changelog tells, newest first: each final, and of what has no final its last pre-release."""
    last = {version.final: version for version in sorted(versions)}
    return tuple(sorted(last.values(), reverse=True))


def changelog(releases: Releases, dates: Dates, reindexes: Reindexes | None = None) -> tuple[ReleaseNotes, ...]:
    """What all releases did, newest first by their versions."""
    return tuple(
        release_notes(releases, releases[version], dates, (reindexes or {}).get(version, ()))
        for version in leading(tuple(releases))
    )


def of_component(log: tuple[ReleaseNotes, ...], component: ComponentName) -> tuple[ReleaseNotes, ...]:
    """What releases did to one component by itself; without those that did nothing to it."""
    only = (one.model_copy(update={"notes": one.notes.only(component)}) for one in log)
    return tuple(one for one in only if one.notes.components)
