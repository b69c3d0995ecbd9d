"""`lockstep init` as a whole program: what it starts passes its own tests, and is planned, released and served."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WHO = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "t"), ("EMAIL", "t@t.test"))
}
ENVIRONMENT = {**os.environ, **WHO, "PYTHONPATH": str(ROOT / "tools")}
LOCKSTEP = [sys.executable, "-c", "import sys; from lockstep.cli.main import main; sys.exit(main())"]


def lockstep(*words: object, cwd: Path, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*LOCKSTEP, *map(str, words)],
        cwd=cwd,
        env={**ENVIRONMENT, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def git(folder: Path, *words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    """A bundle that init has started."""
    folder = tmp_path_factory.mktemp("init") / "my-bundle"
    lockstep("init", folder, cwd=folder.parent)
    return folder


def test_init_makes_one_commit_of_every_file_on_main(bundle):
    assert git(bundle, "symbolic-ref", "--short", "HEAD") == "main"
    assert git(bundle, "rev-list", "--count", "HEAD") == "1"
    assert git(bundle, "status", "--porcelain", "--ignored") == ""


def test_init_writes_the_charts_of_this_repository(bundle):
    def files(folder: Path) -> dict[str, bytes]:
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    assert files(bundle / "charts") == files(ROOT / "charts")
    assert files(ROOT / "charts")


def test_init_puts_the_name_into_every_file(bundle):
    texts = [path.read_text() for path in bundle.rglob("*") if path.is_file() and ".git" not in path.parts]

    assert not any("@NAME@" in text for text in texts)
    assert "name: my-bundle\n" in (bundle / "lockstep.yaml").read_text()


@pytest.mark.timeout(600)  # its components are asked everything that their contracts say
def test_started_bundle_passes_its_own_tests(bundle):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "components"],
        cwd=bundle,
        env={**ENVIRONMENT, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout


def test_started_bundle_is_planned_released_staged_promoted_and_answers(bundle, tmp_path):
    copy = tmp_path / "bundle"
    git(tmp_path, "clone", "-q", str(bundle), str(copy))
    assert "lockstep tag 0.1.0" in lockstep("plan", cwd=copy).stdout
    git(copy, "tag", "v0.1.0")
    for words in (("release", "0.1.0"), ("stage", "staging", "0.1.0"), ("promote", "staging", "0.1.0")):
        lockstep(*words, cwd=copy)

    status, headers, body = answer_of_running(copy, "/greet?name=Ada")

    assert (status, body["greeting"]) == (200, "Hello Ada, welcome aboard!")
    assert headers["x-lockstep-release"] == body["served_by"]["hello"]
    assert (copy / f"releases/staging/instances/{body['served_by']['hello']}.yaml").exists()
    assert (copy / f"releases/staging/instances/{body['served_by']['echo']}.yaml").exists()


def answer_of_running(bundle: Path, path: str) -> tuple[int, dict[str, str], dict]:
    """The front's answer while the local runner runs the staging environment."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with (bundle / "up.log").open("wb") as log:
        runner = subprocess.Popen(
            [*LOCKSTEP, "up", "staging", "--port", "0"], cwd=bundle, env=ENVIRONMENT, stdout=log, stderr=log
        )
    try:
        with opener.open(front_url(bundle, runner) + path, timeout=20) as answer:
            return answer.status, dict(answer.headers.items()), json.load(answer)
    finally:
        runner.send_signal(signal.SIGTERM)
        assert runner.wait(30) == 0, (bundle / "up.log").read_text()


def front_url(bundle: Path, runner: subprocess.Popen[bytes]) -> str:
    """The front's address, once it serves."""
    path = bundle / ".lockstep/run/staging/status.json"
    for _ in range(600):
        status = json.loads(path.read_bytes()) if path.exists() else {}
        if status.get("front"):
            return status["front_url"]
        assert runner.poll() is None, (bundle / "up.log").read_text()
        time.sleep(0.1)
    raise AssertionError((bundle / "up.log").read_text())


def test_init_refuses_a_folder_that_is_not_empty(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")

    done = lockstep("init", tmp_path, "--name", "a", cwd=tmp_path, code=1)

    assert "mine.txt" in done.stderr
    assert "fix:   choose a new folder: lockstep init" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_init_refuses_a_name_that_cannot_be_one(tmp_path):
    done = lockstep("init", tmp_path / "My_Bundle", cwd=tmp_path, code=2)

    assert "--name my-bundle" in done.stderr
    assert not (tmp_path / "My_Bundle").exists()


def test_init_writes_nothing_when_git_could_not_commit(tmp_path):
    nobody = dict.fromkeys(WHO, "") | {
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }

    done = lockstep("init", tmp_path / "bundle", cwd=tmp_path, code=2, **nobody)

    assert "user.name" in done.stderr
    assert not (tmp_path / "bundle").exists()


def test_init_without_git_writes_files_alone(tmp_path):
    lockstep("init", tmp_path / "bundle", "--no-git", cwd=tmp_path)

    assert (tmp_path / "bundle/lockstep.yaml").exists()
    assert not (tmp_path / "bundle/.git").exists()


def test_init_dry_run_shows_every_file_and_writes_none(tmp_path):
    done = lockstep("init", tmp_path / "bundle", "--dry-run", cwd=tmp_path)

    assert "+++ b/lockstep.yaml" in done.stdout
    assert "+++ b/charts/objects/instance.yaml.j2" in done.stdout
    assert not (tmp_path / "bundle").exists()


def test_init_prints_json_of_what_it_did(tmp_path):
    said = json.loads(lockstep("init", tmp_path / "bundle", "-o", "json", cwd=tmp_path).stdout)

    assert said["schema"] == "lockstep.dev/cli/init/v1"
    assert said["commit"] == git(tmp_path / "bundle", "rev-parse", "HEAD")
    assert {"path": "components/hello/component.yaml", "change": "added"} in said["files"]


def test_init_in_a_repository_commits_its_own_files_alone(tmp_path):
    git(tmp_path, "init", "-q", "-b", "main")
    (tmp_path / "mine.txt").write_text("mine")
    git(tmp_path, "add", "mine.txt")

    lockstep("init", tmp_path / "bundle", cwd=tmp_path)

    assert not (tmp_path / "bundle/.git").exists()
    assert git(tmp_path, "status", "--porcelain") == "A  mine.txt"
    assert "echo" in lockstep("plan", cwd=tmp_path / "bundle").stdout


def test_init_works_from_an_installed_wheel(tmp_path):
    source, site = tmp_path / "source", tmp_path / "site"
    for name in ("tools/lockstep", "charts"):
        shutil.copytree(ROOT / name, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (*ROOT.glob("pyproject.toml"), *ROOT.glob("README.md"), *ROOT.glob("LICENSE")):
        shutil.copy(path, source)
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", tmp_path, source], check=True, capture_output=True
    )
    wheel = next(tmp_path.glob("*.whl"))
    subprocess.run(
        [*pip, "install", "--no-deps", "--no-index", "--target", site, wheel], check=True, capture_output=True
    )
    shutil.rmtree(source)

    lockstep("init", tmp_path / "bundle", cwd=tmp_path, PYTHONPATH=str(site))

    assert lockstep("plan", cwd=tmp_path / "bundle", PYTHONPATH=str(site)).stdout.startswith("plan of ")
    assert not list((tmp_path / "bundle").rglob("*.pyc"))
    assert (tmp_path / "bundle/charts/objects/instance.yaml.j2").read_bytes() == (
        ROOT / "charts/objects/instance.yaml.j2"
    ).read_bytes()
