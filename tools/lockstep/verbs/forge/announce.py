"""announce: the page of a release in the forge, with the notes that the changelog tells.

1. the release is in Git, and the tag of its version names its commit, where this clone has it;
2. the page that is there is asked for;
3. it is made, or gets other notes, or is as it should be. A run that was killed is finished by the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from lockstep.adapters.gitlab import Gitlab
from lockstep.adapters.tags import Tag
from lockstep.core.errors import Finding, OutsideError, refuse_if
from lockstep.core.forge.answers import SaidRelease
from lockstep.core.names import GitSha
from lockstep.core.notes_markdown import release_markdown
from lockstep.core.release import Release
from lockstep.core.version import Version
from lockstep.verbs.changelog import notes_of
from lockstep.verbs.workspace import Workspace


class Done(StrEnum):
    """What was done to a page, or would be."""

    CREATED = "created"
    UPDATED = "updated"
    SAME = "unchanged"


@dataclass(frozen=True)
class Announced:
    """A page of a release.

    Args:
        tag: The tag that it belongs to.
        done: What was done.
        before: Its notes before; None if there was no page.
        text: Its notes now, as Markdown.
        page: Where it is seen, as far as the forge says.
    """

    tag: str
    done: Done
    before: str | None
    text: str
    page: str


def announce_release(workspace: Workspace, version: Version, gitlab: Gitlab, *, dry: bool) -> Announced:
    """The page of a release, as it is now.

    Raises:
        UsageError: there is no release of that version.
        Refused: the version's tag names another commit than the release, here or there.
        OutsideError: GitLab failed, or does not let us.
    """
    release = workspace.state.release(version)
    tag = Tag(workspace.repository, f"{workspace.bundle.tag_prefix}{version}")
    _refuse_other(release, tag.name, tag.commit, tag.ref)
    text = release_markdown(notes_of(workspace, version))
    there = gitlab.release(tag.name)
    if there is not None:
        _refuse_elsewhere(release, there, gitlab)
    if dry:
        return _announced(tag.name, there, there, text)
    now = _written(gitlab, tag.name, there, text)
    _refuse_elsewhere(release, now, gitlab)
    return _announced(tag.name, there, now, text)


def _written(gitlab: Gitlab, tag: str, there: SaidRelease | None, text: str) -> SaidRelease:
    """Step 3; a page that somebody else made since step 2 is taken as if it had been there."""
    if there is None:
        made = gitlab.create_release(tag, text)
        if made is not None:
            return made
        there = gitlab.release(tag)
    if there is None:
        what = f"GitLab says of {tag} both that it has a release and that it has none"
        raise OutsideError(what, where=gitlab.forge.api, fix="run the same command again")
    return there if there.says(text) else gitlab.update_release(tag, text)


def _announced(tag: str, before: SaidRelease | None, now: SaidRelease | None, text: str) -> Announced:
    done = Done.CREATED if before is None else Done.SAME if before.says(text) else Done.UPDATED
    return Announced(
        tag, done, None if before is None else before.description or "", text, now.links.self if now else ""
    )


def _refuse_elsewhere(release: Release, there: SaidRelease, gitlab: Gitlab) -> None:
    at = GitSha(there.commit.id) if there.commit else None
    _refuse_other(release, there.tag_name, at, f"{gitlab.forge.name} of {gitlab.forge.host}")


def _refuse_other(release: Release, tag: str, at: GitSha | None, where: str) -> None:
    if at is not None and at != release.commit:
        what = f"the tag {tag} names {at[:10]} there, and release {release.version} was made from {release.commit[:10]}"
        fix = f"find out who moved the tag; put it back: git push --force origin {release.commit}:refs/tags/{tag}"
        refuse_if([Finding("announce/tag", where, what, fix)], f"{release.version} cannot be announced")
