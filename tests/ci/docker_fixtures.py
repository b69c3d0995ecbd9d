"""What tests of Docker share: a daemon, a registry, a base image of Debian packages, and a bundle on them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ci.docker_daemon import DOCKERFILE, Place, running_daemon
from cluster.base import base_image
from debian_registry import DebianRegistry, free_port
from lockstep.core.names import ImageRef
from lockstep.oci.http import Access
from lockstep.oci.registry import Registries
from lockstep.oci.store import copy_image
from tiny import set_identity, tiny_bundle


@pytest.fixture(scope="session")
def daemon() -> Iterator[str]:
    """DOCKER_HOST of a daemon."""
    with running_daemon() as address:
        yield address


@pytest.fixture(scope="session")
def docker_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianRegistry]:
    """Debian's registry."""
    made = DebianRegistry(tmp_path_factory.mktemp("docker-registry"), free_port())
    with made.serving():
        yield made


@pytest.fixture(scope="session")
def base(docker_registry: DebianRegistry) -> ImageRef:
    """A base image made from Debian packages, in that registry."""
    store, digest = base_image(print)
    name = f"{docker_registry.host}/base"
    copy_image(store, Registries(Access(plain_http=True)).at(name), digest, "1")
    return ImageRef(f"{name}@{digest}")


@pytest.fixture(params=["buildkit", "plain"])
def builder(request: pytest.FixtureRequest) -> str:
    """Each of the two ways in which a daemon builds."""
    return str(request.param)


@pytest.fixture
def place(
    daemon: str, docker_registry: DebianRegistry, base: ImageRef, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Place:
    """The tiny bundle, built by Docker on a base of Debian packages; nothing is released."""
    set_identity(monkeypatch)
    tiny = tiny_bundle(tmp_path / "tiny")
    name = f"{docker_registry.host}/{tmp_path.name.replace('_', '-').lower()}"
    tiny.replace("lockstep.yaml", "lockstep.local/tiny", f"{name}/tiny")
    tiny.replace("lockstep.yaml", "environments:", f'platform: {{base: "{base}"}}\nbuilder: docker\nenvironments:')
    for component in ("front-door", "model"):
        tiny.write(f"components/{component}/Dockerfile", DOCKERFILE)
        tiny.write(f"components/{component}/etc/extra.txt", f"{component} of {tmp_path.name}\n")
    tiny.commit("builds with Docker")
    tiny.git("tag", "-f", "v1.0.0")
    return Place(tiny, name, {"DOCKER_HOST": daemon})
