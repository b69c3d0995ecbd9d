"""The scenarios' components as processes, under the cluster tests' own load, judged by its checker."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.answers import failed, mixed
from kit.load import Load

BUNDLE = Path(__file__).parents[1] / "cluster" / "bundle"
PROGRAMS = ("model", "side", "thin", "root")
CLOSURES = {"root-0000000000": frozenset(f"{name}-0000000000" for name in PROGRAMS)}


def _free_ports() -> dict[str, int]:
    sockets = {name: socket.create_server(("127.0.0.1", 0)) for name in PROGRAMS}
    ports = {name: one.getsockname()[1] for name, one in sockets.items()}
    for one in sockets.values():
        one.close()
    return ports


def _start(name: str, ports: dict[str, int], folder: Path) -> subprocess.Popen[bytes]:
    (folder / "answer.prompt").write_text("Answer.\n")
    (folder / "model.bin").write_bytes(b"weights\n")
    source = os.pathsep.join([str(BUNDLE / "components" / name / "src"), str(BUNDLE / "shared")])
    urls = {f"{other.upper()}_URL": f"http://127.0.0.1:{port}" for other, port in ports.items()}
    own = {"PORT": str(ports[name]), "LOCKSTEP_INSTANCE": f"{name}-0000000000", "MAX_CONNECTION_AGE_SECONDS": "0.3"}
    mounts = {"LOCKSTEP_WEIGHTS": str(folder), "LOCKSTEP_PROMPTS": str(folder), "PYTHONPATH": source}
    return subprocess.Popen([sys.executable, "-m", name], env={**urls, **own, **mounts})


@pytest.fixture
def root(tmp_path: Path) -> Iterator[str]:
    """The address of a running root."""
    ports = _free_ports()
    running = [_start(name, ports, tmp_path) for name in PROGRAMS]
    url = f"http://127.0.0.1:{ports['root']}"
    try:
        _until_ready(url)
        yield url
    finally:
        for process in running:
            process.terminate()
        codes = [process.wait(timeout=20) for process in running]
    assert codes == [0] * len(PROGRAMS)


def _until_ready(url: str) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("the root did not become ready")


def test_load_fails_no_request_when_connections_reach_their_age(root: str, tmp_path: Path) -> None:
    """Hundreds of requests on each lane over connections of 0.3 s: none fails, over HTTP/1.1 and HTTP/2."""
    end = time.monotonic() + 60
    with Load(root, tmp_path / "answers.jsonl", rate=150) as load:
        time.sleep(6)
        while load.count <= 400 and time.monotonic() < end:
            time.sleep(0.2)

    lanes = {answer.lane for answer in load.answers}
    assert lanes == {"keep-1.1-a", "keep-1.1-b", "new-1.1", "keep-2", "stream-1.1", "stream-2"}
    assert failed(load.answers) == []
    assert mixed(load.answers, CLOSURES) == []
    assert len(load.answers) > 400


def test_load_records_every_failure_of_an_instance_that_went_bad(root: str, tmp_path: Path) -> None:
    with Load(root, tmp_path / "answers.jsonl", rate=60) as load:
        time.sleep(2)
        request = urllib.request.Request(f"{root}/fault/bad", method="POST")
        with urllib.request.urlopen(request, timeout=5):
            broken = time.monotonic_ns()
        time.sleep(1)

    bad = failed(load.answers)
    assert bad
    assert min(answer.began_ns for answer in bad) > broken - 50_000_000
    assert {answer.status for answer in bad} == {500}
