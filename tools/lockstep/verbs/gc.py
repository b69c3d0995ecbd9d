"""gc: deletes images that no release, environment or lock needs, from the bundle's own store or from its registry.

1. read every release, environment and lock: what they name stays, and the tags of releases that keep their images;
2. list every image of the store or registry; refuse if one promises a release that this clone does not know;
3. where it was asked for: delete the others. Own store: first the index forgets them, then blobs go that nothing
   reaches. Registry: manifests go; their blobs are collected by the registry itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from lockstep.adapters import files
from lockstep.core.collect import Collection, Needs, Tagged, collect, needs_of
from lockstep.core.errors import Finding, UsageError, refuse_if
from lockstep.core.names import Digest
from lockstep.core.release import Release
from lockstep.core.retention import hold_findings
from lockstep.core.rules.image import wanted_images
from lockstep.core.source import LOCK
from lockstep.core.version import Version
from lockstep.oci.layout import forget
from lockstep.oci.store import Store
from lockstep.oci.sweep import Loose, loose_blobs, remove_blob, tagged_images
from lockstep.verbs.images.stores import Stores
from lockstep.verbs.retention import kept_now
from lockstep.verbs.workspace import Workspace, files_below

_AT_ONCE = 8  # repositories of a registry that are listed
_DAY = 86_400  # seconds
_NAMING = (LOCK, "component.yaml")


@dataclass(frozen=True)
class Collecting:
    """How to collect.

    Args:
        delete: Whether anything is deleted; else all of it is only found out.
        abandoned: Versions of which a person says that they never became releases.
        now: Seconds since 1970 UTC.
        days: What was stored in so many days is left alone in the own store.
    """

    delete: bool
    abandoned: frozenset[Version]
    now: float
    days: float = 7

    @property
    def before(self) -> float:
        """Seconds since 1970 UTC; what was written later is new."""
        return self.now - self.days * _DAY


@dataclass(frozen=True)
class Collected:
    """What a collection did or would do.

    Args:
        place: The folder or registry.
        kept: Releases that keep their images, and why.
        collection: Which images went, and which stayed and why.
        blobs: What nothing reaches then; empty for a registry, which finds that out itself.
        notes: What it believed.
    """

    place: str
    kept: dict[Version, str]
    collection: Collection
    blobs: tuple[Loose, ...] = ()
    notes: tuple[str, ...] = ()


def collect_store(workspace: Workspace, collecting: Collecting) -> Collected:
    """What nothing needs of the bundle's own store; deleted, if that was asked for.

    Raises:
        UsageError: an abandoned version is a release.
        Refused: what is there cannot be explained by the releases of this clone, or one of these cannot be read.
        OutsideError: another command writes to the store, or the disk failed.
    """
    needs, folder = _needs(workspace, collecting), workspace.store
    with files.held_alone(workspace.store_lock, "lockstep gc"):
        collection = collect(tagged_images(folder, collecting.before), needs, collecting.abandoned)
        refuse_if(collection.findings, f"nothing of {folder} can be deleted")
        doomed = tuple(one.image for one in collection.doomed)
        blobs = loose_blobs(folder, doomed, needs.digests, collecting.before)
        if collecting.delete:
            forget(folder, {(one.repository, one.digest) for one in doomed})
            for blob in blobs:
                remove_blob(folder, blob.digest)
    return Collected(str(folder), dict(needs.kept), collection, blobs)


def collect_registry(workspace: Workspace, stores: Stores, collecting: Collecting) -> Collected:
    """What nothing needs of the bundle's registry; deleted, if that was asked for.

    Raises:
        UsageError: lockstep.yaml names no registry, or an abandoned version is a release.
        Refused: this clone is behind its remote, or what is there cannot be explained by its releases.
        OutsideError: the remote or the registry failed, or it does not let anybody delete.
    """
    registry = workspace.registry
    notes = _current(workspace)
    needs = _needs(workspace, collecting)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        names = sorted({one.reference.repository for release in _releases(workspace) for one in wanted_images(release)})
        found = pool.map(lambda name: _images(name, stores.at(f"{registry}/{name}")), names)
        images = [image for one in found for image in one]
    collection = collect(images, needs, collecting.abandoned)
    refuse_if(collection.findings, f"nothing of {registry} can be deleted")
    for one in collection.doomed if collecting.delete else ():
        if stores.at(f"{registry}/{one.image.repository}").delete(one.image.digest):
            workspace.say(f"deleted {registry}/{one.image.name}")
    return Collected(registry, dict(needs.kept), collection, notes=notes)


def _images(name: str, store: Store) -> tuple[Tagged, ...]:
    tags: dict[Digest, list[str]] = {}
    for tag, digest in store.tags().items():
        tags.setdefault(digest, []).append(tag)
    return tuple(Tagged(name, digest, tuple(sorted(names))) for digest, names in sorted(tags.items()))


def _needs(workspace: Workspace, collecting: Collecting) -> Needs:
    """Step 1."""
    versions = set(workspace.state.versions)
    for version in sorted(collecting.abandoned & versions):
        fix = "leave it out; or let `retention:` in lockstep.yaml let it go"
        raise UsageError(f"{version} is a release: it was not abandoned", where=f"releases/{version}", fix=fix)
    refuse_if(hold_findings(workspace.state.bundle.retention, versions), "what is held is not known")
    return needs_of(_releases(workspace), kept_now(workspace, collecting.now), dict(_named(workspace)))


def _releases(workspace: Workspace) -> tuple[Release, ...]:
    return tuple(workspace.state.release(version) for version in workspace.state.versions)


def _named(workspace: Workspace) -> Iterator[tuple[str, tuple[bytes, ...]]]:
    """The files of environments, and what the working copy and the lines have of components before a release pins it:
    every weights.lock, whose layers are stored already, and every component.yaml, which may name an image that is.
    """
    tree = workspace.state.tree
    for entry in tree.names("releases"):
        folder = entry.path.rpartition("/")[2]
        if not folder[:1].isdigit():
            yield f"environment {folder}", tuple(files_below(tree, entry.path).values())
    for path in (path for name in _NAMING for path in workspace.folder.glob(f"components/*/{name}")):
        yield f"components/{path.parent.name}/{path.name}", (files.read(path),)
    for line in workspace.bundle.lines:
        if tip := workspace.repository.branch(line):
            at = workspace.repository.tree(tip)
            found = at.read([f"{entry.path}/{name}" for entry in at.names("components") for name in _NAMING])
            yield from ((f"{path} of {line}", (data,)) for path, data in found.items())


def _current(workspace: Workspace) -> tuple[str, ...]:
    """Notes on whether this clone has every release that its remote has.

    Raises:
        Refused: it does not.
    """
    branch, repository = workspace.bundle.state.branch, workspace.repository
    remote = workspace.bundle.state.repository or repository.remote_of(branch)
    if not remote:
        return (f"this repository has no remote: its branch {branch} is taken for all that is known",)
    there = repository.remote_tip(remote, branch)
    if there is None or repository.is_ancestor(there, workspace.state.commit):
        return ()
    what = f"{branch} of {remote} is at {there[:10]}, which this clone does not have: releases may be missing here"
    refuse_if(
        [Finding("gc/behind", f"refs/heads/{branch}", what, f"git pull {remote} {branch}")], "it cannot be proved"
    )
    return ()
