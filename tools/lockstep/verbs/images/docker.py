"""Runtimes that a Docker daemon builds: the component's Dockerfile up to its stage `runtime`, or all of it where no
`code` is appended.

1. name what it is built from by the Git ids of the context's files; runtime.py looks that name up, and where it is
   found not one of them is read;
2. give the daemon the base image from the store, with what this machine lends to builds in a layer of its own;
3. build, with BuildKit where a client can, plainly elsewhere;
4. take the layers above the base and the lent layer into the store; nothing that was lent may be in one of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, BinaryIO

from lockstep.adapters import files
from lockstep.adapters.buildkit import BuildKit, Given, find_buildkit
from lockstep.adapters.docker_daemon import BuildError, Daemon, Order, find_daemon
from lockstep.adapters.lent import lent_by
from lockstep.core.context import Context, left_out
from lockstep.core.dockerfile import BASE_IMAGE
from lockstep.core.document import format_json
from lockstep.core.errors import Finding, OutsideError, refuse_if
from lockstep.core.names import ComponentName, Digest, digest_of
from lockstep.core.release import PinnedImage
from lockstep.core.source import component_path
from lockstep.core.tags import made_tag
from lockstep.oci.docker_archive import (
    Lent,
    Saved,
    leaked,
    loading_of,
    saved_image,
    stored_layer,
    write_archive,
)
from lockstep.oci.docker_image import (
    Found,
    Under,
    built_image,
    diff_ids_of,
    own_start,
    parse_found,
    without_layer,
)
from lockstep.oci.image import Image, parse_manifest
from lockstep.oci.layer import Entry, Layer, link_entry, write_layer
from lockstep.oci.store import Store, read_blob
from lockstep.verbs.images.naming import naming
from lockstep.verbs.images.runtime import Base, Builds, Recipe, cache_of, fetch_image

NAME = "docker/1"  # one of the inputs: another number builds again. BuildKit and the plain builder share results
_LAST_LINES = 20
_SYMLINK = "120000"


@dataclass(frozen=True)
class Docker:
    """A daemon, the client that builds with BuildKit in it, if there is one, and what this machine lends."""

    daemon: Daemon
    buildkit: BuildKit | None
    lent: Lent


def find_docker() -> Docker:
    """The Docker of this machine.

    Raises:
        OutsideError: no daemon answers, or it is too old.
    """
    daemon = find_daemon()
    return Docker(daemon, find_buildkit(os.environ) if daemon.has_buildkit else None, lent_by(os.environ))


@dataclass(frozen=True)
class _Job:
    """One build: whose, from what, on what."""

    builds: Builds
    name: ComponentName
    base: Base | None
    context: Context

    @property
    def dockerfile(self) -> str:
        return component_path(self.name, self.context.dockerfile)

    @property
    def under(self) -> Under | None:
        return Under(self.base.manifest, self.base.config) if self.base else None


def docker_recipe(builds: Builds, name: ComponentName, base: Base | None) -> Recipe:
    """How Docker makes the component's runtime."""
    context, store = builds.source.contexts[name], builds.store_of(name)
    job = _Job(builds, name, base, context)

    def whole(manifest: bytes, layers: tuple[Layer, ...]) -> Image:
        return Image(manifest, read_blob(store, parse_manifest(manifest, name).config.digest), layers)

    def pinned(last: PinnedImage) -> Image | None:
        own = tuple(Layer(layer.digest, layer.size) for layer in (last.runtime.layers if last.runtime else ()))
        if not (_is_here(store, last, own) or _brought_back(builds, name, last)):
            return None
        manifest = store.manifest(last.reference.digest)
        image = whole(manifest, own)
        return without_layer(manifest, image.config, own) if last.code else image

    return Recipe(_inputs_digest(job), NAME, job.dockerfile, lambda: _made(job), whole, pinned)


def _is_here(store: Store, last: PinnedImage, own: tuple[Layer, ...]) -> bool:
    return store.digest_of(last.reference.digest) is not None and all(store.has(layer.digest) for layer in own)


def _brought_back(builds: Builds, name: ComponentName, last: PinnedImage) -> bool:
    """Whether the registry had the image that a release pins. A second build of the same has other bytes (a layer has
    times in it), so it would not be that image.
    """
    digest = last.reference.digest
    return fetch_image(builds, name, digest, made_tag(digest), "the image that its release pins")


def _inputs_digest(job: _Job) -> Digest:
    context = {path: {"mode": entry.mode, "oid": entry.oid} for path, entry in job.context.files.items()}
    said = {
        "args": dict(job.context.arguments),
        "builder": NAME,
        "context": context,
        "dockerfile": job.context.dockerfile,
        "platform": job.builds.source.bundle.platform.identity,
        "target": job.context.target,
    }
    return digest_of(format_json(said).encode())


def _made(job: _Job) -> Image:
    """The runtime, built and stored."""
    with naming(job.name, job.dockerfile):
        docker = job.builds.daemon()
        base_image = _give_base(job, docker)
        image = _built(job, docker, base_image)
        with files.spooled() as archive:
            docker.daemon.save(image, archive)
            archive.seek(0)
            with saved_image(archive) as saved:
                return _taken(job, saved, docker.lent)


