"""What one namespace of a cluster holds, as far as an environment is concerned: values, nothing decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from lockstep.core.cluster.quantity import Amounts
from lockstep.core.names import InstanceId
from lockstep.core.render import Object


class Reason(StrEnum):
    """Why a pod is not ready, as far as its status says."""

    IMAGE = "image"
    CRASH = "crash"
    UNSCHEDULABLE = "unschedulable"
    CONFIG = "config"
    REFUSED = "refused"
    STARTING = "starting"


@dataclass(frozen=True, order=True)
class Trouble:
    """One reason and what the cluster says of it.

    Args:
        reason: Which.
        words: One sentence.
        pod: Whose; empty where no pod could be made.
        container: Which of its containers, where it is one's own.
        restarts: How often that was started again.
    """

    reason: Reason
    words: str
    pod: str = ""
    container: str = ""
    restarts: int = 0


@dataclass(frozen=True)
class PodState:
    """One pod.

    Args:
        name: Its name.
        node: Where it runs; empty until it is scheduled.
        is_ready: Whether it is, and is not being deleted.
        is_going: Whether it is being deleted.
        troubles: Why it is not ready; none for a ready one.
        images: What really runs: the image id that the node reports, by container.
        started_seconds: From its creation until it was ready; None if it is not.
    """

    name: str
    node: str
    is_ready: bool
    is_going: bool
    troubles: tuple[Trouble, ...] = ()
    images: Mapping[str, str] = field(default_factory=dict)
    started_seconds: int | None = None


@dataclass(frozen=True)
class InstanceState:
    """One instance.

    Args:
        id: Its name.
        wanted: Pods that its Deployment asks for, an autoscaler's wish included; None if there is no Deployment.
        pods: Its pods.
        objects: Its objects as they are.
        troubles: Why pods of it could not be made.
    """

    id: InstanceId
    wanted: int | None
    pods: tuple[PodState, ...] = ()
    objects: tuple[Object, ...] = ()
    troubles: tuple[Trouble, ...] = ()

    @property
    def ready(self) -> int:
        """How many of its pods are ready."""
        return sum(pod.is_ready for pod in self.pods)

    @property
    def started_seconds(self) -> int | None:
        """The longest that one of its pods took to become ready; None if none is."""
        return max((pod.started_seconds for pod in self.pods if pod.started_seconds is not None), default=None)


class GateAnswer(StrEnum):
    """What a gate said."""

    PASSED = "passed"
    FAILED = "failed"
    RUNNING = "running"


@dataclass(frozen=True)
class GateState:
    """One gate's Job.

    Args:
        root: Whom it asks.
        answer: What it said.
        words: Why it failed, or what holds it up.
        pods: Names of its pods.
        objects: The Job as it is.
    """

    root: InstanceId
    answer: GateAnswer
    words: str = ""
    pods: tuple[str, ...] = ()
    objects: tuple[Object, ...] = ()


@dataclass(frozen=True)
class FrontState:
    """The front as the cluster has it.

    Args:
        root: The root that its selector names; None where it names none.
        release: What its annotation says.
        serves: What its annotation says.
        ready: Pods that it sends requests to.
        objects: The Service as it is.
    """

    root: InstanceId | None
    release: str
    serves: tuple[str, ...]
    ready: tuple[str, ...]
    objects: tuple[Object, ...] = ()


@dataclass(frozen=True)
class NodeState:
    """One node that takes pods.

    Args:
        name: Its name.
        labels: Its labels.
        free: What its pods leave of what it can give, by requests.
        taints: Keys of taints that keep pods away which do not tolerate them.
    """

    name: str
    labels: Mapping[str, str]
    free: Amounts
    taints: tuple[str, ...] = ()


@dataclass(frozen=True)
class AgentState:
    """One Application of Argo CD or Kustomization of Flux.

    Args:
        kind: Application or Kustomization.
        name: Its name.
        revision: The commit that it applied last; empty if none.
        sync: Such as Synced, OutOfSync, Ready, NotReady.
        health: Such as Healthy, Degraded; empty where the agent does not say.
        words: Its message where it is not content.
    """

    kind: str
    name: str
    revision: str
    sync: str
    health: str
    words: str


@dataclass(frozen=True)
class ClusterState:
    """Everything that was looked at, at one moment.

    Args:
        cluster: Address of the cluster, for messages.
        namespace: Where.
        exists: Whether the namespace does.
        instances: Instances by id, also those that Git does not have.
        gates: Gates by root.
        front: The front; None if there is none.
        others: Policies and other objects of ours.
        agents: What the agent says of itself.
        nodes: Nodes that take pods; None where that was not asked or may not be seen.
        notes: What could not be looked at, and why.
    """

    cluster: str
    namespace: str
    exists: bool = True
    instances: Mapping[InstanceId, InstanceState] = field(default_factory=dict)
    gates: Mapping[InstanceId, GateState] = field(default_factory=dict)
    front: FrontState | None = None
    others: tuple[Object, ...] = ()
    agents: tuple[AgentState, ...] = ()
    nodes: tuple[NodeState, ...] | None = None
    notes: tuple[str, ...] = ()

    def instance(self, name: InstanceId) -> InstanceState:
        """An instance; one without anything if the cluster does not have it."""
        return self.instances.get(name, InstanceState(name, None))


class View(Protocol):
    """How a cluster is looked at; nothing is ever changed."""

    def state(self, *, capacity: bool) -> ClusterState:
        """What the namespace holds now; with `capacity` also what every node has free.

        Raises:
            OutsideError: it cannot be seen.
        """
        ...

    def last_words(self, pod: str, container: str) -> str:
        """The last lines that a container printed before it ended; empty if nobody has them."""
        ...
