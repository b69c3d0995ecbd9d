"""Git and a cluster side by side, as status prints them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lockstep.cli.output import paint

if TYPE_CHECKING:
    from lockstep.core.cluster.compare import InstanceSide, SideBySide
    from lockstep.verbs.beside import Beside

_COLORS = {
    "warm": "green",
    "standby": "dim",
    "starting": "yellow",
    "failing": "red",
    "absent": "red",
    "stray": "yellow",
}


def sides_data(found: Beside) -> dict[str, Any]:
    """The JSON form."""
    sides, front = found.sides, found.sides.front
    return {
        "cluster": sides.cluster,
        "namespace": sides.namespace,
        "exists": sides.exists,
        "settled": sides.is_settled,
        "front": {
            "root": front.root, "release": front.release or None, "git_root": front.git_root,
            "git_release": front.git_release or None, "ready_pods": front.ready, "drift": front.drift,
        },
        "instances": [
            {
                "id": one.id, "condition": one.condition, "ready": one.ready, "wanted": one.wanted,
                "replicas": one.replicas, "why": one.why, "image_ids": one.images, "drift": one.drift,
            }
            for one in sides.instances
        ],
        "gates": [{"root": root, "answer": answer, "why": why} for root, answer, why in sides.gates],
        "policies": sides.policies,
        "agents": [
            {
                "kind": one.kind, "name": one.name, "revision": one.revision or None, "behind": found.lag[one.name],
                "sync": one.sync, "health": one.health or None, "why": one.words,
            }
            for one in sides.agents
        ],
        "notes": sides.notes,
    }  # fmt: skip


def sides_text(found: Beside) -> list[str]:
    """The lines for people."""
    sides = found.sides
    head = f"  in {sides.cluster}, namespace {sides.namespace}:"
    if not sides.exists:
        return [f"{head} {paint('no such namespace', 'red')}"]
    settled = paint("as Git says", "green") if sides.is_settled else paint("not as Git says", "yellow")
    lines = [f"{head} {settled}", *_front_lines(sides)]
    for one in sides.instances:
        lines += _instance_lines(one)
    lines += [
        f"    gate      {root} {answer or 'absent'}{f': {why}' if why else ''}" for root, answer, why in sides.gates
    ]
    lines += [f"    {paint('drift', 'yellow')}     {words}" for words in sides.policies]
    lines += _agent_lines(found)
    return [*lines, *(f"    not seen  {note}" for note in sides.notes)]


def _front_lines(sides: SideBySide) -> Iterator[str]:
    front = sides.front
    named = f"{front.root} of release {front.release}" if front.root else "nothing"
    beside = "" if front.root == front.git_root else f", Git says {front.git_root or 'nothing'}"
    yield f"    front     {named}, {len(front.ready)} pods{beside}"
    yield from (f"    {paint('drift', 'yellow')}     {words}" for words in front.drift)


def _instance_lines(one: InstanceSide) -> Iterator[str]:
    condition = paint(f"{one.condition:<9}", _COLORS.get(one.condition, "red"))
    images = ", ".join(image.rpartition("@")[2][:19] for image in one.images)
    counts = f"{one.ready}/{one.wanted if one.wanted is not None else '-'}"
    yield f"    {condition} {one.id:<30} {counts:<6}{images}{f'  {one.why}' if one.why else ''}".rstrip()
    yield from (f"    {paint('drift', 'yellow')}     {words}" for words in one.drift)


def _agent_lines(found: Beside) -> Iterator[str]:
    for one in found.sides.agents:
        behind = found.lag[one.name]
        lag = "" if behind == 0 else f", {behind} commits behind" if behind else ", which is not in this clone"
        at = f" at {one.revision[:10]}{lag}" if one.revision else ", has applied nothing yet"
        words = f": {one.words}" if one.words else ""
        yield f"    agent     {one.kind} {one.name} {one.sync}{f' {one.health}' if one.health else ''}{at}{words}"
