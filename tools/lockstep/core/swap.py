"""The swap: for components that do not fit twice. One commit puts the old instance to standby, brings the new one up
and moves the front; between the old one's end and the new one's start, requests that need it fail.

A standby instance is there without a pod: its objects are as they were but for `replicas: 0`, so its name stays. What
calls it in the new release is staged in standby too, since it could not start without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from lockstep.core.environment import Environment, Gate, Rendered
from lockstep.core.errors import Finding, Refused, refuse_if
from lockstep.core.fields import at
from lockstep.core.instance import AUTOSCALER, Instance
from lockstep.core.names import ComponentName, InstanceId
from lockstep.core.render import Object


@dataclass(frozen=True)
class Swap:
    """Some components change places.

    Args:
        falling: Instances that serve and go to standby.
        rising: Pods that each instance gets that comes up: the new ones, and what calls them.
    """

    falling: tuple[InstanceId, ...] = ()
    rising: Mapping[InstanceId, int] = field(default_factory=dict)


def swap_of(environment: Environment, rendered: Rendered, components: Iterable[ComponentName]) -> Swap:
    """What `--swap` of some components means for a release: nothing for no component.

    Raises:
        Refused: the release does not have one of them, what serves is the same instance, or nothing serves.
    """
    chosen = tuple(sorted(set(components)))
    new = {name.component: name for name in rendered.instances if name.component in chosen}
    refuse_if(_no_swap(environment, rendered, new, chosen), f"{', '.join(chosen)} cannot be swapped")
    serves = set(environment.front.serves if environment.front else ())
    rising = {name: rendered.instances[name].replicas for name in _callers(rendered, set(new.values())) - serves}
    falling = tuple(name for name in sorted(serves) if name.component in chosen)
    return Swap(falling, MappingProxyType(rising))


def deadline_of(gate: Gate) -> int:
    """Seconds after which a gate counts as failed."""
    return int(at(gate.objects[0], "spec", "activeDeadlineSeconds") or 0)


def refuse_short_gate(gate: Gate, started_seconds: int) -> None:
    """Nothing, unless a gate gives up before what comes up can answer: nobody would serve then.

    Args:
        gate: Of the root that shall serve.
        started_seconds: How long the slowest of what goes down took when it was last started; 0 if nobody knows.

    Raises:
        Refused: it would.
    """
    if deadline_of(gate) <= started_seconds:
        entry = gate.root.component
        what = (
            f"its gate gives up after {deadline_of(gate)} s; what comes up took {started_seconds} s when last started"
        )
        fix = f"raise `gate: {{deadline: …}}` of {entry} well above it, and release"
        where = f"components/{entry}/component.yaml"
        raise Refused("nothing would serve after this swap", [Finding("swap/deadline", where, what, fix, entry)])


def staged_for(environment: Environment, swap: Swap) -> Environment:
    """The environment with what a swap will bring up in standby."""
    return _scaled(environment, dict.fromkeys(swap.rising, 0))


def swapped(environment: Environment, swap: Swap) -> Environment:
    """The environment with the old instances in standby and the new ones up."""
    return _scaled(environment, {**dict.fromkeys(swap.falling, 0), **swap.rising})


def swap_back(now: Environment, then: Environment, root: InstanceId) -> Swap:
    """The swap that going back to a root is: what served then and is in standby now comes up again, and what serves now
    in its place and was in standby or absent then makes room.
    """
    rising, falling = {}, []
    for name in now.closure(root):
        before, here = then.instances.get(name), now.instances.get(name)
        if before is None or here is None or not before.replicas or here.replicas:
            continue
        rising[name] = before.replicas
        for other in now.front.serves if now.front else ():
            was = then.instances.get(other)
            if other.component == name.component and other in now.instances and (was is None or not was.replicas):
                falling.append(other)
    return Swap(tuple(falling), MappingProxyType(rising))


def standby_findings(environment: Environment, rendered: Rendered) -> Iterator[Finding]:
    """What a plain promote would send requests to although it is in standby."""
    for name, item in rendered.instances.items():
        here = environment.instances.get(name)
        if here is not None and item.replicas and not here.replicas:
            where = f"releases/{environment.name}/instances/{name}.yaml"
            what = f"{name} is in standby (replicas 0): nobody would answer"
            fix = f"lockstep promote {environment.name} {rendered.version} --swap {name.component}"
            yield Finding("promote/standby", where, what, fix, name.component)


def _no_swap(
    environment: Environment,
    rendered: Rendered,
    new: Mapping[ComponentName, InstanceId],
    chosen: Iterable[ComponentName],
) -> Iterator[Finding]:
    where = f"releases/{environment.name}/front/front.yaml"
    serving = {name.component: name for name in (environment.front.serves if environment.front else ())}
    names = ", ".join(sorted({name.component for name in rendered.instances}))
    for component in chosen:
        if component not in new:
            what, fix = f"release {rendered.version} runs no `{component}`", f"choose one of: {names}"
        elif component not in serving:
            what, fix = f"no {component} serves in {environment.name}", f"leave out: --swap {component}"
        elif serving[component] == new[component]:
            what = f"{new[component]} serves already; release {rendered.version} has the same"
            fix = f"leave out: --swap {component}"
        else:
            continue
        yield Finding("swap/component", where, what, fix, component)


def _callers(rendered: Rendered, names: set[InstanceId]) -> set[InstanceId]:
    """Some instances of a release and whatever calls them, directly or not."""
    found, size = set(names), -1
    while size != len(found):
        size = len(found)
        found |= {name for name, item in rendered.instances.items() if found & set(item.callees)}
    return found


def _scaled(environment: Environment, counts: Mapping[InstanceId, int]) -> Environment:
    changed = {
        name: scaled(environment.instances[name], count)
        for name, count in counts.items()
        if name in environment.instances
    }
    return replace(environment, instances=MappingProxyType({**environment.instances, **changed}))


def scaled(item: Instance, replicas: int) -> Instance:
    """The instance with another number of pods; its name and digest are the same.

    An autoscaler rests while its Deployment asks for no pod, and decides alone as soon as it does not say how many.
    """
    decides = replicas and any(one.get("kind") == AUTOSCALER for one in item.objects)
    return replace(item, objects=tuple(_asking(one, None if decides else replicas) for one in item.objects))


def _asking(one: Object, replicas: int | None) -> Object:
    if one.get("kind") != "Deployment":
        return one
    spec = {key: value for key, value in one["spec"].items() if key != "replicas"}
    return {**one, "spec": spec if replicas is None else {**spec, "replicas": replicas}}
