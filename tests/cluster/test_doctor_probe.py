"""doctor --probe at Debian's registry, which moves tags; nothing of it is left there."""

from __future__ import annotations

from pathlib import Path

from debian_registry import DebianRegistry, free_port
from lockstep.core.doctor.images import Probed
from lockstep.verbs.forge.probe import REPOSITORY, TAG, probe_tags
from lockstep.verbs.images.stores import own_stores
from tiny import tiny_bundle


def test_a_probe_finds_out_that_tags_are_moved_and_leaves_no_tag(tmp_path: Path) -> None:
    tiny = tiny_bundle(tmp_path / "bundle")
    stores = own_stores(tiny.workspace)
    registry = DebianRegistry(tmp_path, free_port())

    with registry.serving() as host:
        found = [probe_tags(stores, f"{host}/team") for _ in range(2)]
        left = stores.at(f"{host}/team/{REPOSITORY}").digest_of(TAG)

    registry.collect()
    assert found == [(Probed.MOVED, "")] * 2
    assert left is None
    assert registry.blobs() == set()
