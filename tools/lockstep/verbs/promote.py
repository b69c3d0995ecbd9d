"""promote: moves the front of an environment to a staged release. The only edit that changes what answers."""

from __future__ import annotations

from lockstep.core.cluster.preflight import Move, preflight
from lockstep.core.edits import promote
from lockstep.core.environment import HOLD_FILE, Environment, Rendered
from lockstep.core.errors import Finding, refuse_if
from lockstep.core.names import ComponentName, EnvironmentName
from lockstep.core.swap import Swap, standby_findings, swap_of, swapped
from lockstep.core.version import Version
from lockstep.verbs.asking import refuse_unfit
from lockstep.verbs.edit import Edited, render_release, write_environment
from lockstep.verbs.fit import refuse_other_index, refuse_unfitting
from lockstep.verbs.landing import Writing
from lockstep.verbs.stage import refuse_unaccepted
from lockstep.verbs.swap import say_cost
from lockstep.verbs.workspace import Workspace


def promote_release(
    workspace: Workspace,
    name: EnvironmentName,
    version: Version,
    writing: Writing,
    swap: tuple[ComponentName, ...] = (),
) -> Edited:
    """The commit that promotes a release; none if it serves already.

    Args:
        workspace: Where.
        name: The environment.
        version: The release.
        writing: Whether and where to.
        swap: Components that do not fit twice: the old instance goes to standby, the new one comes up.

    Raises:
        Refused: it is not staged, the environment is held, or does not accept it; it does not fit together, or asks an
            index that is not there; the cluster is not fit for it.
        Conflict: somebody else wrote first.
    """
    if not writing.dry:
        workspace.settle()
    old = workspace.state.environment(name)
    refuse_unaccepted(workspace, name, workspace.state.release(version))
    embedder = refuse_unfitting(workspace, version)
    rendered = render_release(workspace, old, version)
    swapping = swap_of(old, rendered, swap)
    refuse_if(promote_findings(old, rendered, swapping), f"{version} cannot be promoted in {name}")
    refuse_other_index(workspace, old, embedder)
    new = swapped(promote(old, rendered), swapping)
    target = {one: new.instances[one] for one in rendered.instances}
    move = Move(old, target, str(version), falling=frozenset(swapping.falling), rising=frozenset(swapping.rising))
    state = refuse_unfit(writing.asking, move, preflight, workspace.say)
    say_cost(swapping, rendered.gate, state, workspace.say)
    return write_environment(
        workspace,
        old,
        new,
        {"Edit": "promote", "Release": str(version), "Root": rendered.root},
        writing,
    )


def promote_findings(environment: Environment, rendered: Rendered, swap: Swap) -> tuple[Finding, ...]:
    """Why a release may not be promoted: an instance of it is not in the environment or in standby, or a person holds
    the environment.
    """
    folder = f"releases/{environment.name}"
    found = [
        Finding(
            "promote/staged",
            f"{folder}/instances/{item}.yaml",
            f"{item} of release {rendered.version} is not in {environment.name}",
            f"lockstep stage {environment.name} {rendered.version}",
            item.component,
        )
        for item in rendered.instances
        if item not in environment.instances
    ]
    found += [one for one in standby_findings(environment, rendered) if one.where not in _files(folder, swap)]
    if environment.hold is not None:
        found.append(
            Finding(
                "promote/hold",
                f"{folder}/{HOLD_FILE}",
                f"{environment.name} is held: {environment.hold}",
                f"git rm {folder}/{HOLD_FILE} && git commit, once that is settled",
            )
        )
    return tuple(sorted(found))


def _files(folder: str, swap: Swap) -> frozenset[str]:
    return frozenset(f"{folder}/instances/{name}.yaml" for name in swap.rising)
