"""A disk that takes no more bytes, and two tools at once on one store: an error with a fix or none, and in the end all
is, byte for byte, as after one quiet run.
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fakes import FakeRegistry, serving
from killing import DONE, in_child, state_of
from scenes import VERBS, set_scenes
from tiny import _GIT as GIT
from tiny import Tiny, set_identity

TOOLS = Path(__file__).resolve().parents[2] / "tools"
FULL = ("release", "lock", "import", "export", "promote")
TOGETHER = ("build", "lock", "import", "push")
WORDS = {**{verb: words for verb, (words, _) in VERBS.items()}, "build": ["build", "v1.2.0"]}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    set_scenes(folder)
    (folder / "release").rename(folder / "build")
    shutil.copytree(folder / "build", folder / "release", symlinks=True)
    return folder


@pytest.fixture(autouse=True)
def _identity(monkeypatch: pytest.MonkeyPatch) -> None:
    set_identity(monkeypatch)


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry(page=1000)


def begun(folder: Path, verb: str, limit: int = -1) -> subprocess.Popen[str]:
    """The command of a scene in a process of its own; with a limit, the kernel lets no file grow beyond it."""
    command = [sys.executable, "-B", "-m", "lockstep.cli.main", *WORDS[verb]]

    def limited() -> None:
        if limit >= 0:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **GIT, "PYTHONPATH": str(TOOLS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=limited,  # noqa: PLW1509 - one system call, no lock is taken
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and error stream."""
    errors = process.communicate(timeout=60)[1]
    return process.returncode, errors


def quiet(source: Path, folder: Path, verb: str, registry: FakeRegistry) -> dict[str, Any]:
    """What one run leaves that nothing disturbs."""
    shutil.copytree(source, folder, symlinks=True)
    assert ended(begun(folder, verb))[0] == 0
    found = state_of(folder, registry)
    vars(registry).update(vars(FakeRegistry(page=1000)))
    return found


def limits() -> Iterator[int]:
    yield 0
    yield from (64 * 6**number for number in range(8))


@pytest.mark.parametrize("verb", FULL)
def test_a_disk_that_takes_no_more_is_said_and_the_rerun_completes(
    verb: str, scenes: Path, registry: FakeRegistry, tmp_path: Path
) -> None:
    wanted = quiet(scenes / verb, tmp_path / "quiet", verb, registry)
    failed = 0

    for limit in limits():
        folder = tmp_path / str(limit)
        shutil.copytree(scenes / verb, folder, symlinks=True)
        before = Tiny(folder).git("for-each-ref")
        code, errors = ended(begun(folder, verb, limit))
        if code == 0:
            break
        failed += 1
        assert (code, "Traceback" in errors) == (3, False), errors
        assert "where:" in errors
        assert "fix:" in errors
        assert Tiny(folder).git("for-each-ref") in {before, wanted["refs"]}, "all of the commit, or nothing of it"
        code, errors = in_child(folder, WORDS[verb])
        assert code == 0 or any(done in errors for done in DONE), errors
        assert state_of(folder, registry) == wanted
        code = 3

    assert code == 0
    assert failed > 1


@pytest.mark.parametrize("verb", TOGETHER)
def test_two_at_once_on_one_store_both_succeed_and_do_it_once(
    verb: str, scenes: Path, registry: FakeRegistry, tmp_path: Path
) -> None:
    with serving(registry) as host:
        source = tmp_path / "source"
        shutil.copytree(scenes / verb, source, symlinks=True)
        tiny = Tiny(source)
        tiny.replace("lockstep.yaml", "lockstep.local/tiny", f"{host}/team/tiny")
        tiny.git("commit", "-q", "-m", "a registry", "lockstep.yaml")
        wanted = quiet(source, tmp_path / "quiet", verb, registry)

        tools = [begun(source, verb) for _ in range(2)]
        results = [ended(tool) for tool in tools]

        assert [code for code, _ in results] == [0, 0], results
        assert state_of(source, registry) == wanted
        assert sorted(registry.stored) == sorted(set(registry.stored)), "nothing is sent twice"
        assert bool(registry.stored) == (verb == "push")