def _give_base(job: _Job, docker: Docker) -> str:
    """The name by which the daemon knows the base image, with what is lent; empty if the bundle has none."""
    if job.under is None:
        return ""
    loading, daemon = loading_of(job.under, docker.lent), docker.daemon
    with files.locked(cache_of(job.builds) / "base.lock"):  # whoever builds beside this needs the same base
        if daemon.layers_of(loading.name) != loading.diff_ids:
            with files.spooled() as archive:
                write_archive(loading, job.under, docker.lent, job.builds.store_of(job.name), archive)
                archive.seek(0)
                daemon.load(archive)
    return loading.name


def _built(job: _Job, docker: Docker, base_image: str) -> str:
    """The daemon's id of the image, after it was built; the log stays for people."""
    named = {BASE_IMAGE: base_image} if base_image else {}
    proxies = {name: value for name, value in os.environ.items() if name.lower() in _PROXIES and value}
    order = Order(job.context.dockerfile, job.context.target, {**proxies, **job.context.arguments, **named})
    path = job.builds.folder / ".lockstep" / "build" / f"{job.name}.log"
    place = cache_of(job.builds) / f"{job.name}-{_inputs_digest(job).hex}"  # the lock beside it is ours
    with _packed(job) as context, files.fresh_log(path) as log:
        try:
            if docker.buildkit is None:
                return docker.daemon.build(order, context, log)
            return docker.buildkit.build(order, context, log, Given(place, docker.lent.files))
        except BuildError as error:
            raise _explained(job, error, path) from error


_PROXIES = {"http_proxy", "https_proxy", "no_proxy", "all_proxy"}  # predefined arguments: in no image and no history


def _explained(job: _Job, error: BuildError, log: Path) -> OutsideError:
    """The builder's error with the end of what it said, and what to do."""
    text = files.read(log).decode(errors="replace")
    end = "\n".join(f"  {line}" for line in [line for line in text.splitlines() if line.strip()][-_LAST_LINES:])
    component = job.builds.source.components[job.name]
    what = f"the Dockerfile does not build: {error.what}\n{end}\n  the whole log: {log}"
    return OutsideError(what, where=job.dockerfile, fix=_fix_for(text, ", ".join(left_out(component))))


_ABSENT = re.compile(r"manifest unknown|pull access denied|no such host|@sha256:[0-9a-f]{64}: not found")
_UNCOPIED = re.compile(r"(?:copy|add) failed|failed to c(?:alculate checksum|ompute cache key)|no source files")
_KITLESS = re.compile(r"requires buildkit|the --mount option")


def _fix_for(text: str, absent: str) -> str:
    said = text.lower()
    if _KITLESS.search(said):
        return "build with BuildKit: unset DOCKER_BUILDKIT, and put a docker client with it on the PATH"
    if "no space left" in said:
        return "free disk space where the daemon keeps its data (docker system prune), then run the same command again"
    if _ABSENT.search(said):
        return "name a base image that the daemon can pull, by digest, or use BASE_IMAGE, which comes from the store"
    if _UNCOPIED.search(said):
        return f"correct the path; a build never gets {absent}, nor what .dockerignore names"
    return "correct the Dockerfile, commit it, then run the same command again"


@contextmanager
def _packed(job: _Job) -> Iterator[BinaryIO]:
    """The context as a tar archive that depends on its bytes alone."""
    read = job.builds.tree.read([entry.path for entry in job.context.files.values()])
    entries = [_entry(path, entry.mode, read[entry.path]) for path, entry in job.context.files.items()]
    with files.spooled() as stream:
        write_layer(entries, stream)
        stream.seek(0)
        yield stream


def _entry(path: str, mode: str, data: bytes) -> Entry:
    if mode == _SYMLINK:
        return link_entry(path, data.decode(errors="replace"))
    return Entry(path, len(data), lambda: BytesIO(data), 0o755 if mode == "100755" else 0o644)


def _taken(job: _Job, saved: Saved, lent: Lent) -> Image:
    """The runtime as an image of ours, its own layers stored."""
    found = parse_found(saved.config, job.dockerfile)
    below = diff_ids_of(job.under.config, "base image") if job.under else ()
    start, stands = own_start(found, below, lent.diff_ids)
    refuse_if(_findings(job, found, saved.layers[start:], lent), "an image cannot be used")
    store = job.builds.store_of(job.name)
    layers = []
    for diff_id, opener in zip(found.diff_ids[start:], saved.layers[start:], strict=True):
        with opener() as opened:
            layers.append(stored_layer(store, f"a layer of {job.name}", opened, diff_id))
    return built_image(job.under if stands else None, layers, found, lent.variables, NAME)


def _findings(job: _Job, found: Found, layers: tuple[Callable[[], IO[bytes]], ...], lent: Lent) -> Iterator[Finding]:
    """Why an image is not taken: it is for another platform, or something that was lent is in it."""
    platform = job.builds.source.bundle.platform
    if found.platform != (platform.os, platform.arch):
        what = f"the image is for {'/'.join(found.platform)}, the platform is {platform.os}/{platform.arch}"
        fix = "name base images of that platform, and build where the daemon runs on it"
        yield Finding("image/platform", job.dockerfile, what, fix, job.name)
    for opener in layers:
        with opener() as opened:
            if said := leaked(opened, lent):
                what = f"a layer holds what this machine only lent to the build: {said}"
                fix = "do not copy or print it in the Dockerfile; it is there while each RUN runs"
                yield Finding("image/leak", job.dockerfile, what, fix, job.name)
    said_too = str(found.config.get("config") or {}).encode()
    if any(secret in said_too for secret in lent.secrets):
        what = "ENV or LABEL of the image holds a credential or the address of the package index"
        yield Finding("image/leak", job.dockerfile, what, "take it out of the Dockerfile", job.name)
