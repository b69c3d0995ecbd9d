"""Unpacking images into folders: once, checked, never outside, shared by layers."""

import io
import tarfile

import pytest

from lockstep.core.bundle import Platform
from lockstep.core.errors import LockstepError
from lockstep.oci.image import image_of
from lockstep.oci.layer import InvalidEntry, bytes_entry, write_layer
from lockstep.oci.layout import Layout
from lockstep.oci.store import put_image, writing
from lockstep.oci.unpack import unpacked
from unit.test_oci_store import an_image, run


def test_an_image_is_unpacked_once(tmp_path):
    store = Layout(tmp_path / "store")
    image = an_image(store)

    folder = unpacked(store, image.digest, tmp_path / "cache")
    before = folder.stat()

    assert (folder / "app/a.py").read_bytes() == b"new"
    assert (folder / "app/link").read_bytes() == b"new"
    assert (folder / "app/run").stat().st_mode & 0o777 == 0o755
    assert (folder / "app/a.py").stat().st_mode & 0o777 == 0o644
    assert unpacked(store, image.digest, tmp_path / "cache") == folder
    assert folder.stat() == before


@pytest.mark.parametrize("wrong", ["layer", "manifest"])
def test_a_damaged_image_is_not_unpacked(tmp_path, wrong):
    store = Layout(tmp_path / "store")
    image = an_image(store)
    digest = image.layers[1].digest if wrong == "layer" else image.digest
    path = store.folder / "blobs/sha256" / digest.hex
    data = bytearray(path.read_bytes())
    data[520] ^= 1
    path.write_bytes(data)

    with pytest.raises(LockstepError):
        unpacked(store, image.digest, tmp_path / "cache")

    assert not images_in(tmp_path / "cache")
    assert not (tmp_path / "cache/layers" / digest.hex).exists()


def images_in(cache):
    """The folders of whole images, and whatever an unfinished one left; layers by themselves are in `layers`."""
    return [path for path in cache.iterdir() if path.name != "layers"] if cache.exists() else []


def member(name, kind=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize("members", [
    [member("../evil")], [member("/evil")], [member("a/../../evil")],
    [member("up", tarfile.SYMTYPE, "..")], [member("up", tarfile.SYMTYPE, "/var")],
    [member("ok", tarfile.SYMTYPE, "here"), member("ok/below")],
    [member("dev", tarfile.CHRTYPE)], [member("fifo", tarfile.FIFOTYPE)],
    [member("hard", tarfile.LNKTYPE, "/etc/passwd")],
    [member(".wh.a")], [member("d", tarfile.DIRTYPE), member("d")],
])  # fmt: skip
def test_an_archive_that_escapes_is_not_unpacked(tmp_path, members):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for one in members:
            archive.addfile(one)
    store = Layout(tmp_path / "store")
    layer = store.put("evil", writing(data.getvalue()))
    image = image_of([layer], Platform())
    put_image(store, image, "evil")

    with pytest.raises(InvalidEntry):
        unpacked(store, image.digest, tmp_path / "cache")

    assert not images_in(tmp_path / "cache")
    assert not list((tmp_path / "cache/layers").iterdir())
    assert not (tmp_path / "evil").exists()


def test_an_upper_layer_that_puts_a_file_for_a_folder_is_refused(tmp_path):
    store = Layout(tmp_path / "store")
    layers = [
        store.put("lower", lambda sink: write_layer([bytes_entry("app/a/b", b"x")], sink)),
        store.put("upper", lambda sink: write_layer([bytes_entry("app/a", b"y")], sink)),
    ]
    image = image_of(layers, Platform())
    put_image(store, image, "odd")

    with pytest.raises(InvalidEntry):
        unpacked(store, image.digest, tmp_path / "cache")

    assert not images_in(tmp_path / "cache")


def test_images_that_share_a_layer_share_its_files(tmp_path):
    store = Layout(tmp_path / "store")
    shared = store.put("shared", lambda sink: write_layer([bytes_entry("app/site/big.py", b"x")], sink))
    own = [
        store.put(name, lambda sink, name=name: write_layer([bytes_entry("app/src/a.py", name.encode())], sink))
        for name in ("a", "b")
    ]
    images = [image_of([shared, layer], Platform()) for layer in own]
    for image in images:
        put_image(store, image, image.digest.hex[:10])

    first, second = (unpacked(store, image.digest, tmp_path / "cache") for image in images)

    assert (first / "app/site/big.py").samefile(second / "app/site/big.py")
    assert [(folder / "app/src/a.py").read_text() for folder in (first, second)] == ["a", "b"]


def test_a_compressed_layer_is_left_to_a_container_runtime(tmp_path):
    store = Layout(tmp_path / "store")
    image = an_image(store)
    manifest = image.manifest.replace(b"v1.tar", b"v1.tar+gzip")
    digest = store.tag("z", manifest)

    with pytest.raises(LockstepError, match="gzip"):
        unpacked(store, digest, tmp_path / "cache")


def test_two_that_unpack_at_once_both_get_the_folder(tmp_path):
    store = Layout(tmp_path / "store")
    image = an_image(store)
    program = f"""
from pathlib import Path
from lockstep.core.names import Digest
from lockstep.oci.layout import Layout
from lockstep.oci.unpack import unpacked
print((unpacked(Layout(Path("store")), Digest("{image.digest}"), Path("cache")) / "app/a.py").read_text())
"""
    both = [run(program, tmp_path) for _ in range(3)]

    assert [one.communicate()[0] for one in both] == ["new\n"] * 3
    assert len(images_in(tmp_path / "cache")) == 1
