"""What a running cluster gives to tests, demos and people, and where a clone keeps it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from lockstep.adapters import files
from lockstep.core.errors import UsageError

STATE = Path(".lockstep") / "cluster"  # below the top of a clone


@dataclass(frozen=True)
class Running:
    """A cluster that answers.

    Args:
        provider: source, kind or existing.
        reason: Why this provider was chosen, in the words after "because".
        kubeconfig: File with an administrator's access.
        registry: Host and port of the registry that its nodes pull from; plain http, unless the provider is `existing`.
        base: Image reference by digest that images without a base of their own are put on.
        agents: Which agents run in it: argocd, flux.
        programs: Folder with kubectl and the other programs, to be put on a PATH; `.` where there is none.
    """

    provider: str
    reason: str
    kubeconfig: Path
    registry: str
    base: str
    agents: tuple[str, ...] = ()
    programs: Path = Path()


def running(top: Path) -> Running:
    """The cluster of the clone at `top`, as `make cluster` left it.

    Raises:
        UsageError: none was started, or its node has ended since.
    """
    path = _file(top)
    if not path.is_file():
        raise UsageError("no cluster runs for this clone", where=str(path), fix="make cluster")
    data = json.loads(files.read(path))
    data |= {name: Path(data[name]) for name in ("kubeconfig", "programs")} | {"agents": tuple(data["agents"])}
    if data["provider"] == "source" and not node_process(top):
        raise UsageError("the cluster of this clone has ended", where=str(path), fix="make cluster")
    return Running(**data)


def note(top: Path, cluster: Running) -> None:
    """Nothing; from now on `running` gives this cluster."""
    data = asdict(cluster) | {"kubeconfig": str(cluster.kubeconfig), "programs": str(cluster.programs)}
    files.write(_file(top), f"{json.dumps(data, indent=2)}\n".encode())


def note_node(top: Path, process: int) -> None:
    """Nothing; from now on `node_process` gives this process, as long as it lives."""
    noted = {"process": process, "begun": _begun(process)}
    files.write(_node_file(top), f"{json.dumps(noted)}\n".encode())


def node_process(top: Path) -> int:
    """The first process of this clone's node, 0 if it does not run. A number used again by another is told apart."""
    if not _node_file(top).is_file():
        return 0
    noted = json.loads(files.read(_node_file(top)))
    return int(noted["process"]) if noted["begun"] and _begun(noted["process"]) == noted["begun"] else 0


def _file(top: Path) -> Path:
    return top / STATE / "cluster.json"


def _node_file(top: Path) -> Path:
    return top / STATE / "node.json"


def _begun(process: int) -> str:
    """When a process was started, in ticks since the machine was; empty if it is gone or only waits to be reaped."""
    try:
        state, *rest = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if state == "Z" else rest[18]  # Source: proc(5), /proc/pid/stat, fields 3 and 22
