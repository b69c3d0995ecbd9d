"""A whole image layout, for those who delete from it: its images, what they reach, and what nothing reaches.

The order of deleting makes a kill harmless: first the index forgets images, in one step, then blobs go that nothing in
the index reaches. What is left of an interrupted run is found by the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lockstep.adapters import files
from lockstep.core.collect import Tagged
from lockstep.core.errors import OutsideError
from lockstep.core.names import Digest
from lockstep.oci.image import InvalidManifest, parse_manifest
from lockstep.oci.layout import Layout, index_entries, ref_name

_LARGEST_MANIFEST = 4 << 20  # bytes; distribution-spec v1.1.0, "Pushing Manifests": registries take 4 MiB at least


@dataclass(frozen=True)
class Loose:
    """A blob that nothing reaches: its name and bytes."""

    digest: Digest
    size: int


def tagged_images(folder: Path, before: float) -> tuple[Tagged, ...]:
    """Every image of a layout, sorted. New are those whose manifest was written after `before`, in seconds since 1970
    UTC.

    Raises:
        OutsideError: the index cannot be read.
    """
    tags: dict[tuple[str, Digest], list[str]] = {}
    for entry in index_entries(folder):
        repository, _, tag = ref_name(entry).rpartition(":")
        tags.setdefault((repository, Digest(entry["digest"])), []).append(tag)
    return tuple(
        Tagged(repository, digest, tuple(sorted(names)), _is_new(_blob(folder, digest), before))
        for (repository, digest), names in sorted(tags.items())
    )


def loose_blobs(folder: Path, doomed: Iterable[Tagged], named: Iterable[Digest], before: float) -> tuple[Loose, ...]:
    """What nothing reaches once some images are forgotten, sorted; what is new (as in tagged_images) is left out.

    Args:
        folder: The layout.
        doomed: Images that are to be forgotten.
        named: Digests that something else names: they stay, and what they reach if they are manifests.
        before: Seconds since 1970 UTC.

    Raises:
        OutsideError: a manifest that stays cannot be read, so nobody knows what it needs.
    """
    going = {(one.repository, one.digest) for one in doomed}
    roots = [one.digest for one in tagged_images(folder, before) if (one.repository, one.digest) not in going]
    reached = _reached(folder, roots) | _reached(folder, _manifests(folder, named)) | set(named)
    found = ((path, Digest(f"sha256:{path.name}")) for path in _blobs(folder))
    return tuple(
        Loose(digest, path.stat().st_size)
        for path, digest in found
        if digest not in reached and not _is_new(path, before)
    )


def remove_blob(folder: Path, digest: Digest) -> None:
    """Deletes a blob if it is there."""
    files.remove(_blob(folder, digest))


def _reached(folder: Path, manifests: Iterable[Digest]) -> set[Digest]:
    """The manifests and everything that they need: configurations, layers, and the manifests of their bases."""
    store, found, waiting = Layout(folder), set[Digest](), list(manifests)
    while waiting:
        digest = waiting.pop()
        if digest in found:
            continue
        found.add(digest)
        manifest = parse_manifest(store.manifest(digest), str(digest))
        found |= {blob.digest for blob in (manifest.config, *manifest.layers)}
        if manifest.base and store.has(manifest.base):
            waiting.append(manifest.base)
    return found


def _manifests(folder: Path, named: Iterable[Digest]) -> Iterator[Digest]:
    """Those of the digests that are manifests here, tagged or not."""
    store = Layout(folder)
    for digest in named:
        path = _blob(folder, digest)
        if path.is_file() and path.stat().st_size <= _LARGEST_MANIFEST:
            try:
                parse_manifest(store.manifest(digest), str(digest))
            except (InvalidManifest, OutsideError):
                continue
            yield digest


def _blobs(folder: Path) -> list[Path]:
    return sorted((folder / "blobs" / "sha256").glob("[0-9a-f]" * 64))


def _blob(folder: Path, digest: Digest) -> Path:
    return folder / "blobs" / "sha256" / digest.hex


def _is_new(path: Path, before: float) -> bool:
    return path.exists() and path.stat().st_mtime > before
