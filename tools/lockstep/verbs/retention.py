"""Which releases of a bundle keep their images now: gc deletes those of the others, verify does not look for them."""

from __future__ import annotations

from lockstep.adapters.history import release_times
from lockstep.core.environment import FRONT_FILE, parse_front
from lockstep.core.names import EnvironmentName
from lockstep.core.retention import Filing, kept_releases
from lockstep.core.version import Version
from lockstep.verbs.workspace import Workspace


def kept_now(workspace: Workspace, now: float) -> dict[Version, str]:
    """The releases that keep their images, and why. `now` is in seconds since 1970 UTC.

    Raises:
        Refused: an environment cannot be read, so nobody knows what serves there.
    """
    named = {}
    for name in workspace.state.bundle.environments:
        front = workspace.state.environment(name).front
        if front:
            named[front.release] = f"serves in {name}"
    return _kept(workspace, named, now)


def kept_besides(workspace: Workspace, name: EnvironmentName, now: float) -> dict[Version, str]:
    """The releases that keep their images whatever one environment serves, and why; reads fronts and nothing else of
    environments. `now` is in seconds since 1970 UTC.

    Raises:
        Refused: the front of another environment cannot be read.
    """
    state, named = workspace.state, {}
    paths = {f"releases/{other}/{FRONT_FILE}": other for other in state.bundle.environments if other != name}
    for path, data in state.tree.read(list(paths)).items():
        named[parse_front(data, path).release] = f"serves in {paths[path]}"
    return _kept(workspace, named, now)


def _kept(workspace: Workspace, served: dict[Version, str], now: float) -> dict[Version, str]:
    state = workspace.state
    retention, times = state.bundle.retention, {}
    if retention.days is not None:
        found = release_times(workspace.repository, state.commit)
        times = {version: found[str(version)] for version in state.versions if str(version) in found}
    pinned = {pin.origin: f"lockstep.yaml pins its {name}" for name, pin in state.bundle.pin.items()}
    return kept_releases(retention, state.versions, Filing(times, {**pinned, **served}), now)
