"""Stores and images: whole blobs or none, tags that are never lost, folders that say what the image says."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lockstep.core.bundle import Platform
from lockstep.core.errors import OutsideError, UsageError
from lockstep.core.names import digest_of
from lockstep.oci.image import InvalidManifest, Settings, appended, image_of, parse_manifest
from lockstep.oci.layer import Layer, bytes_entry, link_entry, write_layer
from lockstep.oci.layout import Layout
from lockstep.oci.store import copy_image, layer_of, put_image, read_blob, verify_blob, writing

TOOLS = Path(__file__).parents[2] / "tools"


def put_layer(store, *entries):
    return store.put("a layer", lambda sink: write_layer(entries, sink))


def an_image(store, tag="release-1.0.0"):
    lower = put_layer(store, bytes_entry("app/a.py", b"old"), bytes_entry("app/run", b"#!", 0o755))
    upper = put_layer(store, bytes_entry("app/a.py", b"new"), link_entry("app/link", "a.py"))
    settings = Settings(env={"B": "2", "A": "1"}, workdir="/app", cmd=("run",), labels={"x": "y"})
    image = image_of([lower, upper], Platform(), settings)
    put_image(store, image, tag)
    return image


def run(program, folder):
    code = f"import sys; sys.path.insert(0, {str(TOOLS)!r})\n" + program
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", code], cwd=folder, text=True, **pipes)


def visible(store):
    return sorted(path.name for path in (store.folder / "blobs/sha256").glob("*"))


def test_a_layout_is_what_the_specification_says(tmp_path):
    store = Layout(tmp_path, "ocr")
    image = an_image(store)

    index = json.loads((tmp_path / "index.json").read_bytes())

    assert json.loads((tmp_path / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    (entry,) = index["manifests"]
    assert entry["digest"] == image.digest
    assert entry["size"] == (tmp_path / "blobs/sha256" / image.digest.hex).stat().st_size
    assert entry["annotations"] == {"org.opencontainers.image.ref.name": "ocr:release-1.0.0"}
    assert [verify_blob(store, layer.digest) for layer in image.layers] == [layer.size for layer in image.layers]


def test_an_image_is_the_same_bytes_in_any_store(tmp_path):
    assert an_image(Layout(tmp_path / "a")) == an_image(Layout(tmp_path / "b"))


def test_an_image_says_how_it_is_started(tmp_path):
    config = json.loads(an_image(Layout(tmp_path)).config)

    assert config["config"] == {
        "Env": ["A=1", "B=2"],
        "WorkingDir": "/app",
        "Cmd": ["run"],
        "Labels": {"x": "y"},
    }
    assert (config["os"], config["architecture"]) == ("linux", "amd64")
    assert "created" not in config


def test_a_manifest_is_read_back(tmp_path):
    image = an_image(Layout(tmp_path))

    found = parse_manifest(image.manifest, "x")

    assert [Layer(one.digest, one.size) for one in found.layers] == list(image.layers)
    assert found.config.digest == digest_of(image.config)


@pytest.mark.parametrize("change", [
    {"schemaVersion": 1}, {"schemaVersion": "2"}, {"mediaType": "application/vnd.oci.image.index.v1+json"},
    {"layers": {}},
    {"layers": [{}]}, {"config": None}, {"config": {"mediaType": "x", "digest": "sha256:1", "size": 1}},
    {"config": {"mediaType": "x", "digest": "sha256:" + "0" * 64, "size": -1}},
    {"config": {"mediaType": "x", "digest": "sha256:" + "0" * 64, "size": "1"}},
])  # fmt: skip
def test_a_manifest_of_another_form_is_refused(tmp_path, change):
    data = json.loads(an_image(Layout(tmp_path)).manifest) | change

    with pytest.raises(InvalidManifest):
        parse_manifest(json.dumps(data).encode(), "x")


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b'{"a":1,"a":2}'])
def test_a_manifest_that_is_not_a_json_object_is_refused(data):
    with pytest.raises(InvalidManifest):
        parse_manifest(data, "x")


def test_layers_are_appended_to_a_base(tmp_path):
    base = an_image(Layout(tmp_path))
    layer = layer_of(writing(b"x" * 512))

    image = appended(base.manifest, base.config, [layer], Settings(env={"A": "3"}, cmd=("other",)))

    config = json.loads(image.config)
    assert config["config"] == {
        "Env": ["A=3", "B=2"],
        "WorkingDir": "/app",
        "Cmd": ["other"],
        "Labels": {"x": "y"},
    }
    assert config["rootfs"]["diff_ids"] == [one.digest for one in (*base.layers, layer)]
    assert [one.digest for one in parse_manifest(image.manifest, "x").layers] == config["rootfs"]["diff_ids"]


def test_a_blob_that_is_there_is_not_written_again(tmp_path):
    store = Layout(tmp_path)
    layer = store.put("x", writing(b"abc"))
    path = tmp_path / "blobs/sha256" / layer.digest.hex
    before = path.stat()

    assert store.put("x", writing(b"abc")) == layer

    assert path.stat() == before
    assert list((tmp_path / "unfinished").iterdir()) == []


def test_a_tag_moves_and_repositories_are_apart(tmp_path):
    ocr, llm = Layout(tmp_path, "ocr"), Layout(tmp_path, "llm")
    first = image_of([], Platform())
    second = image_of([], Platform(), Settings(cmd=("x",)))
    put_image(ocr, first, "a")
    put_image(llm, first, "a")

    put_image(ocr, second, "a")

    assert ocr.tags() == {"a": second.digest}
    assert llm.tags() == {"a": first.digest}


@pytest.mark.parametrize("tag", ["", "-a", "a b", "a:b", "ä", "a" * 129])
def test_a_word_that_is_no_tag_is_refused(tmp_path, tag):
    with pytest.raises(UsageError):
        Layout(tmp_path).tag(tag, image_of([], Platform()).manifest)


def test_an_image_without_its_layers_is_not_tagged(tmp_path):
    image = image_of([layer_of(writing(b"x"))], Platform())

    with pytest.raises(OutsideError, match="not in the store"):
        put_image(Layout(tmp_path), image, "a")

    assert Layout(tmp_path).tags() == {}


def test_a_damaged_blob_of_the_right_size_is_found(tmp_path):
    store = Layout(tmp_path)
    digest = store.put("x", writing(b"abc")).digest
    (tmp_path / "blobs/sha256" / digest.hex).write_bytes(b"abd")

    for read in (read_blob, verify_blob):
        with pytest.raises(OutsideError) as caught:
            read(store, digest)
        assert str(digest) in caught.value.what
        assert str(digest_of(b"abd")) in caught.value.what


def test_a_blob_cut_short_is_written_again(tmp_path):
    store = Layout(tmp_path)
    digest = store.put("x", writing(b"abc")).digest
    (tmp_path / "blobs/sha256" / digest.hex).write_bytes(b"ab")

    store.put("x", writing(b"abc"))

    assert read_blob(store, digest) == b"abc"


def test_a_missing_blob_is_an_error_with_its_digest(tmp_path):
    with pytest.raises(OutsideError, match=str(digest_of(b""))):
        Layout(tmp_path).open(digest_of(b""))


def test_an_index_that_is_not_one_is_an_error(tmp_path):
    (tmp_path / "index.json").write_text("[]")

    with pytest.raises(OutsideError):
        Layout(tmp_path).tags()


def test_copying_an_image_copies_only_what_is_missing(tmp_path):
    source, target = Layout(tmp_path / "a"), Layout(tmp_path / "b")
    image = an_image(source)

    first = copy_image(source, target, image.digest, "x")
    again = copy_image(source, target, image.digest, "y")

    assert first == sum(layer.size for layer in image.layers) + len(image.config)
    assert again == 0
    assert target.tags() == {"x": image.digest, "y": image.digest}


def test_a_damaged_image_is_not_copied(tmp_path):
    source, target = Layout(tmp_path / "a"), Layout(tmp_path / "b")
    image = an_image(source)
    path = source.folder / "blobs/sha256" / image.layers[1].digest.hex
    path.write_bytes(path.read_bytes().replace(b"new", b"wen"))

    with pytest.raises(OutsideError, match="damaged"):
        copy_image(source, target, image.digest, "x")

    assert target.tags() == {}
    assert visible(target) == [image.layers[0].digest.hex]


def test_a_full_disk_names_the_blob_and_leaves_nothing(tmp_path):
    program = f"""
