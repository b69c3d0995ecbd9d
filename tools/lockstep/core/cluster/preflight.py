"""What must be true of a cluster before its front moves, or before a release is started in it.

1. every image can be pulled; 2. every instance is there; 3. each has at least the ready pods of the one that it
replaces; 4. pods that are still to be made have room, with what would make room if not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from lockstep.core.cluster.capacity import Ask, ask_of, freed, shortage, unplaced
from lockstep.core.cluster.readiness import absent_namespace, agent_fix, worst_troubles
from lockstep.core.cluster.state import ClusterState, InstanceState
from lockstep.core.environment import Environment
from lockstep.core.errors import Finding
from lockstep.core.instance import Instance
from lockstep.core.names import InstanceId


@dataclass(frozen=True)
class Move:
    """What shall serve, or be started.

    Args:
        environment: As Git has it before.
        target: Every instance that shall serve.
        release: Which release that is, for messages.
        unpullable: Why an image cannot be pulled, by reference; others can.
        falling: Instances that give their place up in the same commit.
        rising: Instances that come up in it, and so cannot be ready before.
    """

    environment: Environment
    target: Mapping[InstanceId, Instance]
    release: str
    unpullable: Mapping[str, str] = field(default_factory=dict)
    falling: frozenset[InstanceId] = frozenset()
    rising: frozenset[InstanceId] = frozenset()

    def replaced(self, name: InstanceId) -> InstanceId | None:
        """The instance of the same component that serves now; None if none does."""
        serving = self.environment.front.serves if self.environment.front else ()
        return next((one for one in serving if one.component == name.component), None)


def preflight(move: Move, state: ClusterState) -> tuple[Finding, ...]:
    """Why the front may not move to the target yet; nothing if it may.

    What serves already and goes on serving is not asked about: the move changes nothing for it.
    """
    if not state.exists:
        return (absent_namespace(state),)
    found = [*_image_findings(move)]  # step 1
    asks: list[Ask] = []
    for name in sorted(move.target):
        if move.replaced(name) != name:
            found += _warm_findings(move, name, state)  # steps 2 and 3
            asks += _missing(move, name, state)
    return tuple(sorted([*found, *_capacity_findings(move, asks, state)]))  # step 4


def room(move: Move, state: ClusterState) -> tuple[Finding, ...]:
    """Why the target cannot be started: images that cannot be pulled, pods that find no node."""
    if not state.exists:
        return ()  # its agent makes the namespace
    asks = [
        ask_of(item, item.replicas)
        for name, item in move.target.items()
        if state.instance(name).wanted is None and item.replicas
    ]
    return tuple(sorted([*_image_findings(move), *_capacity_findings(move, asks, state)]))


def _image_findings(move: Move) -> Iterator[Finding]:
    for name, item in move.target.items():
        for image in item.images:
            if image in move.unpullable:
                what = f"{image} of {name} cannot be pulled: {move.unpullable[image]}"
                fix = f"lockstep push {move.release}; a third-party image must be in the registry that it names"
                yield Finding("preflight/image", image, what, fix, name.component)


def _needed(move: Move, name: InstanceId, state: ClusterState) -> int:
    """Ready pods that an instance must have before it takes the traffic of the one that it replaces."""
    if name in move.rising:
        return 0
    old = move.replaced(name)
    return max(1, state.instance(old).ready if old else 0)


def _warm_findings(move: Move, name: InstanceId, state: ClusterState) -> Iterator[Finding]:
    environment = move.environment.name
    where = f"namespace {state.namespace}, deployment {name}"
    found, needed = state.instance(name), _needed(move, name, state)
    if found.wanted is None:
        what = f"{name} is not in the cluster; release {move.release} cannot answer without it"
        fix = f"lockstep stage {environment} {move.release} --wait, or: {agent_fix(state)}"
        yield Finding("preflight/absent", where, what, fix, name.component)
    elif found.ready < needed:
        old = move.replaced(name)
        beside = f", and {old} which it replaces has {state.instance(old).ready}" if old else ""
        why = "; ".join(trouble.words for trouble in worst_troubles(found)) if found.wanted else "it is in standby"
        what = f"{name} has {found.ready} ready pods{beside}: {why}"
        fix = f"lockstep stage {environment} {move.release} --wait, or set replicas in releases/{environment}"
        yield Finding("preflight/warm", where, what, fix, name.component)


def _missing(move: Move, name: InstanceId, state: ClusterState) -> Iterator[Ask]:
    """The pods that an instance still needs and that no node has taken."""
    placed = sum(bool(pod.node) and not pod.is_going for pod in state.instance(name).pods)
    count = max(_needed(move, name, state), move.target[name].replicas) - placed
    if count > 0:
        yield ask_of(move.target[name], count)


def _capacity_findings(move: Move, asks: list[Ask], state: ClusterState) -> Iterator[Finding]:
    """What finds no node, and what would make room: retiring, or only a swap."""
    if state.nodes is None:
        return
    nodes = freed(state.nodes, _pairs(move, move.falling, state))
    for ask in unplaced(nodes, asks):
        name = ask.instance
        what = f"{ask.count} pods of {name} find no node: each {shortage(nodes, ask)}"
        where = f"{state.cluster}, {len(state.nodes)} nodes"
        yield Finding("preflight/capacity", where, what, _make_room(move, asks, state, ask), name.component)


def _make_room(move: Move, asks: list[Ask], state: ClusterState, ask: Ask) -> str:
    environment, component = move.environment, ask.instance.component
    needed = {*move.target, *(environment.front.serves if environment.front else ())}
    spare = [name for name in environment.instances if name not in needed and state.instance(name).pods]
    nodes = freed(state.nodes or (), _pairs(move, [*spare, *move.falling], state))
    if spare and not unplaced(nodes, asks):
        return f"lockstep retire {environment.name} makes room: {', '.join(sorted(spare))} serve nothing"
    old = move.replaced(ask.instance)
    if old is not None and old != ask.instance:
        without = freed(nodes, _pairs(move, [old], state))
        if not unplaced(without, [ask]):
            verb = f"lockstep stage {environment.name} {move.release} --swap {component}"
            return f"both do not fit; only a swap with {old} does: {verb}"
    return f"add a node, or ask for less: resources of {component} in releases/{environment.name}/bindings.yaml"


def _pairs(move: Move, names: Iterable[InstanceId], state: ClusterState) -> list[tuple[Instance, InstanceState]]:
    known = {**move.target, **move.environment.instances}
    return [(known[name], state.instance(name)) for name in names if name in known]
