"""Whether pods fit a cluster: by requests, node by node, as the scheduler counts. What else it looks at (affinity,
volumes, taints of a later moment) may still say no; what does not fit here fits nowhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from lockstep.core.cluster.quantity import Amounts, lacking, minus, plus, words
from lockstep.core.cluster.reading import requests_of
from lockstep.core.cluster.state import InstanceState, NodeState
from lockstep.core.fields import at
from lockstep.core.instance import Instance
from lockstep.core.names import InstanceId


@dataclass(frozen=True)
class Ask:
    """Pods that want a place.

    Args:
        instance: Whose.
        each: What one takes.
        selector: Labels that their node must have.
        count: How many.
    """

    instance: InstanceId
    each: Amounts
    selector: tuple[tuple[str, str], ...]
    count: int


def ask_of(item: Instance, count: int) -> Ask:
    """What some more pods of an instance ask for."""
    specs = (at(one, "spec", "template", "spec") for one in item.objects if one.get("kind") == "Deployment")
    pod = next(specs, None)
    selector = at(pod, "nodeSelector") or {}
    return Ask(item.id, requests_of(pod), tuple(sorted(selector.items())), count)


def unplaced(nodes: Iterable[NodeState], asks: Iterable[Ask]) -> tuple[Ask, ...]:
    """The pods that find no node, the largest placed first and each on the node where least is left over."""
    free = list(nodes)
    left = []
    for ask in sorted(asks, key=_size, reverse=True):
        count = sum(not _place(free, ask) for _ in range(ask.count))
        if count:
            left.append(replace(ask, count=count))
    return tuple(sorted(left, key=lambda ask: ask.instance))


def freed(nodes: Iterable[NodeState], gone: Iterable[tuple[Instance, InstanceState]]) -> tuple[NodeState, ...]:
    """The nodes without the pods of some instances."""
    back: dict[str, list[Amounts]] = {}
    for item, state in gone:
        for pod in state.pods:
            back.setdefault(pod.node, []).append(ask_of(item, 1).each)
    return tuple(replace(node, free=plus((node.free, *back.get(node.name, ())))) for node in nodes)


def shortage(nodes: Sequence[NodeState], ask: Ask) -> str:
    """Why no node takes a pod, in words: what it asks for and what the best of them has free."""
    fitting = [node for node in nodes if selects(ask, node)]
    if not fitting:
        wanted = ", ".join(f"{key}={value}" for key, value in ask.selector)
        return f"no node that takes pods has the labels {wanted}" if wanted else "no node takes pods"
    best = min(fitting, key=lambda node: (len(lacking(node.free, ask.each)), node.name))
    short = [
        f"{name} {words(ask.each[name], name)}, {words(max(best.free.get(name, 0), 0), name)} free on {best.name}"
        for name in lacking(best.free, ask.each)
    ]
    return "asks for " + ("; ".join(short) or "what a node had, until the others of it were placed")


def _size(ask: Ask) -> tuple[int, ...]:
    """Scarce things first: extended resources, then memory, then processors."""
    extended = sum(amount for name, amount in ask.each.items() if "/" in name)
    return extended, ask.each.get("memory", 0), ask.each.get("cpu", 0)


def selects(ask: Ask, node: NodeState) -> bool:
    """Whether a node is one for these pods: it has the labels, and its taints are of a resource that they ask for.

    Source: Kubernetes, admission plugin ExtendedResourceToleration, which clusters with GPU nodes run.
    """
    return all(taint in ask.each for taint in node.taints) and all(
        node.labels.get(key) == value for key, value in ask.selector
    )


def _place(free: list[NodeState], ask: Ask) -> bool:
    """Takes the room of one pod; False if no node has it."""
    fitting = [
        (sum(minus(node.free, ask.each).values()), node.name, place)
        for place, node in enumerate(free)
        if selects(ask, node) and not lacking(node.free, ask.each)
    ]
    if not fitting:
        return False
    place = min(fitting)[2]
    free[place] = replace(free[place], free=minus(free[place].free, ask.each))
    return True
