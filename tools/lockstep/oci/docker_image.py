"""Images that a Docker daemon made, as images of ours: its layers uncompressed, its base told apart, and of its
configuration only what starts a program. Pure; docker_archive.py reads and writes the daemon's archives.

What is dropped: history (it holds build arguments), times, container ids, everything that this file does not name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lockstep.core.names import Digest, digest_of
from lockstep.oci.image import (
    BASE_DIGEST,
    BUILDER,
    CONFIG_TYPE,
    MANIFEST_TYPE,
    SCHEMA_VERSION,
    Image,
    descriptor,
    layer_type,
    parse_manifest,
    parse_object,
)
from lockstep.oci.layer import Layer

_KEPT = ("Cmd", "Entrypoint", "Env", "ExposedPorts", "Healthcheck", "Labels", "StopSignal", "User", "Volumes")
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # what Docker takes where an image has none


@dataclass(frozen=True)
class Under:
    """What an image stands on: the two documents of its base."""

    manifest: bytes
    config: bytes


@dataclass(frozen=True)
class Found:
    """What a daemon says of an image that it built.

    Args:
        config: Its configuration.
        diff_ids: Digests of its uncompressed layers, the lowest first.
    """

    config: Mapping[str, Any]
    diff_ids: tuple[Digest, ...]

    @property
    def platform(self) -> tuple[str, str]:
        """Operating system and architecture."""
        return str(self.config.get("os", "")), str(self.config.get("architecture", ""))


def parse_found(config: bytes, where: str) -> Found:
    """What a configuration says. Raises InvalidManifest if it is none."""
    data = parse_object(config, where)
    layers = (data.get("rootfs") or {}).get("diff_ids") or []
    return Found(data, tuple(Digest(layer) for layer in layers))


def diff_ids_of(config: bytes, where: str) -> tuple[Digest, ...]:
    """The digests of an image's uncompressed layers, the lowest first."""
    return parse_found(config, where).diff_ids


def own_start(found: Found, base: tuple[Digest, ...], lent: tuple[Digest, ...]) -> tuple[int, bool]:
    """Where an image's own layers begin, and whether it stands on the base: above that and what was lent with it; at
    its lowest layer, if it stands on something else.
    """
    given = (*base, *lent)
    stands = bool(base) and found.diff_ids[: len(given)] == given
    return (len(given), True) if stands else (0, False)


def settings_of(found: Found, lent: Sequence[str]) -> dict[str, Any]:
    """What of a configuration starts a program. `lent` are the variables that were given for the build alone."""
    said = found.config.get("config") or {}
    kept = {key: said[key] for key in (*_KEPT, "WorkingDir") if said.get(key)}
    variables = [pair for pair in kept.get("Env", ()) if pair not in lent]
    if not any(pair.startswith("PATH=") for pair in variables):
        variables.insert(0, _PATH)
    return {**kept, "Env": variables}


def built_image(under: Under | None, layers: Sequence[Layer], found: Found, lent: Sequence[str], by: str) -> Image:
    """The image of what a daemon built: its layers on the base (or on nothing), and its settings. Same arguments,
    same bytes.

    Args:
        under: The base.
        layers: The layers above it, lowest first.
        found: What the daemon says of it.
        lent: Variables to leave out.
        by: Who built it, for the annotation.
    """
    lower = parse_object(under.manifest, "base image") if under else _EMPTY
    below = diff_ids_of(under.config, "base image") if under else ()
    config = {
        "architecture": found.platform[1],
        "os": found.platform[0],
        **({"variant": found.config["variant"]} if found.config.get("variant") else {}),
        "config": settings_of(found, lent),
        "rootfs": {"type": "layers", "diff_ids": [*below, *(layer.digest for layer in layers)]},
    }
    notes = {BUILDER: by, **({BASE_DIGEST: digest_of(under.manifest)} if under else {})}
    manifest = {**lower, "annotations": {**(lower.get("annotations") or {}), **notes}}
    return _image(manifest, config, list(lower["layers"]), layers)


def with_layer(image: Image, layer: Layer) -> Image:
    """The same image with one more layer on top. What it stands on and who built it stay as it says them."""
    manifest, config = parse_object(image.manifest, "runtime"), parse_object(image.config, "runtime")
    config["rootfs"]["diff_ids"].append(layer.digest)
    made = _image(manifest, config, list(manifest["layers"]), [layer])
    return Image(made.manifest, made.config, (*image.layers, layer))


def without_layer(manifest: bytes, config: bytes, own: Sequence[Layer]) -> Image:
    """Inverse of with_layer: the image without its uppermost layer. `own` are its own layers without that."""
    upper, data = parse_object(manifest, "image"), parse_object(config, "image")
    data["rootfs"]["diff_ids"].pop()
    made = _image(upper, data, list(upper["layers"])[:-1], [])
    return Image(made.manifest, made.config, tuple(own))


_EMPTY: dict[str, Any] = {
    "schemaVersion": SCHEMA_VERSION,
    "mediaType": MANIFEST_TYPE,
    "config": {"mediaType": CONFIG_TYPE},
    "layers": [],
}


def _image(
    manifest: Mapping[str, Any], config: Mapping[str, Any], lower: list[dict[str, Any]], layers: Sequence[Layer]
) -> Image:
    data = _bytes(config)
    kind = layer_type(manifest)
    whole = {
        **manifest,
        "config": descriptor(manifest["config"]["mediaType"], digest_of(data), len(data)),
        "layers": [*lower, *(descriptor(kind, layer.digest, layer.size) for layer in layers)],
    }
    written = _bytes(whole)
    parse_manifest(written, "built image")
    return Image(written, data, tuple(layers))


def _bytes(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
