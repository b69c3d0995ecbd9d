"""What Docker builds and what it does not, with a real daemon and a real registry."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from ci.docker_daemon import DOCKERFILE, Place
from lockstep.core.names import ComponentName
from lockstep.core.release import Release
from lockstep.core.version import Version
from lockstep.oci.image import parse_manifest
from lockstep.oci.layout import Layout
from lockstep.oci.store import own_layers, read_blob

pytest_plugins = ("ci.docker_fixtures",)
MODEL = ComponentName("model")


def release_of(where: Place, version: str) -> Release:
    return where.tiny.workspace.state.release(Version(version))


def config_of(where: Place, version: str) -> dict[str, object]:
    """The configuration of the model's image."""
    image = release_of(where, version).components[MODEL].image
    assert image is not None
    store = Layout(where.tiny.folder / ".lockstep/store", "model")
    data = read_blob(store, parse_manifest(store.manifest(image.reference.digest), "x").config.digest)
    return dict(json.loads(data))


def test_only_what_is_for_the_image_starts_a_build(place: Place, builder: str) -> None:
    how = {"DOCKER_BUILDKIT": "1" if builder == "buildkit" else "0"}
    model = "components/model"

    assert place.release("1.0.0", **how).built == ["front-door", "model"]
    assert place.run("build", **how).built == []
    place.tiny.write(f"{model}/src/model.py", "print('other code')\n")
    place.tiny.write("components/front-door/prompts/answer.prompt", "Answer in two words.\n")
    place.tiny.write(f"{model}/tests/test_model.py", "def test_it():\n    assert True\n")
    assert place.release("1.0.1", **how).built == []
    place.with_dockerfile("model", DOCKERFILE.replace("by docker", "by docker again"))
    assert "builds:  model" in place.run("plan").out
    assert place.release("1.0.2", **how).built == ["model"]
    place.tiny.write(f"{model}/etc/extra.txt", "another text\n")
    assert place.release("1.0.3", **how).built == ["model"]

    assert place.run("verify", "--deep", **how).err == ""


def test_an_image_runs_with_what_its_dockerfile_says(place: Place, builder: str) -> None:
    place.release("1.0.0", DOCKER_BUILDKIT="1" if builder == "buildkit" else "0")
    place.run("push", "1.0.0")
    image = release_of(place, "1.0.0").components[MODEL].image
    assert image is not None

    code = (
        "import os, model; print(open('/srv/own/built').read(), os.getuid(), os.getcwd(), os.environ['GREETING_FROM'])"
    )
    words = ["docker", "--host", place.environment["DOCKER_HOST"], "run", "--rm", "--network", "none"]
    name = f"{place.registry}/{image.reference}"
    said = subprocess.run([*words, name, "python3", "-c", code], check=True, capture_output=True, text=True).stdout

    assert said.split() == ["by", "docker", "65532", "/app", "dockerfile"]


def test_an_image_says_what_it_stands_on_and_nothing_of_its_build(place: Place) -> None:
    place.release("1.0.0")

    pinned = release_of(place, "1.0.0").components[MODEL].image
    assert pinned is not None
    assert pinned.runtime is not None
    store = Layout(place.tiny.folder / ".lockstep/store", "model")
    manifest = parse_manifest(store.manifest(pinned.reference.digest), "x")
    own = [layer.digest for layer in own_layers(store, manifest, "x")]

    assert own == [*(layer.digest for layer in pinned.runtime.layers), pinned.code.digest if pinned.code else ""]
    assert pinned.runtime.builder == "docker/1"
    assert sorted(config_of(place, "1.0.0")) == ["architecture", "config", "os", "rootfs"]
    assert "BASE_IMAGE" not in json.dumps(config_of(place, "1.0.0"))


def test_a_dockerfile_that_copies_the_code_is_built_whole(place: Place) -> None:
    text = place.tiny.read("components/model/component.yaml").replace(", code: [src]", "")
    place.tiny.write("components/model/component.yaml", text)

    assert place.release("1.0.0").built == ["front-door", "model"]
    place.tiny.write("components/model/src/model.py", "print('other code')\n")
    plan = place.run("plan").out
    assert place.release("1.0.1").built == ["model"]

    assert "builds:  none" in plan  # not committed yet
    pinned = release_of(place, "1.0.1").components[MODEL].image
    assert pinned is not None
    assert pinned.code is None
    assert place.run("verify", "--deep").err == ""


def test_dockers_images_run_on_this_machine_and_travel(place: Place, tmp_path: Path) -> None:
    place.release("1.0.0")
    archive = tmp_path / "release.tar"

    place.run("export", "1.0.0", str(archive))
    other = place.fresh(tmp_path / "other")
    other.run("import", str(archive))

    assert other.run("verify", "1.0.0", "--deep").err == ""
    other.tiny.write("components/model/src/model.py", "print('there')\n")
    assert other.release("1.0.1", DOCKER_HOST="unix:///nowhere").built == []
    assert "kept" in place.run("gc", "--delete").out
    assert place.run("build", DOCKER_HOST="unix:///nowhere").built == []


@pytest.mark.parametrize("ignore", ["etc\n", "*\n!src\n"])
def test_dockerignore_is_obeyed(place: Place, ignore: str) -> None:
    place.tiny.write("components/model/.dockerignore", ignore)
    place.tiny.commit("ignore")

    refused = place.run("build", code=3).err

    assert "model: the Dockerfile does not build" in refused
    assert ".dockerignore" in refused
