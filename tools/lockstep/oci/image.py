"""Images as values: the two JSON documents that make layers an image. Pure; nothing is read or stored here.

Source: OCI image-spec v1.1.0, manifest.md and config.md
(https://github.com/opencontainers/image-spec/tree/v1.1.0).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lockstep.core.bundle import Platform
from lockstep.core.document import format_json
from lockstep.core.errors import LockstepError
from lockstep.core.names import Digest, digest_of
from lockstep.oci.layer import LAYER_TYPE, Layer

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
SCHEMA_VERSION = 2  # manifest.md, "Image Manifest Property Descriptions"
BASE_DIGEST = "org.opencontainers.image.base.digest"  # annotations.md, "Pre-Defined Annotation Keys"
BUILDER = "dev.lockstep.builder"  # an annotation: who made the image's own layers, where that was not Lockstep
DOCKER_MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"  # image-index.md: an image of several platforms
DOCKER_INDEX_TYPE = "application/vnd.docker.distribution.manifest.list.v2+json"


class InvalidManifest(LockstepError):  # noqa: N818 - an answer about a document
    """A manifest or configuration that is not what the specification says."""

    exit_code = 1


@dataclass(frozen=True)
class Settings:
    """How an image's process is started, as in a Dockerfile: ENV, WORKDIR, CMD, LABEL."""

    env: Mapping[str, str] = field(default_factory=dict)
    workdir: str = ""
    cmd: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Descriptor:
    """One reference of a manifest: what kind of blob, which, how many bytes."""

    media_type: str
    digest: Digest
    size: int


@dataclass(frozen=True)
class Manifest:
    """A parsed manifest; layers from the lowest to the uppermost. `base` is the image that it says it stands on,
    `builder` who made the layers above, if not Lockstep.
    """

    config: Descriptor
    layers: tuple[Descriptor, ...]
    base: Digest | None = None
    builder: str = ""


@dataclass(frozen=True)
class Image:
    """The bytes of a manifest and of its configuration, and the layers that we made for it (not those of its
    base).
    """

    manifest: bytes
    config: bytes
    layers: tuple[Layer, ...]

    @property
    def digest(self) -> Digest:
        """The manifest's digest, by which the image is known."""
        return digest_of(self.manifest)


def image_of(layers: Sequence[Layer], platform: Platform, settings: Settings | None = None) -> Image:
    """The image of these layers, lowest first. Carries no time and no history; equal arguments give equal
    bytes.
    """
    config: dict[str, Any] = {
        "architecture": platform.arch,
        "os": platform.os,
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
    }
    _set(config, settings or Settings())
    data = format_json(config).encode()
    manifest = {
        "schemaVersion": SCHEMA_VERSION,
        "mediaType": MANIFEST_TYPE,
        "config": descriptor(CONFIG_TYPE, digest_of(data), len(data)),
        "layers": [descriptor(LAYER_TYPE, layer.digest, layer.size) for layer in layers],
    }
    return Image(format_json(manifest).encode(), data, tuple(layers))


