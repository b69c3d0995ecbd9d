"""Weights: pointers parsed strictly, bytes believed by nobody, layers made and checked in one pass."""

import hashlib
import io
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockstep.adapters.dvc import Place, candidates, missing, repository_of
from lockstep.core.document import InvalidDocument
from lockstep.core.errors import OutsideError, Refused
from lockstep.core.names import Digest, DvcMd5, digest_of
from lockstep.core.pointer import Pointer, parse_pointer
from lockstep.core.weights import (
    WeightsFile,
    WeightsLock,
    format_lock,
    parse_lock,
    stale,
)
from lockstep.oci.image import parse_manifest
from lockstep.oci.layer import bytes_entry, write_layer
from lockstep.oci.layout import Layout
from lockstep.oci.statcache import read_cache, stamp_of, write_cache
from lockstep.oci.store import layer_of, put_image, verify_blob
from lockstep.oci.unpack import unpacked
from lockstep.oci.weights import (
    MOST_LAYERS,
    Work,
    WrongBytes,
    lock_weights,
    packs,
    weights_image,
    weights_layer,
)

DATA = b"the weights" * 100
digests = st.binary(max_size=4).map(digest_of)
files = st.builds(
    WeightsFile,
    path=st.from_regex(r"weights/[a-z0-9-]{1,9}\.dvc", fullmatch=True),
    name=st.from_regex(r"[a-z0-9-]{1,9}", fullmatch=True),
    md5=st.from_regex(r"[0-9a-f]{32}", fullmatch=True).map(DvcMd5) | st.just(DvcMd5("0" * 31 + "1")),
    size=st.integers(0, 2**62), sha256=digests, layer=digests,
)  # fmt: skip
locks = st.builds(
    WeightsLock, image=digests,
    files=st.lists(files, min_size=1, max_size=4, unique_by=(lambda f: f.path, lambda f: f.name))
    .map(lambda found: tuple(sorted(found, key=lambda file: file.path))),
)  # fmt: skip


def md5_of(data):
    return DvcMd5(hashlib.md5(data, usedforsecurity=False).hexdigest())


def pointer_text(data=DATA, name="ocr.npz", **changes):
    out = {"md5": md5_of(data), "size": str(len(data)), "hash": "md5", "path": name, **changes}
    lines = [f"{key}: {value}" for key, value in out.items() if value is not None]
    return "outs:\n- " + "\n  ".join(lines) + "\n"


def pointer(data=DATA, name="ocr.npz"):
    return parse_pointer(pointer_text(data, name), f"weights/{name}.dvc", "ocr")


def bundle(tmp_path, remote=None):
    """A repository with DVC, and a component below it."""
    (tmp_path / ".dvc").mkdir()
    config = f"[core]\n    remote = bundle\n['remote \"bundle\"']\n    url = {remote}\n" if remote else ""
    (tmp_path / ".dvc/config").write_text(config)
    folder = tmp_path / "deep/components/ocr"
    (folder / "weights").mkdir(parents=True)
    return Place("ocr", folder)


def put_object(base, md5, data):
    path = base / "files/md5" / md5[:2] / md5[2:]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def work(place, store=None, locked=None):
    return Work("ocr", lambda one: candidates(one, place), lambda one: missing(one, place), store, locked)


def test_a_pointer_is_parsed():
    found = parse_pointer(pointer_text(), "weights/ocr.npz.dvc", "ocr")

    assert found == Pointer("weights/ocr.npz.dvc", "ocr.npz", md5_of(DATA), len(DATA), "", found.where)
    assert found.where == "components/ocr/weights/ocr.npz.dvc:2"


@pytest.mark.parametrize("md5", ["00000000000000000000000000000012", "1234567890123456789012345678e123"])
def test_an_md5_that_looks_like_a_number_stays_as_it_is(md5):
    assert parse_pointer(pointer_text(md5=md5), "weights/a.dvc", "ocr").md5 == md5


