"""verify of a release with many components: what it costs where layers are not read, and where they are."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from bench.measure import Ran, commit, lockstep, run
from bench.table import Aim, Row
from bench.uploads import registry_at
from bench.weights import write_weights

COMPONENTS = 20
_BARE = """
import hashlib, sys
for path in sys.argv[1:]:
    with open(path, "rb") as stream:
        hashlib.file_digest(stream, "sha256")
"""


def rows(scratch: Path, *, quick: bool) -> Iterator[Row]:
    """The same release with small weights, and with 10 GB of them where BENCH=full."""
    sizes = (1,) if quick else (10, 500) if os.environ.get("BENCH") == "full" else (10, 50)
    for megabytes in sizes:
        folder, disk = scratch / f"verify-{megabytes}", scratch / f"verify-registry-{megabytes}"
        with registry_at(disk) as host:
            if not host:
                yield Row("verify", "not measured", (), note="docker-registry is not on the PATH; Debian has it")
                return
            _release(folder, host, megabytes)
            lockstep(folder, "push", "1.0.0")
            os.sync()  # what was written before is not part of what is measured
            yield from _verified(folder, megabytes)
        shutil.rmtree(disk)
        shutil.rmtree(folder)


def _verified(folder: Path, megabytes: int) -> Iterator[Row]:
    size = COMPONENTS * megabytes
    area = f"verify: {COMPONENTS} components, {size / 1000:g} GB of weights"
    yield Row(area, "verify --registry", _thrice(folder, "--registry"), Aim(2, 100), "the registry vouches for layers")
    yield Row(area, "verify, own store", _thrice(folder), Aim(2, 100), "layers by size, up to 64 MB hashed")
    layers = [str(path) for path in (folder / ".lockstep/store/blobs/sha256").iterdir()]
    bare = run([sys.executable, "-c", _BARE, *layers], folder)
    for words in (("--deep",), ("--deep", "--registry")):
        ran = lockstep(folder, "verify", "1.0.0", *words)
        note = f"{size / ran.seconds:.0f} MB/s; bare one-core sha256 {size / bare.seconds:.0f} MB/s"
        yield Row(area, f"verify {' '.join(words)}", (ran,), Aim(megabytes=100), note)


def _thrice(folder: Path, *words: str) -> tuple[Ran, ...]:
    return tuple(lockstep(folder, "verify", "1.0.0", *words) for _ in range(3))


def _release(folder: Path, host: str, megabytes: int) -> None:
    """A bundle of a root and twenty components with weights, each of its own bytes, released."""
    lockstep(folder.parent, "init", str(folder))
    bundle = folder / "lockstep.yaml"
    bundle.write_text(bundle.read_text(encoding="utf-8").replace("lockstep.local/", f"{host}/"), encoding="utf-8")
    with (folder / ".gitignore").open("a", encoding="utf-8") as stream:
        stream.write("*.bin\n")
    for number in range(COMPONENTS - 1):
        _component(folder, f"model-{number}", megabytes)
    commit(folder, "components")
    lockstep(folder, "weights", "lock", "--store")
    commit(folder, "weights", "v1.0.0")
    lockstep(folder, "release", "1.0.0")


def _component(folder: Path, name: str, megabytes: int) -> None:
    """A copy of echo under another name, with one file of weights."""
    target = folder / "components" / name
    shutil.copytree(folder / "components/echo", target)
    text = (target / "component.yaml").read_text(encoding="utf-8").replace("name: echo", f"name: {name}")
    (target / "component.yaml").write_text(f"{text}weights: [weights/model.bin.dvc]\n", encoding="utf-8")
    write_weights(target / "weights/model.bin", megabytes)
