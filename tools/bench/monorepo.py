"""A plan that finds nothing to do, in monorepos of growing size."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bench.measure import CannotMeasure, Ran, lockstep, run
from bench.table import Aim, Row

AREA = "no-op plan: 50 components, 8 shards of weights each"
_AIM = Aim(seconds=1, megabytes=200)
_SIZES = {2_000: 1, 20_000: 10, 200_000: 100}  # code files, and megabytes per shard


def rows(scratch: Path, *, quick: bool) -> Iterator[Row]:
    """One row per size; each says how much more it costs than the smallest."""
    first = 0.0
    for files, megabytes in list(_SIZES.items())[: 1 if quick else None]:
        folder = scratch / f"monorepo-{files}"
        run([sys.executable, "-m", "bench.synthetic", str(folder), str(files), str(megabytes)], scratch)
        runs = tuple(_plan(folder) for _ in range(3 if quick else 7))
        row = Row(AREA, f"lockstep plan, {files:,} code files, {megabytes * 400 / 1000:g} GB of weights", runs, _AIM)
        first = first or row.seconds
        yield replace(row, note="" if row.seconds == first else f"{row.seconds / first:.2f} x the smallest")


def _plan(folder: Path) -> Ran:
    ran = lockstep(folder, "plan")
    if "nothing to release" not in ran.stdout:
        raise CannotMeasure(f"the plan should have been a no-op: {ran.stdout[-500:]}")
    return ran
