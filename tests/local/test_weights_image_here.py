"""Weights that are an image already, brought to this machine: in an archive, and for the local runner."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from carried import clone, findings_of
from fakes import FakeRegistry
from lockstep.core.errors import OutsideError
from lockstep.core.names import ImageRef
from lockstep.verbs.up import image_folders
from named_weights import bundle_with, model_image, staged
from tiny import Tiny, set_identity

Run = Callable[..., str]


@pytest.fixture
def image(host: str, tmp_path: Path) -> ImageRef:
    """A model that somebody else has put into a registry."""
    return model_image(host, tmp_path / "one", b"one")


@pytest.fixture
def tiny(image: ImageRef, host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    """The tiny bundle whose model has it."""
    set_identity(monkeypatch)
    return bundle_with(image, host, tmp_path / "bundle")


def test_an_archive_carries_it_and_names_it_for_a_mirror(
    tiny: Tiny, image: ImageRef, fake: FakeRegistry, tmp_path: Path, run: Run
) -> None:
    run("release", "1.0.0")
    other = clone(tiny, tmp_path / "other")
    exported = run("export", "1.0.0", str(tmp_path / "x.tar"))
    fake.refuses["GET"] = fake.refuses["HEAD"] = (500, b"")

    said = run("import", str(tmp_path / "x.tar"), folder=other.folder)

    assert f"{image.repository}:release-1.0.0" in exported
    assert f"third-party: pods pull {image} from there; mirror it" in said
    assert findings_of(other) == ()


def test_the_local_runner_says_how_such_an_image_gets_here(
    tiny: Tiny, image: ImageRef, tmp_path: Path, run: Run
) -> None:
    run("release", "1.0.0")
    folders = image_folders(tiny.workspace)
    with pytest.raises(OutsideError) as absent:
        folders(image)
    run("export", "1.0.0", str(tmp_path / "x.tar"))
    run("import", str(tmp_path / "x.tar"))

    folder = folders(image)

    assert str(image) in absent.value.what
    assert "lockstep export VERSION FILE && lockstep import FILE" in absent.value.fix
    assert (folder / "models/tiny/model.bin").read_bytes() == b"one"


def test_the_local_runner_gives_the_folder_to_the_program(tiny: Tiny, tmp_path: Path, run: Run) -> None:
    """The model starts only if it finds its weights where it is told."""
    look = "pathlib.Path(os.environ['LOCKSTEP_WEIGHTS'], 'model.bin').read_bytes()"
    tiny.replace(
        "components/model/src/model.py", "import os\n", f"import os\nimport pathlib\n\nassert {look} == b'one'\n"
    )
    tiny.commit("it reads its weights")
    tiny.git("tag", "-f", "v1.0.0")
    run("release", "1.0.0")
    run("stage", "staging", "1.0.0")
    run("export", "1.0.0", str(tmp_path / "x.tar"))
    run("import", str(tmp_path / "x.tar"))
    shutil.rmtree(tiny.folder / ".lockstep/run", ignore_errors=True)
    command = [sys.executable, "-m", "lockstep.cli.main", "up", "staging", "--port", "0"]
    runner = subprocess.Popen(command, cwd=tiny.folder, stderr=subprocess.PIPE)
    try:
        state = _until_settled(tiny, staged(tiny)["model"])
    finally:
        runner.send_signal(signal.SIGTERM)
        runner.communicate(timeout=60)

    assert state == {**state, "state": "ready", "restarts": 0}


def _until_settled(tiny: Tiny, name: str) -> dict[str, object]:
    """What the runner says of an instance once it is ready or has failed."""
    path = tiny.folder / ".lockstep/run/staging/status.json"
    for _ in range(1200):
        instances = json.loads(path.read_bytes())["instances"] if path.exists() else {}
        if instances.get(name, {}).get("state") in {"ready", "failing"}:
            return dict(instances[name])
        time.sleep(0.1)
    raise AssertionError(path.read_text() if path.exists() else "the runner wrote no status")
