"""Images of a Docker daemon as images of ours: what stays, what goes, what must never be in them."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from lockstep.core.errors import OutsideError
from lockstep.core.names import digest_of
from lockstep.oci.docker_archive import Lent, leaked, loading_of, saved_image, stored_layer, write_archive
from lockstep.oci.docker_image import Under, built_image, own_start, parse_found, with_layer, without_layer
from lockstep.oci.image import parse_manifest
from lockstep.oci.layer import InvalidEntry, Layer
from lockstep.oci.layout import Layout
from lockstep.oci.store import own_layers, put_image, writing
from lockstep.oci.unpack import unpacked
from tiny import base_image

LENT = Lent(
    (("pip-conf", b"[global]\nindex-url = https://u:hunter2-never@index.example.org/simple\n"),),
    ("PIP_CONFIG_FILE=/run/secrets/pip-conf",),
    (b"https://u:hunter2-never@index.example.org/simple", b"hunter2-never"),
)


def tar(*members: tarfile.TarInfo, data: bytes = b"") -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for one in members:
            one.size = len(data) if one.isreg() else 0
            archive.addfile(one, io.BytesIO(data))
    return target.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    one = tarfile.TarInfo(name)
    one.type, one.linkname = kind, link
    return one


def said(*diff_ids: str, **config: object) -> bytes:
    """A configuration as a daemon writes it, with all that it adds."""
    return json.dumps({
        "architecture": "amd64", "os": "linux", "created": "2026-01-02T03:04:05Z", "container": "abc",
        "docker_version": "20.10.24", "container_config": {"Cmd": ["|1 TOKEN=hunter2-never /bin/sh -c x"]},
        "history": [{"created_by": "|1 TOKEN=hunter2-never /bin/sh -c x"}], "config": {"Image": "sha256:1", **config},
        "rootfs": {"type": "layers", "diff_ids": list(diff_ids)},
    }).encode()  # fmt: skip


@pytest.fixture
def under(tmp_path: Path) -> tuple[Layout, Under]:
    store, image = base_image(tmp_path / "base")
    return store, Under(image.manifest, image.config)


def test_what_starts_a_program_stays_and_nothing_else(under):
    _, base = under
    layer = Layer(digest_of(b"x"), 1)
    config = {"Env": ["PATH=/usr/bin", "A=b", *LENT.variables], "User": "65532", "WorkingDir": "/app", "Cmd": ["x"]}

    image = built_image(base, [layer], parse_found(said(**config), "x"), LENT.variables, "docker/1")

    manifest, kept = parse_manifest(image.manifest, "x"), json.loads(image.config)
    assert kept["config"] == {"Env": ["PATH=/usr/bin", "A=b"], "User": "65532", "WorkingDir": "/app", "Cmd": ["x"]}
    assert sorted(kept) == ["architecture", "config", "os", "rootfs"]
    assert (manifest.base, manifest.builder) == (digest_of(base.manifest), "docker/1")
    assert b"hunter2" not in image.config + image.manifest


def test_code_goes_on_top_and_comes_off_again(under):
    _, base = under
    runtime = built_image(base, [Layer(digest_of(b"x"), 1)], parse_found(said(), "x"), (), "docker/1")
    code = Layer(digest_of(b"y"), 2)

    whole = with_layer(runtime, code)

    manifest = parse_manifest(whole.manifest, "x")
    assert [layer.digest for layer in manifest.layers[-2:]] == [digest_of(b"x"), code.digest]
    assert json.loads(whole.config)["rootfs"]["diff_ids"][-1] == code.digest
    assert without_layer(whole.manifest, whole.config, runtime.layers) == runtime


def test_layers_of_the_base_and_what_was_lent_are_told_from_own_ones():
    base, lent, own = digest_of(b"base"), digest_of(b"lent"), digest_of(b"own")

    assert own_start(parse_found(said(base, lent, own), "x"), (base,), (lent,)) == (2, True)
    assert own_start(parse_found(said(base, own), "x"), (base,), (lent,)) == (0, False)
    assert own_start(parse_found(said(own), "x"), (), ()) == (0, False)


def test_an_archive_for_a_daemon_holds_the_base_and_what_is_lent(under):
    store, base = under
    loading, target = loading_of(base, LENT), io.BytesIO()

    write_archive(loading, base, LENT, store, target)

    target.seek(0)
    with saved_image(target) as saved:
        assert parse_found(saved.config, "x").diff_ids == loading.diff_ids
        assert [digest_of(opener().read()) for opener in saved.layers] == list(loading.diff_ids)
        assert LENT.variables[0] in json.loads(saved.config)["config"]["Env"]


def test_an_archive_without_an_image_says_so():
    with pytest.raises(OutsideError, match="saved no image"), saved_image(io.BytesIO(tar(member("x")))):
        pass


def test_a_layer_with_other_bytes_than_its_name_is_not_stored(tmp_path):
    with pytest.raises(OutsideError, match="the daemon saved"):
        stored_layer(Layout(tmp_path / "store"), "x", io.BytesIO(b"other"), digest_of(b"x"))

    assert not list((tmp_path).rglob("blobs/sha256/*"))


@pytest.mark.parametrize(("data", "what"), [
    (tar(member("app/x"), data=b"quite " + LENT.secrets[1] + b" so"), "credential"),
    (tar(member("app/x"), data=bytes((1 << 20) - 1600) + LENT.secrets[0]), "credential"),
    (tar(member("run/secrets/pip-conf"), data=b"x"), "/run/secrets/pip-conf"),
    (tar(member("run/secrets/pip-conf")), ""),
    (tar(member("app/x"), data=b"nothing of it"), ""),
])  # fmt: skip
def test_what_was_lent_is_found_in_a_layer(data, what):
    said_so = leaked(io.BytesIO(data), LENT)

    assert what in said_so
    assert bool(what) == bool(said_so)


def of_docker(folder: Path, *layers: bytes) -> Path:
    """The folder of an unpacked image that Docker built."""
    store = Layout(folder / "store")
    stored = [store.put("x", writing(layer)) for layer in layers]
    image = built_image(None, stored, parse_found(said(), "x"), (), "docker/1")
    put_image(store, image, "x")
    assert len(own_layers(store, parse_manifest(image.manifest, "x"), "x")) == len(layers)
    return unpacked(store, image.digest, folder / "cache")


def test_of_an_image_that_docker_built_only_app_is_unpacked(tmp_path):
    lower = tar(
        member("dev/null", tarfile.CHRTYPE), member("etc/passwd"), member("app/", tarfile.DIRTYPE), member("app/a"),
        member("app/gone"), member("app/old/x"), member("app/hard", tarfile.LNKTYPE, "app/a"),
        member("app/in", tarfile.SYMTYPE, "a"), member("app/out", tarfile.SYMTYPE, "/etc/passwd"), data=b"A",
    )  # fmt: skip
    upper = tar(member("tmp/.wh.x"), member("app/.wh.gone"), member("app/old/.wh..wh..opq"), member("app/old/y"))

    folder = of_docker(tmp_path, lower, upper)

    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
    assert found == ["app", "app/a", "app/hard", "app/in", "app/old", "app/old/y"]
    assert (folder / "app/hard").read_bytes() == b"A"


@pytest.mark.parametrize("one", [
    member("app/../evil"), member("app/.wh..."), member("app/.wh.."), member("app/.wh."),
    member("app/hard", tarfile.LNKTYPE, "app/../../evil"),
])  # fmt: skip
def test_a_layer_of_docker_does_not_leave_its_folder_either(tmp_path, one):
    with pytest.raises(InvalidEntry):
        of_docker(tmp_path, tar(one))

    assert not (tmp_path / "evil").exists()
