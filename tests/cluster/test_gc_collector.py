"""gc --registry and the registry's own collector, one after the other: what is kept can be pulled, and room is free."""

from __future__ import annotations

import json
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from lockstep.cli.main import main
from lockstep.core.version import Version
from lockstep.oci.layout import Layout
from lockstep.oci.registry import Registries
from lockstep.oci.store import copy_image
from lockstep.verbs.release import our_images
from tiny import Tiny, set_identity, tiny_bundle

NEWER = Version("1.1.0")


@contextmanager
def serving(config: Path, port: int) -> Iterator[None]:
    """Debian's registry, as long as the block lasts."""
    log = config.with_suffix(".log").open("ab")
    with log, subprocess.Popen(["docker-registry", "serve", str(config)], stdout=log, stderr=log) as process:
        try:
            while process.poll() is None:
                with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=60):
                    break
            assert process.poll() is None, config.with_suffix(".log").read_text()
            yield
        finally:
            process.terminate()


@pytest.fixture
def port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def config(tmp_path: Path, port: int) -> Path:
    """Of a registry that lets its users delete."""
    path = tmp_path / "registry.yaml"
    path.write_text(
        f"version: 0.1\nlog: {{level: warn}}\nhttp: {{addr: 127.0.0.1:{port}}}\n"
        f"storage: {{filesystem: {{rootdirectory: {tmp_path}/registry}}, delete: {{enabled: true}}}}\n"
    )
    return path


@pytest.fixture
def tiny(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    """1.0.0, and 1.1.0 with other code, in a bundle that keeps the images of the last release only."""
    set_identity(monkeypatch)
    tiny = tiny_bundle(tmp_path / "bundle")
    tiny.replace("lockstep.yaml", "lockstep.local/tiny", f"127.0.0.1:{port}/team/tiny")
    tiny.write("lockstep.yaml", tiny.read("lockstep.yaml") + "retention: {last: 1}\n")
    tiny.commit("a registry")
    tiny.git("tag", "-f", "v1.0.0")
    tiny.release("1.0.0")
    tiny.write("components/model/src/model.py", tiny.read("components/model/src/model.py") + "#\n")
    tiny.commit("other code")
    tiny.tag(str(NEWER))
    tiny.release(str(NEWER))
    return tiny


@pytest.fixture
def run(tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    def command(*words: str) -> str:
        code = main([*words, "-C", str(tiny.folder)])
        said = capsys.readouterr()
        assert code == 0, said.out + said.err
        return said.out

    return command


def test_after_both_collections_every_kept_release_verifies_and_pulls(
    tiny: Tiny, run: Callable[..., str], config: Path, port: int, tmp_path: Path
) -> None:
    releases = {version: tiny.workspace.state.release(version) for version in tiny.workspace.state.versions}
    with serving(config, port):
        run("push", "1.0.0")
        run("push", str(NEWER))
        assert json.loads(run("verify", "--registry", "--deep", "-o", "json"))["notes"]
        gone = json.loads(run("gc", "--registry", "--delete", "-o", "json"))["images"]
    before = blobs(tmp_path)

    collected = ["docker-registry", "garbage-collect", "--delete-untagged", str(config)]
    subprocess.run(collected, check=True, capture_output=True)

    after = blobs(tmp_path)
    assert [one["repository"] for one in gone] == ["model"]
    assert {one["digest"].removeprefix("sha256:") for one in gone} < before - after
    assert len(before - after) == 3, "the manifest, the configuration and the code of 1.0.0's model"
    with serving(config, port):
        assert json.loads(run("verify", "--registry", "--deep", "-o", "json"))["findings"] == []
        for wanted in our_images(releases[NEWER]):
            name, digest = f"127.0.0.1:{port}/team/tiny/{wanted.reference.repository}", wanted.reference.digest
            copy_image(Registries().at(name), Layout(tmp_path / "pulled", wanted.reference.repository), digest, "x")
        assert json.loads(run("push", str(NEWER), "-o", "json"))["sent_bytes"] == 0
        assert json.loads(run("push", "1.0.0", "-o", "json"))["sent_bytes"] > 0, "and what went can come back"


def blobs(folder: Path) -> set[str]:
    """The registry's blobs."""
    return {path.parent.name for path in folder.glob("registry/docker/registry/v2/blobs/sha256/*/*/data")}