def appended(manifest: bytes, config: bytes, layers: Sequence[Layer], settings: Settings) -> Image:
    """The image of a base and layers on top. What `settings` leaves empty stays as in the base.

    The base keeps its own media types and fields; only a configuration in Docker's form is taken as it is,
    both forms have the same fields used here. An annotation names the base, so that its layers can be told from ours.

    Raises:
        InvalidManifest: the base's manifest or configuration is not what the specification says.
    """
    parse_manifest(manifest, "base image")
    upper, data = parse_object(manifest, "base image"), parse_object(config, "configuration of the base image")
    diff_ids = _field(_field(data, "rootfs", dict, "base image"), "diff_ids", list, "base image")
    diff_ids.extend(layer.digest for layer in layers)
    if isinstance(data.get("history"), list):
        data["history"].extend({"created_by": "lockstep"} for _ in layers)
    _set(data, settings)
    body = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    upper["config"] = descriptor(upper["config"]["mediaType"], digest_of(body), len(body))
    upper["layers"].extend(descriptor(layer_type(upper), layer.digest, layer.size) for layer in layers)
    upper["annotations"] = {**(upper.get("annotations") or {}), BASE_DIGEST: digest_of(manifest)}
    return Image(
        json.dumps(upper, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(),
        body,
        tuple(layers),
    )


def parse_manifest(data: bytes, where: str) -> Manifest:
    """The descriptors of an image manifest. Properties that the specification does not know are passed over,
    as it demands.

    Raises:
        InvalidManifest: not JSON, not a manifest of one image (an index is not), or a field is missing or of
            the wrong form.
    """
    top = parse_object(data, where)
    found = top.get("mediaType", MANIFEST_TYPE)
    if top.get("schemaVersion") != SCHEMA_VERSION or found not in (MANIFEST_TYPE, DOCKER_MANIFEST_TYPE):
        raise InvalidManifest(
            f"not the manifest of one image: {found}",
            where=where,
            fix="name the image of one platform by its digest",
        )
    layers = _field(top, "layers", list, where)
    annotations = top.get("annotations") or {}
    said = annotations.get(BASE_DIGEST, "")
    return Manifest(
        _parse_descriptor(top.get("config"), where),
        tuple(_parse_descriptor(layer, where) for layer in layers),
        Digest(said) if Digest.pattern.fullmatch(str(said)) else None,
        str(annotations.get(BUILDER, "")),
    )


def platform_of(config: bytes, where: str) -> tuple[str, str]:
    """Operating system and architecture that a configuration says.

    Raises:
        InvalidManifest: it does not say them.
    """
    data = parse_object(config, where)
    return str(_field(data, "os", str, where)), str(_field(data, "architecture", str, where))


def variables_of(config: bytes, where: str) -> dict[str, str]:
    """The environment variables that a configuration gives to programs."""
    inner = parse_object(config, where).get("config") or {}
    return dict(str(pair).partition("=")[::2] for pair in inner.get("Env") or [])


def layer_type(manifest: Mapping[str, Any]) -> str:
    """The media type of our layers in a manifest: Docker refuses OCI layers in a manifest of its own form."""
    docker = manifest.get("mediaType") == DOCKER_MANIFEST_TYPE
    return "application/vnd.docker.image.rootfs.diff.tar" if docker else LAYER_TYPE


def _set(config: dict[str, Any], settings: Settings) -> None:
    """Puts settings into a configuration. Variables keep the base's order, new ones follow sorted."""
    inner = dict(config.get("config") or {})
    if settings.env:
        env = dict(pair.partition("=")[::2] for pair in inner.get("Env") or []) | dict(sorted(settings.env.items()))
        inner["Env"] = [f"{name}={value}" for name, value in env.items()]
    if settings.workdir:
        inner["WorkingDir"] = settings.workdir
    if settings.cmd:
        inner["Cmd"] = list(settings.cmd)
    if settings.labels:
        inner["Labels"] = {**(inner.get("Labels") or {}), **settings.labels}
    if inner:
        config["config"] = inner


def descriptor(media_type: str, digest: Digest, size: int) -> dict[str, Any]:
    """A content descriptor as it stands in a manifest."""
    return {"mediaType": media_type, "digest": digest, "size": size}


def _parse_descriptor(data: Any, where: str) -> Descriptor:
    if not isinstance(data, dict):
        raise InvalidManifest("a descriptor is missing or not an object", where=where, fix="build the image again")
    size = _field(data, "size", int, where)
    try:
        digest = Digest(_field(data, "digest", str, where))
    except ValueError as error:
        raise InvalidManifest(str(error), where=where, fix="build the image again") from error
    if size < 0 or isinstance(size, bool):
        raise InvalidManifest(f"size {size} of {digest}", where=where, fix="build the image again")
    return Descriptor(_field(data, "mediaType", str, where), digest, size)


def _field(data: Mapping[str, Any], name: str, kind: type[Any], where: str) -> Any:
    value = data.get(name)
    if not isinstance(value, kind):
        raise InvalidManifest(
            f"`{name}` is missing or not of type {kind.__name__}", where=where, fix="build the image again"
        )
    return value


def parse_object(data: bytes, where: str) -> dict[str, Any]:
    """A JSON object in which no key stands twice. Raises InvalidManifest if it is none."""
    try:
        value = json.loads(data, object_pairs_hook=_unique)
    except ValueError as error:
        raise InvalidManifest(f"not valid JSON: {error}", where=where, fix="build the image again") from error
    if not isinstance(value, dict):
        raise InvalidManifest("not a JSON object", where=where, fix="build the image again")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key stands twice")
    return result
