"""Dependency layers from the true package index that pip's configuration names."""

import subprocess
import sys
from pathlib import Path

from lockstep.adapters.pip import Pip
from lockstep.core.bundle import Platform
from lockstep.oci.image import image_of
from lockstep.oci.layout import Layout
from lockstep.oci.requirements import parse_requirements
from lockstep.oci.store import put_image
from lockstep.oci.unpack import unpacked
from lockstep.oci.wheels import Target, wheel_layers

ROOT = Path(__file__).parents[2]


def lock_of(name):
    """One package of this repository's own lock."""
    text = (ROOT / "requirements/tool.lock").read_text()
    return tuple(one for one in parse_requirements(text, "requirements/tool.lock") if one.name == name)


def test_a_compiled_wheel_is_brought_for_two_platforms_and_runs_on_this_one(tmp_path):
    lock = lock_of("pyyaml")
    store = Layout(tmp_path / "store")
    layers = {}
    for arch in ("amd64", "arm64"):
        target = Target(Platform(arch=arch), store, tmp_path / "layers")
        (layers[arch],) = wheel_layers(lock, Pip(tmp_path / "wheels"), target)

    assert layers["amd64"] != layers["arm64"]
    image = image_of([layers["amd64"]], Platform())
    put_image(store, image, "x")
    site = unpacked(store, image.digest, tmp_path / "images") / "app/site"
    for arch, word in (("amd64", "x86_64"), ("arm64", "aarch64")):
        assert [path for path in (tmp_path / "wheels").rglob("*.whl") if word in path.name], arch
    program = "import yaml; print(yaml.__file__, yaml.safe_load('a: 1'))"
    environment = {"PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-S", "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"{site}/yaml/__init__.py {{'a': 1}}\n"
