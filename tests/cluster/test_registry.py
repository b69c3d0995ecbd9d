"""The cluster's registry does what every store does, and a release gets into it once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from contextlib import suppress
from pathlib import Path

import pytest

from cluster.running import Running
from lockstep.core.names import ImageRef
from lockstep.oci.http import Access
from lockstep.oci.image import parse_manifest
from lockstep.oci.layer import CHUNK
from lockstep.oci.layout import Layout
from lockstep.oci.memory import Memory
from lockstep.oci.registry import Registries, Registry
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


_CHILD = """
import sys
from pathlib import Path
from lockstep.core.names import Digest
from lockstep.oci.http import Access
from lockstep.oci.layer import Layer
from lockstep.oci.layout import Layout
from lockstep.oci.registry import Registries
from lockstep.oci.memory import Memory
name, folder, digest, size, piece = sys.argv[1:]
registries = Registries(Access(plain_http=True), Memory(Path(folder, "memory"), int(piece)))
registries.at(name).add("weights", Layer(Digest(digest), int(size)), Layout(Path(folder, "store"), "ocr"))
"""


def test_an_upload_that_was_killed_at_sixty_percent_goes_on(cluster: Running, tmp_path: Path) -> None:
    source, piece = Layout(tmp_path / "store", "ocr"), 16 << 20
    layer = source.put("weights", lambda sink: [sink.write(bytes([n]) * CHUNK) for n in range(200)])  # type: ignore[func-returns-value]
    name, memory = f"{cluster.registry}/contract/{uuid.uuid4().hex}", Memory(tmp_path / "memory", piece)
    command = [sys.executable, "-c", _CHILD, name, str(tmp_path), layer.digest, str(layer.size), str(piece)]
    moved: list[int] = []
    registry = Registries(PLAIN, memory, moved.append).at(name)

    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}) as child:
        while arrived(registry, memory.folder) < 0.6 * layer.size:
            assert child.poll() is None, "it was faster than this test: make the blob larger"
        child.kill()
    sent = registry.add("weights", layer, source)

    assert moved[0] >= 0.6 * layer.size, "what is there already"
    assert 0 < sent <= 0.4 * layer.size + piece
    assert verify_blob(registry, layer.digest) == layer.size


def arrived(registry: Registry, memory: Path | None) -> int:
    """How many bytes of the one upload under way the registry has."""
    for path in (memory or Path()).glob("*.json"):
        with suppress(OSError, ValueError):
            answer = registry.host.send("GET", json.loads(path.read_text(encoding="utf-8"))["address"])
            return int(answer.headers.get("range", "0-0").partition("-")[2])
    return 0
