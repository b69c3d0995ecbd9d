"""Runs commands as a user would and says what each cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOOLS = Path(__file__).resolve().parent.parent
LOCKSTEP = (sys.executable, "-c", "import sys; from lockstep.cli.main import main; sys.exit(main())")
_KILO = 1000
_WHO = {f"GIT_{role}_{what}": f"bench@{role}.test" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
# Git collects garbage in the background after some commits; that would land in somebody else's row.
_GIT = {
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "gc.auto",
    "GIT_CONFIG_VALUE_0": "0",
    "GIT_CONFIG_GLOBAL": os.devnull,
}
_ENVIRONMENT = {**os.environ, **_WHO, **_GIT, "PYTHONPATH": str(TOOLS)}


class CannotMeasure(Exception):  # noqa: N818 - an answer: the row is shown without numbers
    """A command that should have worked did not; the text says which and why."""


@dataclass(frozen=True)
class Ran:
    """What one command cost and said.

    Args:
        seconds: From its start to its end, interpreter and all.
        cpu: Seconds of processor time of its whole tree; steadier than `seconds` where others use the machine.
        megabytes: Peak memory (10^6 bytes) of the largest process of its tree.
        stdout: What it printed.
    """

    seconds: float
    cpu: float
    megabytes: float
    stdout: str

    @property
    def data(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.stdout)


def run(command: Sequence[str], folder: Path) -> Ran:
    """What a command cost.

    Memory is what the kernel counted: ru_maxrss of wait4 is the largest of the process and of all that it waited for.
    It begins with our own size at the fork, so this program imports nothing large. Source: wait4(2), getrusage(2).

    Raises:
        CannotMeasure: it failed.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=_ENVIRONMENT, stdin=subprocess.DEVNULL, stdout=out, stderr=errors
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        errors.seek(0)
        if process.returncode:
            tail = errors.read().decode(errors="replace").strip()[-600:]
            raise CannotMeasure(f"{' '.join(command[-4:])} ended with {process.returncode}: {tail}")
        cpu = usage.ru_utime + usage.ru_stime
        return Ran(seconds, cpu, usage.ru_maxrss * 1024 / _KILO**2, out.read().decode())


def lockstep(folder: Path, *arguments: str) -> Ran:
    """What a command of Lockstep cost."""
    return run([*LOCKSTEP, *arguments], folder)


def git(folder: Path, *arguments: str) -> str:
    """What a git command printed."""
    return run(["git", *arguments], folder).stdout.strip()


def commit(folder: Path, message: str, tag: str = "") -> None:
    """Commits everything, and tags it if a tag is given."""
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "--no-gpg-sign", "-m", message)
    if tag:
        git(folder, "tag", tag)


def stored(folder: Path) -> dict[str, int]:
    """Bytes of every blob in a bundle's store, by digest."""
    return {path.name: path.stat().st_size for path in (folder / ".lockstep/store/blobs/sha256").glob("*")}
