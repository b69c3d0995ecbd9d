"""Runtimes: the part of an image that changes seldom. A base image with the system and its Python, where lockstep.yaml
names one, and dependencies on top; looked up in the last release, then by the tag `in-<inputs>` of the store, then by
that of the registry, then made: from wheels, or by Docker (docker.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lockstep.adapters import files
from lockstep.adapters.git import GitTree
from lockstep.core.bundle import Platform
from lockstep.core.document import format_json
from lockstep.core.errors import Finding, OutsideError, refuse_if
from lockstep.core.names import ComponentName, Digest, ImageRef, digest_of, without_host
from lockstep.core.release import LayerRef, Pinned, PinnedImage, Runtime
from lockstep.core.source import Source, component_path
from lockstep.core.tags import base_tag, runtime_tag
from lockstep.oci.image import Image, Settings, appended, image_of, parse_manifest, platform_of, variables_of
from lockstep.oci.layer import Layer
from lockstep.oci.store import Store, copy_image, own_layers, put_image, read_blob
from lockstep.verbs.images.naming import naming
from lockstep.verbs.workspace import Say

if TYPE_CHECKING:
    from lockstep.verbs.images.docker import Docker

_VARIABLES = {"PYTHONPATH": "/app/src:/app/site"}
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"  # for a base image that says none


class RuntimeBuilder(Protocol):
    """Makes the part of an image that changes seldom from hash-locked requirements; Docker's way is docker.py."""

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
class Stacked:
    """A runtime: what it stands on, what a release says of it, and the image that code goes on."""

    base: Base | None
    runtime: Runtime
    image: Image


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
        daemon: The Docker daemon; asked for only when Docker has to build something.
        made: Counts what was really made, for reports: bytes written, by component.
        built: Components whose runtime was made, for reports.
        found: Runtimes that were looked up or made already, so that nobody is asked twice.
    """

    tree: GitTree
    source: Source
    folder: Path
    store_of: Callable[[str], Store]
    builder: Callable[[Store], RuntimeBuilder]
    at: Callable[[str], Store]
    say: Say
    daemon: Callable[[], Docker]
    made: dict[ComponentName, int] = field(default_factory=dict)
    built: list[ComponentName] = field(default_factory=list)
    found: dict[ComponentName, Stacked] = field(default_factory=dict)

    def is_worth_asking(self, name: ComponentName) -> bool:
        """Whether the component's runtime may have layers of its own."""
        image = self.source.components[name].image
        return name in self.source.contexts or bool(image and image.requirements)


def base_of(builds: Builds, store: Store) -> Base | None:
    """The base image that the bundle's platform names, once it is in the store under a tag; None if it names none.

    Raises:
        OutsideError: it is not in the store, and its registry cannot be asked or does not have it.
        Refused: it is for another platform.
    """
    platform = builds.source.bundle.platform
    if platform.base is None:
        return None
    tag = base_tag(digest := platform.base.digest)
    if store.digest_of(tag) != digest or not _is_whole(store, digest):
        if is_absent := not _is_whole(store, digest):
            builds.say(f"fetching the base image {platform.base}")
        copy_image(builds.at(platform.base.repository) if is_absent else store, store, digest, tag)
    manifest = store.manifest(digest)
    config = read_blob(store, parse_manifest(manifest, tag).config.digest)
    refuse_if(_base_findings(platform, platform_of(config, str(platform.base))), "the base image cannot be used")
    return Base(ImageRef(without_host(platform.base)), manifest, config)


def check_image(builds: Builds, name: ComponentName, reference: ImageRef) -> None:
    """Nothing, if the registry of a third-party image has it.

    Raises:
        OutsideError: it cannot be asked.
        Refused: it has no such image.
    """
    with naming(name):
        found = builds.at(reference.repository).digest_of(reference.digest)
    if found is None:
        what = f"{reference} is not there: nothing could pull it"
        fix = "name an image that its registry has, by digest"
        where = component_path(name, "component.yaml")
        refuse_if([Finding("image/absent", where, what, fix, name)], "an image is absent")


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


@dataclass(frozen=True)
class Recipe:
    """How one runtime is made, and what it is made from.

    Args:
        inputs: Digest of everything that it is made from.
        builder: Who makes it: a name and a revision.
        path: The file that says how, for people.
        make: Makes it; its layers are in the store then.
        whole: The runtime as an image, from its manifest in the store and its own layers.
        pinned: The runtime in the image that a release pins; None if the store has not all of it.
    """

    inputs: Digest
    builder: str
    path: str
    make: Callable[[], Image]
    whole: Callable[[bytes, tuple[Layer, ...]], Image]
    pinned: Callable[[PinnedImage], Image | None]


