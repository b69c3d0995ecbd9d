"""gc --registry and the registry's own collector, one after the other: what is kept can be pulled, and room is free."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from debian_registry import DebianRegistry, free_port
from lockstep.cli.main import main
from lockstep.core.rules.image import our_images
from lockstep.core.version import Version
from lockstep.oci.layout import Layout
from lockstep.oci.registry import Registries
from lockstep.oci.store import copy_image
from tiny import Tiny, set_identity, tiny_bundle

NEWER = Version("1.1.0")


@pytest.fixture
def registry(tmp_path: Path) -> DebianRegistry:
    return DebianRegistry(tmp_path, free_port())


@pytest.fixture
def tiny(tmp_path: Path, registry: DebianRegistry, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    """1.0.0, and 1.1.0 with other code, in a bundle that keeps the images of the last release only."""
    set_identity(monkeypatch)
    tiny = tiny_bundle(tmp_path / "bundle")
    tiny.replace("lockstep.yaml", "lockstep.local/tiny", f"{registry.host}/team/tiny")
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
    tiny: Tiny, run: Callable[..., str], registry: DebianRegistry, tmp_path: Path
) -> None:
    releases = {version: tiny.workspace.state.release(version) for version in tiny.workspace.state.versions}
    with registry.serving():
        run("push", "1.0.0")
        run("push", str(NEWER))
        assert json.loads(run("verify", "--registry", "--deep", "-o", "json"))["notes"]
        gone = json.loads(run("gc", "--registry", "--delete", "-o", "json"))["images"]
    before = registry.blobs()

    registry.collect()

    after = registry.blobs()
    assert [one["repository"] for one in gone] == ["model"]
    assert {one["digest"].removeprefix("sha256:") for one in gone} < before - after
    assert len(before - after) == 3, "the manifest, the configuration and the code of 1.0.0's model"
    with registry.serving() as host:
        assert json.loads(run("verify", "--registry", "--deep", "-o", "json"))["findings"] == []
        for wanted in our_images(releases[NEWER]):
            name, digest = f"{host}/team/tiny/{wanted.reference.repository}", wanted.reference.digest
            copy_image(Registries().at(name), Layout(tmp_path / "pulled", wanted.reference.repository), digest, "x")
        assert json.loads(run("push", str(NEWER), "-o", "json"))["sent_bytes"] == 0
        assert json.loads(run("push", "1.0.0", "-o", "json"))["sent_bytes"] > 0, "and what went can come back"
