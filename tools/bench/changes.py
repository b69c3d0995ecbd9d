"""What a release costs when one thing has changed: a prompt, or code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.measure import Ran, commit, git, lockstep, stored
from bench.table import Aim, Row

ROOT = Path(__file__).resolve().parents[2]
_NEW_FILES_OF_A_LAYER = 3  # the layer, the image's configuration and its manifest


@dataclass(frozen=True)
class Bundle:
    """A bundle to change, and the two files in it that are changed by adding a line."""

    folder: Path
    title: str
    prompt: str
    code: str


@dataclass(frozen=True)
class Released:
    """One release after one change: what it cost, what it said, and the files and bytes that the store gained."""

    ran: Ran
    new_files: int
    new_bytes: int

    @property
    def built(self) -> int:
        """Runtimes built."""
        return len(self.ran.data["built"])

    @property
    def inside(self) -> float:
        """Seconds without the interpreter's start and the imports, as the command itself says."""
        return float(self.ran.data["seconds"])


def rows(scratch: Path, *, quick: bool) -> Iterator[Row]:
    """The first release, then one per change, in turns."""
    bundle = _started(scratch) if quick else _cloned(scratch)
    area = f"one change, plan to commit: {bundle.title}"
    yield Row(area, "first release (all is built)", (_first(bundle),))
    prompts, codes = [], []
    for number in range(2 if quick else 5):
        prompts.append(_changed(bundle, bundle.prompt, f"1.{number}.1", "Be polite.\n"))
        codes.append(_changed(bundle, bundle.code, f"1.{number}.2", f"# change {number}\n"))
    yield _row(area, "lockstep release, one prompt", prompts, Aim(seconds=1), expected=0)
    yield _row(area, "lockstep release, code of one component", codes, Aim(seconds=2), expected=_NEW_FILES_OF_A_LAYER)


def _cloned(scratch: Path) -> Bundle:
    folder = scratch / "documents"
    git(scratch, "clone", "-q", "--no-hardlinks", str(ROOT), str(folder))
    git(folder, "checkout", "-q", "-B", "main")
    summarizer = "components/summarizer"
    return Bundle(
        folder,
        "this repository, 5 components",
        f"{summarizer}/prompts/summary.prompt",
        f"{summarizer}/src/summarizer/app.py",
    )


def _started(scratch: Path) -> Bundle:
    lockstep(scratch, "init", "small")
    hello = "components/hello"
    return Bundle(
        scratch / "small",
        "a new bundle, 2 components",
        f"{hello}/prompts/greeting.prompt",
        f"{hello}/src/hello/gate.py",
    )


def _first(bundle: Bundle) -> Ran:
    git(bundle.folder, "tag", "-f", "v1.0.0")
    return lockstep(bundle.folder, "release", "1.0.0", "-o", "json")


def _changed(bundle: Bundle, path: str, version: str, line: str) -> Released:
    """A release after a line was added to a file."""
    with (bundle.folder / path).open("a", encoding="utf-8") as stream:
        stream.write(line)
    commit(bundle.folder, f"change {path}", f"v{version}")
    before = stored(bundle.folder)
    ran = lockstep(bundle.folder, "release", version, "-o", "json")
    new = [size for name, size in stored(bundle.folder).items() if name not in before]
    return Released(ran, len(new), sum(new))


def _row(area: str, what: str, releases: list[Released], aim: Aim, *, expected: int) -> Row:
    """A row that also says whether no more was built and stored than had to be."""
    built, files = sum(one.built for one in releases), max(one.new_files for one in releases)
    inside = median(one.inside for one in releases)
    stored_bytes = max(one.new_bytes for one in releases)
    note = f"{built} builds, {stored_bytes:,} bytes stored; {inside:.3f} s of it after start and imports"
    faults = [f"{built} runtimes were built"] if built else []
    if any(one.new_files != expected for one in releases):
        faults.append(f"the store gained up to {files} files instead of {expected}")
    return Row(area, what, tuple(one.ran for one in releases), aim, note, tuple(faults))
