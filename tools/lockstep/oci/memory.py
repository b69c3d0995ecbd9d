"""What is remembered of uploads that are under way, so that a later run goes on where this one was interrupted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lockstep.adapters import files
from lockstep.core.errors import OutsideError
from lockstep.core.names import digest_of

PIECE = 64 << 20  # bytes; what an interrupted upload sends again at most


@dataclass(frozen=True)
class Memory:
    """Where uploads that are under way are remembered: one small file each. Without a folder, nowhere.

    Args:
        folder: Of these files.
        piece: Bytes that go up between two memories; a blob of no more than that goes up at once.
    """

    folder: Path | None = None
    piece: int = PIECE

    def recall(self, upload: str) -> str:
        """The address at which an upload goes on; empty if none is known. `upload` is its repository and digest."""
        path = self._file(upload)
        if path is not None:
            with suppress(OutsideError, ValueError, KeyError, TypeError):
                known = json.loads(files.read(path))
                return str(known["address"]) if known["upload"] == upload else ""
        return ""

    def remember(self, upload: str, address: str) -> None:
        """Keeps the address; the last one counts."""
        if path := self._file(upload):
            files.write(path, json.dumps({"upload": upload, "address": address}).encode())

    def forget(self, upload: str) -> None:
        """Drops it, once it is done or cannot go on."""
        if path := self._file(upload):
            files.remove(path)

    @contextmanager
    def alone(self, upload: str) -> Iterator[bool]:
        """Waits until nobody else on this machine works on this upload. Whether somebody may have done so."""
        path = self._file(upload)
        if path is None:
            yield False
            return
        with files.locked(path.with_name(f"{path.name[:2]}.lock")):
            yield True

    def _file(self, upload: str) -> Path | None:
        return self.folder / f"{digest_of(upload.encode()).hex[:32]}.json" if self.folder else None
