"""`python -m demo`: plays the story and writes .lockstep/demo.json."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from demo.local import Local
from demo.place import BrokenPromise
from demo.scene import prepare
from demo.story import Report, play
from lockstep.adapters import files

_TOP = Path(__file__).resolve().parents[2]


def main() -> int:
    """0 if every promise held, else 1."""
    print("This repository releases itself, in a clone under .lockstep/demo; nothing else is touched.\n", flush=True)
    scene = prepare(_TOP, _TOP / ".lockstep" / "demo", Local)
    report = Report()
    try:
        report = play(scene)
    except BrokenPromise as error:
        report.broken.append(str(error))
    finally:
        scene.place.stop()
    files.write(_TOP / ".lockstep" / "demo.json", (json.dumps(asdict(report), indent=2) + "\n").encode())
    if report.broken:
        print("\nA promise was broken:\n" + "\n".join(f"- {line}" for line in report.broken), file=sys.stderr)
        return 1
    print(
        f"\nEvery promise held. Worst way back: {(report.rollback_seconds or 0) * 1000:.0f} ms from the revert being "
        f"seen to the last answer of what it took back.\n"
        f"Look around: cd {scene.bundle.relative_to(_TOP)} && ../../../.venv/bin/lockstep status\nReport: "
        f".lockstep/demo.json"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
