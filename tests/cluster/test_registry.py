"""The cluster's registry does what every store does, and a release gets into it once."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from cluster.running import Running
from lockstep.core.names import ImageRef
from lockstep.oci.http import Access
from lockstep.oci.image import parse_manifest
from lockstep.oci.layer import CHUNK
from lockstep.oci.layout import Layout
from lockstep.oci.memory import Memory
from lockstep.oci.registry import Registries
from lockstep.oci.store import verify_blob
from store_contract import StoreContract

PLAIN = Access(plain_http=True)


class TestRealRegistry(StoreContract):
    @pytest.fixture
    def stores(self, cluster: Running):
        registries, folder = Registries(PLAIN), f"{cluster.registry}/contract/{uuid.uuid4().hex}"
        return registries.at(f"{folder}/ocr"), registries.at(f"{folder}/llm")


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
