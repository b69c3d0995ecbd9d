"""Repositories in odd states and versions that may not be: what happens, and that nothing is half done."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from lockstep.cli.main import main
from lockstep.core.environment import parse_environment
from lockstep.core.names import ComponentName
from lockstep.core.version import Version
from lockstep.verbs.landing import Writing
from lockstep.verbs.stage import stage_release
from tiny import STAGING, Tiny, md5_of, pointer, tiny_bundle

PROMPT = "components/front-door/prompts/answer.prompt"
HOSTILE = (
    "--- {{ .Values.x }} {{- range . }} ${HOME} $(id) %s\n---\n{% raw %} {# no #}\n'\"\\ \\u0041 &a *a !tag | > # not\n"
    "\ttab\r\n\rreturn\x00\x85\u2028\ufeff\x7f \U0001f600\n"
    "true: no\n...\nfront-door-0000000000\n   trailing blanks   \n\n"
)


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny")


@pytest.fixture
def tiny(bundle: Tiny, tmp_path: Path) -> Tiny:
    return bundle.copy(tmp_path / "tiny")


@pytest.fixture
def released(tiny: Tiny) -> Tiny:
    tiny.release("1.0.0")
    return tiny


def lockstep(tiny: Tiny, *arguments: str) -> int:
    return main([*arguments, "-C", str(tiny.folder)])


def change(tiny: Tiny, text: str, version: str) -> None:
    tiny.write(PROMPT, text)
    tiny.commit("another prompt")
    tiny.tag(version)


def change_weights(tiny: Tiny, data: bytes, version: str) -> None:
    stored = tiny.folder / ".dvc/remote/files/md5" / md5_of(data)[:2] / md5_of(data)[2:]
    stored.parent.mkdir(parents=True, exist_ok=True)
    stored.write_bytes(data)
    tiny.write("components/model/weights/model.bin.dvc", pointer(data, "model.bin"))
    tiny.lock()
    tiny.commit("other weights")
    tiny.tag(version)


def test_a_hostile_prompt_arrives_byte_by_byte(released: Tiny):
    change(released, HOSTILE, "1.1.0")
    released.release("1.1.0")

    stage_release(released.workspace, STAGING, Version("1.1.0"), Writing())

    (path,) = (released.folder / "releases" / "staging" / "instances").glob("front-door-*.yaml")
    environment = parse_environment(STAGING, released.workspace.state.environment_files(STAGING))
    ours = [item for one in environment.instances.values() for item in one.objects if item["kind"] == "ConfigMap"]
    theirs = [item for item in yaml.safe_load_all(path.read_text(encoding="utf-8")) if item["kind"] == "ConfigMap"]
    assert [item["data"]["answer.prompt"] for item in ours] == [HOSTILE]
    assert [item["data"]["answer.prompt"] for item in theirs] == [HOSTILE]
    assert lockstep(released, "verify") == 0


def test_release_ignores_a_dirty_working_tree_and_says_so(tiny: Tiny, capsys: pytest.CaptureFixture[str]):
    tiny.write(PROMPT, "not committed\n")

    code = lockstep(tiny, "release", "1.0.0")

    assert code == 0
    assert "1 uncommitted file is not part of this" in capsys.readouterr().err
    assert tiny.read(PROMPT) == "not committed\n"
    pinned = tiny.workspace.state.release(Version("1.0.0")).components[ComponentName("front-door")]
    assert pinned.prompts == {"answer.prompt": "Answer in one word.\n"}


def test_release_of_a_detached_head_is_written_to_the_branch_of_releases(tiny: Tiny):
    tiny.git("checkout", "-q", "--detach")
    head = tiny.git("rev-parse", "HEAD")

    code = lockstep(tiny, "release", "1.0.0")

    assert code == 0
    assert tiny.git("rev-parse", "HEAD") == head
    assert tiny.git("diff", "--name-only", head, "main") == "releases/1.0.0/release.yaml"
    assert tiny.git("status", "--porcelain") == ""


def test_release_without_a_tag_names_the_command(tiny: Tiny, capsys: pytest.CaptureFixture[str]):
    tiny.git("tag", "-d", "v1.0.0")

    code = lockstep(tiny, "release", "1.0.0")

    shown = capsys.readouterr().err
    assert code == 2
    assert "there is no tag v1.0.0" in shown
    assert "lockstep tag 1.0.0" in shown


def test_release_in_a_shallow_clone_says_how_to_deepen_it(
    released: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    change(released, "Answer in three words.\n", "1.1.0")
    shallow = Tiny(tmp_path / "shallow")
    released.git("clone", "-q", "--depth", "1", f"file://{released.folder}", str(shallow.folder))

    codes = lockstep(shallow, "release", "1.1.0"), lockstep(shallow, "verify", "1.0.0")

    shown = capsys.readouterr()
    assert codes == (3, 1)
    assert "this clone is shallow" in shown.err
    assert "git fetch --unshallow --tags" in shown.err
    assert "not checked: this clone is shallow" in shown.out
    shallow.git("fetch", "-q", "--unshallow", "--tags")
    assert lockstep(shallow, "release", "1.1.0") == 0


@pytest.mark.parametrize("limit", [0, 600, 2000, 4000])
def test_a_full_disk_changes_nothing_in_git_and_the_rerun_completes(tiny: Tiny, limit: int):
    before = tiny.git("for-each-ref")
    code = "import sys; from lockstep.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-B", "-c", code, "release", "1.0.0"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "tools")}

    full = subprocess.run(
        command, cwd=tiny.folder, capture_output=True, text=True, check=False, env=environment,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )  # fmt: skip

    assert full.returncode == 3, full.stderr
    assert "Traceback" not in full.stderr
    assert "where:" in full.stderr
    assert "fix:" in full.stderr
    assert tiny.git("for-each-ref") == before
    assert tiny.git("status", "--porcelain") == ""
    assert lockstep(tiny, "release", "1.0.0") == 0
    assert lockstep(tiny, "verify") == 0


def test_a_version_is_released_once(released: Tiny, capsys: pytest.CaptureFixture[str]):
    assert lockstep(released, "release", "1.0.0") == 0
    assert "nothing to do" in capsys.readouterr().err
    released.replace("components/front-door/component.yaml", "hello", "good day")
    released.commit("another greeting")
    released.git("tag", "-f", "v1.0.0")

    code = lockstep(released, "release", "1.0.0")

    shown = capsys.readouterr().err
    assert code == 1
    assert "version/exists: release 1.0.0 exists" in shown
    assert "choose a new version, at least" in shown


def test_a_version_smaller_than_the_change_is_refused(released: Tiny, capsys: pytest.CaptureFixture[str]):
    change_weights(released, b"better weights\n", "1.0.1")

    code = lockstep(released, "release", "1.0.1")

    shown = capsys.readouterr().err
    assert code == 1
    assert "1.0.1 is a patch bump from 1.0.0, but a minor bump is required: model: weights changed" in shown
    assert "release 1.1.0 or later" in shown


def test_a_commit_on_no_line_is_refused(released: Tiny, capsys: pytest.CaptureFixture[str]):
    released.git("checkout", "-q", "-b", "feature")
    change(released, "Answer never.\n", "1.1.0")

    code = lockstep(released, "release", "1.1.0")

    shown = capsys.readouterr().err
    assert code == 1
    assert "version/line: the tagged commit is on no line (main)" in shown
    assert "add its branch to `lines:`" in shown


def test_nothing_new_is_refused(released: Tiny, capsys: pytest.CaptureFixture[str]):
    released.tag("1.0.1")

    code = lockstep(released, "release", "1.0.1")

    assert code == 1
    assert "version/unchanged: nothing changed since release 1.0.0" in capsys.readouterr().err


def test_the_final_of_a_prerelease_restarts_nothing(released: Tiny):
    change(released, "Answer in four words.\n", "1.1.0-rc.1")
    released.release("1.1.0-rc.1")
    released.serve("1.1.0-rc.1")
    before = set(released.workspace.state.environment(STAGING).instances)
    released.tag("1.1.0")

    code = lockstep(released, "release", "1.1.0")
    released.serve("1.1.0")

    assert code == 0
    assert set(released.workspace.state.environment(STAGING).instances) == before
    assert lockstep(released, "verify") == 0


def test_production_refuses_a_prerelease(released: Tiny, capsys: pytest.CaptureFixture[str]):
    change(released, "Answer in four words.\n", "1.1.0-rc.1")
    released.release("1.1.0-rc.1")

    code = lockstep(released, "stage", "production", "1.1.0-rc.1")

    shown = capsys.readouterr().err
    assert code == 1
    assert "environment/prerelease: production accepts no pre-release" in shown


def test_a_hotfix_of_an_older_release_comes_from_its_own_line(tiny: Tiny):
    tiny.replace("lockstep.yaml", "entry:", "lines: [main, hotfix-1.4]\nentry:")
    tiny.commit("a line for hotfixes")
    tiny.tag("1.4.0")
    tiny.release("1.4.0")
    change(tiny, "Answer in two words.\n", "1.6.0")
    tiny.release("1.6.0")
    tiny.git("checkout", "-q", "-b", "hotfix-1.4", "v1.4.0")
    change(tiny, "Answer politely.\n", "1.4.1")

    code = lockstep(tiny, "release", "1.4.1")

    release = tiny.workspace.state.release(Version("1.4.1"))
    assert code == 0
    assert release.base == Version("1.4.0")
    assert tiny.git("status", "--porcelain") == ""
    assert lockstep(tiny, "verify") == 0


def test_a_pin_holds_a_component_at_an_earlier_release(released: Tiny):
    change_weights(released, b"worse weights\n", "1.1.0")
    released.release("1.1.0")
    released.replace("lockstep.yaml", "entry:", "pin: {model: {from: 1.0.0}}\nentry:")
    change(released, "Answer in five words.\n", "1.2.0")

    code = lockstep(released, "release", "1.2.0")

    releases = {version: released.workspace.state.release(Version(version)) for version in ("1.0.0", "1.1.0", "1.2.0")}
    held = {version: release.components[ComponentName("model")] for version, release in releases.items()}
    assert code == 0
    assert held["1.2.0"] == held["1.0.0"]
    assert held["1.2.0"] != held["1.1.0"]
    assert lockstep(released, "verify") == 0


def test_a_pin_to_a_release_that_is_not_there_is_refused(released: Tiny, capsys: pytest.CaptureFixture[str]):
    released.replace("lockstep.yaml", "entry:", "pin: {model: {from: 0.9.0}}\nentry:")
    change(released, "Answer in five words.\n", "1.1.0")

    code = lockstep(released, "release", "1.1.0")

    shown = capsys.readouterr().err
    assert code == 1
    assert "bundle/pin model: `pin` holds model at 0.9.0" in shown


def test_release_without_a_git_identity_says_how_to_give_one(
    released: Tiny, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    change(released, "Answer in four words.\n", "1.1.0")
    clone = Tiny(tmp_path / "clone")
    released.git("clone", "-q", str(released.folder), str(clone.folder))
    before = clone.git("rev-parse", "main")
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL", "EMAIL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "user.useConfigOnly")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "true")

    code = lockstep(clone, "release", "1.1.0")

    assert code == 2
    assert "git config --global user.name" in capsys.readouterr().err
    assert clone.git("rev-parse", "main") == before
