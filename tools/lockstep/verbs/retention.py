"""Which releases of a bundle keep their images now: gc deletes those of the others, verify does not look for them."""

from __future__ import annotations

from lockstep.adapters.history import release_times
from lockstep.core.retention import Filing, kept_releases
from lockstep.core.version import Version
from lockstep.verbs.workspace import Workspace


def kept_now(workspace: Workspace, now: float) -> dict[Version, str]:
    """The releases that keep their images, and why. `now` is in seconds since 1970 UTC.

    Raises:
        Refused: an environment cannot be read, so nobody knows what serves there.
    """
    state = workspace.state
    retention, times = state.bundle.retention, {}
    if retention.days is not None:
        found = release_times(workspace.repository, state.commit)
        times = {version: found[str(version)] for version in state.versions if str(version) in found}
    named = {pin.origin: f"lockstep.yaml pins its {name}" for name, pin in state.bundle.pin.items()}
    for name in state.bundle.environments:
        front = state.environment(name).front
        if front:
            named[front.release] = f"serves in {name}"
    return kept_releases(retention, state.versions, Filing(times, named), now)
