"""tag: an annotated tag on HEAD that can be released, and no other.

1. the version is free: no release and no tag has it;
2. what people see is what is tagged: the bundle's folder is as HEAD has it;
3. HEAD can be planned: files, calls, contracts and locks fit;
4. the version is large enough, on a line, and changes something: what `release` checks; and the registry takes the
   weights: what `push` checks;
5. the tag, whose message is what the release will do; pushed, where asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lockstep.adapters.tags import Tag
from lockstep.core.changelog import ReleaseNotes
from lockstep.core.contract.weigh import edge_findings
from lockstep.core.errors import Finding, Refused, UsageError, refuse_if
from lockstep.core.names import GitOid, GitSha
from lockstep.core.notes_text import counted, notes_lines
from lockstep.core.plan import version_findings
from lockstep.core.version import Version
from lockstep.verbs.changelog import notes_against
from lockstep.verbs.pin import preview_release
from lockstep.verbs.plan import Planned, candidate_of, large_layers, plan_commit
from lockstep.verbs.workspace import Workspace

_SHOWN = 5  # files of a finding


@dataclass(frozen=True)
class Tagging:
    """How to tag: not at all (`dry`), also to a remote, signed or not (None: as Git is set)."""

    dry: bool = False
    remote: str = ""
    sign: bool | None = None


@dataclass(frozen=True)
class Tagged:
    """What was tagged, or would be.

    Args:
        name: The tag.
        planned: What a release of it does.
        notes: The same for people.
        message: The tag's.
        made: Its object; None for a dry run.
        is_signed: Whether that carries a signature.
        unpushed: The remote that does not have HEAD on a branch, as far as this clone knows; empty if it does.
    """

    name: str
    planned: Planned
    notes: ReleaseNotes
    message: str
    made: GitOid | None
    is_signed: bool
    unpushed: str


def tag_version(workspace: Workspace, version: Version, tagging: Tagging) -> Tagged:
    """The tag of a version on HEAD.

    Raises:
        Refused: what HEAD holds cannot be released as this version; every finding.
        Conflict: the remote has another tag of that name; there is none here then.
    """
    if not tagging.dry:
        workspace.settle()
    commit = _head(workspace)
    tag = Tag(workspace.repository, f"{workspace.bundle.tag_prefix}{version}")
    planned = _checked(workspace, tag, version, commit)
    notes = notes_against(workspace, preview_release(workspace.repository.tree(commit), planned, version), None)
    message = _message(notes)
    made = None if tagging.dry else tag.make(commit, message, sign=tagging.sign)
    is_signed = made is not None and tag.is_signed
    if made and tagging.remote:
        tag.push(tagging.remote, made)
    return Tagged(tag.name, planned, notes, message, made, is_signed, _unpushed(workspace, commit))


def _head(workspace: Workspace) -> GitSha:
    commit = workspace.repository.resolve("HEAD")
    if commit is None:
        raise UsageError("there is no commit to tag", where="HEAD", fix="git add -A && git commit -m 'first'")
    return commit


def _checked(workspace: Workspace, tag: Tag, version: Version, commit: GitSha) -> Planned:
    """The plan of a commit that may be tagged; every finding is said at once."""
    what = f"{version} cannot be tagged"
    found = [*_taken(tag, version, commit), *_unclean(workspace)]
    try:
        planned = plan_commit(workspace, commit)
    except Refused as error:
        raise Refused(what, [*found, *error.findings]) from error
    candidate = candidate_of(workspace, planned, version)
    found += version_findings(candidate, planned.plan) or _backward(planned, version)
    refuse_if([*found, *edge_findings(planned.judged.edges), *large_layers(planned)], what)
    return planned


def _taken(tag: Tag, version: Version, commit: GitSha) -> Iterator[Finding]:
    there = tag.commit
    if there is None:
        return
    fix = f"choose another version; if nobody has seen this one: git tag -d {tag.name}"
    fix = f"lockstep release {version}, or {fix}" if there == commit else fix
    at = "HEAD" if there == commit else there[:10]
    yield Finding("tag/exists", tag.ref, f"there is a tag {tag.name} already; it names {at}", fix)


def _backward(planned: Planned, version: Version) -> tuple[Finding, ...]:
    """A pre-release that comes before one that HEAD contains: every other version that does is too small already."""
    if planned.latest is None or planned.latest.version < version:
        return ()
    what = f"HEAD contains release {planned.latest.version}, which does not come before {version}"
    return (Finding("tag/backward", f"refs/tags/{version}", what, f"a version after {planned.latest.version}"),)


def _unclean(workspace: Workspace) -> Iterator[Finding]:
    paths = workspace.repository.unclean()
    if paths:
        more = ", …" if len(paths) > _SHOWN else ""
        what = f"{len(paths)} of its files are not as HEAD has them, or not in it: {', '.join(paths[:_SHOWN])}{more}"
        fix = "git add -A && git commit, or git stash --include-untracked"
        yield Finding("tag/clean", str(workspace.folder), what, fix)


def _message(notes: ReleaseNotes) -> str:
    """The tag's message: what the release will do. All but the first lines are indented, see `notes_lines`."""
    said = counted(notes)
    first = (f"release {notes.version}", "", f"{said[0].upper()}{said[1:]}.", "")
    return "\n".join([*first, *("  " + line for line in notes_lines(notes.notes))]) + "\n"


def _unpushed(workspace: Workspace, commit: GitSha) -> str:
    repository = workspace.repository
    remote = repository.remote_of(repository.current_branch or "")
    return remote if remote and not repository.has_seen(remote, commit) else ""
