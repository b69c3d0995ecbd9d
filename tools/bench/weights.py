"""Generated weights: a file of random bytes and the pointer that DVC would write for it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

_MEGA = 1_000_000


def write_weights(path: Path, megabytes: int) -> None:
    """Writes new random bytes (10^6 for each megabyte) to a file, and its pointer beside it."""
    md5 = hashlib.md5(usedforsecurity=False)
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as stream:
        for _ in range(megabytes):
            chunk = os.urandom(_MEGA)
            md5.update(chunk)
            stream.write(chunk)
    pointer = f"outs:\n- md5: {md5.hexdigest()}\n  size: {megabytes * _MEGA}\n  hash: md5\n  path: {path.name}\n"
    path.with_name(path.name + ".dvc").write_text(pointer, encoding="utf-8")
