"""The runner's state as one JSON document for tools. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lockstep.runner.state import World

SCHEMA = "lockstep.dev/runner/v1"


@dataclass(frozen=True)
class Runner:
    """The runner itself: its process, its addresses and whether it is `running`, `stopping` or `stopped`."""

    environment: str
    pid: int
    front_url: str
    proxy_url: str
    state: str


def status(world: World, runner: Runner) -> dict[str, Any]:
    """status.json as data; reason fields are empty where nothing is wrong."""
    front, route = world.desired.front, world.traffic.route
    return {
        "schema": SCHEMA,
        "environment": runner.environment,
        "state": runner.state,
        "pid": runner.pid,
        "front_url": runner.front_url,
        "proxy_url": runner.proxy_url,
        "head": world.head,
        "head_seen": world.head_seen,
        "front": {"root": route.file.root, "release": route.file.release, "since": route.since} if route else None,
        "wanted": {
            "root": front.root if front else None,
            "release": front.release if front else None,
            "reason": world.obstacle,
        },
        "instances": _instances(world),
        "gates": {
            gate.root: {"state": gate.state, "reason": gate.reason, "since": gate.since}
            for gate in world.gates.values()
        },
        "problems": {
            path: {"what": problem.what, "where": problem.where, "fix": problem.fix}
            for path, problem in world.desired.problems.items()
        },
    }


def _instances(world: World) -> dict[str, Any]:
    running: dict[str, Any] = {
        item.id: {
            "state": item.state,
            "pid": item.pid,
            "port": item.port,
            "restarts": item.restarts,
            "since": item.since,
            "reason": item.reason,
            "wanted_replicas": item.workload.replicas,
            "held": item.is_held,
            "edited": item.is_edited,
        }
        for item in world.instances.values()
    }
    standby: dict[str, Any] = {
        name: {
            "state": "standby",
            "pid": 0,
            "port": 0,
            "restarts": 0,
            "since": "",
            "reason": "replicas 0",
            "wanted_replicas": 0,
            "held": False,
            "edited": False,
        }
        for name, workload in world.desired.instances.items()
        if workload.replicas == 0 and name not in running
    }
    return {**standby, **running}
