"""Weights in eight files of which one changes: the price is that file, not the model."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from bench.measure import Ran, commit, lockstep, run, stored
from bench.table import Aim, Row
from bench.weights import write_weights

SHARDS = 8
_MEGA = 1_000_000
_AIM = Aim(megabytes=100)
_SETTLE_SECONDS = 2.5  # a file's time stamp is believed only when it is older than this
_BARE = """
import hashlib, sys
for path in sys.argv[1:]:
    with open(path, "rb") as stream:
        hashlib.file_digest(stream, "sha256")
"""
_COPY = """
import os, pathlib, shutil, sys
source, target = map(pathlib.Path, sys.argv[1:])
target.mkdir()
for path in source.glob("*.bin"):
    with path.open("rb") as stream, (target / path.name).open("wb") as out:
        shutil.copyfileobj(stream, out, 1 << 20)
        out.flush()
        os.fsync(out.fileno())
"""


def rows(scratch: Path, *, quick: bool) -> Iterator[Row]:
    """All shards for the first time, then one changed shard; each beside bare sha256 of the same bytes."""
    megabytes = 4 if quick else 128
    area = f"weights: {SHARDS} files of {megabytes} MB"
    folder = _bundle(scratch, megabytes)
    first = _locked(folder)
    bare = _bare(folder, *range(SHARDS))
    note = _rates(SHARDS * megabytes, first, bare)
    yield Row(area, "weights lock --store, all are new", (first,), _AIM, note)
    os.sync()
    copied = run([sys.executable, "-c", _COPY, str(_shard(folder, 0).parent), str(scratch / "copied")], folder)
    shutil.rmtree(scratch / "copied")
    said = f"what the disk takes: {SHARDS * megabytes / copied.seconds:.0f} MB/s"
    yield Row(area, "bare copy of these files to disk", (copied,), note=said)
    _released(folder, "1.0.0")
    yield from _one_changed(folder, area, megabytes, 1 if quick else 3)


def _one_changed(folder: Path, area: str, megabytes: int, times: int) -> Iterator[Row]:
    locks, bares, releases, faults = [], [], [], []
    for number in range(1, times + 1):
        write_weights(_shard(folder, 3), megabytes)
        time.sleep(_SETTLE_SECONDS)
        before = stored(folder)
        locks.append(_locked(folder))
        bares.append(_bare(folder, 3))
        releases.append(_released(folder, f"1.{number}.0"))
        gained = sum(size for name, size in stored(folder).items() if name not in before)
        if gained > megabytes * _MEGA * 1.01 + 20_000:
            faults.append(f"the store gained {gained:,} bytes for a change of {megabytes} MB")
    rates = _rates(megabytes, _median(locks), _median(bares))
    yield Row(area, "weights lock --store, one file changed", tuple(locks), _AIM, rates, tuple(faults))
    yield Row(area, "lockstep release after it", tuple(releases), _AIM, "reads locks; no weights")
    yield Row(area, "bare sha256 of that file", tuple(bares))


def _bundle(scratch: Path, megabytes: int) -> Path:
    """A new bundle whose echo has eight files of weights."""
    folder = scratch / "weights"
    lockstep(scratch, "init", str(folder))
    path = folder / "components/echo/component.yaml"
    names = ", ".join(f"weights/shard{number}.bin.dvc" for number in range(SHARDS))
    path.write_text(path.read_text(encoding="utf-8") + f"weights: [{names}]\n", encoding="utf-8")
    with (folder / ".gitignore").open("a", encoding="utf-8") as stream:
        stream.write("*.bin\n")
    for number in range(SHARDS):
        write_weights(_shard(folder, number), megabytes)
    os.sync()  # what we wrote ourselves is not part of what is measured
    return folder


def _shard(folder: Path, number: int) -> Path:
    return folder / f"components/echo/weights/shard{number}.bin"


def _locked(folder: Path) -> Ran:
    return lockstep(folder, "weights", "lock", "echo", "--store")


def _bare(folder: Path, *numbers: int) -> Ran:
    return run([sys.executable, "-c", _BARE, *(str(_shard(folder, number)) for number in numbers)], folder)


def _released(folder: Path, version: str) -> Ran:
    commit(folder, f"weights of {version}", f"v{version}")
    return lockstep(folder, "release", version, "-o", "json")


def _median(runs: list[Ran]) -> Ran:
    return sorted(runs, key=lambda ran: ran.seconds)[len(runs) // 2]


def _rates(megabytes: int, ran: Ran, bare: Ran) -> str:
    """Both speeds: the lock makes md5 and sha256 of the file, sha256 of the layer, and writes it to disk."""
    ours, theirs = megabytes / ran.seconds, megabytes / bare.seconds
    said = f"{ours:.0f} MB/s with md5, both sha256 and writing; bare one-core sha256 {theirs:.0f} MB/s"
    return f"{said}; ratio {ours / theirs:.2f}"
