"""A command that writes, killed before any of its steps, leaves everything whole; the same command finishes the work,
and what it leaves in the end is, byte for byte, what a run that nobody kills leaves. Nothing is sent twice.

tests/killing.py finds the steps and does it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from broken.exhibit import EDITS
from killing import in_child
from lockstep.cli.main import COMMANDS
from tiny import _GIT as GIT
from tiny import Tiny, good_tree

TESTS = Path(__file__).resolve().parents[1]
MEMORY = Path("/dev/shm")  # noqa: S108 - a kill is the same in memory as on a disk, and ten times as fast
RETIRE = ["retire", "staging", "--drop", "1.0.0"]
# Name -> command, and before how many steps it is killed at least: a harness that finds no steps proves nothing.
VERBS = {
    "release": (["release", "1.2.0"], 20),
    "stage": (["stage", "staging", "1.2.0"], 7),
    "promote": (["promote", "staging", "1.2.0"], 7),
    "rollback": (["rollback", "staging"], 7),
    "retire": (RETIRE, 7),
    "restore": (["rollback", "staging", "--to", "1.0.0"], 14),
    "lock": (["weights", "lock", "--store"], 6),
    "push": (["push", "1.1.0", "--jobs", "1"], 20),
    "export": (["export", "1.1.0", "release.tar"], 2),
    "import": (["import", "carried.tar"], 30),
}
READING = {"plan", "status", "history", "diff", "trace", "verify", "schema"}
ELSEWHERE = {
    "build": "the steps of release before its commit",
    "init": "a new folder: whoever kills it removes it and begins again",
    "up": "writes only what it runs from; tests/local/test_runner_process.py kills it",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty folder, in memory where there is some."""
    place = MEMORY if os.access(MEMORY, os.W_OK) else tmp_path_factory.mktemp("killed")
    with tempfile.TemporaryDirectory(dir=place, prefix="lockstep-killed-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def scenes(folder: Path) -> Path:
    """The same bundle at the moment before each command, in a folder of its name."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in GIT.items():
            patch.setenv(name, value)
        tiny = good_tree(folder / "bundle")
        tiny.commit("evidence")
        _grow(tiny, folder)
    return folder


def _grow(tiny: Tiny, folder: Path) -> None:
    for verb in ("rollback", "retire", "push", "export", "lock", "import"):
        tiny.copy(folder / verb)
    _lose(Tiny(folder / "lock"), folder)
    assert in_child(folder / "retire", RETIRE)[0] == 0
    (folder / "retire").rename(folder / "restore")
    tiny.copy(folder / "retire")
    tiny.replace("components/front-door/component.yaml", "hello", "good day")
    tiny.replace("components/front-door/src/front_door.py", "Answers every", "Says to every")
    tiny.commit("another greeting, and other code")
    tiny.tag("1.2.0")
    tiny.copy(folder / "release")
    tiny.release("1.2.0")
    tiny.copy(folder / "stage")
    assert in_child(tiny.folder, VERBS["stage"][0])[0] == 0
    tiny.folder.rename(folder / "promote")


def _lose(tiny: Tiny, folder: Path) -> None:
    """What `weights lock --store` and `import` are to bring."""
    EDITS["delete_blob"](tiny, {"image": "model-weights", "blob": "layer"})
    (tiny.folder / "components/model/weights.lock").unlink()
    shutil.rmtree(tiny.folder / ".lockstep/cache")
    assert in_child(folder / "export", ["export", "1.1.0", str(folder / "import/carried.tar")])[0] == 0
    shutil.rmtree(folder / "import/.lockstep")


@pytest.mark.parametrize("verb", VERBS)
def test_a_command_killed_at_any_step_leaves_all_whole_and_its_rerun_completes(
    verb: str, scenes: Path, folder: Path
) -> None:
    words, least = VERBS[verb]
    work = folder / f"work-{verb}"
    work.mkdir()
    command = [sys.executable, "-B", str(TESTS / "killing.py"), str(scenes / verb), str(work), *words]
    paths = os.pathsep.join(map(str, (TESTS, TESTS.parent / "tools")))

    done = subprocess.run(command, env={**os.environ, **GIT, "PYTHONPATH": paths}, capture_output=True, check=False)

    shutil.rmtree(work)
    assert done.returncode == 0, done.stderr.decode()
    report = json.loads(done.stdout)
    assert report["problems"] == []
    assert report["killed"] == report["chosen"], "every run but the first and the reruns was killed"
    assert len(report["chosen"]) >= least


def test_every_command_that_writes_is_killed() -> None:
    killed = {words[0] for words, _ in VERBS.values()}

    assert sorted(killed | READING | ELSEWHERE.keys()) == sorted(COMMANDS)