def test_a_file_in_a_folder_keeps_its_folder():
    assert parse_pointer(pointer_text(name="b.npz"), "weights/a/b.npz.dvc", "ocr").name == "a/b.npz"


@pytest.mark.parametrize(("text", "said"), [
    (pointer_text(hash=None), "DVC 2"),
    (pointer_text(hash="md5-dos2unix"), "DVC 2"),
    (pointer_text(md5="0" * 31 + ".dir", nfiles="3"), "md5"),
    (pointer_text(size=None), "size"),
    (pointer_text(size="1e3"), "size"),
    (pointer_text(size="-1"), "size"),
    (pointer_text(md5="xyz"), "md5"),
    (pointer_text(name="../x"), "beside its pointer"),
    (pointer_text(etag="abc"), "etag"),
    (pointer_text(md5=None, size=None) + "deps:\n- path: x\n  repo:\n    url: ../r\n", "no md5"),
    (pointer_text(md5=None, size=None) + "  cloud:\n    s3:\n      etag: abc\n", "no md5"),
    (pointer_text(md5=None, size=None) + "  files:\n  - relpath: a\n    size: 1\n", "no md5"),
    (pointer_text() + "wdir: ..\n", "wdir"),
    (pointer_text() + pointer_text().removeprefix("outs:\n"), "2 outputs"),
    ("outs: []\n", "0 outputs"),
    ("", "0 outputs"),
    ("- a\n", "0 outputs"),
])  # fmt: skip
def test_a_pointer_that_cannot_be_hashed_again_is_refused(text, said):
    with pytest.raises(Refused) as caught:
        parse_pointer(text, "weights/a.dvc", "ocr")

    finding = next(one for one in caught.value.findings if said in one.what)
    assert finding.component == "ocr"
    assert finding.where.startswith("components/ocr/weights/a.dvc:")
    assert finding.fix


def test_a_pointer_with_a_duplicate_key_is_refused():
    with pytest.raises(InvalidDocument, match="duplicate"):
        parse_pointer(pointer_text() + "  md5: 0\n", "weights/a.dvc", "ocr")


@given(locks)
@settings(deadline=None)
def test_a_lock_is_read_back_as_it_was_written(lock):
    text = format_lock(lock, "ocr")

    assert parse_lock(text, "weights.lock") == lock
    assert text.startswith("# written by lockstep; do not edit, run: lockstep weights lock ocr\n")


@pytest.mark.parametrize("broken", ["", "a: 1", 'schema: "lockstep.dev/weights/v2"'])
def test_a_lock_of_another_schema_is_refused_with_the_command(broken):
    with pytest.raises(Refused) as caught:
        parse_lock(broken, "weights.lock", "ocr")

    assert caught.value.findings[0].fix == "lockstep weights lock ocr"


def test_a_lock_with_an_unknown_field_is_refused(tmp_path):
    place = bundle(tmp_path)
    (place.folder / "weights/ocr.npz").write_bytes(DATA)
    lock, _ = lock_weights(work(place), [pointer()], {})

    with pytest.raises(Refused):
        parse_lock(format_lock(lock, "ocr") + 'more: "x"\n', "weights.lock")


def test_a_lock_is_stale_where_it_differs_from_the_pointers(tmp_path):
    place = bundle(tmp_path)
    (place.folder / "weights/ocr.npz").write_bytes(DATA)
    lock, _ = lock_weights(work(place), [pointer()], {})

    assert stale("ocr", lock, [pointer()]) == ()
    assert stale("ocr", None, []) == ()
    for pointers in ([], [pointer(b"other")], [pointer(), pointer(name="b")]):
        (finding,) = stale("ocr", lock, pointers)
        assert finding.fix == "lockstep weights lock ocr"
    (finding,) = stale("ocr", None, [pointer()])
    assert "no weights.lock" in finding.what


