"""What tests of commands share: a copy of the module's bundle, and the command line in it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from carried import clone, exported
from fakes import FakeRegistry, serving
from lockstep.cli.main import main
from tiny import Tiny, set_identity, tiny_bundle

MEMORY = Path("/dev/shm")  # noqa: S108 - whoever makes a folder there gets a name that nobody else has


@pytest.fixture
def tiny(served: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    """A copy of what the module's fixture `served` made."""
    set_identity(monkeypatch)
    return served.copy(tmp_path / "bundle")


@pytest.fixture
def run(tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Standard output of a command that must end with a code; standard error if that is not 0."""

    def command(*words: str, code: int = 0, folder: Path | None = None) -> str:
        found = main([*words, "-C", str(folder or tiny.folder)])
        printed = capsys.readouterr()
        assert found == code, printed.err
        return printed.out if code == 0 else printed.err

    return command


@pytest.fixture(scope="module")
def in_memory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty folder, in memory where there is some: for tests that make hundreds of trees. A kill is the same there
    as on a disk, and ten times as fast.
    """
    place = MEMORY if os.access(MEMORY, os.W_OK) else tmp_path_factory.mktemp("many")
    with tempfile.TemporaryDirectory(dir=place, prefix="lockstep-tests-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """The tiny bundle with release 1.0.0; beside it, what an export of that gives."""
    folder = tmp_path_factory.mktemp("released")
    with pytest.MonkeyPatch.context() as patch:
        set_identity(patch)
        tiny = tiny_bundle(folder / "bundle")
        tiny.release("1.0.0")
    exported(tiny, folder / "release.tar")
    return tiny


@pytest.fixture(scope="module")
def archive(released: Tiny) -> bytes:
    """The bytes of that archive."""
    return (released.folder.parent / "release.tar").read_bytes()


@pytest.fixture
def other(released: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    """A clone on the other side: Git has the release, the store has nothing."""
    set_identity(monkeypatch)
    return clone(released, tmp_path / "other")


@pytest.fixture
def fake() -> FakeRegistry:
    """A registry that answers as it should, with long pages."""
    return FakeRegistry(page=1000)


@pytest.fixture
def host(fake: FakeRegistry) -> Iterator[str]:
    """Where it is, as long as the test lasts."""
    with serving(fake) as name:
        yield name
