"""The bench measures what it says, and its short form runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.measure import CannotMeasure, Ran, run
from bench.table import Aim, Row, format_table

ROOT = Path(__file__).resolve().parents[2]


def ran(seconds: float, megabytes: float = 10) -> Ran:
    return Ran(seconds, seconds, megabytes, "")


@pytest.mark.parametrize(
    ("row", "met"),
    [
        (Row("a", "fast", (ran(0.1), ran(0.2), ran(9.0)), Aim(seconds=1)), True),
        (Row("a", "slow", (ran(0.1), ran(2.0), ran(9.0)), Aim(seconds=1)), False),
        (Row("a", "large once", (ran(0.1), ran(0.1, 300)), Aim(seconds=1, megabytes=200)), False),
        (Row("a", "no aim", (ran(5.0),)), None),
        (Row("a", "fast but wrong", (ran(0.1),), Aim(seconds=1), faults=("1 runtime was built",)), False),
        (Row("a", "not measured", (), Aim(seconds=1)), False),
    ],
)
def test_row_says_whether_its_aim_is_met(row, met):
    assert row.met is met


def test_table_shows_median_spread_aim_and_verdict():
    text = format_table(
        [Row("area", "something", (ran(0.1), ran(3.0), ran(2.0)), Aim(seconds=1), "a note", ("a fault",))]
    )

    line = next(line for line in text.splitlines() if "something" in line)
    assert line.split() == ["something", "2.000", "0.100", "-", "3.000", "2.00", "10", "<", "1", "s", "MISSED"]
    assert "a note" in text
    assert "a fault" in text


def test_run_counts_seconds_and_memory_of_the_whole_tree(tmp_path):
    child = "import time; block = bytearray(200_000_000); time.sleep(0.2)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"

    cost = run([sys.executable, "-c", parent], tmp_path)

    assert cost.seconds > 0.2
    assert cost.megabytes > 200


def test_run_says_what_failed(tmp_path):
    with pytest.raises(CannotMeasure, match="told to"):
        run([sys.executable, "-c", "raise SystemExit('told to')"], tmp_path)


@pytest.mark.timeout(600)
def test_quick_bench_fills_every_area_and_leaves_nothing_behind(tmp_path):
    out = tmp_path / "bench.json"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tools"), "TMPDIR": str(tmp_path), "BENCH": "quick"}

    done = subprocess.run(
        [sys.executable, "-m", "bench", "--output", str(out)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode in {0, 1}, done.stderr  # 1: an aim of seconds, which a busy machine may miss
    data = json.loads(out.read_bytes())
    assert [row["what"] for row in data["rows"] if row["faults"]] == []
    areas = ["start", "one change", "weights", "push to", "verify", "no-op plan", "rollback"]
    assert all(any(row["area"].startswith(area) for row in data["rows"]) for area in areas)
    # Rivals and the registry are Debian's: where they are not, the row says so.
    measured = [row for row in data["rows"] if "not on the PATH" not in row["note"]]
    assert all(row["seconds"] for row in measured if not row["area"].startswith("rollback"))
    assert [path.name for path in tmp_path.iterdir()] == ["bench.json"]
