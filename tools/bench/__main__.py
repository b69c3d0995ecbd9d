"""`python -m bench [AREA…] [--quick] [--output FILE]`: measures, prints a table, writes .lockstep/bench.json. With
BENCH=full also 10 GB of weights, which takes minutes and 40 GB of disk.

Exit code 0 when every aim is met, 1 when one is missed or could not be measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

from bench import changes, checking, contracts, docker, monorepo, rollback, shards, starting, uploads
from bench.measure import CannotMeasure, git
from bench.table import Row, format_table

_ROOT = Path(__file__).resolve().parents[2]
_BUSY = 1.0  # load at the start, when we have not done anything yet
_ASKED_FOR = (docker, contracts)  # these need root and minutes, or Go: only where they are named
_AREAS = (starting, changes, shards, uploads, checking, monorepo, rollback)


def main() -> int:
    """The exit code."""
    options = _options()
    quick = bool(options.quick)
    began, load = time.monotonic(), os.getloadavg()[0]
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="lockstep-bench-") as scratch:
        for area in _chosen(options.areas):
            for row in _measured(area.rows, Path(scratch), quick=quick):
                print(f"{time.monotonic() - began:5.0f} s  {row.what}", file=sys.stderr, flush=True)
                rows.append(row)
    seconds = time.monotonic() - began
    data = {"schema": "lockstep.dev/bench/v1", "quick": quick, "seconds": round(seconds, 1), "machine": _machine(load)}
    _write(options.output, {**data, "rows": [row.data for row in rows]})
    missed = [row.what for row in rows if row.met is False]
    print(format_table(rows))
    print(f"\n{_sentence(missed)}   {seconds:.0f} s on {os.cpu_count()} cores, load {load:.1f} at the start")
    print("Seconds: whole processes, interpreter and all; cpu: of the whole tree. MB: peak of its largest process.")
    if load > _BUSY:
        print(
            "Others used this machine meanwhile, so seconds are too high: compare cpu, or run it again when it is idle."
        )
    return 1 if missed else 0


def _chosen(names: list[str]) -> list[ModuleType]:
    return [area for area in (*_AREAS, *_ASKED_FOR) if _name(area) in names] if names else list(_AREAS)


def _name(area: ModuleType) -> str:
    return area.__name__.rpartition(".")[2]


def _names() -> list[str]:
    return [_name(area) for area in (*_AREAS, *_ASKED_FOR)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures what Lockstep costs.")
    is_quick = os.environ.get("BENCH") == "quick"
    parser.add_argument("areas", nargs="*", metavar="AREA", help="only these: " + ", ".join(_names()))
    parser.add_argument(
        "--quick", action="store_true", default=is_quick, help="small sizes, few runs; also BENCH=quick"
    )
    parser.add_argument("--output", type=Path, default=_ROOT / ".lockstep" / "bench.json", help="where the JSON goes")
    return parser.parse_args()


def _measured(rows: Callable[..., Iterator[Row]], scratch: Path, *, quick: bool) -> Iterator[Row]:
    """The rows of one area; one that fails says why, and the other areas are measured all the same."""
    try:
        yield from rows(scratch, quick=quick)
    except CannotMeasure as error:
        area = rows.__module__.rpartition(".")[2]
        yield Row(area, "could not be measured", (), faults=(str(error),))


def _sentence(missed: list[str]) -> str:
    return f"missed: {'; '.join(missed)}." if missed else "every aim is met."


def _machine(load: float) -> dict[str, object]:
    return {
        "cores": os.cpu_count(),
        "load_at_start": load,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "git": git(_ROOT, "--version"),
        "commit": git(_ROOT, "describe", "--always", "--dirty"),
    }


def _write(path: Path, data: dict[str, object]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(data, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