import resource, signal
from pathlib import Path
from lockstep.core.errors import OutsideError
from lockstep.oci.layout import Layout
Layout(Path("store")).put("small", lambda sink: sink.write(b"x"))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    Layout(Path("store")).put("weights/ocr.npz", lambda sink: [sink.write(bytes(1 << 18)) for _ in range(9)])
except OutsideError as error:
    print(error.what, "|", error.where, "|", error.fix)
"""  # noqa: F541

    done, errors = run(program, tmp_path).communicate()

    assert "cannot store weights/ocr.npz" in done, errors
    assert "|" in done.strip().rstrip("|")
    assert visible(Layout(tmp_path / "store")) == [digest_of(b"x").hex]
    assert list((tmp_path / "store/unfinished").iterdir()) == []


def test_a_device_that_is_full_says_to_free_space():
    from lockstep.adapters.files import wrapped  # noqa: PLC0415

    with (
        pytest.raises(OutsideError) as caught,
        wrapped(Path("x")),
        Path("/dev/full").open("wb", buffering=0) as full,
    ):
        full.write(b"x")

    assert "free disk space" in caught.value.fix


def test_a_writer_that_is_killed_leaves_no_visible_blob(tmp_path):
    program = """
import sys, time
from pathlib import Path
from lockstep.oci.layout import Layout
def fill(sink):
    sink.write(bytes(1 << 20))
    print("writing", flush=True)
    time.sleep(60)
Layout(Path("store")).put("x", fill)
"""
    writer = run(program, tmp_path)
    assert writer.stdout.readline() == "writing\n"

    os.kill(writer.pid, signal.SIGKILL)
    writer.communicate()

    store = Layout(tmp_path / "store")
    assert visible(store) == []
    assert store.put("x", writing(b"abc")).digest == digest_of(b"abc")
    assert list((tmp_path / "store/unfinished").iterdir()) == [], "the next writer sweeps"


def test_processes_that_tag_at_once_lose_nothing(tmp_path):
    program = """
import sys
from pathlib import Path
from lockstep.core.bundle import Platform
from lockstep.oci.image import Settings, image_of
from lockstep.oci.layout import Layout
from lockstep.oci.store import put_image
for number in range(25):
    image = image_of([], Platform(), Settings(cmd=(sys.argv[1],)))
    put_image(Layout(Path("store"), sys.argv[1]), image, f"t{number}")
"""
    code = f"import sys; sys.path.insert(0, {str(TOOLS)!r})\n" + program
    writers = [subprocess.Popen([sys.executable, "-c", code, name], cwd=tmp_path) for name in ("a", "b", "c")]

    assert [writer.wait() for writer in writers] == [0, 0, 0]

    for name in ("a", "b", "c"):
        assert len(Layout(tmp_path / "store", name).tags()) == 25
