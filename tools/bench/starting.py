"""What it costs to start the command line at all."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bench.measure import lockstep, run
from bench.table import Aim, Row

_AIM = Aim(seconds=0.2)


def rows(scratch: Path, *, quick: bool) -> Iterator[Row]:
    """`lockstep --help` beside an interpreter that does nothing, in turns."""
    folder = scratch / "nothing"
    folder.mkdir()
    lockstep(folder, "--help")  # compiles what was edited since the last run
    pairs = [
        (run([sys.executable, "-c", "pass"], folder), lockstep(folder, "--help")) for _ in range(5 if quick else 15)
    ]
    bare = Row("start", "python -c pass", tuple(pair[0] for pair in pairs))
    helped = Row("start", "lockstep --help", tuple(pair[1] for pair in pairs), _AIM)
    yield bare
    yield replace(helped, note=f"{helped.seconds / bare.seconds:.1f} x an interpreter that does nothing")
