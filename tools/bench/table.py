"""Rows of measurements, and the table that they make. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from bench.measure import Ran


@dataclass(frozen=True)
class Aim:
    """What a row should stay below; None for no aim."""

    seconds: float | None = None
    megabytes: float | None = None

    def __str__(self) -> str:
        """As the table shows it."""
        parts = (f"< {self.seconds:g} s" if self.seconds else "", f"< {self.megabytes:g} MB" if self.megabytes else "")
        return ", ".join(part for part in parts if part)


@dataclass(frozen=True)
class Row:
    """One thing that was measured.

    Args:
        area: What it belongs to; rows of one area stand together.
        what: The command, and on what.
        runs: What each run cost; empty if it could not be measured.
        aim: What it should cost; the median counts for seconds, the worst for memory.
        note: What else was seen, such as a ratio within the same run.
        faults: What should have held besides and did not; any makes the aim missed.
    """

    area: str
    what: str
    runs: tuple[Ran, ...]
    aim: Aim = Aim()
    note: str = ""
    faults: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """The median."""
        return median(run.seconds for run in self.runs)

    @property
    def cpu(self) -> float:
        """The median of processor seconds."""
        return median(run.cpu for run in self.runs)

    @property
    def megabytes(self) -> float:
        """The worst."""
        return max(run.megabytes for run in self.runs)

    @property
    def met(self) -> bool | None:
        """Whether the aim is met; None without one."""
        if self.faults:
            return False
        if not str(self.aim):
            return None
        if not self.runs:
            return False
        fast = self.aim.seconds is None or self.seconds < self.aim.seconds
        return fast and (self.aim.megabytes is None or self.megabytes < self.aim.megabytes)

    @property
    def data(self) -> dict[str, Any]:
        """As it is written to bench.json."""
        return {
            "area": self.area,
            "what": self.what,
            "seconds": [round(run.seconds, 4) for run in self.runs],
            "median_seconds": round(self.seconds, 4) if self.runs else None,
            "median_cpu_seconds": round(self.cpu, 4) if self.runs else None,
            "peak_megabytes": round(self.megabytes, 1) if self.runs else None,
            "aim": {"seconds": self.aim.seconds, "megabytes": self.aim.megabytes},
            "met": self.met,
            "note": self.note,
            "faults": list(self.faults),
        }


def format_table(rows: Sequence[Row]) -> str:
    """The rows as text, areas apart."""
    width = max(len(row.what) for row in rows) + 2
    lines = [f"  {'':<{width}}{'median s':>9}  {'min - max':>15}  {'cpu s':>6}  {'MB':>5}  {'aim':<18}"]
    for number, row in enumerate(rows):
        if number == 0 or rows[number - 1].area != row.area:
            lines += ["", row.area]
        lines.append(f"  {row.what:<{width}}{_numbers(row)}  {row.aim!s:<18} {_verdict(row)}".rstrip())
        lines += [f"      {line}" for line in (row.note, *row.faults) if line]
    return "\n".join(lines)


def _numbers(row: Row) -> str:
    if not row.runs:
        return f"{'-':>9}  {'-':>15}  {'-':>6}  {'-':>5}"
    every = sorted(run.seconds for run in row.runs)
    spread = f"{every[0]:.3f} - {every[-1]:.3f}"
    used = f"{row.cpu:6.2f}  {row.megabytes:5.0f}" if row.megabytes else f"{'-':>6}  {'-':>5}"
    return f"{row.seconds:9.3f}  {spread:>15}  {used}"


def _verdict(row: Row) -> str:
    return {True: "met", False: "MISSED", None: ""}[row.met]
