"""Layers: the same bytes everywhere, readable by others, and nothing that leaves the tree."""

import hashlib
import inspect
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockstep.core.errors import OutsideError
from lockstep.oci.code import TreeFile, code_entries
from lockstep.oci.layer import (
    Entry,
    InvalidEntry,
    bytes_entry,
    header,
    is_inside,
    link_entry,
    size_of,
    write_layer,
)
from lockstep.oci.store import layer_of

TOOLS = Path(__file__).parents[2] / "tools"
# The digest of `tree()`; a change of it changes every image of everybody.
GOLDEN = "sha256:ba1e7132715381d1dd3adde9ed014670ef54166c6b7d30503ef8d54e34a34211"

names = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=120).filter(
    lambda name: name not in {".", ".."} and not name.startswith(".wh.")
)
paths = st.lists(names, min_size=1, max_size=4).map("/".join)


def tree():
    return [
        bytes_entry("app/src/main.py", b"print('hi')\n"),
        bytes_entry("app/bin/run", b"#!/bin/sh\n", 0o755),
        bytes_entry("app/src/" + "long" * 40 + "/ümlaut.txt", b"\xff\x00"),
        bytes_entry("app/src-2", b""),
        link_entry("app/src/link.py", "main.py"),
        link_entry("app/src/up", "../bin/run"),
    ]


def written(entries):
    sink = io.BytesIO()
    write_layer(entries, sink)
    return sink.getvalue()


def members(data):
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return archive.getmembers()


def test_a_layer_is_read_back_by_tarfile():
    data = written(tree())

    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        assert archive.extractfile("app/src/main.py").read() == b"print('hi')\n"
        assert archive.extractfile("app/src/" + "long" * 40 + "/ümlaut.txt").read() == b"\xff\x00"
        assert archive.getmember("app/src/up").linkname == "../bin/run"
        assert archive.getmember("app/bin/run").mode == 0o755
        assert {(m.uid, m.gid, m.mtime, m.uname, m.gname) for m in archive.getmembers()} == {(0, 0, 0, "", "")}


def test_a_layer_is_read_by_gnu_tar(tmp_path):
    (tmp_path / "layer.tar").write_bytes(written(tree()))

    done = subprocess.run(["tar", "xf", "layer.tar"], cwd=tmp_path, capture_output=True, check=True)

    assert not done.stderr
    assert (tmp_path / "app/src/up").read_bytes() == b"#!/bin/sh\n"


def test_a_layer_has_each_parent_once_and_before_what_it_holds():
    found = [member.name for member in members(written(tree()))]

    assert found == sorted(found, key=str.encode)
    assert len(found) == len(set(found))
    assert found[0] == "app"
    assert found.index("app/src") < found.index("app/src/main.py")


def test_a_layer_has_the_digest_that_it_always_had():
    assert layer_of(lambda sink: write_layer(tree(), sink)).digest == GOLDEN


@pytest.mark.parametrize(("umask", "variables"), [
    (0o000, {"PYTHONHASHSEED": "0"}),
    (0o022, {"PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo"}),
    (0o027, {"LC_ALL": "C", "LANG": "C"}),
    (0o077, {"LC_ALL": "tr_TR.UTF-8", "PYTHONUTF8": "1", "SOURCE_DATE_EPOCH": "1"}),
])  # fmt: skip
def test_a_layer_ignores_hash_seed_clock_locale_and_umask(umask, variables, tmp_path):
    program = "\n".join([
        f"import os, sys; os.umask({umask}); sys.path.insert(0, {str(TOOLS)!r})",
        "from pathlib import Path",
        "from lockstep.oci.layer import bytes_entry, link_entry, write_layer",
        "from lockstep.oci.layout import Layout",
        inspect.getsource(tree),
        "print(Layout(Path('store')).put('x', lambda sink: write_layer(set(tree()), sink)).digest)",
    ])  # fmt: skip

    command = [sys.executable, "-c", program]
    env = {**os.environ, **variables}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == GOLDEN
    blob = tmp_path / "store/blobs/sha256" / GOLDEN[7:]
    assert blob.stat().st_mode & 0o777 == 0o644


