"""Runtimes: the part of an image that changes seldom. A base image with the system and its Python, where lockstep.yaml
names one, and dependencies on top; looked up in the last release, then by the store's `in-<inputs>` tag, then made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from lockstep.adapters.git import GitTree
from lockstep.core.bundle import Platform
from lockstep.core.document import format_json
from lockstep.core.errors import Finding, refuse_if
from lockstep.core.names import ComponentName, Digest, ImageRef, digest_of, without_host
from lockstep.core.release import LayerRef, Pinned, Runtime
from lockstep.core.source import Source, component_path
from lockstep.core.tags import base_tag, runtime_tag
from lockstep.oci.image import Image, Settings, appended, image_of, parse_manifest, platform_of, variables_of
from lockstep.oci.layer import Layer
from lockstep.oci.store import Store, copy_image, own_layers, put_image, read_blob
from lockstep.verbs.workspace import Say

_VARIABLES = {"PYTHONPATH": "/app/src:/app/site"}
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # for a base image that says none


class RuntimeBuilder(Protocol):
    """Makes the part of an image that changes seldom. Wheels do it here; Docker will beside it."""

    @property
    def name(self) -> str:
        """The builder's name and revision; one of the inputs, so two builders never share a result."""
        ...

    def layers(self, requirements: bytes, where: str, platform: Platform) -> tuple[Layer, ...]:
        """The layers, stored."""
        ...


@dataclass(frozen=True)
class Base:
    """The image that images stand on, all of it in the store: its name without a host, its two documents."""

    name: ImageRef
    manifest: bytes
    config: bytes


@dataclass(frozen=True)
class Builds:
    """What building needs.

    Args:
        tree: The commit that everything is read from.
        source: The bundle at that commit.
        folder: The bundle's folder, where DVC's files lie.
        store_of: The store of a repository of images.
        builder: Makes runtimes.
        at: A repository of some registry, by its full name; the base image comes from there.
        say: Where progress goes.
        made: Counts what was really made, for reports: runtimes built and bytes written, by component.
    """

    tree: GitTree
    source: Source
    folder: Path
    store_of: Callable[[str], Store]
    builder: Callable[[Store], RuntimeBuilder]
    at: Callable[[str], Store]
    say: Say
    made: dict[ComponentName, int] = field(default_factory=dict)
    built: list[ComponentName] = field(default_factory=list)


def base_of(builds: Builds, store: Store) -> Base | None:
    """The base image that the bundle's platform names, once it is in the store under a tag; None if it names none.

    Raises:
        OutsideError: it is not in the store, and its registry cannot be asked or does not have it.
        Refused: it is for another platform.
    """
    platform = builds.source.bundle.platform
    if platform.base is None:
        return None
    digest = platform.base.digest
    tag = base_tag(digest)
    if store.digest_of(tag) != digest or not _is_whole(store, digest):
        source = store
        if not _is_whole(store, digest):
            builds.say(f"fetching the base image {platform.base}")
            source = builds.at(platform.base.repository)
        copy_image(source, store, digest, tag)
    manifest = store.manifest(digest)
    config = read_blob(store, parse_manifest(manifest, tag).config.digest)
    refuse_if(_base_findings(platform, platform_of(config, str(platform.base))), "the base image cannot be used")
    return Base(ImageRef(without_host(platform.base)), manifest, config)


def _is_whole(store: Store, digest: Digest) -> bool:
    """Whether the store has an image with all of its blobs."""
    if store.digest_of(digest) is None:
        return False
    manifest = parse_manifest(store.manifest(digest), str(digest))
    return all(store.has(blob.digest) for blob in (manifest.config, *manifest.layers))


def _base_findings(platform: Platform, found: tuple[str, str]) -> tuple[Finding, ...]:
    if found == (platform.os, platform.arch):
        return ()
    what = f"{platform.base} is for {'/'.join(found)}, the platform is {platform.os}/{platform.arch}"
    return (Finding("bundle/base", "lockstep.yaml", what, f"name the image for {platform.os}/{platform.arch}"),)


def assembled(base: Base | None, layers: Sequence[Layer], platform: Platform) -> Image:
    """The image of some layers, on the base if there is one. Same arguments, same bytes."""
    if base is None:
        return image_of(layers, platform, Settings(env=_VARIABLES, workdir="/app"))
    path = {} if "PATH" in variables_of(base.config, str(base.name)) else {"PATH": _PATH}
    return appended(base.manifest, base.config, layers, Settings(env=path | _VARIABLES, workdir="/app"))


def runtime_of(builds: Builds, name: ComponentName, last: Pinned | None, base: Base | None) -> Runtime:
    """The component's runtime, its layers in the store. `last` is what the base release pins for the component."""
    image, platform = builds.source.components[name].image, builds.source.bundle.platform
    locked = image.requirements if image else None
    path = component_path(name, locked or (image.dockerfile if image else None) or "")
    requirements = builds.tree.read([path]).get(path, b"") if locked else b""
    store = builds.store_of(name)
    builder = builds.builder(store)
    inputs = _inputs_digest(builder.name, requirements, platform)
    tag = runtime_tag(inputs)
    layers = _last_layers(store, last, inputs)
    if layers is None:
        layers = _tagged_layers(store, tag)
    if layers is None:
        builds.say(f"{name}: building its runtime from {path}")
        layers = builder.layers(requirements, path, platform)
        put_image(store, assembled(base, layers, platform), tag)
        builds.built.append(name)
    return Runtime(
        inputs=inputs,
        builder=builder.name,
        base=base.name if base else None,
        layers=tuple(LayerRef(digest=layer.digest, size=layer.size) for layer in layers),
    )


def _inputs_digest(builder: str, requirements: bytes, platform: Platform) -> Digest:
    return digest_of(
        format_json(
            {"builder": builder, "platform": platform.identity, "requirements": digest_of(requirements)}
        ).encode()
    )


def _last_layers(store: Store, last: Pinned | None, inputs: Digest) -> tuple[Layer, ...] | None:
    """What the base release pins, if it was made from the same and the store still has it."""
    known = last.image.runtime if last and last.image else None
    if known is None or known.inputs != inputs or not all(store.has(layer.digest) for layer in known.layers):
        return None
    return tuple(Layer(layer.digest, layer.size) for layer in known.layers)


def _tagged_layers(store: Store, tag: str) -> tuple[Layer, ...] | None:
    """The layers of a runtime made earlier; None if there is none or one of its blobs is gone."""
    digest = store.digest_of(tag)
    if digest is None:
        return None
    manifest = parse_manifest(store.manifest(digest), tag)
    layers = tuple(Layer(item.digest, item.size) for item in own_layers(store, manifest, tag))
    return layers if all(store.has(layer.digest) for layer in layers) else None
