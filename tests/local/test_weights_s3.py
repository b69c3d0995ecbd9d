"""Weights that only S3 has: DVC fetches them, and nothing that it brings is believed. Real DVC, moto's S3."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from s3 import S3, dvc, serving_s3, set_dvc, use_remote
from tiny import Tiny, md5_of, tiny_bundle

FILES = {"model.bin": b"weights of the tiny model\n", "more.bin": b"more" * 1000}
FOLDER = {"config.json": b"{}\n", "shards/1.bin": b"one" * 1000}
WEIGHTS = "components/model/weights"


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with serving_s3() as server:
        yield server


@pytest.fixture(scope="module")
def served(s3: S3, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """A bundle with two files and a folder of weights that `dvc add` and `dvc push` left in S3, and nowhere else."""
    folder = tmp_path_factory.mktemp("s3")
    with pytest.MonkeyPatch.context() as patch:
        set_dvc(patch, folder)
        tiny = tiny_bundle(folder / "bundle")
        use_remote(tiny, "s3://weights/tiny", s3.url)
        s3.put("weights")
        for name, data in (FILES | {f"bert/{name}": data for name, data in FOLDER.items()}).items():
            tiny.write(f"{WEIGHTS}/{name}", data)
        tiny.git("rm", "-q", f"{WEIGHTS}/model.bin.dvc")
        dvc(tiny, "add", *(f"{WEIGHTS}/{name}" for name in (*FILES, "bert")))
        dvc(tiny, "push")
        paths = ", ".join(f"weights/{name}.dvc" for name in (*FILES, "bert"))
        tiny.replace("components/model/component.yaml", "weights/model.bin.dvc", paths)
        for name in FILES:
            (tiny.folder / WEIGHTS / name).unlink()
        shutil.rmtree(tiny.folder / WEIGHTS / "bert")
        shutil.rmtree(tiny.folder / ".dvc/cache")
        shutil.rmtree(tiny.folder / ".dvc/remote")
        (tiny.folder / "components/model/weights.lock").unlink()
        tiny.commit("weights in S3")
    return tiny


@pytest.fixture(autouse=True)
def _dvc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_dvc(monkeypatch, tmp_path)


def objects(tiny: Tiny) -> set[str]:
    """md5s of what DVC's cache holds."""
    return {path.parent.name + path.name for path in (tiny.folder / ".dvc/cache/files/md5").glob("??/*")}


def key(data: bytes) -> str:
    """Where S3 has it."""
    return f"weights/tiny/files/md5/{md5_of(data)[:2]}/{md5_of(data)[2:]}"


def test_what_only_s3_has_is_fetched_hashed_and_locked(
    run: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = json.loads(run("weights", "lock", "model", "-o", "json"))["components"][0]
    monkeypatch.setenv("PATH", "/usr/bin:/bin")  # where no DVC is
    again = json.loads(run("weights", "lock", "model", "-o", "json"))["components"][0]

    names = {"bert/config.json", "bert/shards/1.bin", "model.bin", "more.bin"}
    assert {file["name"]: (file["is_fetched"], file["is_read"]) for file in first["files"]} == dict.fromkeys(
        names, (True, True)
    )
    assert {file["name"]: (file["is_fetched"], file["is_read"]) for file in again["files"]} == dict.fromkeys(
        names, (False, False)
    )
    assert first["image"] == again["image"]
    assert {file["name"]: file["md5"] for file in first["files"]}["more.bin"] == md5_of(FILES["more.bin"])


def test_one_dvc_fetch_brings_all_and_says_how_much(tiny: Tiny, capsys: pytest.CaptureFixture[str]) -> None:
    from lockstep.cli.main import main  # noqa: PLC0415

    assert main(["weights", "lock", "-C", str(tiny.folder)]) == 0

    printed = capsys.readouterr()
    size = sum(map(len, (*FILES.values(), *FOLDER.values())))
    assert printed.err.splitlines()[0] == f"model: dvc fetch of model.bin, more.bin, bert, {size:,} bytes at most"
    assert "more.bin: fetched, locked" in printed.out


def test_bytes_that_were_damaged_in_s3_are_refused_and_a_rerun_after_mending_completes(
    tiny: Tiny, run: Callable[..., str], s3: S3
) -> None:
    good = FILES["more.bin"]
    wrong = b"moor" + good[4:]
    s3.put(key(good), wrong)

    shown = run("weights", "lock", "model", code=1)

    assert "weights/bytes model:" in shown
    assert md5_of(good) in shown
    assert md5_of(wrong) in shown
    assert "dvc push components/model/weights/more.bin.dvc" in shown
    assert md5_of(good) not in objects(tiny)
    assert not (tiny.folder / "components/model/weights.lock").exists()
    s3.put(key(good), good)
    assert "more.bin: fetched, locked" in run("weights", "lock", "model")


def test_a_file_of_a_folder_that_was_cut_in_s3_is_refused_and_fetched_again_after_mending(
    run: Callable[..., str], s3: S3
) -> None:
    good = FOLDER["shards/1.bin"]
    s3.put(key(good), good[:-1])

    shown = run("weights", "lock", "model", code=1)

    assert md5_of(good) in shown
    assert md5_of(good[:-1]) in shown
    s3.put(key(good), good)
    assert "bert/shards/1.bin: fetched, locked" in run("weights", "lock", "model")


def test_what_s3_lacks_is_named_and_what_arrived_is_not_fetched_again(run: Callable[..., str], s3: S3) -> None:
    s3.delete(key(FILES["more.bin"]))

    shown = run("weights", "lock", "model", code=3)

    assert f"model: the bytes of more.bin (md5 {md5_of(FILES['more.bin'])}" in shown
    assert "its remote far" in shown
    s3.put(key(FILES["more.bin"]), FILES["more.bin"])
    printed = run("weights", "lock", "model")
    assert "more.bin: fetched, locked" in printed
    assert "model.bin: locked" in printed


def test_who_is_not_let_in_reads_why(tiny: Tiny, run: Callable[..., str], s3: S3) -> None:
    with s3.close_doors():
        shown = run("weights", "lock", "model", code=3)

    assert "model: DVC could not fetch model.bin, more.bin, bert from its default remote" in shown
    assert "Forbidden" in shown
    assert "lockstep weights lock model" in shown
    assert not (tiny.folder / "components/model/weights.lock").exists()


def test_a_remote_that_does_not_answer_is_named(tiny: Tiny, run: Callable[..., str]) -> None:
    use_remote(tiny, "s3://weights/tiny", "http://127.0.0.1:9")

    shown = run("weights", "lock", "model", code=3)

    assert "model: DVC could not fetch" in shown
    assert "127.0.0.1:9" in shown


def test_a_dry_run_says_what_would_be_fetched_and_fetches_nothing(tiny: Tiny, run: Callable[..., str]) -> None:
    printed = run("weights", "lock", "model", "--dry-run")

    assert "more.bin: would be fetched, would be read" in printed
    assert objects(tiny) == set()


def test_release_fetches_what_the_store_lacks(tiny: Tiny, run: Callable[..., str]) -> None:
    run("weights", "lock", "model")
    tiny.commit("locked")
    tiny.git("tag", "v1.1.0")
    shutil.rmtree(tiny.folder / ".dvc/cache")

    tiny.release("1.1.0")

    assert md5_of(FILES["more.bin"]) in objects(tiny)
