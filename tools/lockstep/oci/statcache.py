"""What is known about files that have not changed: so that weights are hashed once and not at every command.

A file counts as unchanged if path, inode, size, modification time and change time are. The change time is
there because a copy can keep the modification time; nothing can set the change time back.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lockstep.adapters import files
from lockstep.core.document import format_json
from lockstep.core.names import Digest, DvcMd5

_FORM = 1  # of the file; another number is not read
_TICK = 50_000_000  # ns; two changes within one tick of the kernel's clock (1 to 10 ms) look like one


@dataclass(frozen=True)
class Stamp:
    """A file's path and how it stood: inode, size in bytes, modification and change time in ns."""

    path: str
    inode: int
    size: int
    modified: int
    changed: int


@dataclass(frozen=True)
class Hashes:
    """What one pass over a file found; `layer` is the one-file layer that has the file under `name`."""

    name: str
    md5: DvcMd5
    sha256: Digest
    layer: Digest


def stamp_of(path: Path) -> Stamp:
    """How the file stands now."""
    with files.wrapped(path):
        found = path.stat()
    return Stamp(str(path.resolve()), found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def settled(path: Path, stamp: Stamp) -> bool:
    """Whether the file still stands so, and a change from now on would show in its times; waits for that, a tick at
    most.
    """
    age = time.time_ns() - stamp.changed
    if 0 <= age <= _TICK:
        time.sleep((_TICK - age) / 1e9)
    return time.time_ns() - stamp.changed >= _TICK and stamp_of(path) == stamp


def read_cache(path: Path) -> dict[Stamp, Hashes]:
    """What the cache file says; empty if there is none or it is not understood, for it can always be made
    again.
    """
    try:
        data = json.loads(path.read_bytes().decode("utf-8", "surrogateescape"))
        if data["form"] != _FORM:
            return {}
        return {Stamp(*key): Hashes(name, DvcMd5(md5), Digest(sha256), Digest(layer))
                for key, (name, md5, sha256, layer) in data["files"]}  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def write_cache(path: Path, known: Mapping[Stamp, Hashes]) -> None:
    """Writes the cache file, without what is said of files that are gone; the last of two writers wins, which
    costs a pass at most.
    """
    pairs = [
        [
            [stamp.path, stamp.inode, stamp.size, stamp.modified, stamp.changed],
            [hashes.name, hashes.md5, hashes.sha256, hashes.layer],
        ]
        for stamp, hashes in known.items()
        if os.path.exists(stamp.path)  # noqa: PTH110 - a string from a file, tested as it stands
    ]
    # A path is bytes: what a locale cannot decode is written as it stands.
    text = format_json({"form": _FORM, "files": sorted(pairs)})
    files.write(path, text.encode("utf-8", "surrogateescape"))
