"""From what is wanted and what runs to the next actions. Nothing here waits: what takes time runs in tasks of its own.

Order within one step: start, drop proofs, ask gates, move the front, stop. The front moves before anything is stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from lockstep.core.environment import GATE_FILE
from lockstep.core.names import InstanceId
from lockstep.runner.desired import FrontFile
from lockstep.runner.state import Gate, Host, Instance, World, utc_now
from lockstep.runner.supervise import ask_gate, keep_running


def step(world: World, host: Host) -> None:
    """Does all that can be done now. Doing it again at once does nothing."""
    _start(world, host)
    _note_edits(world, host)
    _drop_gates(world)
    _ask_gates(world, host)
    _move_front(world, host)
    _stop(world, host)
    _tell_drained(world, host)


def obstacle(front: FrontFile, world: World) -> str:
    """Why the front may not move to what Git names; empty when it may.

    Only the named root is waited for. Of the others it is asked whether they are there at all: a release of which
    a part was retired is not served; one of which a shared part is ill is as ill on either side of the move.
    """
    desired = world.desired
    if front.root not in desired.instances:
        return _missing(world, front.root)
    absent = sorted(name for name in front.serves if not _is_there(world, name))
    if absent:
        return "; ".join(_missing(world, name) for name in absent)
    root = world.instances[front.root]
    if root.state != "ready":
        return f"{front.root} is {root.state}{': ' if root.reason else ''}{root.reason}"
    gate = world.gates.get(front.root)
    if gate is None:
        problem = desired.problems.get(GATE_FILE) or desired.problems.get(f"gates/{front.root}.yaml")
        wrong = f"cannot be asked: {problem}" if problem else "is not in Git: promote the release again"
        return f"the gate of {front.root} {wrong}"
    if gate.state != "passed":
        return f"the gate of {front.root} is {gate.state}{': ' if gate.reason else ''}{gate.reason}"
    return ""


def _is_there(world: World, name: InstanceId) -> bool:
    item = world.instances.get(name)
    return name in world.desired.instances and item is not None and item.state != "stopping"


def _missing(world: World, name: InstanceId) -> str:
    problem = world.desired.problems.get(f"instances/{name}.yaml")
    if problem:
        return f"{name} cannot be run: {problem}"
    workload = world.desired.instances.get(name)
    if workload is None:
        return f"{name} is not in instances/: stage its release first"
    return f"{name} is standby (replicas 0)" if workload.replicas == 0 else f"{name} is not running yet"


def _wanted(world: World) -> set[InstanceId]:
    """What should run. A file that cannot be read stops nothing that runs."""
    desired = world.desired
    standby = {name for name, workload in desired.instances.items() if workload.replicas == 0}
    return set(desired.named - standby)


def _start(world: World, host: Host) -> None:
    for name in sorted(_wanted(world) - set(world.instances)):
        workload = world.desired.instances.get(name)
        if workload:
            item = Instance(name, workload, host.journal)
            item.task = asyncio.create_task(keep_running(item, host), name=name)
            item.task.add_done_callback(partial(_ended, item))
            world.instances[name] = item


def _ended(item: Instance | Gate, task: asyncio.Task[None]) -> None:
    """A mistake of the runner, or of whoever unpacks images, ends one task and is shown as that one's reason."""
    error = None if task.cancelled() else task.exception()
    if error and isinstance(item, Instance):
        item.become("failing", f"the runner itself failed: {error!r}")
    elif error and isinstance(item, Gate):
        item.become("failed", f"the runner itself failed: {error!r}")


def _note_edits(world: World, host: Host) -> None:
    """Replicas may be tuned in place. No other edit is applied: an instance's name is the digest of its content."""
    for name, item in world.instances.items():
        wanted = world.desired.instances.get(name, item.workload)
        item.workload = replace(item.workload, replicas=wanted.replicas)
        is_edited = wanted != item.workload
        if is_edited and not item.is_edited:
            host.journal.tell(
                "edit-refused",
                {
                    "instance": name,
                    "reason": "its file was edited under the same name; restore it, or stage a release",
                },
            )
        item.is_edited = is_edited


def _drop_gates(world: World) -> None:
    """A proof dies with its root's file, with its own file, and when the question changes."""
    for root, gate in list(world.gates.items()):
        if root not in world.desired.instances or world.desired.gates.get(root) != gate.workload:
            if gate.task:
                gate.task.cancel()
            del world.gates[root]


def _ask_gates(world: World, host: Host) -> None:
    """Every root with a gate is asked once it is ready, so that a later move to it waits for nothing."""
    for root, workload in world.desired.gates.items():
        if root not in world.desired.instances:
            continue
        gate = world.gates.setdefault(root, Gate(root, workload, host.journal))
        item = world.instances.get(root)
        if gate.state == "waiting" and gate.task is None and item and item.state == "ready":
            gate.become("running")
            gate.task = asyncio.create_task(ask_gate(gate, host), name=workload.name)
            gate.task.add_done_callback(partial(_ended, gate))


def _move_front(world: World, host: Host) -> None:
    front, traffic = world.desired.front, world.traffic
    reason = ""
    if front is None:
        reason = str(world.desired.problems.get("front/front.yaml", "front/front.yaml is not in Git"))
    elif traffic.route is None or traffic.route.file != front:
        reason = obstacle(front, world)
        if not reason:
            former = traffic.route.file.root if traffic.route else ""
            moment = traffic.move(front, utc_now())
            host.journal.tell(
                "front-moved",
                {
                    "root": front.root,
                    "release": front.release,
                    "from": former,
                    "commit": world.head or "",
                    "seen_ns": world.head_seen_ns,
                },
                moment,
            )
    if reason != world.obstacle:
        world.obstacle = reason
        if reason:
            host.journal.tell("front-waits", {"root": front.root if front else "", "reason": reason})


def _stop(world: World, host: Host) -> None:
    wanted, busy = _wanted(world), world.traffic.busy
    for name, item in list(world.instances.items()):
        if name in wanted or item.state == "stopping":
            item.is_held = False
        elif name in busy:
            if not item.is_held:
                host.journal.tell(
                    "deletion-held",
                    {"instance": name, "reason": "the front or a running request still needs it"},
                )
            item.is_held = True
        else:
            item.become("stopping")
            asyncio.create_task(_stopped(world, host, item), name=f"stop {name}")  # noqa: RUF006 - the world holds its item


async def _stopped(world: World, host: Host, item: Instance) -> None:
    await end(item)
    del world.instances[item.id]
    host.journal.tell("instance-stopped", {"instance": item.id})


async def end(*items: Instance | Gate) -> None:
    """Returns when the processes of all of them have ended."""
    tasks = [item.task for item in items if item.task]
    for task in tasks:
        if not task.cancelling():  # a second one would cut its grace short
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def everything(world: World) -> Iterable[Instance | Gate]:
    """Everything that may have a process."""
    return [*world.instances.values(), *world.gates.values()]


def _tell_drained(world: World, host: Host) -> None:
    """A former route of which no request is left: event `drained` says when its last answer began."""
    for route in [route for route in world.traffic.left if not route.in_flight]:
        world.traffic.left.remove(route)
        host.journal.tell(
            "drained",
            {
                "root": route.file.root,
                "left_ns": route.left_ns,
                "last_answer_began_ns": route.last_answer_began_ns,
            },
        )
