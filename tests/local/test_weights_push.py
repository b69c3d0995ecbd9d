"""weights lock --push: layers reach the registry in the same pass, under a tag; what is there is not sent again; and a
kill costs little.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fakes import FakeRegistry
from lockstep.core.errors import OutsideError
from lockstep.core.names import digest_of
from lockstep.core.tags import made_tag
from lockstep.core.version import Version
from lockstep.core.weights import parse_lock
from lockstep.oci.memory import Memory
from lockstep.oci.registry import Registries
from lockstep.oci.weights import layers_of, weights_image
from lockstep.verbs.images.stores import own_stores
from lockstep.verbs.push import push_release
from lockstep.verbs.weights.lock import lock_components
from lockstep.verbs.weights.task import Goal
from tiny import Tiny, md5_of, pointer, tiny_bundle

LOCK = "components/model/weights.lock"
FILES = {name: bytes([number]) * (3 - number) * 1000 for number, name in enumerate(("a.bin", "b.bin", "c.bin"))}
REPOSITORY = "team/tiny/model-weights"


def with_files(tiny: Tiny, files: dict[str, bytes]) -> None:
    """The component has these weights instead, in the working copy."""
    for name, data in files.items():
        tiny.write(f"components/model/weights/{name}", data)
        tiny.write(f"components/model/weights/{name}.dvc", pointer(data, name))
    paths = ", ".join(f"weights/{name}.dvc" for name in files)
    tiny.replace("components/model/component.yaml", "weights/model.bin.dvc", paths)
    tiny.write(".gitignore", "/.lockstep/\n*.bin\n__pycache__/\n")


@pytest.fixture
def tiny(tmp_path: Path, host: str) -> Tiny:
    """The tiny bundle with three files of weights and a registry, which has nothing; not locked yet."""
    tiny = tiny_bundle(tmp_path / "bundle")
    with_files(tiny, FILES)
    tiny.replace("lockstep.yaml", "lockstep.local/tiny", f"{host}/team/tiny")
    (tiny.folder / LOCK).unlink()
    tiny.commit("weights and a registry")
    return tiny


def lock(run: Callable[..., str], *words: str) -> dict[str, dict[str, object]]:
    """What was done, by file."""
    (item,) = json.loads(run("weights", "lock", "model", *words, "-o", "json"))["components"]
    return {file["name"]: file for file in item["files"]}


def test_layers_reach_the_registry_under_a_tag_and_a_second_run_reads_and_sends_nothing(
    tiny: Tiny, run: Callable[..., str], fake: FakeRegistry
) -> None:
    first = lock(run, "--push")
    received = fake.received
    again = lock(run, "--push")

    locked = parse_lock(tiny.read(LOCK), LOCK)
    layers = {layer.digest: layer.size for layer in layers_of(locked.files)}
    assert fake.tags[REPOSITORY] == {made_tag(locked.image): locked.image}
    assert {name: file["sent_bytes"] for name, file in first.items()} == {
        file.name: layers[file.layer] for file in locked.files
    }
    assert {(file["is_read"], file["sent_bytes"]) for file in again.values()} == {(False, 0)}
    assert fake.received == received
    assert digest_of(fake.manifests[REPOSITORY][locked.image]) == locked.image


def test_a_push_of_the_release_sends_no_weights_again(tiny: Tiny, run: Callable[..., str], fake: FakeRegistry) -> None:
    lock(run, "--push")
    tiny.commit("locked")
    tiny.tag("1.1.0")
    tiny.release("1.1.0")
    before = set(fake.blobs[REPOSITORY])

    pushed = push_release(tiny.workspace, Version("1.1.0"), own_stores(tiny.workspace), dry=False)

    (weights,) = (image for image in pushed.images if "model-weights@" in image.reference)
    assert (weights.sent_bytes, weights.present) == (0, weights.blobs)
    assert set(fake.blobs[REPOSITORY]) == before


def test_one_changed_file_is_all_that_is_read_and_sent(tiny: Tiny, run: Callable[..., str]) -> None:
    lock(run, "--push")
    changed = b"B" * 2000
    tiny.write("components/model/weights/b.bin", changed)
    tiny.write("components/model/weights/b.bin.dvc", pointer(changed, "b.bin"))

    again = lock(run, "--push")

    assert {name for name, file in again.items() if file["is_read"]} == {"b.bin"}
    assert {name for name, file in again.items() if file["sent_bytes"]} == {"b.bin"}


def test_what_only_the_registry_has_is_neither_read_nor_sent(
    tiny: Tiny, run: Callable[..., str], fake: FakeRegistry
) -> None:
    lock(run, "--push")
    for blob in (tiny.folder / ".lockstep/store/blobs/sha256").iterdir():
        blob.unlink()
    received = fake.received

    again = lock(run, "--push")

    assert {(file["is_read"], file["sent_bytes"]) for file in again.values()} == {(False, 0)}
    assert fake.received == received


def test_a_dry_run_sends_nothing_and_says_at_most_what_would_be(
    tiny: Tiny, run: Callable[..., str], fake: FakeRegistry
) -> None:
    shown = lock(run, "--push", "--dry-run")

    assert {name: file["sent_bytes"] for name, file in shown.items()} == {n: len(d) for n, d in FILES.items()}
    assert fake.received == 0
    assert not (tiny.folder / LOCK).exists()
    assert not (tiny.folder / ".lockstep/store").exists()


def test_a_registry_that_fails_leaves_no_lock_and_a_rerun_sends_the_rest_without_reading(
    tiny: Tiny, run: Callable[..., str], fake: FakeRegistry
) -> None:
    fake.refuses["PUT"] = (403, b"")
    shown = run("weights", "lock", "model", "--push", code=3)
    assert "403" in shown
    assert not (tiny.folder / LOCK).exists()
    fake.refuses.clear()

    again = lock(run, "--push")

    assert all(file["sent_bytes"] for file in again.values())
    assert again["a.bin"]["is_read"] is False


def test_an_interrupted_push_goes_on_where_it_was(tiny: Tiny, fake: FakeRegistry, tmp_path: Path) -> None:
    stores = own_stores(tiny.workspace)
    at = Registries(memory=Memory(tmp_path / "uploads", piece=1000)).at
    goal = Goal(replace(stores, at=at), pushes=True)
    pieces: list[int] = []

    def stop_at_the_third(size: int) -> None:
        pieces.append(size)
        if len(pieces) == 3:
            fake.refuses["PATCH"] = (500, b"")

    fake.on_piece = stop_at_the_third
    with pytest.raises(OutsideError, match="500"):
        lock_components(tiny.workspace, (), goal)
    fake.refuses.clear()
    before, arrived = fake.received, sum(map(len, (*fake.uploads.values(), *fake.blobs.get(REPOSITORY, {}).values())))

    (locked,) = lock_components(tiny.workspace, (), goal)

    assert locked.lock is not None
    whole = sum(layer.size for layer in layers_of(locked.lock.files))
    image = weights_image(locked.lock.files)
    assert fake.received - before == whole - arrived + len(image.config) + len(image.manifest)


def test_a_push_without_a_registry_is_refused_with_the_field(tiny: Tiny, run: Callable[..., str], host: str) -> None:
    tiny.replace("lockstep.yaml", f"{host}/team/tiny", "lockstep.local/tiny")
    tiny.commit("no registry")

    assert "registry: HOST/PATH" in run("weights", "lock", "--push", code=2)


_KILLED = textwrap.dedent("""
    import os, signal, sys
    from pathlib import Path
    from lockstep.oci.layout import Layout
    from lockstep.verbs.images.stores import own_stores
    from lockstep.verbs.weights.lock import lock_components
    from lockstep.verbs.weights.task import Goal
    from lockstep.verbs.workspace import open_workspace
    from dataclasses import replace

    class Killed(Layout):
        def put(self, name, fill):
            if "c.bin" in name:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().put(name, fill)

    workspace = open_workspace(Path(sys.argv[1]))
    stores = replace(own_stores(workspace), of=lambda name: Killed(workspace.local / "store", name))
    lock_components(workspace, (), Goal(stores, keeps=True))
""")


def test_a_kill_in_the_third_file_leaves_the_first_two_known(tiny: Tiny, run: Callable[..., str]) -> None:
    size = 65 << 20
    with_files_of = {name: bytes([number]) * size for number, name in enumerate(FILES)}
    for name, data in with_files_of.items():
        tiny.write(f"components/model/weights/{name}", data)
        tiny.write(f"components/model/weights/{name}.dvc", pointer(data, name))
    path = os.pathsep.join(sys.path)

    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(tiny.folder)], env={**os.environ, "PYTHONPATH": path}, check=False
    )

    assert done.returncode == -signal.SIGKILL
    again = lock(run, "--store")
    assert {name: file["is_read"] for name, file in again.items()} == {"a.bin": False, "b.bin": False, "c.bin": True}
    assert again["c.bin"]["md5"] == md5_of(with_files_of["c.bin"])
