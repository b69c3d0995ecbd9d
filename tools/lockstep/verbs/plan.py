"""plan: what a release of a commit would change and why. Reads Git ids, locks and small files; builds nothing, writes
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from lockstep.adapters.git import GitTree
from lockstep.adapters.history import commit_days
from lockstep.core.bundle import Bundle
from lockstep.core.contract.weigh import Judged
from lockstep.core.errors import Finding, OutsideError, Refused
from lockstep.core.inputs import Change, Comparison, InputKind, Inputs, compare
from lockstep.core.names import ComponentName, Digest, GitSha
from lockstep.core.plan import Candidate, Plan, plan
from lockstep.core.prompt import prompt_bump
from lockstep.core.release import Pinned, Release
from lockstep.core.source import Source, component_path, load_source
from lockstep.core.version import Bump, Version, largest
from lockstep.core.weights import too_large
from lockstep.verbs.contracts import against, judge_plan
from lockstep.verbs.workspace import StateTree, Workspace


@dataclass(frozen=True)
class Planned:
    """A plan and what it was made from.

    Args:
        commit: The commit planned.
        source: The bundle at that commit.
        base: The release compared with, None for the first.
        latest: The nearest release of any kind; differs from base when it is a pre-release.
        pinned: Components held at an earlier release.
        inputs: Everybody's inputs, with those of held components as they were.
        unchanged: Whether nothing differs from `latest`.
        plan: The plan.
        judged: What the contracts say of it.
    """

    commit: GitSha
    source: Source
    base: Release | None
    latest: Release | None
    pinned: dict[ComponentName, Pinned]
    inputs: Inputs
    unchanged: bool
    plan: Plan
    judged: Judged


def plan_commit(workspace: Workspace, commit: GitSha, *, below: Version | None = None) -> Planned:
    """The plan of releasing a commit.

    Args:
        workspace: Where.
        commit: The commit to release.
        below: Only releases smaller than this can be its base; None for any.

    Raises:
        Refused: the bundle at that commit is not valid; every finding.
    """
    tree = workspace.repository.tree(commit)
    source = load_source(tree)
    latest = nearest(workspace, workspace.state, commit, below=below)
    base = (
        nearest(workspace, workspace.state, commit, below=latest.version, final=True)
        if latest and latest.version.is_prerelease
        else latest
    )
    base = base or latest
    held, inputs = _held(workspace.state, source)
    comparison = _comparison(base, source, inputs)
    old = against(base, source.bundle.entry, comparison, commit_days(workspace.repository, [commit]).get(commit))
    judged = judge_plan(workspace.repository, source, inputs, old)
    plan_ = plan(
        base.version if base else None,
        comparison,
        judged,
        _sizes(tree, source, base, comparison),
        _prompt_bumps(tree, base, comparison),
    )
    same = latest is not None and not _comparison(latest, source, inputs).changes
    return Planned(commit, source, base, latest, held, inputs, same, plan_, judged)


def large_layers(planned: Planned) -> tuple[Finding, ...]:
    """The weights that the registry will not take: a push would be refused."""
    limit = planned.source.bundle.layer_limit
    return tuple(
        finding
        for name, lock in sorted(planned.source.locks.items())
        for finding in too_large(name, ((file.name, file.size) for file in lock.files), limit)
    )


def candidate_of(workspace: Workspace, planned: Planned, version: Version) -> Candidate:
    """What is known about releasing a planned commit as a version."""
    return Candidate(
        version=version,
        taken=workspace.state.versions,
        on_line=_is_on_line(workspace, planned.commit, planned.source),
        lines=planned.source.bundle.lines,
        unchanged_since=planned.latest.version if planned.latest and planned.unchanged else None,
    )


def _is_on_line(workspace: Workspace, commit: GitSha, source: Source) -> bool:
    tips = (workspace.repository.branch(line) for line in source.bundle.lines)
    return any(tip is not None and workspace.repository.is_ancestor(commit, tip) for tip in tips)


def nearest(
    workspace: Workspace, state: StateTree, commit: GitSha, *, below: Version | None = None, final: bool = False
) -> Release | None:
    """The greatest release whose commit is `commit` or one of its ancestors: versions grow along a line, so it is
    the nearest.

    Raises:
        OutsideError: the clone is shallow and no release's commit can be seen.
    """
    candidates = [
        version
        for version in reversed(state.versions)
        if (below is None or version < below) and not (final and version.is_prerelease)
    ]
    for version in candidates:
        release = state.release(version)
        if workspace.repository.is_ancestor(release.commit, commit):
            return release
    if candidates and workspace.repository.is_shallow:
        raise OutsideError(
            "this clone is shallow: the release to compare with cannot be found",
            where=str(workspace.repository.top),
            fix="git fetch --unshallow --tags",
        )
    return None


def _held(state: StateTree, source: Source) -> tuple[dict[ComponentName, Pinned], Inputs]:
    """Components that `pin:` holds, as their release pinned them, and everybody's inputs with theirs replaced."""
    held: dict[ComponentName, Pinned] = {}
    inputs = dict(source.inputs)
    for name, pin in source.bundle.pin.items():
        if pin.origin not in state.versions or name not in (release := state.release(pin.origin)).components:
            raise Refused(
                "a pin cannot be kept",
                [
                    Finding(
                        "bundle/pin",
                        "lockstep.yaml",
                        f"`pin` holds {name} at {pin.origin}, which has no such component",
                        "name a release that has it, or remove the pin",
                        name,
                    )
                ],
            )
        held[name] = release.components[name]
        inputs[name] = release.inputs[name]
    return held, inputs


