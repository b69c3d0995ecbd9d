"""Waiting after a commit: until the cluster holds what Git says, and no longer than that helps."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lockstep.core.bundle import OWN_STORE
from lockstep.core.cluster.moving import moving
from lockstep.core.cluster.readiness import readiness
from lockstep.core.cluster.state import ClusterState
from lockstep.core.errors import Finding, OutsideError, UsageError
from lockstep.core.names import EnvironmentName, ImageRef, InstanceId
from lockstep.verbs.asking import Asking, wait_for
from lockstep.verbs.images.stores import Stores
from lockstep.verbs.workspace import Workspace, again


def await_ready(
    workspace: Workspace, name: EnvironmentName, instances: Iterable[InstanceId], asking: Asking | None
) -> float:
    """Seconds until some instances of an environment were ready; 0 if nobody is to wait.

    Raises:
        Refused: they are not, and why.
    """
    environment = again(workspace).state.environment(name)
    names = tuple(instances)
    return wait_for(asking, lambda state: readiness(environment, state, names), workspace.say) if asking else 0.0


def await_front(workspace: Workspace, name: EnvironmentName, asking: Asking | None) -> float:
    """Seconds until the front of an environment served what Git says, with everything that its root reaches ready; 0 if
    nobody is to wait.

    Raises:
        Refused: it does not, and why: its gate failed, its agent did not see the commit.
    """
    environment = again(workspace).state.environment(name)
    reached = environment.closure(environment.front.root) if environment.front else ()
    serves = tuple(one for one in reached if one in environment.instances)  # what Git lacks, the gate finds out

    def left(state: ClusterState) -> tuple[Finding, ...]:
        return moving(environment, state) or readiness(environment, state, serves)

    return wait_for(asking, left, workspace.say) if asking else 0.0


def pull_problems(stores: Stores) -> Callable[[str], str]:
    """A function that says why an image cannot be pulled: empty if its registry has it, an OutsideError where that
    registry does not answer us (it may well answer a node).
    """

    def problem(reference: str) -> str:
        image = ImageRef(reference)
        if image.repository.partition("/")[0] == OWN_STORE:
            return f"{OWN_STORE} stands for the store in .lockstep, which no node can reach"
        try:
            return "" if stores.at(image.repository).digest_of(image.digest) else "its registry does not have it"
        except UsageError as error:  # a short name of a hub: nodes complete it, we do not
            raise OutsideError(error.what, where=error.where, fix=error.fix) from error

    return problem
