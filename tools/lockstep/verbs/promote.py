"""promote: moves the front of an environment to a staged release. The only edit that changes what answers."""

from __future__ import annotations

from lockstep.core.edits import promote
from lockstep.core.environment import HOLD_FILE, Environment, Rendered
from lockstep.core.errors import Finding, refuse_if
from lockstep.core.names import EnvironmentName
from lockstep.core.version import Version
from lockstep.verbs.edit import Edited, Writing, render_release, write_environment
from lockstep.verbs.stage import refuse_unaccepted
from lockstep.verbs.workspace import Workspace


def promote_release(workspace: Workspace, name: EnvironmentName, version: Version, writing: Writing) -> Edited:
    """The commit that promotes a release; none if it serves already.

    Raises:
        Refused: it is not staged, the environment is held, or does not accept it.
        Conflict: somebody else wrote first.
    """
    if not writing.dry:
        workspace.settle()
    old = workspace.state.environment(name)
    refuse_unaccepted(workspace, name, workspace.state.release(version))
    rendered = render_release(workspace, old, version)
    refuse_if(promote_findings(old, rendered), f"{version} cannot be promoted in {name}")
    return write_environment(
        workspace,
        old,
        promote(old, rendered),
        {"Edit": "promote", "Release": str(version), "Root": rendered.root},
        writing,
    )


def promote_findings(environment: Environment, rendered: Rendered) -> tuple[Finding, ...]:
    """Why a release may not be promoted: an instance of it is not in the environment, or a person holds the
    environment.
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
