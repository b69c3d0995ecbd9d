"""Files: the only place that writes them. A reader sees the old bytes or the new ones, never a part."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from lockstep.core.errors import OutsideError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A stream whose bytes become `path` when the block ends well, and vanish when it does not.

    The file is flushed to disk before it is renamed, so a crash leaves the old file or the whole new one.

    Raises:
        OutsideError: the disk is full or the folder cannot be written, with the path.
    """
    with wrapped(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".part-")
    part = Path(name)
    try:
        with wrapped(path), os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        with wrapped(path):
            part.chmod(0o644)  # mkstemp makes 0600; the umask must not decide
            part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write(path: Path, data: bytes) -> None:
    """Writes all bytes or none."""
    with replacing(path) as stream:
        stream.write(data)


def read(path: Path) -> bytes:
    """The file's bytes.

    Raises:
        OutsideError: it cannot be read.
    """
    with wrapped(path):
        return path.read_bytes()


def remove(path: Path) -> None:
    """Removes a file if it is there."""
    with wrapped(path):
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds an exclusive lock on `path` (made if absent); the kernel frees it when the process ends, however it ends."""
    with wrapped(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("ab")
    with stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def wrapped(path: Path) -> Iterator[None]:
    """Turns an OSError of the block into an OutsideError that names the path and the fix."""
    try:
        yield
    except OSError as error:
        fix = "free disk space, then run the same command again" if error.errno in {errno.ENOSPC, errno.EDQUOT} else "check the path and its permissions"
        raise OutsideError(f"{error.strerror or error}", where=str(path), fix=fix) from error