def runtime_of(builds: Builds, name: ComponentName, last: Pinned | None, base: Base | None) -> Stacked:
    """The component's runtime, its layers in the store. Looked up in `last` (what the base release pins for the
    component), by its tag in the store, by its tag in the registry; only then made, and by one process at a time.
    """
    recipe = _recipe_of(builds, name, base)
    store, tag = builds.store_of(name), runtime_tag(recipe.inputs)
    image = _last(recipe, last) or _tagged(store, tag, recipe)
    if image is None:
        with files.locked(cache_of(builds) / f"{name}-{recipe.inputs.hex}.lock"):
            image = _tagged(store, tag, recipe) or _fetched(builds, name, tag, recipe)
            if image is None:
                builds.say(f"{name}: building its runtime from {recipe.path}")
                image = recipe.make()
                put_image(store, image, tag)
                builds.built.append(name)
    layers = tuple(LayerRef(digest=layer.digest, size=layer.size) for layer in image.layers)
    stands = base is not None and parse_manifest(image.manifest, tag).base == digest_of(base.manifest)
    named = base.name if base and stands else None
    return Stacked(base, Runtime(inputs=recipe.inputs, builder=recipe.builder, base=named, layers=layers), image)


def cache_of(builds: Builds) -> Path:
    """Where locks of builds are: two processes, or two threads, do not make the same at once."""
    return builds.folder / ".lockstep" / "cache" / "building"


def _recipe_of(builds: Builds, name: ComponentName, base: Base | None) -> Recipe:
    if name in builds.source.contexts:
        from lockstep.verbs.images.docker import docker_recipe  # noqa: PLC0415

        return docker_recipe(builds, name, base)
    return _wheels_recipe(builds, name, base)


def _wheels_recipe(builds: Builds, name: ComponentName, base: Base | None) -> Recipe:
    image, platform = builds.source.components[name].image, builds.source.bundle.platform
    locked = image.requirements if image else None
    path = component_path(name, locked or (image.dockerfile if image else None) or "")
    requirements = builds.tree.read([path]).get(path, b"") if locked else b""
    store = builds.store_of(name)
    builder = builds.builder(store)
    inputs = _inputs_digest(builder.name, requirements, platform)

    def pinned(last: PinnedImage) -> Image | None:
        layers = tuple(Layer(layer.digest, layer.size) for layer in (last.runtime.layers if last.runtime else ()))
        return assembled(base, layers, platform) if all(store.has(layer.digest) for layer in layers) else None

    return Recipe(
        inputs=inputs,
        builder=builder.name,
        path=path,
        make=lambda: assembled(base, builder.layers(requirements, path, platform), platform),
        whole=lambda _, layers: assembled(base, layers, platform),
        pinned=pinned,
    )


def _inputs_digest(builder: str, requirements: bytes, platform: Platform) -> Digest:
    return digest_of(
        format_json(
            {"builder": builder, "platform": platform.identity, "requirements": digest_of(requirements)}
        ).encode()
    )


def _last(recipe: Recipe, last: Pinned | None) -> Image | None:
    """What the base release pins, if it was made from the same and the store still has it."""
    known = last.image if last else None
    return recipe.pinned(known) if known and known.runtime and known.runtime.inputs == recipe.inputs else None


def _tagged(store: Store, tag: str, recipe: Recipe) -> Image | None:
    """A runtime made earlier; None if there is none or one of its blobs is gone."""
    digest = store.digest_of(tag)
    if digest is None:
        return None
    data = store.manifest(digest)
    layers = tuple(Layer(item.digest, item.size) for item in own_layers(store, parse_manifest(data, tag), tag))
    return recipe.whole(data, layers) if all(store.has(layer.digest) for layer in layers) else None


def _fetched(builds: Builds, name: ComponentName, tag: str, recipe: Recipe) -> Image | None:
    """A runtime that the bundle's registry has under its tag, copied; None if it has none, or cannot be asked: then
    it is made here. A runtime without layers costs nothing to make, and the registry is not asked.
    """
    if builds.is_worth_asking(name) and fetch_image(builds, name, tag, tag, "its runtime"):
        return _tagged(builds.store_of(name), tag, recipe)
    return None


def fetch_image(builds: Builds, name: ComponentName, reference: str, tag: str, what: str) -> bool:
    """Whether the bundle's registry has one of a component's images, which the store has now as well, under a tag. One
    that cannot be asked has nothing, and that is said.

    Args:
        builds: What building needs.
        name: The component.
        reference: Tag or digest of the image there.
        tag: Its tag here.
        what: The image, for people.
    """
    bundle, store = builds.source.bundle, builds.store_of(name)
    if not bundle.has_registry:
        return False
    there = builds.at(f"{bundle.registry}/{name}")
    if there == store:
        return False  # it was asked already
    try:
        digest = there.digest_of(reference)
        if digest is None:
            return False
        builds.say(f"{name}: fetching {what} from {bundle.registry}")
        copy_image(there, store, digest, tag)
    except OutsideError as error:
        builds.say(f"note: {name}: {what} cannot be had from {bundle.registry}: {error}")
        return False
    return True