def test_a_layer_of_weights_is_the_plain_layer_of_the_file(tmp_path):
    place = bundle(tmp_path)
    (place.folder / "weights/ocr.npz").write_bytes(DATA)
    store = Layout(tmp_path / "store")

    lock, _ = lock_weights(work(place, store), [pointer()], {})

    (file,) = lock.files
    plain = layer_of(lambda sink: write_layer([bytes_entry("ocr.npz", DATA)], sink))
    assert file.layer == plain.digest
    assert file.sha256 == digest_of(DATA)
    assert verify_blob(store, file.layer) == plain.size
    assert parse_manifest(weights_image(lock.files).manifest, "").layers[0].size == plain.size


def test_weights_are_unpacked_from_the_store_as_they_were(tmp_path):
    place = bundle(tmp_path)
    (place.folder / "weights/ocr.npz").write_bytes(DATA)
    store = Layout(tmp_path / "store", "ocr")
    lock, _ = lock_weights(work(place, store), [pointer()], {})

    put_image(store, weights_image(lock.files), "weights-1")
    folder = unpacked(store, store.tags()["weights-1"], tmp_path / "cache")

    assert lock.image == store.tags()["weights-1"]
    assert (folder / "ocr.npz").read_bytes() == DATA


@pytest.mark.parametrize("where", ["cache", "remote"])
def test_bytes_come_from_the_cache_or_the_local_remote(tmp_path, where):
    place = bundle(tmp_path, remote="../data/remote")
    base = tmp_path / (".dvc/cache" if where == "cache" else "data/remote")
    put_object(base, pointer().md5, DATA)

    lock, _ = lock_weights(work(place), [pointer()], {})

    assert lock.files[0].sha256 == digest_of(DATA)
    assert repository_of(place.folder) == tmp_path


def test_a_changed_working_copy_is_passed_over_for_the_cache(tmp_path):
    place = bundle(tmp_path)
    (place.folder / "weights/ocr.npz").write_bytes(DATA[::-1])
    put_object(tmp_path / ".dvc/cache", pointer().md5, DATA)

    lock, _ = lock_weights(work(place), [pointer()], {})

    assert lock.files[0].sha256 == digest_of(DATA)


def test_config_local_wins(tmp_path):
    place = bundle(tmp_path, remote="../nowhere")
    (tmp_path / ".dvc/config.local").write_text(f"['remote \"bundle\"']\n    url = {tmp_path}/here\n")
    put_object(tmp_path / "here", pointer().md5, DATA)

    assert [path.read_bytes() for path in candidates(pointer(), place)] == [DATA]


def test_right_size_and_wrong_bytes_are_an_error_and_store_nothing(tmp_path):
    place = bundle(tmp_path, remote="../remote")
    wrong = DATA[:-1] + b"!"
    path = put_object(tmp_path / "remote", pointer().md5, wrong)
    store = Layout(tmp_path / "store")

    with pytest.raises(WrongBytes) as caught:
        lock_weights(work(place, store), [pointer()], {})

    (finding,) = caught.value.findings
    assert finding.component == "ocr"
    assert str(path) in finding.what
    assert md5_of(wrong) in finding.what
    assert pointer().md5 in finding.what
    assert finding.fix
    assert not list((tmp_path / "store").rglob("blobs/sha256/*"))
    assert not list((tmp_path / "store/unfinished").iterdir())


def test_another_size_is_an_error_with_both_values(tmp_path):
    place = bundle(tmp_path)
    (place.folder / "weights/ocr.npz").write_bytes(DATA + b"!")

    with pytest.raises(WrongBytes) as caught:
        lock_weights(work(place), [pointer()], {})

    assert f"{len(DATA) + 1} bytes" in caught.value.findings[0].what
    assert f"says {len(DATA)} bytes" in caught.value.findings[0].what


def test_bytes_that_are_nowhere_are_an_error_with_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    place = bundle(tmp_path, remote="s3://bucket/x")

    with pytest.raises(OutsideError) as caught:
        lock_weights(work(place), [pointer()], {})

    assert "ocr" in caught.value.what
    assert pointer().md5 in caught.value.what
    assert "install DVC" in caught.value.fix


