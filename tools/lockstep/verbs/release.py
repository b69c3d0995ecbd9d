"""release: composes everything that a tagged commit holds into one pinned release, and commits it.

1. read the tag's tree, plan against the base, check the version;
2. look up or build every image, every blob in the store (content-addressed: a rerun finds what is there);
3. tag the images `release-<version>` so that the store keeps them;
4. commit releases/<version>/release.yaml by compare-and-swap.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lockstep.core.edits import Edit
from lockstep.core.errors import Finding, Refused, UsageError, refuse_if
from lockstep.core.names import ComponentName, Digest, GitSha, digest_of
from lockstep.core.plan import Candidate, version_findings
from lockstep.core.release import BumpSaid, Pinned, Release, format_release
from lockstep.core.rules.image import Wanted, our_images
from lockstep.core.source import TEMPLATES, Source, component_path
from lockstep.core.version import Bump, Version, bump_between
from lockstep.verbs.build import build_image, build_weights
from lockstep.verbs.edit import Edited, Writing, message
from lockstep.verbs.plan import Planned, plan_commit
from lockstep.verbs.runtime import Builds
from lockstep.verbs.stores import Stores
from lockstep.verbs.workspace import Workspace, files_below, release_path


@dataclass(frozen=True)
class Released:
    """What `release` made.

    Args:
        edited: The commit.
        release: The release.
        planned: Its plan.
        built: Components whose runtime was built.
        stored_bytes: Bytes of weights and layers that were new to the store.
    """

    edited: Edited
    release: Release
    planned: Planned
    built: tuple[ComponentName, ...]
    stored_bytes: int


def release_version(workspace: Workspace, version: Version, stores: Stores, writing: Writing) -> Released:
    """The release of a tagged commit.

    Args:
        workspace: Where.
        version: Its tag, without the bundle's tag prefix.
        stores: Where images go.
        writing: A dry run builds into the store but commits and tags nothing.

    Raises:
        UsageError: there is no such tag.
        Refused: the version or the bundle breaks a rule; every finding.
        Conflict: somebody else wrote first; nothing was committed.
    """
    if not writing.dry:
        workspace.settle()
    with workspace.using_store("lockstep release"):
        return _released(workspace, version, stores, writing)


def _released(workspace: Workspace, version: Version, stores: Stores, writing: Writing) -> Released:
    commit = tagged(workspace, version)
    planned = plan_commit(workspace, commit, below=version)
    candidate = Candidate(
        version=version,
        taken=workspace.state.versions,
        on_line=_is_on_line(workspace, commit, planned.source),
        lines=planned.source.bundle.lines,
        unchanged_since=planned.latest.version if planned.latest and planned.unchanged else None,
    )
    refuse_if(version_findings(candidate, planned.plan), f"{version} cannot be released")
    builds = _builds(workspace, planned, stores)
    release = _composed(builds, planned, version)
    edit = Edit(release_path(version), None, format_release(release).encode())
    said = f"release {version}"
    committed = None
    if not writing.dry:
        _tag_images(our_images(release), stores)
        committed = workspace.write(
            (edit,),
            message(said, {"Edit": "release", "Release": str(version), "Digest": release.digest}),
            remote=writing.remote,
        )
    return Released(
        Edited("release", "", (edit,), committed, said, (version,)),
        release,
        planned,
        tuple(builds.built),
        _new_bytes(release, planned.latest),
    )


def build_commit(workspace: Workspace, commit: GitSha, stores: Stores) -> dict[str, str]:
    """Image references by repository, of every image of ours at a commit; each is in the store. Commits nothing. What
    releases of that commit pin has their tags again.
    """
    with workspace.using_store("lockstep build"):
        return _built(workspace, commit, stores)


def _built(workspace: Workspace, commit: GitSha, stores: Stores) -> dict[str, str]:
    planned = plan_commit(workspace, commit)
    builds = _builds(workspace, planned, stores)
    found: dict[str, str] = {}
    for name in sorted(planned.source.components):
        last = planned.latest.components.get(name) if planned.latest else None
        image, weights = build_image(builds, name, last), build_weights(builds, name)
        found.update({part.reference.repository: part.reference for part in (image, weights) if part})
    for version in workspace.state.versions:
        release = workspace.state.release(version)
        if release.commit == commit:
            _tag_images((image for image in our_images(release) if _is_stored(image, stores)), stores)
    return found


def _builds(workspace: Workspace, planned: Planned, stores: Stores) -> Builds:
    tree = workspace.repository.tree(planned.commit)
    return Builds(tree, planned.source, workspace.folder, stores.of, stores.builder, stores.at, workspace.say)


def tagged(workspace: Workspace, version: Version) -> GitSha:
    """The commit that a version's tag names.

    Raises:
        UsageError: there is no such tag.
    """
    tag = f"{workspace.bundle.tag_prefix}{version}"
    commit = workspace.repository.resolve(f"refs/tags/{tag}")
    if commit is None:
        shallow = (
            "; this clone is shallow and may lack it: git fetch --unshallow --tags"
            if workspace.repository.is_shallow
            else ""
        )
        raise UsageError(
            f"there is no tag {tag}, so there is nothing to release",
            where=f"refs/tags/{tag}",
            fix=f"git tag -a {tag} -m 'release {version}'{shallow}",
        )
    return commit


def _is_on_line(workspace: Workspace, commit: GitSha, source: Source) -> bool:
    tips = (workspace.repository.branch(line) for line in source.bundle.lines)
    return any(tip is not None and workspace.repository.is_ancestor(commit, tip) for tip in tips)


def _composed(builds: Builds, planned: Planned, version: Version) -> Release:
    source, base = planned.source, planned.base
    components = {
        name: planned.pinned.get(name) or _pinned(builds, name, planned.latest) for name in sorted(source.components)
    }
    templates = files_below(builds.tree, TEMPLATES)
    chosen = bump_between(base.version, version) if base else Bump.NONE
    return Release(
        version=version,
        commit=planned.commit,
        entry=source.bundle.entry,
        base=base.version if base else None,
        bump=BumpSaid(required=planned.plan.bump, chosen=chosen),
        platform=source.bundle.platform,
        templates={name: digest_of(data) for name, data in sorted(templates.items())},
        components=components,
        inputs={name: planned.inputs[name] for name in sorted(components)},
        changes=planned.plan.changes,
    )


def _pinned(builds: Builds, name: ComponentName, latest: Release | None) -> Pinned:
    component = builds.source.components[name]
    last = latest.components.get(name) if latest else None
    contract = component_path(name, component.contract)
    uses = {callee: component_path(name, path) for callee, path in component.calls.items()}
    prompts = {path.rpartition("/")[2]: component_path(name, path) for path in component.prompts}
    files = builds.tree.read([contract, *uses.values(), *prompts.values()])
    return Pinned(
        kind=component.kind,
        image=build_image(builds, name, last),
        address=component.address,
        command=component.command,
        port=component.port,
        weights=build_weights(builds, name),
        prompts={key: _text(files[path], path, name) for key, path in prompts.items()},
        contract=digest_of(files[contract]),
        calls={callee: digest_of(files[path]) for callee, path in uses.items()},
        config=component.config,
        secrets=component.secrets,
        resources=component.resources,
        replicas=component.replicas,
        autoscale=component.autoscale,
        grace=component.grace,
        probes=component.probes,
        gate=component.gate,
    )


def _text(data: bytes, path: str, name: ComponentName) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(
            "a prompt cannot be read",
            [Finding("prompt/text", path, f"not UTF-8: {error}", "save the file as UTF-8", name)],
        ) from error


def _is_stored(image: Wanted, stores: Stores) -> bool:
    """Not where a component was held at an earlier release (`pin`): that one's commit makes its image."""
    return stores.of(image.reference.repository).digest_of(image.reference.digest) is not None


def _tag_images(images: Iterable[Wanted], stores: Stores) -> None:
    """A tag on every image of ours, before the commit: a release in Git never names what the store may collect."""
    for image in images:
        store, digest = stores.of(image.reference.repository), image.reference.digest
        if store.digest_of(image.tag) != digest:
            store.tag(image.tag, store.manifest(digest))


def _layers_of(release: Release | None) -> dict[Digest, int]:
    """Every layer of ours and its size in bytes."""
    found: dict[Digest, int] = {}
    for pinned in release.components.values() if release else ():
        if pinned.image:
            layers = (
                *(pinned.image.runtime.layers if pinned.image.runtime else ()),
                *((pinned.image.code,) if pinned.image.code else ()),
            )
            found.update({layer.digest: layer.size for layer in layers})
        if pinned.weights:
            found.update({file.layer: file.size for file in pinned.weights.files})
    return found


def _new_bytes(release: Release, latest: Release | None) -> int:
    """Bytes of layers that the nearest release does not have."""
    known = _layers_of(latest)
    return sum(size for digest, size in _layers_of(release).items() if digest not in known)