def _comparison(release: Release | None, source: Source, inputs: Inputs) -> Comparison:
    return compare(release.inputs if release else {}, inputs, source.calls)


def _sizes(tree: GitTree, source: Source, base: Release | None, comparison: Comparison) -> dict[ComponentName, int]:
    """For changed components, the bytes of changed code and of weights whose layers the base does not have."""
    changed = {
        name: [change for change in comparison.changes if change.component == name]
        for name in comparison.of(InputKind.CODE, InputKind.WEIGHTS, InputKind.ADDED)
    }
    sizes: dict[ComponentName, int] = {}
    for name, changes in changed.items():
        folders = _code_folders(source, name, changes)
        weights = 0
        if name in source.locks and any(change.kind in {InputKind.WEIGHTS, InputKind.ADDED} for change in changes):
            known = base_layers(base, name)
            weights = sum(file.size for file in source.locks[name].files if file.layer not in known)
        sizes[name] = sum(entry.size for entry in tree.below(folders)) + weights
    return sizes


def _code_folders(source: Source, name: ComponentName, changes: list[Change]) -> list[str]:
    image = source.components[name].image
    if image is None or not any(change.kind in {InputKind.CODE, InputKind.ADDED} for change in changes):
        return []
    return [component_path(name, path) for path in image.code]


def base_layers(base: Release | None, name: ComponentName) -> frozenset[Digest]:
    """The weight layers that a release pins for a component."""
    weights = base.components[name].weights if base and name in base.components else None
    return frozenset(file.layer for file in weights.files) if weights else frozenset()


def _prompt_bumps(tree: GitTree, base: Release | None, comparison: Comparison) -> dict[ComponentName, Bump]:
    changed = [change for change in comparison.changes if change.kind is InputKind.PROMPT]
    if base is None or not changed:
        return {}
    texts = tree.read([change.path for change in changed if change.new])
    bumps: dict[ComponentName, list[Bump]] = {}
    for change in changed:
        old = base.components[change.component].prompts.get(change.path.rpartition("/")[2], "")
        bumps.setdefault(change.component, []).append(
            prompt_bump(old, texts.get(change.path, b"").decode(errors="replace"))
        )
    return {name: largest(tuple(found)) for name, found in bumps.items()}


def base_of(planned: Planned, bundle: Bundle) -> str:
    """The base in words, for people."""
    return f"release {planned.base.version}" if planned.base else f"nothing: {bundle.name} has no release yet"
