"""status: what Git says of every environment, and what the local runner of each is doing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockstep.adapters.history import environment_commits
from lockstep.core.environment import Environment
from lockstep.core.history import Event, events, previous_root
from lockstep.core.names import EnvironmentName, InstanceId
from lockstep.core.picture import picture
from lockstep.core.version import Version
from lockstep.verbs.workspace import Workspace


@dataclass(frozen=True)
class RootStatus:
    """A root that is in the environment: what it is for, and the releases that it has been."""

    root: InstanceId
    role: str
    versions: tuple[Version, ...]
    instances: tuple[InstanceId, ...]
    missing: tuple[InstanceId, ...]


@dataclass(frozen=True)
class EnvironmentStatus:
    """One environment.

    Args:
        name: Its name.
        release: The release that Git says serves; None before the first promote.
        roots: Every root in it: serving, previous, staged or kept.
        orphans: Instances that no root reaches.
        hold: Why nothing may be promoted, if so.
        runner: The local runner's own status document, if one is running.
    """

    name: EnvironmentName
    release: Version | None
    roots: tuple[RootStatus, ...]
    orphans: tuple[InstanceId, ...]
    hold: str | None
    runner: dict[str, Any] | None


def statuses(workspace: Workspace, names: tuple[EnvironmentName, ...]) -> tuple[EnvironmentStatus, ...]:
    """The status of these environments; of all of them for none."""
    chosen = names or tuple(sorted(workspace.state.bundle.environments))
    return tuple(_status(workspace, name) for name in chosen)


def _status(workspace: Workspace, name: EnvironmentName) -> EnvironmentStatus:
    environment = workspace.state.environment(name)
    history = events(environment_commits(workspace.repository, workspace.state.commit, name))
    roots = {*environment.roots, *environment.gates, *((environment.front.root,) if environment.front else ())}
    versions = _versions(workspace)
    described = tuple(_root(environment, root, history, versions.get((name, root), ())) for root in sorted(roots))
    reached = {item for root in described for item in root.instances}
    return EnvironmentStatus(
        name,
        environment.front.release if environment.front else None,
        tuple(sorted(described, key=lambda root: (_ROLES.index(root.role), root.root))),
        tuple(sorted(set(environment.instances) - reached)),
        environment.hold,
        runner_status(workspace, name),
    )


_ROLES = ("serving", "previous", "staged", "kept")


def _root(
    environment: Environment, root: InstanceId, history: tuple[Event, ...], versions: tuple[Version, ...]
) -> RootStatus:
    closure = environment.closure(root)
    missing = environment.missing(root)
    return RootStatus(
        root,
        _role(environment, root, history),
        versions,
        tuple(name for name in closure if name not in missing),
        missing,
    )


def _role(environment: Environment, root: InstanceId, history: tuple[Event, ...]) -> str:
    if environment.front and environment.front.root == root:
        return "serving"
    if previous_root(history) == root:
        return "previous"
    served = {event.commit.front[0] for event in history if event.commit.front}
    return "kept" if root in served else "staged"


def _versions(workspace: Workspace) -> dict[tuple[str, InstanceId], tuple[Version, ...]]:
    """Releases by environment and root, from the trailers of stage, promote and rollback commits."""
    prefix = "%(trailers:key=Lockstep-{},valueonly,separator=%x2C)"
    form = "%x00".join(prefix.format(key) for key in ("Environment", "Root", "Release"))
    output = workspace.repository.git(
        "log",
        "--first-parent",
        f"--format={form}",
        workspace.state.commit,
        "--",
        f"{workspace.repository.prefix}releases",
    ).decode()
    found: dict[tuple[str, InstanceId], set[Version]] = {}
    for line in output.splitlines():
        environment, root, version = line.split("\x00")
        if environment and InstanceId.pattern.fullmatch(root) and version:
            found.setdefault((environment, InstanceId(root)), set()).add(Version(version))
    return {key: tuple(sorted(versions)) for key, versions in found.items()}


def draw(workspace: Workspace, name: EnvironmentName) -> str:
    """The picture of an environment (SVG)."""
    environment = workspace.state.environment(name)
    history = events(environment_commits(workspace.repository, workspace.state.commit, name))
    said = _versions(workspace)
    versions = {root: ", ".join(map(str, said.get((name, root), ()))) for root in environment.instances}
    return picture(environment, versions, previous_root(history))


def runner_status(workspace: Workspace, name: EnvironmentName) -> dict[str, Any] | None:
    """The local runner's status document; None when none is running."""
    path = workspace.local / "run" / name / "status.json"
    try:
        data: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return data if _is_alive(data) else None


def _is_alive(data: dict[str, Any]) -> bool:
    """Whether the runner that wrote the document still runs: it says so, and its process is there."""
    return data.get("state") == "running" and Path(f"/proc/{data.get('pid')}").exists()
