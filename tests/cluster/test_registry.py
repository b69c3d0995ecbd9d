"""The cluster's registry does what every store does, a release gets into it once; and so does one behind a login."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster.running import Running
from debian_registry import DebianRegistry, SignedTokens, free_port, htpasswd
from fake_auth import docker_config, giving
from lockstep.adapters.docker_logins import DockerLogins
from lockstep.core.errors import OutsideError
from lockstep.core.names import ImageRef
from lockstep.oci.http import Access
from lockstep.oci.image import parse_manifest
from lockstep.oci.layer import CHUNK
from lockstep.oci.layout import Layout
from lockstep.oci.memory import Memory
from lockstep.oci.registry import Registries
from lockstep.oci.store import verify_blob
from store_contract import StoreContract

USER, PASSWORD = "ada", "hunter2-never-said"
PLAIN = Access(plain_http=True)


class TestRealRegistry(StoreContract):
    @pytest.fixture
    def stores(self, cluster: Running):
        registries, folder = Registries(PLAIN), f"{cluster.registry}/contract/{uuid.uuid4().hex}"
        return registries.at(f"{folder}/ocr"), registries.at(f"{folder}/llm")


@pytest.fixture
def logins(tmp_path: Path) -> DockerLogins:
    """Nobody's yet: docker_config writes one."""
    return DockerLogins({"DOCKER_CONFIG": str(tmp_path / "docker")})


@contextmanager
def behind_htpasswd(folder: Path) -> Iterator[str]:
    """A registry that asks for Basic."""
    registry = DebianRegistry(folder, free_port(), htpasswd(folder, USER, PASSWORD))
    with registry.serving() as host:
        yield host


@contextmanager
def behind_tokens(folder: Path) -> Iterator[str]:
    """A registry that asks for Bearer."""
    tokens = SignedTokens(folder, {USER: PASSWORD})
    with giving(tokens) as realm, DebianRegistry(folder, free_port(), tokens.auth(realm)).serving() as host:
        yield host


@pytest.fixture(params=[behind_htpasswd, behind_tokens])
def guarded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A real registry that lets nobody in without a login."""
    with request.param(tmp_path) as host:
        yield host


class TestRealRegistryBehindALogin(StoreContract):
    @pytest.fixture
    def stores(self, guarded: str, logins: DockerLogins, tmp_path: Path):
        docker_config(tmp_path / "docker", guarded, USER, PASSWORD)
        registries = Registries(Access(logins=logins))
        return registries.at(f"{guarded}/team/ocr"), registries.at(f"{guarded}/team/llm")


@pytest.mark.parametrize(("password", "said"), [("", "docker login"), ("wrong", "docker login")])
def test_without_the_right_login_the_error_says_how_to_get_one(
    guarded: str, logins: DockerLogins, tmp_path: Path, password: str, said: str
) -> None:
    if password:
        docker_config(tmp_path / "docker", guarded, USER, password)

    with pytest.raises(OutsideError) as caught:
        Registries(Access(logins=logins)).at(f"{guarded}/team/ocr").digest_of("x")

    assert said in caught.value.fix
    assert not password or password not in str(caught.value)


def test_the_base_image_is_there_with_every_blob(cluster: Running) -> None:
    base = ImageRef(cluster.base)
    store = Registries(PLAIN).at(base.repository)

    manifest = parse_manifest(store.manifest(base.digest), cluster.base)

    assert store.digest_of(base.digest) == base.digest
    assert all(store.has(blob.digest) for blob in (manifest.config, *manifest.layers))


class _EnoughError(Exception):
    pass


def test_an_upload_that_was_stopped_at_sixty_percent_goes_on(cluster: Running, tmp_path: Path) -> None:
    """At the end of a piece: Debian's registry gives an upload up whose connection broke within one."""
    source, piece = Layout(tmp_path / "store", "ocr"), 16 << 20
    layer = source.put("weights", lambda sink: [sink.write(bytes([n]) * CHUNK) for n in range(200)])  # type: ignore[func-returns-value]
    name, memory, moved = f"{cluster.registry}/contract/{uuid.uuid4().hex}", Memory(tmp_path / "memory", piece), [0]

    def until_enough(size: int) -> None:
        moved.append(size)
        if sum(moved) >= 0.6 * layer.size:
            raise _EnoughError

    with pytest.raises(_EnoughError):
        Registries(PLAIN, memory, until_enough).at(name).add("weights", layer, source)
    registry = Registries(PLAIN, memory).at(name)
    sent = registry.add("weights", layer, source)

    assert sent == layer.size - sum(moved) < 0.4 * layer.size
    assert verify_blob(registry, layer.digest) == layer.size
