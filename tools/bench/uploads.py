"""New weights to a registry on the loopback: all of them, none of them; each beside one bare PUT of the same bytes, and
beside docker and skopeo where they are.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from bench.measure import CannotMeasure, Ran, commit, lockstep, run
from bench.rivals import docker_push, skopeo_copy
from bench.table import Aim, Row
from bench.weights import write_weights

_AREA = "push to a registry on the loopback (Debian's docker-registry)"
_MOST_RATIO = 1.3
_LEAST_RATIO = 4
_COMPARED = 1000  # megabytes, with docker and skopeo
_CONFIG = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


def rows(scratch: Path, *, quick: bool) -> Iterator[Row]:
    """For each size: the push, the same push again, and curl's PUT of the largest blob."""
    if not shutil.which("docker-registry") or not shutil.which("curl"):
        yield Row(_AREA, "not measured", (), note="docker-registry or curl is not on the PATH; Debian has both")
        return
    sizes = (100, 1000, 10_000) if os.environ.get("BENCH") == "full" else (100, 1000)
    for megabytes in (10,) if quick else sizes:
        disk, folder = scratch / f"registry-{megabytes}", scratch / f"push-{megabytes}"
        with registry_at(disk) as host:
            yield from _pushes(folder, host, disk, megabytes)
        shutil.rmtree(disk)
        shutil.rmtree(folder)


def _pushes(folder: Path, host: str, disk: Path, megabytes: int) -> Iterator[Row]:
    _release(folder, host, megabytes)
    blob = max((folder / ".lockstep/store/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    bare = _put(host, disk, blob)
    first = lockstep(folder, "push", "1.0.0", "-o", "json")
    second = lockstep(folder, "push", "1.0.0", "-o", "json")
    ratio = first.seconds / bare.seconds
    rates = f"{megabytes / first.seconds:.0f} MB/s with hashing, curl {megabytes / bare.seconds:.0f}; ratio {ratio:.2f}"
    small = "" if megabytes >= 1000 else " (interpreter and questions count for much of so little)"
    slow = f"{ratio:.2f} times as long as one bare PUT; at most {_MOST_RATIO} is the aim"
    faults = (slow,) if megabytes >= 1000 and ratio > _MOST_RATIO else ()
    sent = second.data["sent_bytes"]
    again = (f"{sent} bytes were sent again",) if sent else ()
    yield Row(_AREA, f"lockstep push, {megabytes} MB are new", (first,), Aim(megabytes=100), rates + small, faults)
    yield Row(_AREA, f"curl, one PUT of these {megabytes} MB", (bare,))
    yield Row(_AREA, f"lockstep push of the same {megabytes} MB again", (second,), note="sends nothing", faults=again)
    if megabytes == _COMPARED:
        yield from _others(folder, host, disk, first)


def _others(folder: Path, host: str, disk: Path, ours: Ran) -> Iterator[Row]:
    """The same bytes by skopeo and by docker, to an empty registry each time."""
    shutil.rmtree(disk / "docker")
    skopeo = skopeo_copy(folder / ".lockstep/store", "echo-weights:release-1.0.0", host)
    note = (
        "skopeo is not on the PATH" if skopeo is None else f"{skopeo.seconds / ours.seconds:.1f} times as long as ours"
    )
    yield Row(_AREA, f"skopeo copy of these {_COMPARED} MB", (skopeo,) if skopeo else (), note=note)
    shutil.rmtree(disk / "docker", ignore_errors=True)
    docker = docker_push(folder, folder / "components/echo/weights/model.bin", host)
    ratio = docker.seconds / ours.seconds if docker else 0
    note = f"{ratio:.1f} times as long as ours" if docker else "dockerd is not on the PATH, or this is not root"
    slow = f"docker push took {ratio:.1f} times as long as ours; at least {_LEAST_RATIO} is the aim"
    faults = (slow,) if docker and ratio < _LEAST_RATIO else ()
    yield Row(_AREA, f"docker push of these {_COMPARED} MB", (docker,) if docker else (), note=note, faults=faults)


def _release(folder: Path, host: str, megabytes: int) -> None:
    """A bundle whose echo has one file of weights, released; its registry is the one that runs."""
    lockstep(folder.parent, "init", str(folder))
    bundle = folder / "lockstep.yaml"
    text = bundle.read_text(encoding="utf-8").replace("lockstep.local/", f"{host}/")
    bundle.write_text(text, encoding="utf-8")
    component = folder / "components/echo/component.yaml"
    text = component.read_text(encoding="utf-8")
    component.write_text(f"{text}weights: [weights/model.bin.dvc]\n", encoding="utf-8")
    with (folder / ".gitignore").open("a", encoding="utf-8") as stream:
        stream.write("*.bin\n")
    write_weights(folder / "components/echo/weights/model.bin", megabytes)
    lockstep(folder, "weights", "lock", "echo", "--store")
    commit(folder, "weights", "v1.0.0")
    lockstep(folder, "release", "1.0.0")
    os.sync()


@contextlib.contextmanager
def registry_at(disk: Path) -> Iterator[str]:
    """`host:port` of a registry that keeps what it gets on `disk`, as long as the block lasts; empty without one."""
    if not shutil.which("docker-registry"):
        yield ""
        return
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    disk.mkdir()
    config = disk.with_suffix(".yml")
    config.write_text(_CONFIG.format(folder=disk, port=port), encoding="utf-8")
    with subprocess.Popen(
        ["docker-registry", "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield _answering(f"127.0.0.1:{port}")
        finally:
            process.terminate()


def _answering(host: str) -> str:
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(f"http://{host}/v2/", timeout=1):
                return host
        except OSError as error:
            if time.monotonic() > deadline:
                raise CannotMeasure(f"the registry at {host} does not answer: {error}") from error
            time.sleep(0.05)


def _put(host: str, disk: Path, blob: Path) -> Ran:
    """One PUT by curl; what it brought is removed from the registry's disk again."""
    begin = urllib.request.Request(f"http://{host}/v2/bare/blobs/uploads/", method="POST", data=b"")
    with urllib.request.urlopen(begin, timeout=10) as answer:  # noqa: S310 - the loopback
        address = answer.headers["location"]
    address += f"{'&' if '?' in address else '?'}digest=sha256:{blob.name}"
    kind = "content-type: application/octet-stream"
    ran = run(["curl", "--silent", "--fail", "--upload-file", str(blob), "--header", kind, address], blob.parent)
    shutil.rmtree(disk / "docker")
    return ran
