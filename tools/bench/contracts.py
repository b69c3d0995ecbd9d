"""Contracts: how far `satisfies` agrees with oasdiff on the examples that its authors publish, how long both take, and
what large contracts cost. `python -m bench contracts`; needs Go.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench import large
from bench.measure import TOOLS, run
from bench.table import Row

_AREA = "contracts: satisfies beside oasdiff, on its published two-file examples"
_ALWAYS = "import sys; from bench.differences import main; main(); sys.exit(0)"  # a missed aim is a row, not an error


def rows(scratch: Path, *, quick: bool) -> Iterator[Row]:
    """One row, whose time is that of all examples on both sides and of building the judge; then large contracts."""
    ran = run([sys.executable, "-c", _ALWAYS, "-o", "json"], TOOLS)
    said = ran.data
    note = "; ".join(f"{name}: {_rate(rate)}" for name, rate in said["rates"].items())
    faults = () if said["reached"] else ("agrees less than it should: python -m bench.differences",)
    yield Row(_AREA, f"{said['examples']} examples", (ran,), note=note, faults=faults)
    yield from large.rows(scratch, quick=quick)


def _rate(rate: dict[str, Any]) -> str:
    return f"recall {rate['recall']:.2%}, precision {rate['precision']:.2%} ({rate['both']} both)"
