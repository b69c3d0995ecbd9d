"""stage: adds a release's instances to an environment. They start; nobody is sent to them."""

from __future__ import annotations

from lockstep.core.cluster.preflight import Move, room
from lockstep.core.component import Kind
from lockstep.core.edits import stage
from lockstep.core.errors import Finding, Refused
from lockstep.core.names import ComponentName, EnvironmentName, InstanceId
from lockstep.core.release import Release
from lockstep.core.swap import staged_for, swap_of
from lockstep.core.version import Version
from lockstep.verbs.asking import refuse_unfit
from lockstep.verbs.edit import Edited, render_release, write_environment
from lockstep.verbs.fit import refuse_unfitting
from lockstep.verbs.landing import Writing
from lockstep.verbs.workspace import Workspace


def stage_release(
    workspace: Workspace,
    name: EnvironmentName,
    version: Version,
    writing: Writing,
    swap: tuple[ComponentName, ...] = (),
) -> Edited:
    """The commit that stages a release; none if all of it is there.

    Args:
        workspace: Where.
        name: The environment.
        version: The release.
        writing: Whether and where to.
        swap: Components that do not fit twice: staged in standby, with what calls them.

    Raises:
        Refused: the environment does not accept pre-releases or external components, or holds other content under a
            name; it does not fit together; the cluster has no room, or cannot pull an image.
        Conflict: somebody else wrote first.
    """
    if not writing.dry:
        workspace.settle()
    state = workspace.state
    old = state.environment(name)
    refuse_unaccepted(workspace, name, state.release(version))
    refuse_unfitting(workspace, version)
    rendered = render_release(workspace, old, version)
    swapping = swap_of(old, rendered, swap)
    new = staged_for(stage(old, rendered, state.chart()), swapping)
    move = Move(old, {one: new.instances[one] for one in rendered.instances}, str(version))
    refuse_unfit(writing.asking, move, room, workspace.say)
    return write_environment(
        workspace, old, new, {"Edit": "stage", "Release": str(version), "Root": rendered.root}, writing
    )


def staged_instances(workspace: Workspace, name: EnvironmentName, version: Version) -> tuple[InstanceId, ...]:
    """The instances of a release that are in an environment."""
    environment = workspace.state.environment(name)
    return tuple(
        one for one in render_release(workspace, environment, version).instances if one in environment.instances
    )


def refuse_unaccepted(workspace: Workspace, name: EnvironmentName, release: Release) -> None:
    """Nothing when an environment's rules accept a release.

    Raises:
        Refused: they do not.
    """
    rules = workspace.state.bundle.environments[name]
    found = []
    if release.version.is_prerelease and not rules.prereleases:
        found.append(
            Finding(
                "environment/prerelease",
                "lockstep.yaml",
                f"{name} accepts no pre-release, and {release.version} is one",
                f"release {release.version.final}, or set `environments: {{{name}: {{prereleases: true}}}}`",
            )
        )
    found += [
        Finding(
            "environment/external",
            "lockstep.yaml",
            f"{name} accepts no external component: {component} is named, not pinned",
            f"set `environments: {{{name}: {{external: true}}}}`, or run it as a component",
            component,
        )
        for component, pinned in release.components.items()
        if pinned.kind is Kind.EXTERNAL and not rules.external
    ]
    if found:
        raise Refused(f"{name} does not accept release {release.version}", found)
