"""Large contracts: what a whole `lockstep contracts diff` costs, how that grows, and oasdiff on the same."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.agreement import built_judge
from bench.documents import PER_OPERATION
from bench.measure import TOOLS, CannotMeasure, Ran, run
from bench.table import Aim, Row

_AREA = "large: `contracts diff` of OpenAPI documents whose schemas refer to one another in rings"
SIZES, AIMED = (125, 250, 500, 1000), 500
_PATIENCE = "120"  # seconds
# Findings are no error here.
_DIFF = (
    sys.executable,
    "-c",
    "import sys; from lockstep.cli.main import main; sys.exit(main() > 1)",
    "contracts",
    "diff",
)


def rows(scratch: Path, *, quick: bool) -> Iterator[Row]:
    """Each size with itself and changed, as YAML; the one that is aimed at as JSON and by oasdiff as well."""
    program = built_judge(scratch) if shutil.which("go") else None
    for size in SIZES[:1] if quick else SIZES:
        folder = scratch / f"large-{size}"
        run([sys.executable, "-m", "bench.documents", str(folder), str(size)], TOOLS)
        files = ("same.yaml", "changed.yaml", *(("changed.json",) if size == AIMED else ()))
        for file in files:
            ran = _runs(folder, f"old.{file[-4:]} {file}")
            faults = () if ran else (f"not done within {_PATIENCE} s",)
            note = _beside(program, folder, file, ran) if file.endswith("yaml") else ""
            yield Row(_AREA, _what(folder, size, file), ran, _aim(size), note, faults)


def _aim(size: int) -> Aim:
    return Aim(2, 200) if size == AIMED else Aim()


def _runs(folder: Path, files: str) -> tuple[Ran, ...]:
    """Three runs; none if one takes longer than all patience."""
    try:
        return tuple(run(["timeout", _PATIENCE, *_DIFF, *files.split()], folder) for _ in range(3))
    except CannotMeasure:
        return ()


def _what(folder: Path, size: int, file: str) -> str:
    megabytes = (folder / file).stat().st_size / 1_000_000
    kind = "the same" if file.startswith("same") else "changed"
    return f"{size} operations, {size * PER_OPERATION:,} schemas, {megabytes:.1f} MB {file[-4:].upper()}, {kind}"


def _beside(program: Path | None, folder: Path, file: str, ran: tuple[Ran, ...]) -> str:
    if program is None:
        return "oasdiff: not measured, Go is not there"
    script = f"printf 'old.yaml\\t{file}\\n' | timeout {_PATIENCE} {program} >said.json"
    try:
        theirs = min((run(["sh", "-c", script], folder) for _ in range(3)), key=lambda one: one.cpu)
    except CannotMeasure:
        return f"oasdiff's library: not done within {_PATIENCE} s"
    said = f"oasdiff's library {theirs.seconds:.2f} s, {theirs.cpu:.2f} s of processor, {theirs.megabytes:.0f} MB"
    if not ran:
        return said
    ours = min(ran, key=lambda one: one.cpu)
    return f"{said}: ours takes {ours.cpu / theirs.cpu:.1f} times the processor"
