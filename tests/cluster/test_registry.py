"""The cluster's registry does what every store does, and a release gets into it once."""

from __future__ import annotations

import uuid

import pytest

from cluster.running import Running
from lockstep.core.names import ImageRef
from lockstep.oci.http import Access
from lockstep.oci.image import parse_manifest
from lockstep.oci.registry import Registries
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
