"""A store in a folder: an OCI image layout, which skopeo, crane, podman and BuildKit read as well.

One layout holds several repositories, so that components share layers: the tag `ocr:release-1.2.0` in
index.json is the tag `release-1.2.0` of the repository `ocr`. Blobs are written under another name, synced
and renamed; index.json is changed under a lock. A reader needs no lock: it sees the old index or the new one.

Source: OCI image-spec v1.1.0, image-layout.md
(https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md).
"""

from __future__ import annotations

import json
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from lockstep.adapters import files
from lockstep.core.errors import OutsideError
from lockstep.core.names import Digest
from lockstep.oci.image import MANIFEST_TYPE, parse_manifest
from lockstep.oci.index import LAYOUT_FILE, REF_NAME, format_index
from lockstep.oci.layer import Layer
from lockstep.oci.store import BlobStore, Fill, Hashed, checked_tag, read_blob, verified_copy, writing


@dataclass(frozen=True)
class Layout:
    """One repository of an image layout; a Store.

    Args:
        folder: The layout's folder; made by the first write.
        repository: Prefix of this repository's tags, such as `ocr`; empty for a layout with one repository.
    """

    folder: Path
    repository: str = ""

    def has(self, digest: Digest) -> bool:
        """Whether the blob is there. It may still be damaged: readers verify."""
        return self._blob(digest).is_file()

    def size(self, digest: Digest) -> int | None:
        """Bytes of the blob's file; None if it is not there."""
        try:
            return self._blob(digest).stat().st_size
        except FileNotFoundError:
            return None

    def open(self, digest: Digest) -> BinaryIO:
        """The blob's bytes, unverified.

        Raises:
            OutsideError: it is not there.
        """
        try:
            return self._blob(digest).open("rb")
        except FileNotFoundError as error:
            raise OutsideError(
                f"blob {digest} is not in the image store",
                where=str(self.folder),
                fix="build it again: lockstep build",
            ) from error
        except OSError as error:
            raise OutsideError(
                f"blob {digest}: {error.strerror}",
                where=str(self.folder),
                fix="check the folder's permissions",
            ) from error

    def put(self, name: str, fill: Fill) -> Layer:
        """Digest and size of what `fill` wrote; all of it is stored, or nothing. A blob that is there is not
        written again.

        Raises:
            OutsideError: the disk is full or fails; names what was being written.
        """
        _make(self.folder)
        try:
            with files.placing(self.folder / "unfinished") as part:
                hashed = Hashed(part.stream)
                fill(hashed)
                if not self._is_stored(hashed.layer):
                    part.target = self._blob(hashed.layer.digest)
        except OutsideError as error:
            if not isinstance(error.__cause__, OSError) or not error.where.startswith(str(self.folder)):
                raise
            raise OutsideError(
                f"cannot store {name}: {error.what}", where=error.where, fix=error.fix
            ) from error.__cause__
        return hashed.layer

    def add(self, name: str, blob: Layer, source: BlobStore) -> int:
        """How many bytes of a blob of known digest had to be written: 0 if it was there.

        Raises:
            OutsideError: missing or damaged in the source, or the disk failed; nothing is stored then.
        """
        return 0 if self.has(blob.digest) else self.put(name, verified_copy(source, blob.digest)).size

    def manifest(self, digest: Digest) -> bytes:
        """The manifest's bytes, verified.

        Raises:
            OutsideError: it is not there or damaged.
        """
        return read_blob(self, digest)

    def tag(self, name: str, manifest: bytes) -> Digest:
        """The manifest's digest; the manifest is stored and the tag names it from now on."""
        reference = self._reference(name)
        parse_manifest(manifest, name)
        digest = self.put(f"manifest of {reference}", writing(manifest)).digest
        with files.locked(self.folder / ".lock"):
            entries = [entry for entry in index_entries(self.folder) if ref_name(entry) != reference]
            media_type = json.loads(manifest).get("mediaType", MANIFEST_TYPE)
            named = {"annotations": {REF_NAME: reference}}
            entries.append({"mediaType": media_type, "digest": digest, "size": len(manifest), **named})
            entries.sort(key=lambda entry: (ref_name(entry), str(entry.get("digest"))))
            files.write(self.folder / "index.json", format_index(entries))
        return digest

    def delete(self, digest: Digest) -> bool:
        """Whether a manifest was named here; no tag of this repository names it any more. Its bytes stay until a
        collection finds that nothing reaches them (sweep.py).
        """
        return forget(self.folder, {(self.repository, digest)})

    def digest_of(self, reference: str) -> Digest | None:
        """The manifest that a tag or a digest names here; None if there is none."""
        named = Digest(reference) if Digest.pattern.fullmatch(reference) else self.tags().get(reference)
        return named if named and self.has(named) else None

    def tags(self) -> dict[str, Digest]:
        """Every tag of this repository and the manifest that it names, sorted by tag."""
        named = ((ref_name(entry), Digest(entry["digest"])) for entry in index_entries(self.folder) if ref_name(entry))
        split = ((name.rpartition(":"), digest) for name, digest in named)
        return dict(sorted((tag, digest) for (repository, _, tag), digest in split if repository == self.repository))

    def _blob(self, digest: Digest) -> Path:
        return self.folder / "blobs" / "sha256" / digest.hex

    def _is_stored(self, layer: Layer) -> bool:
        """Whether the blob is there; one of another size is damaged, and written again."""
        return self.size(layer.digest) == layer.size

    def _reference(self, tag: str) -> str:
        return f"{self.repository}:{checked_tag(tag)}" if self.repository else checked_tag(tag)


def _make(folder: Path) -> None:
    """Makes the folder a layout, with an index that has no image yet, if it is not one."""
    if (folder / "oci-layout").exists():
        return
    with files.locked(folder / ".lock"):
        if not (folder / "index.json").exists():
            files.write(folder / "index.json", format_index([]))
        files.write(folder / "oci-layout", LAYOUT_FILE)


def forget(folder: Path, images: AbstractSet[tuple[str, Digest]]) -> bool:
    """Whether some images, by repository and digest, had a name in the index; none of them has, after this one step."""
    with files.locked(folder / ".lock"):
        entries = index_entries(folder)
        staying = [one for one in entries if (ref_name(one).rpartition(":")[0], one["digest"]) not in images]
        if len(staying) != len(entries):
            files.write(folder / "index.json", format_index(staying))
    return len(staying) != len(entries)


def index_entries(folder: Path) -> list[dict[str, Any]]:
    """Every entry of a layout's index; each has a digest. None before the first.

    Raises:
        OutsideError: it is no index.
    """
    path = folder / "index.json"
    if not path.exists():
        return []
    try:
        entries = json.loads(files.read(path))["manifests"]
        if not all(Digest(entry["digest"]) for entry in entries):
            return []
    except (ValueError, KeyError, TypeError) as error:
        fix = "restore the file, or remove the folder and build again"
        raise OutsideError(f"not an OCI image index: {error}", where=str(path), fix=fix) from error
    return list(entries)


def ref_name(entry: dict[str, Any]) -> str:
    """Repository and tag of an entry, such as `ocr:release-1.2.0`; empty if it has no name."""
    return str((entry.get("annotations") or {}).get(REF_NAME, ""))
