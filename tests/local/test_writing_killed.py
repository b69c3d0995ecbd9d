"""A writing verb that is killed at any step leaves a whole repository, and the same command finishes the work.

The steps are not listed here: a run without a kill counts them, by Python's own audit events (every file opened for
writing, renamed or removed, every folder made, every Git command but those of READS). Then a run is killed before each
of them; where there are more than MOST, before a sample of them.
Nothing of Lockstep is patched. Runs are forks of one process, because starting Python takes longer than the verb.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tiny import _GIT as GIT
from tiny import Tiny, good_tree

HERE = Path(__file__).resolve()
READS = {"rev-parse", "cat-file", "ls-tree", "log", "merge-base", "symbolic-ref", "var", "diff-index", "diff"}
RETIRE = ["retire", "staging", "--drop", "1.0.0"]
VERBS = {
    "release": ["release", "1.2.0"],
    "stage": ["stage", "staging", "1.2.0"],
    "promote": ["promote", "staging", "1.2.0"],
    "rollback": ["rollback", "staging"],
    "retire": RETIRE,
    "restore": ["rollback", "staging", "--to", "1.0.0"],
    "lock": ["weights", "lock", "--store"],
}
# A command whose work is done refuses to do it twice, in words.
DONE = ("release 1.2.0 exists", "it is rolled back already", "release 1.0.0 serves in staging already")
MOST = 9  # more steps than this are sampled: first and last, all around the moves of the branch, some others


@dataclass(frozen=True)
class Scenes:
    """The same bundle at the moment before each verb."""

    folder: Path

    def before(self, verb: str) -> Path:
        """The folder to copy."""
        return self.folder / verb


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Scenes:
    folder = tmp_path_factory.mktemp("scenes")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in GIT.items():
            patch.setenv(name, value)
        tiny = good_tree(folder / "bundle")
        tiny.commit("evidence")
        _grow(tiny, folder)
    return Scenes(folder)


def _grow(tiny: Tiny, folder: Path) -> None:
    for verb in ("rollback", "retire"):
        tiny.copy(folder / verb)
    assert _in_child(folder / "retire", RETIRE, _nothing)[0] == 0
    (folder / "retire").rename(folder / "restore")
    tiny.copy(folder / "retire")
    tiny.replace("components/front-door/component.yaml", "hello", "good day")
    tiny.commit("another greeting")
    tiny.tag("1.2.0")
    tiny.copy(folder / "release")
    tiny.release("1.2.0")
    tiny.copy(folder / "stage")
    assert _in_child(tiny.folder, VERBS["stage"], _nothing)[0] == 0
    tiny.copy(folder / "promote")
    tiny.folder.rename(folder / "lock")
    (folder / "lock/components/model/weights.lock").unlink()
    shutil.rmtree(folder / "lock/.lockstep")


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_killed_at_any_step_leaves_a_whole_repository_and_runs_again(
    verb: str, scenes: Scenes, tmp_path: Path
) -> None:
    command = [sys.executable, "-B", str(HERE), str(scenes.before(verb)), str(tmp_path), *VERBS[verb]]
    environment = {
        **os.environ,
        **GIT,
        "PYTHONPATH": os.pathsep.join(map(str, (HERE.parents[1], HERE.parents[2] / "tools"))),
    }

    done = subprocess.run(command, env=environment, capture_output=True, check=False)

    assert done.returncode == 0, done.stderr.decode()
    report = json.loads(done.stdout)
    assert report["problems"] == []
    assert report["killed"] == [*report["chosen"]], "every run but the last was killed"
    assert report["steps"] >= (3 if verb == "lock" else 6)


def _nothing() -> None:
    """No hook."""


def _in_child(folder: Path, arguments: list[str], prepare: Callable[[], None]) -> tuple[int, str]:
    """Exit code (negative: the signal) and error stream of a Lockstep command in a fork."""
    errors = folder.parent / f"{folder.name}.errors"
    child = os.fork()
    if child == 0:
        code = 99
        with contextlib.suppress(BaseException):
            code = _run(folder, arguments, prepare, errors)
        os._exit(code)
    status = os.waitpid(child, 0)[1]
    return os.waitstatus_to_exitcode(status), errors.read_text(errors="replace") if errors.exists() else ""


def _run(folder: Path, arguments: list[str], prepare: Callable[[], None], errors: Path) -> int:
    from lockstep.cli.main import main  # noqa: PLC0415

    stream = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(stream, 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.chdir(folder)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", buffering=1)
    prepare()
    return main(arguments)


def _label(event: str, arguments: tuple[Any, ...]) -> str:
    """What a step writes, in words; empty for an event that writes nothing."""
    if event == "subprocess.Popen":
        words = [str(word) for word in arguments[1]]
        return "" if words[0] == "git" and words[1] in READS else " ".join(words[:3])
    if event == "open":
        path, _, flags = arguments
        writes = isinstance(path, str | bytes | os.PathLike) and flags & (
            os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
        )
        return f"open {path}" if writes and path != os.devnull else ""
    if event in {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate"}:
        return f"{event} {arguments[0]}"
    return ""


def _hook(react: Callable[[str], None]) -> Callable[[], None]:
    def prepare() -> None:
        def audit(event: str, arguments: tuple[Any, ...]) -> None:
            if label := _label(event, arguments):
                react(label)

        sys.addaudithook(audit)

    return prepare


def _killer(step: int) -> Callable[[], None]:
    left = [step]

    def react(_: str) -> None:
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1

    return _hook(react)


def _counted(folder: Path, arguments: list[str]) -> list[str]:
    """The labels of every writing step of a whole run; written down by the run itself, through a pipe."""
    reader, writer = os.pipe()
    code, errors = _in_child(folder, arguments, _hook(lambda label: os.write(writer, f"{label}\0".encode()) and None))
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        labels = stream.read().decode().split("\0")[:-1]
    if code:
        raise RuntimeError(f"the run without a kill ends with {code}: {errors}")
    return labels


def chosen(labels: list[str]) -> list[int]:
    """The steps to kill before: all; if there are many, first, last, around each move of the branch, some others."""
    if len(labels) <= MOST:
        return list(range(len(labels)))
    moves = [index for index, label in enumerate(labels) if label.startswith("git update-ref -m")]
    around = {index + step for index in moves for step in (0, 1, 2, 4) if index + step < len(labels)}
    return sorted({0, *range(2, len(labels), -(-len(labels) // 3)), *around, len(labels) - 1})


def _state(folder: Path) -> dict[str, str]:
    """What must be the same in the end: the branch's tree, what the working copy says, and every lock."""
    git = Tiny(folder).git
    lock = folder / "components/model/weights.lock"
    return {
        "tree": git("rev-parse", "main^{tree}"),
        "status": git("status", "--porcelain", "--untracked-files=all"),
        "lock": lock.read_text() if lock.exists() else "",
    }


