"""release: composes everything that a tagged commit holds into one pinned release, and commits it.

1. read the tag's tree, plan against the base, check the version;
2. look up or build every image, every blob in the store (content-addressed: a rerun finds what is there);
3. tag the images `release-<version>` so that the store keeps them;
4. commit releases/<version>/release.yaml by compare-and-swap.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lockstep.core.contract.told import warning_lines
from lockstep.core.contract.weigh import edge_findings
from lockstep.core.edits import Edit
from lockstep.core.errors import UsageError, refuse_if
from lockstep.core.names import ComponentName, Digest, GitSha
from lockstep.core.plan import version_findings
from lockstep.core.release import Pinned, Release, format_release
from lockstep.core.rules.image import Wanted, our_images
from lockstep.core.version import Version
from lockstep.verbs.edit import Edited, message
from lockstep.verbs.images.build import build_image, build_weights
from lockstep.verbs.images.runtime import Builds
from lockstep.verbs.images.runtimes import make_runtimes
from lockstep.verbs.images.stores import Stores
from lockstep.verbs.landing import Writing, write
from lockstep.verbs.pin import Images, compose_release, pin_component
from lockstep.verbs.plan import Planned, candidate_of, large_layers, plan_commit
from lockstep.verbs.workspace import Workspace, release_path


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
    """The release of a tagged commit; without an edit where that very commit is released already.

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
    commit = tagged(workspace, version)
    planned = plan_commit(workspace, commit, below=version)
    if version in workspace.state.versions and (there := workspace.state.release(version)).commit == commit:
        return Released(Edited("release", "", (), None, f"release {version}", (version,)), there, planned, (), 0)
    found = version_findings(candidate_of(workspace, planned, version), planned.plan)
    found += (*edge_findings(planned.judged.edges), *(large_layers(planned) if stores.is_remote else ()))
    refuse_if(found, f"{version} cannot be released")
    for line in warning_lines(planned.judged):
        workspace.say(line)
    with workspace.using_store("lockstep release"):
        return _released(workspace, planned, version, stores, writing)


def _released(workspace: Workspace, planned: Planned, version: Version, stores: Stores, writing: Writing) -> Released:
    builds = _builds(workspace, planned, stores)
    make_runtimes(builds, planned, stores.jobs)
    release = compose_release(builds.tree, planned, version, _pinned(builds, planned))
    edit = Edit(release_path(version), None, format_release(release).encode())
    said = f"release {version}"
    committed = None
    if not writing.dry:
        _tag_images(our_images(release), stores)
        words = {"Edit": "release", "Release": str(version), "Digest": release.digest}
        committed = write(workspace, (edit,), message(said, words), writing)
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
    make_runtimes(builds, planned, stores.jobs, held=True)
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
    return Builds(
        tree, planned.source, workspace.folder, stores.of, stores.builder, stores.at, workspace.say, stores.daemon
    )


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
            fix=f"lockstep tag {version}{shallow}",
        )
    return commit


def _pinned(builds: Builds, planned: Planned) -> dict[ComponentName, Pinned]:
    """Every component with its images in the store, but for those that are held: these are as they were."""
    found = {}
    for name in sorted(planned.source.components):
        last = planned.latest.components.get(name) if planned.latest else None
        found[name] = planned.pinned.get(name) or pin_component(
            builds.tree, builds.source, name, Images(build_image(builds, name, last), build_weights(builds, name))
        )
    return found


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
