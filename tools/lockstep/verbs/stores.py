"""The bundle's own store (an image layout in .lockstep/store) and the builder of runtimes from wheels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lockstep.core.bundle import Platform
from lockstep.oci.layer import Layer
from lockstep.oci.layout import Layout
from lockstep.oci.store import Store
from lockstep.verbs.release import Stores
from lockstep.verbs.workspace import Workspace


@dataclass(frozen=True)
class WheelsBuilder:
    """Builds runtimes from hash-locked wheels alone: no daemon, no base image, no system packages."""

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


def own_stores(workspace: Workspace) -> Stores:
    """The embedded store of a bundle and the wheels builder. A registry over HTTP and Docker take the same places."""
    folder, cache = workspace.local / "store", workspace.local / "cache"
    return Stores(of=lambda repository: Layout(folder, repository), builder=lambda store: WheelsBuilder(store, cache))
