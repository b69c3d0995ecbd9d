"""How long a rollback takes in the local runner, as `make demo` measured it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from bench.measure import Ran
from bench.table import Aim, Row

_DEMO = Path(__file__).resolve().parents[2] / ".lockstep" / "demo.json"
_AREA = "rollback in the local runner, as the last `make demo` measured it"
_AIM = Aim(seconds=0.1)


def rows(_scratch: Path, *, quick: bool) -> Iterator[Row]:  # noqa: ARG001 - there is one form of it
    """One row per rollback of the demo; one without numbers if there was no demo."""
    found = json.loads(_DEMO.read_bytes()).get("rollbacks", []) if _DEMO.exists() else []
    if not found:
        yield Row(_AREA, "git revert of a promote", (), note="not measured: run make demo")
    for item in found:
        runs = (Ran(float(item["seconds_from_seen"]), 0.0, 0.0, ""),)
        yield Row(
            _AREA,
            str(item["what"]),
            runs,
            _AIM,
            f"from the revert being seen to the last answer of {item['from']} beginning",
        )