@given(st.lists(paths, unique=True, max_size=8), st.randoms())
@settings(max_examples=60, deadline=None)
def test_a_layer_ignores_the_order_of_its_entries(found, random):
    folders = {"/".join(path.split("/")[:count]) for path in found for count in range(1, path.count("/") + 1)}
    entries = [bytes_entry(path, path.encode()) for path in found if path not in folders]
    shuffled = random.sample(entries, len(entries))

    first = written(entries)

    assert first == written(shuffled)
    assert len(first) == size_of(entries)
    assert {m.name for m in members(first) if m.isfile()} == {entry.path for entry in entries}


@given(st.integers(0, 2**63))
@settings(deadline=None)
def test_a_header_says_any_size(size):
    info = tarfile.TarInfo.frombuf(header("a", b"0", 0o644, size=size)[-512:], "utf-8", "strict")
    large = header("a", b"0", 0o644, size=size)

    assert (info.size == size) == (size < 8**11)
    assert (b"size=%d\n" % size in large) == (size >= 8**11)


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../a", "a/../b", "a//b", "./a", "a/", "", "a\0b", "a/.wh.b", "\udcff"]
)
def test_a_path_that_leaves_or_means_something_else_is_refused(path):
    with pytest.raises(InvalidEntry):
        written([bytes_entry(path, b"")])


@pytest.mark.parametrize("target", ["/etc/passwd", "../../x", "b/../../../x", "b/..", "../../../app/a"])
def test_a_link_that_leaves_is_refused(target):
    with pytest.raises(InvalidEntry, match="leaves"):
        written([link_entry("app/a", target)])


def test_a_chain_of_links_that_escapes_is_refused():
    assert is_inside("deep/l", "..")
    assert not is_inside("m", "deep/l/../x")


def test_an_entry_below_a_link_is_refused():
    with pytest.raises(InvalidEntry, match="both"):
        written([link_entry("a", "b"), bytes_entry("a/c", b"")])


def test_two_entries_of_one_path_are_refused():
    with pytest.raises(InvalidEntry, match="one path"):
        written([bytes_entry("a", b"1"), bytes_entry("a", b"2")])


@pytest.mark.parametrize("size", [0, 2, 4, 10_000_000])
def test_a_file_that_has_another_length_than_it_says_is_an_error(size):
    with pytest.raises(OutsideError, match=f"expected {size} bytes"):
        written([Entry("a", size, lambda: io.BytesIO(b"abc"))])


def test_a_file_that_cannot_be_read_is_an_error_with_its_path():
    with pytest.raises(OutsideError) as caught:
        written([Entry("a", 3, Path("/nowhere/x").open)])

    assert caught.value.where == "a"


def test_code_entries_keep_modes_and_links():
    tree = [
        TreeFile("src/run.py", "100755", 1, lambda: io.BytesIO(b"x")),
        TreeFile("src/link", "120000", 6, io.BytesIO, target="run.py"),
        TreeFile("main.py", "100644", 0, io.BytesIO),
    ]

    entries, found = code_entries("ocr", tree)

    assert not found
    assert [(entry.path, entry.mode, entry.target) for entry in entries] == [
        ("app/main.py", 0o644, ""), ("app/src/link", 0o644, "run.py"), ("app/src/run.py", 0o755, ""),
    ]  # fmt: skip


@pytest.mark.parametrize(("mode", "target"), [("120000", "../x"), ("120000", "/x"), ("120000", ""), ("160000", "")])
def test_code_that_leaves_the_component_is_a_finding(mode, target):
    _, found = code_entries("ocr", [TreeFile("a", mode, 0, io.BytesIO, target, "abc:components/ocr/a")])

    (finding,) = found
    assert (finding.component, finding.where) == ("ocr", "abc:components/ocr/a")
    assert finding.fix


def test_a_large_file_takes_little_memory():
    class Zeros(io.RawIOBase):
        left = 300 << 20

        def readable(self):
            return True

        def read(self, size=-1):
            size = min(size, self.left)
            self.left -= size
            return bytes(size)

    class Largest:
        most = 0

        def write(self, data):
            self.most = max(self.most, len(data))

    sink = Largest()
    write_layer([Entry("a", 300 << 20, Zeros)], sink)

    assert sink.most <= 4 << 20


def test_a_layer_digest_is_that_of_its_bytes():
    layer = layer_of(lambda sink: write_layer(tree(), sink))

    assert layer.digest.hex == hashlib.sha256(written(tree())).hexdigest()
    assert layer.size == size_of(tree())
