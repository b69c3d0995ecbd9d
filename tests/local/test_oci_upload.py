"""Large blobs go up in pieces: what was interrupted goes on where it was, and nothing arrives that is not right."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fakes import FakeRegistry, serving
from lockstep.core.errors import OutsideError
from lockstep.oci.layer import CHUNK, Layer
from lockstep.oci.layout import Layout
from lockstep.oci.memory import Memory
from lockstep.oci.registry import Registries, Registry
from lockstep.oci.store import writing
from lockstep.verbs.progress import Progress, Stopped

PIECE = 2 * CHUNK
DATA = b"".join(number.to_bytes(8, "big") * (CHUNK // 8) for number in range(20)) + b"and a rest"
_CHILD = """
import sys
from pathlib import Path
from lockstep.core.names import Digest
from lockstep.oci.layer import Layer
from lockstep.oci.layout import Layout
from lockstep.oci.registry import Registries
from lockstep.oci.memory import Memory
host, folder, digest, size = sys.argv[1:]
registries = Registries(memory=Memory(Path(folder, "memory"), 2 << 20))
blob, source = Layer(Digest(digest), int(size)), Layout(Path(folder, "store"), "ocr")
print(registries.at(f"{host}/ocr").add("weights", blob, source))
"""


@pytest.fixture
def fake() -> FakeRegistry:
    return FakeRegistry()


@pytest.fixture
def host(fake: FakeRegistry) -> Iterator[str]:
    with serving(fake) as name:
        yield name


@pytest.fixture
def store(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "store", "ocr")


@pytest.fixture
def layer(store: Layout) -> Layer:
    return store.put("weights", writing(DATA))


def registry(host: str, folder: Path) -> Registry:
    return Registries(memory=Memory(folder / "memory", PIECE)).at(f"{host}/ocr")


def child(host: str, folder: Path, layer: Layer, before: Callable[[], None] = lambda: None) -> subprocess.Popen[str]:
    """Another process that uploads the blob and prints how many bytes it sent."""
    command = [sys.executable, "-c", _CHILD, host, str(folder), layer.digest, str(layer.size)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=before,  # noqa: PLW1509 - one system call, no lock is taken
    )


def remembered(folder: Path) -> list[Path]:
    return list((folder / "memory").glob("*.json"))


def test_a_large_blob_goes_up_in_pieces(
    fake: FakeRegistry, host: str, tmp_path: Path, store: Layout, layer: Layer
) -> None:
    sent = registry(host, tmp_path).add("weights", layer, store)

    assert sent == layer.size == fake.received
    assert len(fake.sent("PATCH")) == 11
    assert fake.blobs["ocr"][layer.digest] == DATA
    assert remembered(tmp_path) == []


def test_a_small_one_goes_up_at_once(fake: FakeRegistry, host: str, tmp_path: Path, store: Layout) -> None:
    small = store.put("small", writing(b"x" * PIECE))

    registry(host, tmp_path).add("small", small, store)

    assert (len(fake.sent("PATCH")), len(fake.sent("PUT"))) == (0, 1)


@pytest.mark.parametrize("broken", [{1}, {4}, {11}, {2, 3, 4}, set(range(1, 12))])
def test_a_broken_connection_costs_half_a_piece_each(
    fake: FakeRegistry, host: str, tmp_path: Path, store: Layout, layer: Layer, broken: set[int]
) -> None:
    fake.breaks = set(broken)

    registry(host, tmp_path).add("weights", layer, store)

    assert fake.blobs["ocr"][layer.digest] == DATA
    assert fake.received == layer.size, "what had arrived is not sent again"


def test_after_a_kill_at_sixty_percent_the_rerun_sends_the_rest(
    fake: FakeRegistry, host: str, tmp_path: Path, store: Layout, layer: Layer
) -> None:
    stopped = threading.Event()

    def on_piece(size: int) -> None:
        if size >= 0.6 * layer.size and not stopped.is_set():
            stopped.set()
            os.kill(killed.pid, signal.SIGKILL)

    fake.on_piece = on_piece
    killed = child(host, tmp_path, layer)
    killed.communicate(timeout=60)
    assert killed.returncode == -signal.SIGKILL
    before = fake.received

    sent = registry(host, tmp_path).add("weights", layer, store)

    assert 0.6 * layer.size <= before < layer.size
    assert sent <= 0.4 * layer.size + PIECE
    assert fake.received <= layer.size + PIECE
    assert fake.blobs["ocr"][layer.digest] == DATA
    assert remembered(tmp_path) == []


def test_two_tools_at_once_send_it_once(fake: FakeRegistry, host: str, tmp_path: Path, layer: Layer) -> None:
    tools = [child(host, tmp_path, layer) for _ in range(2)]
    sent = sorted(int(tool.communicate(timeout=60)[0]) for tool in tools)

    assert sent == [0, layer.size]
    assert fake.received == layer.size


def test_an_upload_that_cannot_be_remembered_is_not_begun(
    fake: FakeRegistry, host: str, tmp_path: Path, store: Layout, layer: Layer
) -> None:
    """The kernel lets no file grow; the next run has room."""
    full = child(host, tmp_path, layer, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)))
    said = full.communicate(timeout=60)[1]
    before = fake.received

    sent = registry(host, tmp_path).add("weights", layer, store)

    assert "OutsideError: File too large" in said
    assert (full.returncode, before) == (1, 0)
    assert sent == layer.size == fake.received
    assert fake.stored == [("ocr", layer.digest)]


def test_an_upload_that_the_registry_forgot_starts_anew(
    fake: FakeRegistry, host: str, tmp_path: Path, store: Layout, layer: Layer
) -> None:
    fake.refuses["PATCH"] = (500, b"")
    with pytest.raises(OutsideError, match="500"):
        registry(host, tmp_path).add("weights", layer, store)
    assert len(remembered(tmp_path)) == 1
    fake.refuses.clear()
    fake.uploads.clear()

    assert registry(host, tmp_path).add("weights", layer, store) == layer.size
    assert fake.blobs["ocr"][layer.digest] == DATA


def test_a_registry_that_has_less_than_was_sent_gets_it_again(
    fake: FakeRegistry, host: str, tmp_path: Path, store: Layout, layer: Layer
) -> None:
    lost = threading.Event()

    def on_piece(size: int) -> None:
        if size >= 4 * PIECE and not lost.is_set():
            lost.set()
            fake.uploads["1"] = fake.uploads["1"][:PIECE]

    fake.on_piece = on_piece
    moved: list[int] = []
    registries = Registries(memory=Memory(tmp_path / "memory", PIECE), moved=moved.append)

    registries.at(f"{host}/ocr").add("weights", layer, store)

    assert fake.blobs["ocr"][layer.digest] == DATA
    assert min(moved) >= 0, "progress does not go back"
    assert sum(moved) == layer.size


def test_one_that_takes_nothing_any_more_is_given_up(
    fake: FakeRegistry, host: str, tmp_path: Path, store: Layout, layer: Layer
) -> None:
    fake.on_piece = lambda _: fake.uploads.update({"1": b""})

    with pytest.raises(OutsideError, match="again and again"):
        registry(host, tmp_path).add("weights", layer, store)


@pytest.mark.parametrize("at", [5, len(DATA) // 2, len(DATA) - 1])
def test_a_damaged_blob_never_arrives_whole(
    fake: FakeRegistry, host: str, tmp_path: Path, store: Layout, layer: Layer, at: int
) -> None:
    path = store.folder / "blobs/sha256" / layer.digest.hex
    path.chmod(0o644)
    path.write_bytes(DATA[:at] + b"\xff" + DATA[at + 1 :])

    with pytest.raises(OutsideError, match="damaged"):
        registry(host, tmp_path).add("weights", layer, store)

    assert fake.blobs == {}
    assert fake.received < layer.size


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"x", lambda data: data[: 3 * CHUNK]])
def test_one_of_another_length_never_arrives(
    fake: FakeRegistry, host: str, tmp_path: Path, store: Layout, layer: Layer, change
) -> None:
    path = store.folder / "blobs/sha256" / layer.digest.hex
    path.chmod(0o644)
    path.write_bytes(change(DATA))

    with pytest.raises(OutsideError, match="damaged"):
        registry(host, tmp_path).add("weights", layer, store)

    assert fake.blobs == {}


def test_ctrl_c_stops_a_push_at_the_end_of_a_piece_and_the_next_one_goes_on(
    fake: FakeRegistry, host: str, tmp_path: Path, store: Layout, layer: Layer
) -> None:
    progress, arrived = Progress(lambda _: None), [0]
    memory = Memory(tmp_path / "memory", PIECE)

    def moved(size: int) -> None:
        arrived.append(size)
        if sum(arrived) >= 3 * PIECE:
            progress.stop()
        progress.moved(size)

    with pytest.raises(Stopped):
        Registries(memory=memory, moved=moved).at(f"{host}/ocr").add("weights", layer, store)

    sent = Registries(memory=memory).at(f"{host}/ocr").add("weights", layer, store)

    assert sent == layer.size - 3 * PIECE
    assert fake.received == layer.size