def test_dvc_fetches_what_is_on_no_local_disk(tmp_path, monkeypatch):
    place = bundle(tmp_path, remote="s3://bucket/x")
    program = tmp_path / "bin/dvc"
    program.parent.mkdir()
    target = tmp_path / ".dvc/cache/files/md5" / pointer().md5[:2] / pointer().md5[2:]
    (tmp_path / "data").write_bytes(DATA)
    program.write_text(
        f'#!/bin/sh\n[ "$1" = fetch ] || exit 9\nmkdir -p {target.parent} && cp {tmp_path}/data {target}\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")

    lock, _ = lock_weights(work(place), [pointer()], {})

    assert lock.files[0].sha256 == digest_of(DATA)


def test_an_unchanged_file_is_not_read_again(tmp_path):
    place = bundle(tmp_path)
    path = place.folder / "weights/ocr.npz"
    path.write_bytes(DATA)
    store = Layout(tmp_path / "store")
    time.sleep(0.1)
    first, known = lock_weights(work(place, store), [pointer()], {})
    write_cache(tmp_path / "cache.json", known)
    (hashes,) = read_cache(tmp_path / "cache.json").values()
    path.write_bytes(DATA[::-1])  # what is in the file now is seen only by whoever reads it
    known = {stamp_of(path): hashes}

    again, _ = lock_weights(Work("ocr", lambda _: [path], lambda _: AssertionError(), store), [pointer()], known)

    assert again == first


def test_a_file_changed_in_place_is_read_again(tmp_path):
    place = bundle(tmp_path)
    path = place.folder / "weights/ocr.npz"
    path.write_bytes(DATA)
    time.sleep(0.1)
    _, known = lock_weights(work(place), [pointer()], {})
    assert known
    path.write_bytes(DATA[::-1])

    with pytest.raises(WrongBytes):
        lock_weights(work(place), [pointer()], known)


def test_a_layer_that_the_store_lost_is_written_again(tmp_path):
    place = bundle(tmp_path)
    (place.folder / "weights/ocr.npz").write_bytes(DATA)
    time.sleep(0.1)
    first, known = lock_weights(work(place), [pointer()], {})
    store = Layout(tmp_path / "store")

    lock_weights(work(place, store, first), [pointer()], known)

    assert store.has(first.files[0].layer)


def test_a_cache_that_is_not_understood_is_empty(tmp_path):
    (tmp_path / "cache.json").write_text("{")

    assert read_cache(tmp_path / "cache.json") == {}
    assert read_cache(tmp_path / "none.json") == {}


def test_past_a_hundred_files_the_smallest_share_a_layer(tmp_path):
    place = bundle(tmp_path)
    pointers = []
    for number in range(MOST_LAYERS + 20):
        data = bytes(number)
        (place.folder / f"weights/{number}.bin").write_bytes(data)
        pointers.append(pointer(data, f"{number}.bin"))
    store = Layout(tmp_path / "store")

    lock, _ = lock_weights(work(place, store), pointers, {})

    image = weights_image(lock.files)
    assert len(image.layers) == MOST_LAYERS
    put_image(store, image, "all")
    folder = unpacked(store, lock.image, tmp_path / "cache")
    assert all((folder / f"{number}.bin").read_bytes() == bytes(number) for number in range(120))


@given(st.permutations(range(130)))
@settings(deadline=None, max_examples=20)
def test_packs_ignore_order(order):
    pointers = [Pointer(f"{n}.dvc", f"{n}", DvcMd5("0" * 32), n // 3, "", "") for n in order]

    assert packs(pointers) == packs(sorted(pointers, key=lambda one: one.path))


def test_an_empty_file_is_a_weight():
    (file,) = weights_layer("ocr", [_source(b"")], None)

    assert file.sha256 == Digest("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")


def _source(data):
    from lockstep.oci.weights import Source  # noqa: PLC0415

    return Source(pointer(data), lambda: io.BytesIO(data), len(data), "memory")
