"""The documents of an image layout as values: which images it has under which names, and a release as an artifact
among them. Pure.

Source: OCI image-spec v1.1.0, image-layout.md, image-index.md, manifest.md "Guidelines for Artifact Usage"
(https://github.com/opencontainers/image-spec/tree/v1.1.0).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lockstep.core.document import format_json
from lockstep.core.names import Digest, digest_of
from lockstep.core.release import Release
from lockstep.oci.image import INDEX_TYPE, MANIFEST_TYPE, SCHEMA_VERSION, Descriptor, InvalidManifest, Manifest

REF_NAME = "org.opencontainers.image.ref.name"  # image-spec v1.1.0, annotations.md
VERSION = "org.opencontainers.image.version"  # annotations.md
TITLE = "org.opencontainers.image.title"  # annotations.md; what other tools name the file when they fetch it
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"  # manifest.md, "Guidance for an Empty Descriptor"
EMPTY = b"{}"
RELEASE_TYPE = "application/vnd.lockstep.release.v1"  # of the artifact, and so of this form of archive
DOCUMENT_TYPE = "application/vnd.lockstep.release.v1+yaml"  # of release.yaml's bytes
RELEASE_DIGEST = "dev.lockstep.release.digest"
LAYOUT_FILE = format_json({"imageLayoutVersion": "1.0.0"}).encode()  # image-layout.md, "oci-layout file"

Shares = tuple[tuple[Descriptor, ...], ...]


@dataclass(frozen=True)
class Named:
    """One image of an index.

    Args:
        name: Repository and tag, such as `ocr:release-1.4.0`.
        media_type: Of its manifest.
        digest: Of its manifest.
        size: Bytes of its manifest.
        artifact_type: What it is if it is no image that runs; empty if it is one.
    """

    name: str
    media_type: str
    digest: Digest
    size: int
    artifact_type: str = ""


def named_image(name: str, manifest: bytes) -> Named:
    """The entry of a manifest under a name. Its bytes are a manifest's already."""
    data = json.loads(manifest)
    kind, artifact = data.get("mediaType", MANIFEST_TYPE), data.get("artifactType", "")
    return Named(name, str(kind), digest_of(manifest), len(manifest), str(artifact))


def format_index(entries: Iterable[Any]) -> bytes:
    """index.json of some descriptors, in their order."""
    return format_json({"schemaVersion": SCHEMA_VERSION, "mediaType": INDEX_TYPE, "manifests": list(entries)}).encode()


def format_named(images: Iterable[Named]) -> bytes:
    """index.json of some images, in their order. Inverse of parse_named."""
    return format_index(_entry(image) for image in images)


def parse_named(data: bytes, where: str) -> tuple[Named, ...]:
    """The images of an index.json that format_named wrote.

    Raises:
        InvalidManifest: it is another document; one that format_named writes with other bytes is refused, too.
    """
    try:
        images = tuple(_named(entry) for entry in json.loads(data)["manifests"])
        is_same = format_named(images) == data
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _not_ours(where, f"{type(error).__name__}: {error}"[:200]) from error
    if not is_same:
        raise _not_ours(where, "its bytes are not those that its content is written as")
    return images


def release_artifact(document: bytes, release: Release) -> bytes:
    """The manifest that makes release.yaml an artifact: the bytes themselves are its only layer, and its annotations
    say which release that is. Same release, same bytes.
    """
    layer = {
        "mediaType": DOCUMENT_TYPE,
        "digest": digest_of(document),
        "size": len(document),
        "annotations": {TITLE: "release.yaml"},
    }
    manifest = {
        "schemaVersion": SCHEMA_VERSION,
        "mediaType": MANIFEST_TYPE,
        "artifactType": RELEASE_TYPE,
        "config": {"mediaType": EMPTY_TYPE, "digest": digest_of(EMPTY), "size": len(EMPTY)},
        "layers": [layer],
        "annotations": {RELEASE_DIGEST: release.digest, VERSION: str(release.version)},
    }
    return format_json(manifest).encode()


def release_said(artifact: bytes) -> str:
    """The release digest that an artifact says; empty if it says none."""
    return str((json.loads(artifact).get("annotations") or {}).get(RELEASE_DIGEST, ""))


def blobs_in_order(manifests: Iterable[tuple[str, Manifest]], known: Mapping[Digest, int]) -> Shares:
    """For each manifest, with its name, the blobs that nothing before it brings, its configuration first.

    Args:
        manifests: In the order of the archive.
        known: Digest and bytes of all documents: they stand before every other blob.

    Raises:
        InvalidManifest: a blob is said to have two sizes.
    """
    sizes, found = dict(known), []
    for name, manifest in manifests:
        new = []
        for blob in (manifest.config, *manifest.layers):
            if blob.digest not in sizes:
                sizes[blob.digest] = blob.size
                new.append(blob)
            elif sizes[blob.digest] != blob.size:
                what = f"blob {blob.digest} is said to have {blob.size} bytes and {sizes[blob.digest]} bytes"
                raise InvalidManifest(what, where=name, fix="build the image again")
        found.append(tuple(new))
    return tuple(found)


def _entry(image: Named) -> dict[str, Any]:
    artifact = {"artifactType": image.artifact_type} if image.artifact_type else {}
    named = {"annotations": {REF_NAME: image.name}}
    return {"mediaType": image.media_type, "digest": image.digest, "size": image.size, **artifact, **named}


def _named(entry: dict[str, Any]) -> Named:
    kind, size, name = entry["mediaType"], entry["size"], entry["annotations"][REF_NAME]
    artifact = entry.get("artifactType", "")
    if not (isinstance(size, int) and size >= 0 and all(isinstance(text, str) for text in (kind, name, artifact))):
        raise TypeError("a descriptor with a field of another type")
    return Named(name, kind, Digest(entry["digest"]), size, artifact)


def _not_ours(where: str, what: str) -> InvalidManifest:
    return InvalidManifest(
        f"not an index that lockstep export wrote: {what}", where=where, fix="carry the file again, as it was written"
    )
