"""Folders that `dvc add` took as one: DVC's list is believed as little as its bytes, and each file is a layer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockstep.adapters.dvc import Place, files_of
from lockstep.core.errors import OutsideError, Refused
from lockstep.core.names import DvcMd5
from lockstep.core.pointer import Pointer, folder_md5, parse_folder, parse_pointer
from lockstep.oci.layout import Layout
from lockstep.oci.unpack import unpacked
from tiny import Tiny, md5_of, tiny_bundle

FILES = {"config.json": b"{}\n", "shards/1.bin": b"one" * 1000, "shards/2.bin": b"two" * 1000, "same.bin": b"{}\n"}
PATH = "components/model/weights/bert.dvc"


def listed(files: dict[str, bytes]) -> bytes:
    """What DVC 3 writes into its cache for a folder."""
    entries = [{"md5": md5_of(data), "relpath": path} for path, data in sorted(files.items())]
    return json.dumps(entries, sort_keys=True).encode()


def pointer_text(files: dict[str, bytes]) -> str:
    size = sum(map(len, files.values()))
    md5 = md5_of(listed(files))
    return f"outs:\n- md5: {md5}.dir\n  size: {size}\n  nfiles: {len(files)}\n  hash: md5\n  path: bert\n"


def kept(tiny: Tiny, data: bytes, suffix: str = "") -> Path:
    """Some bytes in DVC's local remote."""
    md5 = md5_of(data)
    path = tiny.remote.parent.parent / md5[:2] / (md5[2:] + suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    """The tiny bundle with a folder of weights in DVC's remote, and not in the working copy; not locked yet."""
    tiny = tiny_bundle(tmp_path / "bundle")
    added(tiny, FILES)
    tiny.replace("components/model/component.yaml", "weights/model.bin.dvc", "weights/bert.dvc")
    return tiny


def added(tiny: Tiny, files: dict[str, bytes]) -> None:
    """As `dvc add components/model/weights/bert && dvc push` leaves it."""
    kept(tiny, listed(files), ".dir")
    for data in files.values():
        kept(tiny, data)
    tiny.write(PATH, pointer_text(files))


def locked(tiny: Tiny, version: str = "1.1.0") -> None:
    tiny.lock()
    tiny.commit("a folder of weights")
    tiny.tag(version)


def test_a_folder_is_locked_released_and_verified_file_by_file(tiny: Tiny, tmp_path: Path) -> None:
    locked(tiny)
    weights = tiny.release("1.1.0").release.components["model"].weights
    assert weights is not None

    folder = unpacked(Layout(tiny.folder / ".lockstep/store"), weights.reference.digest, tmp_path / "cache")

    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert found == {f"bert/{path}": data for path, data in FILES.items()}
    assert [file.name for file in weights.files] == sorted(found)
    assert {file.path for file in weights.files} == {"weights/bert.dvc"}
    tiny.serve("1.1.0")
    assert tiny.verify("1.1.0", deep=True).findings == ()


def test_one_changed_file_is_one_new_layer(tiny: Tiny) -> None:
    locked(tiny)
    before = tiny.release("1.1.0").release.components["model"].weights
    added(tiny, {**FILES, "shards/2.bin": b"TWO" * 1000})
    locked(tiny, "1.2.0")

    after = tiny.release("1.2.0").release.components["model"].weights

    assert before is not None
    assert after is not None
    old, new = ({file.name: file.layer for file in one.files} for one in (before, after))
    assert {name for name in new if new[name] != old[name]} == {"bert/shards/2.bin"}


@pytest.mark.parametrize(
    "files",
    [
        {**FILES, "shards/2.bin": b"TWO" * 1000},
        {**FILES, "more.bin": b""},
        {name: data for name, data in FILES.items() if name != "same.bin"},
        {("shards/3.bin" if name == "shards/2.bin" else name): data for name, data in FILES.items()},
    ],
)
def test_a_lock_of_another_content_is_stale(tiny: Tiny, files: dict[str, bytes]) -> None:
    locked(tiny)
    added(tiny, files)
    tiny.commit("dvc add again, and no lock")
    tiny.tag("1.2.0")

    with pytest.raises(Refused) as caught:
        tiny.release("1.2.0")

    (finding,) = caught.value.findings
    assert (finding.rule, finding.component) == ("weights/stale", "model")
    assert finding.fix == "lockstep weights lock model"


def test_a_list_with_other_bytes_is_not_believed(tiny: Tiny) -> None:
    path = kept(tiny, listed(FILES), ".dir")
    path.write_bytes(listed({**FILES, "config.json": b"{ }\n"}))

    with pytest.raises(Refused, match="no list of the files of bert") as caught:
        tiny.lock()

    assert "dvc push components/model/weights/bert.dvc" in caught.value.findings[0].fix


def test_a_file_with_other_bytes_is_not_believed(tiny: Tiny) -> None:
    kept(tiny, FILES["shards/1.bin"]).write_bytes(b"eno" * 1000)

    with pytest.raises(Refused) as caught:
        tiny.lock()

    assert caught.value.findings[0].rule == "weights/bytes"
    assert caught.value.findings[0].component == "model"


def test_a_file_of_another_size_is_not_believed(tiny: Tiny) -> None:
    kept(tiny, FILES["shards/1.bin"]).write_bytes(b"one" * 999)

    with pytest.raises(Refused, match="wrong bytes"):
        tiny.lock()


@pytest.mark.parametrize("lost", ["list", "file"])
def test_what_is_nowhere_is_named_with_the_command(tiny: Tiny, lost: str) -> None:
    kept(tiny, *((listed(FILES), ".dir") if lost == "list" else (FILES["shards/1.bin"],))).unlink()

    with pytest.raises(OutsideError) as caught:
        tiny.lock()

    assert ("DVC's list of bert" if lost == "list" else "bert/shards/1.bin") in caught.value.what
    assert "dvc push components/model/weights/bert.dvc" in caught.value.fix


def test_the_working_copy_is_taken_where_dvc_has_only_the_list(tiny: Tiny) -> None:
    for path, data in FILES.items():
        kept(tiny, data).unlink(missing_ok=True)
        near = tiny.folder / "components/model/weights/bert" / path
        near.parent.mkdir(parents=True, exist_ok=True)
        near.write_bytes(data)

    tiny.lock()

    assert "bert/shards/2.bin" in (tiny.folder / "components/model/weights.lock").read_text()


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a//b", "a/./b", "", "."])
def test_a_list_that_leads_out_of_its_folder_is_refused(path: str) -> None:
    files = [(path, DvcMd5("0" * 32))]
    folder = Pointer("weights/a.dvc", "a", folder_md5(files), 0, "", "here", is_folder=True)
    data = json.dumps([{"md5": "0" * 32, "relpath": path}]).encode()

    with pytest.raises(Refused) as caught:
        parse_folder(data, folder, "ocr")

    assert "leads out" in caught.value.findings[0].what


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"[1]", b'[{"md5": "x", "relpath": "a"}]', b"\xff"])
def test_what_is_no_list_is_refused(data: bytes) -> None:
    folder = Pointer("weights/a.dvc", "a", DvcMd5("0" * 32), 0, "", "here", is_folder=True)

    with pytest.raises(Refused):
        parse_folder(data, folder, "ocr")


@given(st.dictionaries(st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1), st.binary()))
def test_a_list_is_read_as_dvc_writes_it(files: dict[str, bytes]) -> None:
    files = {path: data for path, data in files.items() if path not in {".", ".."}} or {"a": b""}
    folder = parse_pointer(pointer_text(files), "weights/deep/bert.dvc", "ocr")
    assert folder.is_folder

    found = parse_folder(listed(files), folder, "ocr")

    assert folder.name == "deep/bert"
    assert dict(found) == {path: md5_of(data) for path, data in files.items()}


def test_a_file_is_its_own_pointer(tmp_path: Path) -> None:
    pointer = parse_pointer("outs:\n- {md5: '" + "0" * 32 + "', size: 1, hash: md5, path: a}\n", "weights/a.dvc", "ocr")

    assert files_of(pointer, Place("ocr", tmp_path)) == (pointer,)
