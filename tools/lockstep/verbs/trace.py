"""trace: from an instance id, as an answer names it, to the exact release, weights, prompts and source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lockstep.core.environment import Environment, parse_environment
from lockstep.core.errors import UsageError
from lockstep.core.instance import Instance
from lockstep.core.names import EnvironmentName, GitSha, InstanceId
from lockstep.core.release import Pinned, Release
from lockstep.core.rules.instance import unlike
from lockstep.core.version import Version
from lockstep.verbs.workspace import Workspace, files_below

Pinning = Mapping[InstanceId, tuple[Release, ...]]


@dataclass(frozen=True)
class Traced:
    """What one instance is, told from its committed file and from the releases that pin the same.

    Args:
        instance: Its id.
        environment: Where its file is or was.
        commit: A commit that has the file.
        versions: Releases that have it and everything that it calls, by images and prompts, oldest first.
        source: The tagged commit of the first release that pins it; its tree holds code, prompts and DVC pointers.
        pinned: The component as that release pins it.
        callees: The instances that it calls.
    """

    instance: InstanceId
    environment: EnvironmentName
    commit: GitSha
    versions: tuple[Version, ...]
    source: GitSha
    pinned: Pinned
    callees: tuple[InstanceId, ...]


def trace(workspace: Workspace, instance: InstanceId) -> tuple[Traced, ...]:
    """The instance and everything that it calls, the instance first. Works for retired instances too.

    Raises:
        UsageError: no environment ever had it, or no release pins what it runs.
    """
    name, commit, environment = _found(workspace, instance)
    releases = [workspace.state.release(version) for version in workspace.state.versions]
    order = [instance]
    for one in order:
        order += [callee for callee in environment.instances[one].callees if callee not in order]
    own = {one: _pinning(environment.instances[one], name, releases) for one in order}
    return tuple(_traced(environment, one, own, commit) for one in order)


def _found(workspace: Workspace, instance: InstanceId) -> tuple[EnvironmentName, GitSha, Environment]:
    """The newest commit of any environment that has the instance's file."""
    for name in sorted(workspace.state.bundle.environments):
        path = f"{workspace.repository.prefix}releases/{name}/instances/{instance}.yaml"
        added = ("log", "--first-parent", "--diff-filter=A", "--max-count=1", "--format=%H", workspace.state.commit)
        output = workspace.repository.git(*added, "--", path).decode().strip()
        if output:
            commit = GitSha(output)
            files = files_below(workspace.repository.tree(commit), f"releases/{name}")
            return name, commit, parse_environment(name, files)
    raise UsageError(
        f"no environment ever had {instance}",
        where="releases/*/instances",
        fix="check the id (x-lockstep-release, served_by), or fetch more history: git fetch --unshallow",
    )


def _pinning(item: Instance, name: EnvironmentName, releases: list[Release]) -> tuple[Release, ...]:
    """The releases whose component has the same images and prompts, oldest first; at least one."""
    having = tuple(release for release in releases if _is_of(item, release))
    if not having:
        raise UsageError(
            f"no release pins what {item.id} runs",
            where=f"releases/{name}/instances/{item.id}.yaml",
            fix=f"lockstep verify {name}",
        )
    return having


def _traced(environment: Environment, one: InstanceId, own: Pinning, commit: GitSha) -> Traced:
    """Only releases count in which all that the instance calls is the same as well: so a root names one release."""
    pinned = own[one][0].components[one.component]
    common = [release for release in own[one] if all(release in own[callee] for callee in environment.closure(one))]
    versions = tuple(release.version for release in common)
    return Traced(
        one, environment.name, commit, versions, own[one][0].commit, pinned, environment.instances[one].callees
    )


def _is_of(item: Instance, release: Release) -> bool:
    """Whether the release's component has exactly the images and prompts of the instance's objects."""
    pinned = release.components.get(item.id.component)
    return pinned is not None and pinned.image is not None and not unlike(item, pinned)
