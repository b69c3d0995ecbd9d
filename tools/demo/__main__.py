"""`python -m demo`: plays the story on this machine and writes .lockstep/demo.json. `python -m demo argocd` (or flux)
plays it on the cluster of `make cluster` and writes .lockstep/demo-cluster.json.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from demo.local import Local
from demo.place import BrokenPromise, Place
from demo.scene import prepare
from demo.story import Report, play
from lockstep.adapters import files
from lockstep.core.errors import LockstepError

_TOP = Path(__file__).resolve().parents[2]


def main(agent: str = "") -> int:
    """0 if every promise held, else 1.

    Args:
        agent: argocd or flux for a cluster; empty for this machine.
    """
    name = "demo-cluster" if agent else "demo"
    home = _TOP / ".lockstep" / name
    scene = prepare(_TOP, home, _cluster(agent) if agent else Local)
    touched = f"; it uses {scene.place.touches}" if scene.place.touches else "; nothing else is touched"
    print(f"This repository releases itself, in a clone under .lockstep/{name}{touched}.\n", flush=True)
    report = Report()
    try:
        report = play(scene)
    except (BrokenPromise, LockstepError) as error:
        report.broken.append(str(error))
    finally:
        scene.place.stop()
    files.write(home.with_suffix(".json"), (json.dumps(asdict(report), indent=2) + "\n").encode())
    if report.broken:
        print("\nA promise was broken:\n" + "\n".join(f"- {line}" for line in report.broken), file=sys.stderr)
        return 1
    print(
        f"\nEvery promise held. Worst way back: {(report.rollback_seconds or 0) * 1000:.0f} ms from when "
        f"{scene.place.since} to the last answer of what it took back.\n"
        f"Look around: cd {scene.bundle.relative_to(_TOP)} && ../../../.venv/bin/"
        f"{' '.join(['lockstep status', *scene.place.look()])}\nReport: .lockstep/{name}.json"
    )
    return 0


def _cluster(agent: str) -> Callable[[Path, str], Place]:
    from cluster.running import running  # noqa: PLC0415 - the demo on this machine needs nothing of it
    from demo.on_cluster import OnCluster  # noqa: PLC0415

    cluster = running(_TOP)
    return lambda bundle, environment: OnCluster(bundle, environment, cluster, agent)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
