"""Who makes the cluster: `source` (this machine), `kind` (Docker), or nobody because one exists; and why."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cluster import agents, kind, node
from cluster.control import Supervisor
from cluster.running import STATE, Running, note, running
from lockstep.adapters import files, process
from lockstep.core.errors import UsageError

NAMES = ("existing", "kind", "source")
Say = Callable[[str], None]
_GIVEN = ("KUBECONFIG", "LOCKSTEP_REGISTRY", "LOCKSTEP_BASE")
_CAP_SYS_RESOURCE = 24  # include/uapi/linux/capability.h; `docker run --privileged` asks for all of them


@dataclass(frozen=True)
class Choice:
    """A provider and why it is taken, in the words after "because"."""

    provider: str
    reason: str


def choose(obstacles: Mapping[str, str], wanted: str | None) -> Choice:
    """The provider that was asked for, else the first one that nothing stands against. Pure.

    Args:
        obstacles: For each of NAMES what stands against it here, empty for nothing.
        wanted: One of NAMES, or None.

    Raises:
        UsageError: none is left, or the wanted one cannot work; with every obstacle.
    """
    if wanted and not obstacles[wanted]:
        return Choice(wanted, "it was asked for")
    first = next((name for name in NAMES if not obstacles[name]), None)
    if wanted or not first:
        said = "; ".join(f"{name}: {obstacles[name]}" for name in ([wanted] if wanted else NAMES))
        raise UsageError(f"no cluster can be made: {said}", fix="remove what stands against one of them")
    passed = [f"; {name}: {obstacles[name]}" for name in NAMES[: NAMES.index(first)]]
    return Choice(first, "nothing stands against it here" + "".join(passed))


def obstacles() -> dict[str, str]:
    """For each provider what stands against it on this machine, empty for nothing."""
    unset = [name for name in _GIVEN if not os.environ.get(name)]
    absent = [name for name in ("apt-get", "unshare", "go") if not shutil.which(name)]
    return {
        "existing": f"{', '.join(unset)} not set" if unset else "",
        "kind": _against_kind(),
        "source": f"no {', '.join(absent)} on the PATH" if absent else "" if os.geteuid() == 0 else "needs root",
    }


def up(top: Path, wanted: str | None, chosen: tuple[str, ...], say: Say) -> Running:
    """A cluster that answers, with the agents chosen; one that runs already is kept and given what it lacks."""
    try:
        before = running(top)
    except UsageError:
        before = None
    choice = Choice(before.provider, before.reason) if before else choose(obstacles(), wanted)
    if before and wanted not in {None, before.provider}:
        raise UsageError(f"a cluster by {before.provider} runs already", fix="make cluster-down")
    if chosen and choice.provider != "source":
        raise UsageError(
            f"agents are started here only by the provider source, this is {choice.provider}",
            fix="install the agent as its own documentation says, then: python -m cluster up --agent none",
        )
    is_given = before and before.provider == "existing"  # its variables need not be set again
    cluster = before if before and is_given else _MAKE[choice.provider](top, choice.reason, chosen, say)
    cluster = replace(cluster, agents=before.agents if before else ())
    note(top, cluster)
    for agent in chosen:
        say(f"{agent}: starting")
        work = top / STATE / agent
        files.put_folder(work)
        Supervisor(top).start(agents.install(agent, cluster.kubeconfig, work))
        cluster = replace(cluster, agents=tuple(sorted({*cluster.agents, agent})))
        note(top, cluster)
    return cluster


def down(top: Path) -> None:
    """Nothing; the clone's cluster is gone if we made it. One that was given is only forgotten."""
    if shutil.which("kind"):
        kind.down()
    node.down(top)


def _existing(_top: Path, reason: str, _agents: tuple[str, ...], _say: Say) -> Running:
    kubeconfig = Path(os.environ["KUBECONFIG"]).resolve()
    return Running("existing", reason, kubeconfig, os.environ["LOCKSTEP_REGISTRY"], os.environ["LOCKSTEP_BASE"])


_MAKE = {"existing": _existing, "kind": kind.up, "source": node.up}


def _against_kind() -> str:
    absent = [name for name in ("docker", "kind") if not shutil.which(name)]
    if absent:
        return f"no {', '.join(absent)} on the PATH"
    if process.run(["docker", "info"]).code:
        return "Docker does not answer"
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="ascii").splitlines() if status.exists() else []
    bounds = next((int(line.split()[1], 16) for line in lines if line.startswith("CapBnd")), -1)
    if not bounds >> _CAP_SYS_RESOURCE & 1:
        return "Docker may start no privileged container here: CAP_SYS_RESOURCE is missing"
    return ""
