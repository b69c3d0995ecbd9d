"""Files: the only place that writes them. A reader sees the old bytes or the new ones, never a part."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from lockstep.core.errors import OutsideError

_PART = ".lockstep-part-"  # begins the name of whatever is not finished; nobody else has such names

_FREE = "free disk space, then run the same command again"
_LIMIT = "raise the limit on the size of a file (ulimit -f), then run the same command again"
_FIXES = {errno.ENOSPC: _FREE, errno.EDQUOT: _FREE, errno.EFBIG: _LIMIT}


@dataclass
class Part:
    """A file being written. It gets its name, `target`, at the end: a blob's name is the digest of all its bytes."""

    stream: BinaryIO
    target: Path | None = None


@contextlib.contextmanager
def placing(folder: Path) -> Iterator[Part]:
    """A part whose bytes become `part.target` when the block ends well; else, or without a target, they vanish.

    The file is flushed to disk before it is renamed, so a crash leaves the old file or the whole new one. What killed
    processes left unfinished in the folder goes.
    `folder` holds the unfinished file and is on the same file system as the target.

    Raises:
        OutsideError: the disk is full or the folder cannot be written, with the path.
    """
    with wrapped(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        handle, unfinished = _unfinished(folder)
    try:
        with wrapped(folder), os.fdopen(handle, "wb") as stream:
            part = Part(stream)
            yield part
            stream.flush()
            if part.target:
                os.fsync(stream.fileno())
                _rename(unfinished, part.target)  # before it is closed: the lock on it keeps `_sweep` away
    finally:
        unfinished.unlink(missing_ok=True)


def _rename(unfinished: Path, target: Path) -> None:
    with wrapped(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished.chmod(0o644)  # mkstemp makes 0600; the umask must not decide
        unfinished.replace(target)


def _unfinished(folder: Path) -> tuple[int, Path]:
    """A new file and its name; locked while it is open, so that `_sweep` tells it from what a killed process left."""
    while True:
        handle, name = tempfile.mkstemp(dir=folder, prefix=_PART)
        fcntl.flock(handle, fcntl.LOCK_EX)
        if Path(name).exists():
            return handle, Path(name)
        os.close(handle)  # swept in the moment before it was locked


def _sweep(folder: Path) -> None:
    """Removes the unfinished files that killed processes left in the folder; those still being written stay."""
    for left in folder.glob(f"{_PART}*"):
        with contextlib.suppress(OSError), left.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            left.unlink()


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A stream whose bytes become `path` when the block ends well, and vanish when it does not; as in placing.

    Raises:
        OutsideError: the disk is full or the folder cannot be written, with the path.
    """
    with placing(path.parent) as part:
        yield part.stream
        part.target = path


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """An empty folder that becomes `path` when the block ends well, and vanishes when it does not.

    Somebody else may have made `path` meanwhile; theirs is kept then. Files in it are written with put_file.
    """
    with wrapped(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=path.parent, prefix=_PART))
    try:
        yield unfinished
        with wrapped(path):
            unfinished.chmod(0o755)  # mkdtemp makes 0700
            with contextlib.suppress(FileExistsError):
                _rename_new(unfinished, path)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


@contextlib.contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """An empty folder that vanishes when the block ends; for programs that write files of their own."""
    with wrapped(parent):
        parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=_PART))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def spooled() -> Iterator[BinaryIO]:
    """A file without a name, for reading and writing, that vanishes when the block ends. It lies where TMPDIR says."""
    with wrapped(Path(tempfile.gettempdir())), tempfile.TemporaryFile() as stream:
        yield cast("BinaryIO", stream)


def reopened(stream: BinaryIO) -> BinaryIO:
    """The bytes of a spooled stream from the first on; closing them leaves the stream open."""
    stream.flush()
    again = os.fdopen(os.dup(stream.fileno()), "rb")
    again.seek(0)
    return again


def _rename_new(unfinished: Path, path: Path) -> None:
    """Renames a folder. Raises FileExistsError where one stands (rename(2) says ENOTEMPTY for that)."""
    try:
        unfinished.rename(path)
    except OSError as error:
        if error.errno in {errno.ENOTEMPTY, errno.EEXIST}:
            raise FileExistsError(path) from error
        raise


def put_file(path: Path, chunks: Iterable[bytes], mode: int) -> None:
    """Makes one new file below a new_folder; the folder's rename makes it visible, so it is not synced by itself."""
    with wrapped(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as stream:
            stream.writelines(chunks)
        path.chmod(mode)


def put_same(path: Path, source: Path) -> None:
    """Makes `path` another name of the file `source`, on the same file system; its bytes are shared."""
    with wrapped(path):
        path.hardlink_to(source)


def put_folder(path: Path) -> None:
    """Makes one folder below a new_folder."""
    with wrapped(path):
        path.mkdir(parents=True, exist_ok=True)


def put_link(path: Path, target: str) -> None:
    """Makes one new symbolic link below a new_folder."""
    with wrapped(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)


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


def move(source: Path, target: Path) -> None:
    """Renames a file within one file system; what stood at the target is replaced."""
    with wrapped(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)


def remove(path: Path) -> None:
    """Removes a file if it is there."""
    with wrapped(path):
        path.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds an exclusive lock on `path` (made if absent); the kernel frees it however the process ends."""
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
        fix = _FIXES.get(error.errno or 0, "check the path and its permissions")
        raise OutsideError(f"{error.strerror or error}", where=str(path), fix=fix) from error


def remove_folder(path: Path) -> None:
    """Removes a folder with everything in it, if it is there."""
    with wrapped(path), contextlib.suppress(FileNotFoundError):
        shutil.rmtree(path)


def fresh_log(path: Path) -> BinaryIO:
    """An empty, unbuffered stream at `path`; what was there before is kept once, as `path` with `.1` added."""
    with wrapped(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            path.replace(path.with_name(path.name + ".1"))
        return path.open("ab", buffering=0)


@contextlib.contextmanager
def held_together(path: Path, owner: str) -> Iterator[None]:
    """Holds `path` with others who hold it so, and keeps those away that want it alone (held_alone); waits for them.
    `owner` is written in it, for whoever is kept away.
    """
    with wrapped(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("a+b")
    with stream:
        fcntl.flock(stream, fcntl.LOCK_SH)
        _sign(stream, owner)
        yield


@contextlib.contextmanager
def held_alone(path: Path, owner: str) -> Iterator[None]:
    """Holds `path` as long as the block or the process lasts, with `owner` written in it.

    Raises:
        OutsideError: another process holds it; the message names its owner.
    """
    with wrapped(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = path.open("a+b")
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            stream.seek(0)
            other = stream.read().decode(errors="replace").strip()
            what = f"{other or 'another process'} is at work here"
            raise OutsideError(what, where=str(path), fix="stop that one first") from error
        _sign(stream, owner)
        yield


def _sign(stream: BinaryIO, owner: str) -> None:
    """Writes who holds a file into it; only for words, so a full disk does not stop what may free it."""
    with contextlib.suppress(OSError):
        os.truncate(stream.fileno(), 0)
        os.write(stream.fileno(), owner.encode())
