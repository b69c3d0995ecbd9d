"""Processes: the only place that starts programs. No shell, no inherited standard input."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lockstep.core.errors import OutsideError

_PR_SET_PDEATHSIG = 1  # include/uapi/linux/prctl.h
_TICK = 1.0  # seconds


@dataclass(frozen=True)
class Output:
    """What a finished program left: its exit code and both streams, as bytes."""

    code: int
    stdout: bytes
    stderr: bytes


def run(
    command: Sequence[str],
    *,
    folder: Path | None = None,
    stdin: bytes = b"",
    environment: Mapping[str, str] | None = None,
    limit: float | None = None,
) -> Output:
    """The output of a program, whatever its exit code.

    Args:
        command: Program and arguments; no shell reads them.
        folder: Working folder.
        stdin: Bytes it may read.
        environment: Variables added to ours.
        limit: Seconds that it may take; None for any number.

    Raises:
        OutsideError: the program is not installed, cannot be started, or took too long and was killed.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            input=stdin,
            capture_output=True,
            check=False,
            env={**os.environ, **(environment or {})},
            timeout=limit,
        )
    except OSError as error:
        raise _unstarted(command, error) from error
    except subprocess.TimeoutExpired as error:
        raise OutsideError(
            f"{command[0]} gave no answer for {limit:g} s and was ended",
            where=" ".join(command),
            fix=f"see why it hangs: {' '.join(command)}",
        ) from error
    return Output(done.returncode, done.stdout, done.stderr)


def checked(
    command: Sequence[str],
    *,
    folder: Path | None = None,
    stdin: bytes = b"",
    environment: Mapping[str, str] | None = None,
) -> bytes:
    """The standard output of a program that must succeed.

    Raises:
        OutsideError: it cannot be started or ends with another code than 0; carries the end of its error stream.
    """
    output = run(command, folder=folder, stdin=stdin, environment=environment)
    if output.code:
        tail = output.stderr.decode(errors="replace").strip()[-2000:]
        raise OutsideError(
            f"{command[0]} failed with exit code {output.code}: {tail}",
            where=" ".join(command),
            fix="see the message of that program",
        )
    return output.stdout


def watched(command: Sequence[str], folder: Path, tick: Callable[[], None]) -> Output:
    """The output of a program that may take long, whatever its exit code; it dies with this process.

    Args:
        command: Program and arguments; no shell reads them.
        folder: Working folder.
        tick: Called every second while it runs, and once when it has ended.

    Raises:
        OutsideError: the program is not installed or cannot be started.
    """
    try:
        child = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - one system call, no lock is taken
        )  # fmt: skip
    except OSError as error:
        raise _unstarted(command, error) from error
    with child:
        try:
            while True:
                with suppress(subprocess.TimeoutExpired):
                    stdout, stderr = child.communicate(timeout=_TICK)
                    break
                tick()
        except BaseException:
            child.kill()
            raise
    tick()
    return Output(child.returncode, stdout, stderr)


def logged(
    command: Sequence[str], stdin: IO[bytes], log: IO[bytes], *, environment: Mapping[str, str] | None = None
) -> int:
    """The exit code of a program that reads a file and whose both streams go to a log; it dies with this process.

    Raises:
        OutsideError: the program is not installed or cannot be started.
    """
    try:
        child = subprocess.Popen(
            command, stdin=stdin, stdout=log, stderr=log, env={**os.environ, **(environment or {})},
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - one system call, no lock is taken
        )  # fmt: skip
    except OSError as error:
        raise _unstarted(command, error) from error
    with child:
        try:
            return child.wait()
        except BaseException:
            child.kill()
            raise


def start(
    command: Sequence[str], *, folder: Path, environment: Mapping[str, str], log: IO[bytes]
) -> subprocess.Popen[bytes]:
    """A running program in a process group of its own that dies with this process, even when that is killed.

    `environment` is the program's whole environment. Both of its streams go to `log`.

    Raises:
        OutsideError: it cannot be started.
    """
    try:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - one system call, no lock is taken
        )
    except OSError as error:
        raise OutsideError(
            f"cannot start {command[0]}: {error.strerror}",
            where=" ".join(command),
            fix=f"install {command[0]} or correct `command:`",
        ) from error


def _die_with_parent() -> None:
    """Asks the kernel to kill this child when the thread that started it ends. Source: prctl(2), PR_SET_PDEATHSIG."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _unstarted(command: Sequence[str], error: OSError) -> OutsideError:
    return OutsideError(
        f"cannot start {command[0]}: {error.strerror}",
        where=" ".join(command),
        fix=f"install {command[0]} or put it on the PATH",
    )
