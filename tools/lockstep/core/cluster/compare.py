"""Git and a cluster side by side: what serves, what is warm, what differs and in which field."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from lockstep.core.cluster.drift import drift
from lockstep.core.cluster.readiness import worst_troubles
from lockstep.core.cluster.state import AgentState, ClusterState, GateAnswer
from lockstep.core.environment import Environment
from lockstep.core.instance import Instance
from lockstep.core.names import InstanceId
from lockstep.core.render import Object


class Condition(StrEnum):
    """How an instance is."""

    WARM = "warm"
    STANDBY = "standby"
    STARTING = "starting"
    FAILING = "failing"
    ABSENT = "absent"
    STRAY = "stray"


@dataclass(frozen=True)
class InstanceSide:
    """One instance.

    Args:
        id: Its name.
        condition: warm: as many ready pods as it asks for; standby: there, with no pod asked for; stray: the cluster
            has it and Git does not.
        ready: Pods that are ready.
        wanted: Pods that the cluster wants; None if it has no Deployment.
        replicas: Pods that Git asks for; None if Git does not have it.
        why: Why it is not warm.
        images: What really runs: image ids that nodes report, sorted.
        drift: Fields that differ from Git.
    """

    id: InstanceId
    condition: Condition
    ready: int
    wanted: int | None
    replicas: int | None
    why: str = ""
    images: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()


@dataclass(frozen=True)
class FrontSide:
    """The pointer.

    Args:
        root: What the cluster's front names; None if there is no front.
        release: What the cluster's front says.
        git_root: What Git's front names.
        git_release: What Git's front says.
        ready: Pods that it sends requests to.
        drift: Fields that differ from Git, the root among them.
    """

    root: InstanceId | None
    release: str
    git_root: InstanceId | None
    git_release: str
    ready: tuple[str, ...] = ()
    drift: tuple[str, ...] = ()


@dataclass(frozen=True)
class SideBySide:
    """An environment in Git and in a cluster.

    Args:
        cluster: Address of the cluster.
        namespace: Where.
        exists: Whether the namespace is there.
        front: The pointer.
        instances: Every instance that either has, sorted.
        gates: What each gate said; None for one that is not in the cluster.
        policies: Drift of what is no instance's.
        agents: What the agent says of itself.
        notes: What could not be looked at.
    """

    cluster: str
    namespace: str
    exists: bool
    front: FrontSide
    instances: tuple[InstanceSide, ...] = ()
    gates: tuple[tuple[InstanceId, GateAnswer | None, str], ...] = ()
    policies: tuple[str, ...] = ()
    agents: tuple[AgentState, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_settled(self) -> bool:
        """Whether the cluster holds what Git says: no drift, nothing absent or stray, every asked-for pod ready."""
        return (
            self.exists
            and not self.front.drift
            and not self.policies
            and all(one.condition in {Condition.WARM, Condition.STANDBY} and not one.drift for one in self.instances)
        )


def side_by_side(environment: Environment, policies: tuple[Object, ...], state: ClusterState) -> SideBySide:
    """What Git and a cluster say of one environment.

    Args:
        environment: What Git has.
        policies: The objects of its policies/.
        state: What the cluster has.
    """
    names = sorted({*environment.instances, *state.instances})
    return SideBySide(
        cluster=state.cluster,
        namespace=state.namespace,
        exists=state.exists,
        front=_front(environment, state),
        instances=tuple(_instance(environment.instances.get(name), name, state) for name in names),
        gates=tuple(_gate(root, state) for root in sorted({*environment.gates, *state.gates})),
        policies=drift(policies, state.others),
        agents=state.agents,
        notes=state.notes,
    )


def _front(environment: Environment, state: ClusterState) -> FrontSide:
    git, live = environment.front, state.front
    wanted = git.objects if git else ()
    side = FrontSide(
        live.root if live else None,
        live.release if live else "",
        git.root if git else None,
        str(git.release) if git else "",
        live.ready if live else (),
        drift(wanted, live.objects if live else ()),
    )
    unwanted = ("Service front is there, and Git has none",) if live and not git else ()
    return replace(side, drift=(*side.drift, *unwanted))


def _instance(item: Instance | None, name: InstanceId, state: ClusterState) -> InstanceSide:
    found = state.instance(name)
    images = tuple(sorted({image for pod in found.pods for image in pod.images.values()}))
    side = InstanceSide(
        name, Condition.STRAY, found.ready, found.wanted, item.replicas if item else None, images=images
    )
    if item is None:
        return replace(side, why="the cluster has it and Git does not")
    if found.wanted is None:
        return replace(side, condition=Condition.ABSENT, why="Git has it and the cluster does not")
    side = replace(side, drift=drift(item.objects, found.objects))
    if not found.wanted:
        return replace(side, condition=Condition.STANDBY)
    if found.ready >= found.wanted:
        return replace(side, condition=Condition.WARM)
    troubles = worst_troubles(found)
    failing = any(trouble.reason != "starting" for trouble in troubles)
    words = "; ".join(trouble.words for trouble in troubles)
    return replace(side, condition=Condition.FAILING if failing else Condition.STARTING, why=words)


def _gate(root: InstanceId, state: ClusterState) -> tuple[InstanceId, GateAnswer | None, str]:
    found = state.gates.get(root)
    return (root, found.answer, found.words) if found else (root, None, "it is not in the cluster")