def _check(source: Path, work: Path, arguments: list[str], step: int, wanted: dict[str, str]) -> tuple[bool, list[str]]:
    """Whether the run was killed, and what is wrong after it and after its rerun."""
    folder = work / f"at-{step}"
    shutil.copytree(source, folder, symlinks=True)
    was = Tiny(folder).git("rev-parse", "main")
    code, errors = _in_child(folder, arguments, _killer(step))
    problems = [] if code == -signal.SIGKILL else [f"not killed: {code} {errors}"]
    problems += _after_kill(folder, was)
    code, errors = _in_child(folder, arguments, _nothing)
    if code and not (code == 1 and any(words in errors for words in DONE)):
        problems.append(f"the rerun ends with {code}: {errors}")
    found = _state(folder)
    problems += [f"{key} is {found[key]!r}, not {wanted[key]!r}" for key in wanted if found[key] != wanted[key]]
    return not problems or problems[0][:3] != "not", problems


def _after_kill(folder: Path, was: str) -> list[str]:
    git = Tiny(folder).git
    problems = [line for line in git("fsck", "--no-dangling", "--no-progress").splitlines() if line]
    now = git("rev-parse", "main")
    if now != was and was not in git("rev-list", "main").split():
        problems.append(f"main went from {was} to {now}, which does not follow it")
    merged = git("diff", "--name-only", "--diff-filter=U")
    return problems + ([f"the index has conflicts: {merged}"] if merged else [])


def _drive(source: Path, work: Path, arguments: list[str]) -> dict[str, Any]:
    whole = work / "whole"
    shutil.copytree(source, whole, symlinks=True)
    labels = _counted(whole, arguments)
    wanted = _state(whole)
    steps, killed, problems = chosen(labels), [], []
    for step in steps:
        was_killed, found = _check(source, work, arguments, step, wanted)
        killed += [step] if was_killed else []
        problems += [f"killed before step {step} ({labels[step]}): {problem}" for problem in found]
        shutil.rmtree(work / f"at-{step}")
    return {"steps": len(labels), "labels": labels, "chosen": steps, "killed": killed, "problems": problems}


if __name__ == "__main__":
    import lockstep.cli.environments
    import lockstep.cli.releasing
    import lockstep.cli.weights
    import lockstep.verbs.promote
    import lockstep.verbs.release
    import lockstep.verbs.retire
    import lockstep.verbs.rollback
    import lockstep.verbs.stage
    import lockstep.verbs.stores
    import lockstep.verbs.weights  # noqa: F401 - a fork finds them imported

    json.dump(_drive(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]), sys.stdout)
