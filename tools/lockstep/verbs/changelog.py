"""changelog: what releases did, from their files in Git alone. The same commits give the same bytes on any machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lockstep.adapters import files
from lockstep.adapters.history import commit_days
from lockstep.core.changelog import ReleaseNotes, changelog, leading, origin_of, release_notes
from lockstep.core.contract.moved import release_reindexes, texts_between
from lockstep.core.contract.reindex import Reindex
from lockstep.core.errors import Finding, Refused, UsageError
from lockstep.core.notes import Notes, notes
from lockstep.core.notes_markdown import HEADER, changelog_markdown
from lockstep.core.release import Release
from lockstep.core.version import Version
from lockstep.verbs.contracts import read_texts
from lockstep.verbs.workspace import Workspace

FILE = "CHANGELOG.md"


@dataclass(frozen=True)
class Written:
    """A changelog that was written, and whether the file is another one than before."""

    path: Path
    changed: bool


def whole_log(workspace: Workspace) -> tuple[ReleaseNotes, ...]:
    """What every release did, newest first; each is read once, all of them by one process of Git."""
    releases = workspace.state.releases(workspace.state.versions)
    told = [releases[version] for version in leading(tuple(releases))]
    days = commit_days(workspace.repository, (release.commit for release in told))
    pairs = [(releases[origin], one) for one in told if (origin := origin_of(releases, one)) in releases and origin]
    return changelog(releases, days, _reindexes(workspace, pairs))


def notes_between(workspace: Workspace, old: Release, new: Release) -> Notes:
    """What one release does against any other."""
    return notes(old, new, _reindexes(workspace, [(old, new)])[new.version])


def _reindexes(workspace: Workspace, pairs: Sequence[tuple[Release, Release]]) -> dict[Version, tuple[Reindex, ...]]:
    """The embeddings that changed, by the newer release of each pair; all contracts are read by one process of Git."""
    texts = read_texts(workspace.repository, sorted({oid for pair in pairs for oid in texts_between(*pair)}))
    return {new.version: release_reindexes(old, new, texts) for old, new in pairs}


def notes_of(workspace: Workspace, version: Version) -> ReleaseNotes:
    """What one release did.

    Raises:
        UsageError: there is none of that version.
    """
    release = workspace.state.release(version)
    return notes_against(workspace, release, commit_days(workspace.repository, [release.commit]).get(release.commit))


def notes_against(workspace: Workspace, release: Release, day: str | None) -> ReleaseNotes:
    """What a release does against those of the branch; it need not be there itself."""
    state = workspace.state
    near = [one for one in state.versions if one.final == release.version.final or one == release.base]
    releases = state.releases(near)
    origin = origin_of(releases, release)
    if origin in state.versions and origin not in releases:
        releases |= state.releases([origin])
    moved = _reindexes(workspace, [(releases[origin], release)] if origin and origin in releases else [])
    return release_notes(releases, release, {release.commit: day} if day else {}, moved.get(release.version, ()))


def write_changelog(workspace: Workspace) -> Written:
    """CHANGELOG.md in the bundle's folder. Nothing is committed; a file that is right already is left alone.

    Raises:
        UsageError: this clone lacks the commit of a release, so its day is not known.
        Refused: somebody else wrote a CHANGELOG.md.
    """
    log = whole_log(workspace)
    undated = [str(one.version) for one in log if one.date is None]
    if undated:
        raise UsageError(
            f"this clone does not have the commits of {', '.join(undated[:3])}, so their days are not known",
            where=str(workspace.repository.top),
            fix="git fetch --unshallow --tags" if workspace.repository.is_shallow else "git fetch --all --tags",
        )
    path = workspace.folder / FILE
    old, new = files.read(path) if path.exists() else None, changelog_markdown(workspace.bundle.name, log).encode()
    if old is not None and not old.startswith(HEADER.encode()):
        what = f"{FILE} was not written by Lockstep, and would be lost"
        fix = f"git mv {FILE} HISTORY.md, or remove it, then run this again"
        raise Refused(f"{FILE} is somebody's", [Finding("changelog/own", FILE, what, fix)])
    if old != new:
        files.write(path, new)
    return Written(path, old != new)
