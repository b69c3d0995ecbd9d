"""Pointers as the real DVC writes them: imports, version-aware remotes, DVC 2."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from s3 import S3, dvc, serving_s3, set_dvc, use_remote
from tiny import Tiny, md5_of, tiny_bundle

DATA = b"made elsewhere\n" * 100
FOLDER = {"config.json": b"{}\n", "shards/1.bin": b"one" * 1000}
WEIGHTS = "components/model/weights"


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with serving_s3() as server:
        server.put("weights")
        server.put("versions")
        server.versions("versions")
        yield server


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """The tiny bundle."""
    return tiny_bundle(tmp_path_factory.mktemp("pointers") / "bundle")


@pytest.fixture(autouse=True)
def _dvc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_dvc(monkeypatch, tmp_path)


def elsewhere(folder: Path) -> Tiny:
    """Another repository with DVC, and DATA in it."""
    other = Tiny(folder)
    other.write("made.bin", DATA)
    other.git("init", "-q")
    dvc(other, "init", "-q")
    dvc(other, "add", "-q", "made.bin")
    other.commit("made")
    return other


def forget(tiny: Tiny, *names: str) -> None:
    """Only remotes have the weights."""
    shutil.rmtree(tiny.folder / ".dvc/cache")
    for name in names:
        path = tiny.folder / WEIGHTS / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def weigh(tiny: Tiny, *names: str) -> None:
    """The component has these weights."""
    paths = ", ".join(f"weights/{name}.dvc" for name in names)
    tiny.replace("components/model/component.yaml", "weights/model.bin.dvc", paths)
    (tiny.folder / WEIGHTS / "model.bin.dvc").unlink()


def add_anew(tiny: Tiny, path: str, shown: str) -> None:
    """Does what the message says."""
    assert f"fix:   dvc pull {path}.dvc && rm {path}.dvc && dvc add {path} && dvc push {path}.dvc\n" in shown
    dvc(tiny, "pull", "-q", f"{path}.dvc")
    (tiny.folder / f"{path}.dvc").unlink()
    dvc(tiny, "add", "-q", path)
    dvc(tiny, "push", "-q", f"{path}.dvc")


def locked(run: Callable[..., str]) -> dict[str, str]:
    """md5s of what was locked, by name."""
    (item,) = json.loads(run("weights", "lock", "model", "-o", "json"))["components"]
    return {file["name"]: file["md5"] for file in item["files"]}


def test_an_import_is_refused_until_it_is_mirrored_as_the_message_says(
    tiny: Tiny, run: Callable[..., str], tmp_path: Path
) -> None:
    other = elsewhere(tmp_path / "other")
    path = f"{WEIGHTS}/made.bin"
    dvc(tiny, "import", "-q", str(other.folder), "made.bin", "-o", path)
    weigh(tiny, "made.bin")
    forget(tiny, "made.bin")

    shown = run("weights", "lock", "model", code=1)

    assert "weights/pointer model: weights/made.bin.dvc was made by `dvc import`" in shown
    add_anew(tiny, path, shown)
    forget(tiny, "made.bin")
    assert locked(run) == {"made.bin": md5_of(DATA)}


def test_an_import_whose_bytes_our_remote_has_is_locked(tiny: Tiny, run: Callable[..., str], tmp_path: Path) -> None:
    other = elsewhere(tmp_path / "other")
    dvc(tiny, "import", "-q", str(other.folder), "made.bin", "-o", f"{WEIGHTS}/made.bin")
    weigh(tiny, "made.bin")
    mirrored = tiny.folder / ".dvc/remote/files/md5" / md5_of(DATA)[:2] / md5_of(DATA)[2:]
    mirrored.parent.mkdir(parents=True, exist_ok=True)
    mirrored.write_bytes(DATA)
    forget(tiny, "made.bin")

    assert locked(run) == {"made.bin": md5_of(DATA)}


def test_an_import_that_was_not_downloaded_says_nothing_to_hash(
    tiny: Tiny, run: Callable[..., str], tmp_path: Path
) -> None:
    other = elsewhere(tmp_path / "other")
    dvc(tiny, "import", "-q", "--no-download", str(other.folder), "made.bin", "-o", f"{WEIGHTS}/made.bin")
    weigh(tiny, "made.bin")

    shown = run("weights", "lock", "model", code=1)

    assert "there is no md5 to hash them against" in shown
    add_anew(tiny, f"{WEIGHTS}/made.bin", shown)
    assert locked(run) == {"made.bin": md5_of(DATA)}


def test_what_was_imported_from_an_address_is_fetched_from_our_remote(
    tiny: Tiny, run: Callable[..., str], s3: S3, tmp_path: Path
) -> None:
    use_remote(tiny, "s3://weights/urls", s3.url)
    (tmp_path / "made.bin").write_bytes(DATA)
    dvc(tiny, "import-url", "-q", str(tmp_path / "made.bin"), f"{WEIGHTS}/made.bin")
    dvc(tiny, "push", "-q", f"{WEIGHTS}/made.bin.dvc")
    weigh(tiny, "made.bin")
    forget(tiny, "made.bin")
    (tmp_path / "made.bin").unlink()

    assert locked(run) == {"made.bin": md5_of(DATA)}


def test_what_a_version_aware_remote_has_is_fetched_and_hashed(tiny: Tiny, run: Callable[..., str], s3: S3) -> None:
    use_remote(tiny, "s3://versions/tiny", s3.url, version_aware=True)
    for name, data in ({"made.bin": DATA} | {f"bert/{name}": data for name, data in FOLDER.items()}).items():
        tiny.write(f"{WEIGHTS}/{name}", data)
    dvc(tiny, "add", "-q", f"{WEIGHTS}/made.bin", f"{WEIGHTS}/bert")
    dvc(tiny, "push", "-q", f"{WEIGHTS}/made.bin.dvc", f"{WEIGHTS}/bert.dvc")
    assert "version_id" in tiny.read(f"{WEIGHTS}/made.bin.dvc")
    assert ".dir" not in tiny.read(f"{WEIGHTS}/bert.dvc")
    weigh(tiny, "made.bin", "bert")
    forget(tiny, "made.bin", "bert")

    found = locked(run)

    assert found == {"made.bin": md5_of(DATA)} | {f"bert/{name}": md5_of(data) for name, data in FOLDER.items()}


def test_what_dvc_2_wrote_is_refused_until_it_is_added_anew_as_the_message_says(
    tiny: Tiny, run: Callable[..., str]
) -> None:
    path = f"{WEIGHTS}/old.txt"
    data = b"one\r\ntwo\r\n"  # DVC 2 hashed a text without its \r
    old = md5_of(data.replace(b"\r\n", b"\n"))
    tiny.write(f"{path}.dvc", f"outs:\n- md5: {old}\n  size: {len(data)}\n  path: old.txt\n")
    tiny.write(f".dvc/cache/{old[:2]}/{old[2:]}", data)
    weigh(tiny, "old.txt")

    shown = run("weights", "lock", "model", code=1)

    assert "DVC 2 changed line ends before it hashed" in shown
    add_anew(tiny, path, shown)
    assert locked(run) == {"old.txt": md5_of(data)}
