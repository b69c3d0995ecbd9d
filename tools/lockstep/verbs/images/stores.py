"""The bundle's own store (an image layout in .lockstep/store), the builder of runtimes, and registries elsewhere."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from lockstep.core.bundle import Platform
from lockstep.oci.layer import Layer
from lockstep.oci.layout import Layout
from lockstep.oci.store import Store
from lockstep.verbs.progress import Progress
from lockstep.verbs.workspace import Workspace

if TYPE_CHECKING:
    from lockstep.oci.registry import Registries
    from lockstep.verbs.images.docker import Docker
    from lockstep.verbs.images.runtime import RuntimeBuilder

JOBS = 2  # builds at once: each keeps a processor and the daemon's disk busy


@dataclass(frozen=True)
class Stores:
    """Where images go and who builds runtimes.

    Args:
        of: The store of a repository of images.
        builder: Makes runtimes into a store.
        at: A repository of some registry, by its full name.
        progress: Told of bytes that arrive in registries.
        daemon: The Docker daemon, found when it is first asked for.
        is_remote: Whether `of` is the registry that lockstep.yaml names, so that all that is made is there at once.
        jobs: How many runtimes Docker builds at once.
    """

    of: Callable[[str], Store]
    builder: Callable[[Store], RuntimeBuilder]
    at: Callable[[str], Store]
    progress: Progress
    daemon: Callable[[], Docker]
    is_remote: bool = False
    jobs: int = JOBS


@dataclass(frozen=True)
class WheelsBuilder:
    """Builds runtimes from hash-locked wheels alone: no daemon, no system packages but those of the base image."""

    store: Store
    cache: Path
    name: str = "wheels/1"

    def layers(self, requirements: bytes, where: str, platform: Platform) -> tuple[Layer, ...]:
        """One layer per wheel, stored.

        Raises:
            Refused: a requirement is not pinned by hash, or has no wheel for the platform.
            OutsideError: the package index cannot be reached.
        """
        # Most releases build no runtime and need none of these.
        from lockstep.adapters.pip import Pip  # noqa: PLC0415
        from lockstep.oci.requirements import parse_requirements  # noqa: PLC0415
        from lockstep.oci.wheels import Target, wheel_layers  # noqa: PLC0415

        parsed = parse_requirements(requirements.decode(), where)
        return wheel_layers(parsed, Pip(self.cache / "wheels"), Target(platform, self.store, self.cache))


def own_stores(workspace: Workspace, *, plain_http: bool = False) -> Stores:
    """The embedded store of a bundle, the wheels builder, and the registries that others know by name."""
    folder, cache = workspace.store, workspace.local / "cache"
    progress = Progress(workspace.say)

    @functools.cache
    def registries() -> Registries:
        # Most commands ask no registry, and importing HTTP takes as long as all the rest of them.
        from lockstep.oci.http import Access  # noqa: PLC0415
        from lockstep.oci.memory import Memory  # noqa: PLC0415
        from lockstep.oci.registry import Registries  # noqa: PLC0415

        return Registries(Access(plain_http, say=workspace.say), Memory(cache / "uploads"), progress.moved)

    asked = Lock()

    @functools.cache
    def found() -> Docker:
        # Only where Docker builds, and something has to be built.
        from lockstep.verbs.images.docker import find_docker  # noqa: PLC0415

        return find_docker()

    def daemon() -> Docker:
        with asked:  # several builds begin at once
            return found()

    return Stores(
        of=lambda repository: Layout(folder, repository),
        builder=lambda store: WheelsBuilder(store, cache),
        at=lambda name: registries().at(name),
        progress=progress,
        daemon=daemon,
    )


def registry_stores(workspace: Workspace, *, plain_http: bool = False) -> Stores:
    """The same with the registry that lockstep.yaml names in the place of the embedded store: what is made goes there
    as soon as it is made, and what is there is not made again.

    Raises:
        UsageError: it names none.
    """
    own, registry = own_stores(workspace, plain_http=plain_http), workspace.registry
    return replace(own, of=lambda repository: own.at(f"{registry}/{repository}"), is_remote=True)


def stores_for(workspace: Workspace, remote: str, *, plain_http: bool = False) -> Stores:
    """Where the images of a commit go that a remote is to have: to the registry, if there is one."""
    if remote and workspace.bundle.has_registry:
        return registry_stores(workspace, plain_http=plain_http)
    return own_stores(workspace, plain_http=plain_http)
