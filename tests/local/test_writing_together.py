"""Two people who write at once: one is first, the other is told so, nothing is half-written, a rerun works.

A run is held where it begins to commit by Python's own audit events; nothing of Lockstep is patched, and nobody sleeps.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tiny import _GIT as GIT
from tiny import Tiny, next_tagged

HERE = Path(__file__).resolve()
PATHS = os.pathsep.join(map(str, (HERE.parents[1], HERE.parents[2] / "tools")))
AGAIN = "run the same command again"
RELEASE, STAGE = ["release", "1.2.0"], ["stage", "production", "1.0.0"]


def by_its_owner(tiny: Tiny) -> dict[str, str]:
    """The variables of a run; each clone has a committer of its own, or equal commits would be one."""
    return {**os.environ, **GIT, "PYTHONPATH": PATHS, "GIT_COMMITTER_NAME": tiny.folder.name}


@dataclass
class Held:
    """A run that waits where it begins to commit."""

    process: subprocess.Popen[str]

    def goes_on(self) -> tuple[int, str]:
        """Exit code and error stream of the rest of it."""
        errors = self.process.communicate("go\n", timeout=60)[1]
        return self.process.returncode, errors


@contextmanager
def held(tiny: Tiny, words: list[str]) -> Iterator[Held]:
    """A run of these words, held."""
    command = [sys.executable, "-B", str(HERE), *words, "-C", str(tiny.folder)]
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, env=by_its_owner(tiny), text=True, **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n", process.communicate()[1]
        yield Held(process)


def begun(tiny: Tiny, words: list[str]) -> subprocess.Popen[str]:
    """A run of these words, as anybody starts it."""
    command = [sys.executable, "-B", "-m", "lockstep.cli.main", *words, "-C", str(tiny.folder)]
    return subprocess.Popen(command, env=by_its_owner(tiny), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit code and error stream."""
    errors = process.communicate(timeout=60)[1]
    return process.returncode, errors


def run(tiny: Tiny, words: list[str]) -> tuple[int, str]:
    """Exit code and error stream of a whole run."""
    return ended(begun(tiny, words))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in GIT.items():
            patch.setenv(name, value)
        return next_tagged(tmp_path_factory.mktemp("together") / "bundle")


@pytest.fixture
def tiny(served: Tiny, tmp_path: Path) -> Tiny:
    return served.copy(tmp_path / "bundle")


def _is_whole(tiny: Tiny) -> bool:
    """The working copy is what the branch says, and Git finds nothing broken."""
    return tiny.git("status", "--porcelain") == "" and tiny.git("fsck", "--no-dangling", "--no-progress") == ""


def _has(tiny: Tiny, path: str) -> bool:
    return tiny.git("ls-tree", "-r", "--name-only", "main", "--", path) != ""


def test_in_one_clone_the_second_is_told_and_its_rerun_succeeds(tiny: Tiny) -> None:
    with held(tiny, RELEASE) as release:
        assert run(tiny, STAGE)[0] == 0
        code, errors = release.goes_on()

    assert code == 1
    assert AGAIN in errors
    assert not _has(tiny, "releases/1.2.0")
    assert _is_whole(tiny)
    assert run(tiny, RELEASE)[0] == 0
    assert _has(tiny, "releases/1.2.0/release.yaml")
    assert _has(tiny, "releases/production/instances")
    assert _is_whole(tiny)


def test_in_one_clone_the_same_release_is_made_once(tiny: Tiny) -> None:
    with held(tiny, RELEASE) as second:
        assert run(tiny, RELEASE)[0] == 0
        first = tiny.git("rev-parse", "main")
        code, errors = second.goes_on()

    assert (code, AGAIN in errors) == (1, True)
    assert tiny.git("rev-parse", "main") == first
    assert _is_whole(tiny)
    code, errors = run(tiny, RELEASE)
    assert (code, "nothing to do" in errors) == (0, True)


def test_in_one_clone_a_real_race_has_a_winner_and_a_rerun_that_succeeds(tiny: Tiny) -> None:
    before = tiny.git("rev-list", "--count", "main")

    racing = [(words, begun(tiny, words)) for words in (RELEASE, STAGE)]
    results = [(words, *ended(process)) for words, process in racing]

    assert 0 in [code for _, code, _ in results]
    for words, code, errors in results:
        if code:
            assert (code, AGAIN in errors) == (1, True), errors
            assert run(tiny, words)[0] == 0
    assert int(tiny.git("rev-list", "--count", "main")) == int(before) + 2
    assert _is_whole(tiny)


@pytest.fixture
def clones(tiny: Tiny, tmp_path: Path) -> tuple[Tiny, Tiny]:
    """Two clones of one bare repository."""
    tiny.git("clone", "-q", "--bare", str(tiny.folder), str(tmp_path / "remote.git"))
    for name in ("one", "two"):
        tiny.git("clone", "-q", str(tmp_path / "remote.git"), str(tmp_path / name))
    return Tiny(tmp_path / "one"), Tiny(tmp_path / "two")


@pytest.mark.parametrize("first", [STAGE, RELEASE])
def test_in_two_clones_the_second_starts_again_from_the_first(clones: tuple[Tiny, Tiny], first: list[str]) -> None:
    one, two = clones
    push = ["--push", "origin"]

    with held(two, [*RELEASE, *push]) as second:
        assert run(one, [*first, *push])[0] == 0
        code, errors = second.goes_on()

    assert (code, "starting again from there" in errors) == (0, True), errors
    assert _has(two, "releases/1.2.0/release.yaml")
    assert _has(two, "releases/production/instances") == (first is STAGE)
    assert int(two.git("rev-list", "--count", "main", "--not", "v1.2.0")) == (2 if first is STAGE else 1)
    assert two.git("ls-remote", "origin", "refs/heads/main").split()[0] == two.git("rev-parse", "main")
    assert _is_whole(two)


def _hold_at_the_commit() -> None:
    waited = []

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open" and not waited and str(arguments[0]).endswith(".git/lockstep.lock"):
            waited.append(event)
            os.write(1, b"held\n")
            os.read(0, 10)

    sys.addaudithook(audit)


if __name__ == "__main__":
    from lockstep.cli.main import main

    _hold_at_the_commit()
    sys.exit(main(sys.argv[1:]))
