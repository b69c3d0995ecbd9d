"""The same inputs give the same bytes: two clones, two machines as different as one machine can make them."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMITTED = "2026-01-02T03:04:05+00:00"
# The program as another version of the tool: the number is set before any other module can read it.
PROGRAM = """
import os, sys
import lockstep
os.umask(int(os.environ["TEST_UMASK"], 8))
lockstep.__version__ = os.environ["TEST_VERSION"]
from lockstep.cli.main import main
sys.exit(main())
"""
HERE = {
    "TZ": "UTC",
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "TEST_UMASK": "022",
    "TEST_VERSION": "0.1.0",
}
THERE = {
    "TZ": "Pacific/Kiritimati",
    "LANG": "tr_TR.UTF-8",
    "LC_ALL": "C",
    "PYTHONHASHSEED": "4242",
    "TEST_UMASK": "077",
    "TEST_VERSION": "9.9.9",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "COLUMNS": "40",
    "HOSTNAME": "elsewhere",
    "USER": "somebody",
}
PROMPT = "---\ninput:\n  schema:\n    name: string\n---\nGrüße {{name}}, ça va? {{ '{{' }} ${HOME} İı\n"


def git(folder: Path, *words: str) -> str:
    who = {f"GIT_{role}_{what}": "t@t.test" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**os.environ, **who, "GIT_AUTHOR_DATE": COMMITTED, "GIT_COMMITTER_DATE": COMMITTED}
    return subprocess.run(
        ["git", *words], cwd=folder, env=environment, capture_output=True, text=True, check=True
    ).stdout


def lockstep(folder: Path, machine: dict[str, str], *words: str) -> str:
    who = {
        f"GIT_{role}_{what}": f"{machine.get('USER', 'me')}@t.test"
        for role in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    environment = {**os.environ, **who, "PYTHONPATH": str(ROOT / "tools"), **machine}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words], cwd=folder, env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")
    return done.stdout.decode()


@pytest.fixture(scope="module")
def tagged(tmp_path_factory) -> Path:
    """A bundle with code, prompts beyond ASCII and weights, tagged twice."""
    folder = tmp_path_factory.mktemp("tagged") / "bundle"
    lockstep(folder.parent, HERE, "init", str(folder))
    (folder / "components/hello/prompts/greeting.prompt").write_text(PROMPT, encoding="utf-8")
    _add_weights(folder)
    lockstep(folder, HERE, "weights", "lock")
    git(folder, "add", "-A")
    git(folder, "add", "-f", "components/echo/weights/model.bin")
    git(folder, "commit", "-q", "-m", "prompt and weights")
    git(folder, "tag", "v0.1.0")
    return folder


def _add_weights(folder: Path) -> None:
    data = bytes(range(256)) * 400
    weights = folder / "components/echo/weights"
    weights.mkdir()
    (weights / "model.bin").write_bytes(data)
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    (weights / "model.bin.dvc").write_text(
        f"outs:\n- md5: {md5}\n  size: {len(data)}\n  hash: md5\n  path: model.bin\n"
    )
    with (folder / "components/echo/component.yaml").open("a") as stream:
        stream.write("weights: [weights/model.bin.dvc]\n")


def released(tagged: Path, folder: Path, machine: dict[str, str]) -> dict[str, bytes]:
    """Every file that release, stage and promote write in a clone, and every blob of the store, by path."""
    folder.parent.mkdir(parents=True)
    git(tagged, "clone", "-q", str(tagged), str(folder))
    for words in (
        ("weights", "lock"),
        ("release", "0.1.0"),
        ("stage", "staging", "0.1.0"),
        ("promote", "staging", "0.1.0"),
    ):
        lockstep(folder, machine, *words)
    assert git(folder, "status", "--porcelain") == ""
    blobs = (folder / ".lockstep/store/blobs").rglob("*")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in (*(folder / "releases").rglob("*"), *blobs)
        if path.is_file()
    }


@pytest.fixture(scope="module")
def both(tagged, tmp_path_factory) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """What two machines wrote."""
    top = tmp_path_factory.mktemp("machines")
    here = released(tagged, top / "a/bundle", HERE)
    return here, released(tagged, top / "some where/élse/very/deep/down/x", THERE)


@pytest.mark.parametrize(
    "folder",
    [
        "releases/0.1.0/release.yaml",
        "releases/staging/instances/",
        "releases/staging/front/gate.yaml",
        "releases/staging/front/front.yaml",
        "releases/staging/",
        ".lockstep/store/blobs/",
    ],
)
def test_release_writes_the_same_bytes_on_any_machine(both, folder):
    here, there = ({path: data for path, data in files.items() if path.startswith(folder)} for files in both)

    assert here
    assert sorted(here) == sorted(there)
    assert [path for path, data in here.items() if there[path] != data] == []


def test_release_names_neither_machine_nor_tool(both):
    said = b"".join(data for path, data in sorted(both[1].items()) if path.startswith("releases/"))

    for word in ("9.9.9", "élse", "elsewhere", "somebody", "Kiritimati", str(Path.home())):
        assert word.encode() not in said


def test_same_bytes_hold_prompts_beyond_ascii_and_weights(both):
    """Proves that what is compared above is not a bundle of trifles."""
    instances = b"".join(data for path, data in both[0].items() if "/instances/" in path)

    assert "Grüße {{name}}, ça va?".encode() in instances
    assert b"echo-weights@sha256:" in instances


def test_machines_really_differ(tagged):
    program = "import os, sys, time, locale; print(time.tzname, locale.getpreferredencoding(), hash('a'))"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, **machine}, capture_output=True, check=True
        ).stdout
        for machine in (HERE, THERE)
    }
    versions = {lockstep(tagged, machine, "--version") for machine in (HERE, THERE)}

    assert len(outputs) == len(versions) == 2
