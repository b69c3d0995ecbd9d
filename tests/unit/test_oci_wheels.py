"""Dependency layers: from a hashed lock, for the stated platform, the same from the same wheel."""

import hashlib
import io
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockstep.adapters.pip import Pip
from lockstep.core.bundle import Platform
from lockstep.core.errors import OutsideError, Refused
from lockstep.core.names import Digest, digest_of
from lockstep.oci.image import image_of
from lockstep.oci.layout import Layout
from lockstep.oci.requirements import needed, parse_requirements
from lockstep.oci.store import put_image
from lockstep.oci.unpack import unpacked
from lockstep.oci.wheels import Target, Wheel, wheel_layer, wheel_layers

HASH = "sha256:" + "0" * 64


def wheel_bytes(name="demo", version="1.0", tag="py3-none-any", date=(2020, 1, 1, 0, 0, 0), extra=None):
    """A small true wheel; `date` and the order of its files say who zipped it, not what is in it."""
    info = f"{name}-{version}.dist-info"
    contents = {
        f"{name}/__init__.py": b"def main():\n    return 0\n",
        f"{name}-{version}.data/scripts/{name}-old": b"#!python\nprint('old')\n",
        f"{name}-{version}.data/purelib/{name}_more.py": b"",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n".encode(),
        f"{info}/RECORD": b"as it came\n",
        **(extra or {}),
    }
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in contents.items():
            archive.writestr(zipfile.ZipInfo(path, date), content, zipfile.ZIP_DEFLATED)
    return data.getvalue()


def put_wheel(folder, data, tag="py3-none-any", name="demo", version="1.0"):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-{tag}.whl"
    path.write_bytes(data)
    return Wheel(path, digest_of(data))


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder of wheels that is all that pip sees; no network."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def lock(*wheels, name="demo"):
    hashes = "".join(f" \\\n    --hash={wheel.sha256}" for wheel in wheels)
    return parse_requirements(f"# a lock\n{name}==1.0{hashes}\n", "requirements/demo.txt", "ocr")


def test_a_lock_is_parsed_with_its_lines():
    text = f"""
# made by uv
numpy==2.1.0 ; python_full_version >= '3.10' \\
    --hash={HASH} \\
    --hash=sha256:{"1" * 64}
    # via ocr
Pillow_X==1.0 --hash={HASH}  # why
"""

    first, second = parse_requirements(text, "r.txt")

    assert (first.name, first.version, first.where) == ("numpy", "2.1.0", "r.txt:3")
    assert first.hashes == (Digest(HASH), Digest("sha256:" + "1" * 64))
    assert first.marker == 'python_full_version >= "3.10"'
    assert (second.name, second.where) == ("pillow-x", "r.txt:7")


@pytest.mark.parametrize(("line", "said"), [
    ("numpy==1.0", "no --hash"),
    (f"numpy>=1.0 --hash={HASH}", "not pinned"),
    (f"numpy==1.* --hash={HASH}", "not pinned"),
    (f"numpy --hash={HASH}", "not pinned"),
    (f"numpy @ file:///x.whl --hash={HASH}", "URL"),
    ("--extra-index-url x", "--extra-index-url"),
    ("-e .", "-e"),
    ("./here.whl", "not a requirement"),
    ("numpy==1.0 --hash=sha256:12", "digest"),
    ("numpy==1.0 --hash=md5:12", "no --hash"),
])  # fmt: skip
def test_a_line_that_is_not_pinned_and_hashed_is_refused_with_its_place(line, said):
    with pytest.raises(Refused) as caught:
        parse_requirements(f"\n{line}\n", "r.txt", "ocr")

    (finding,) = caught.value.findings
    assert said in finding.what
    assert (finding.where, finding.component) == ("r.txt:2", "ocr")
    assert finding.fix


@pytest.mark.parametrize(("marker", "is_needed"), [
    ("sys_platform == 'win32'", False), ("sys_platform == 'linux'", True),
    ("platform_machine == 'aarch64'", True),
    ("platform_machine == 'x86_64'", False), ("python_version < '3.12'", False),
    ("python_version >= '3.12'", True),
    ("extra == 'dev'", False), ("implementation_name == 'pypy'", False), ("os_name == 'posix'", True),
])  # fmt: skip
def test_markers_are_read_for_the_stated_platform(marker, is_needed):
    found = parse_requirements(f"a==1 ; {marker} --hash={HASH}", "r.txt")

    assert bool(needed(found, Platform(arch="arm64", python="3.12"))) == is_needed


@given(st.lists(st.sampled_from("abcdef"), unique=True))
@settings(deadline=None)
def test_needed_ignores_the_order_of_the_lock(names):
    def of(found):
        return [
            one.name
            for one in needed(parse_requirements("\n".join(f"{n}==1 --hash={HASH}" for n in found), ""), Platform())
        ]

    assert of(names) == sorted(names)


def test_a_wheel_becomes_a_layer_that_runs(tmp_path):
    store = Layout(tmp_path / "store")
    layer = wheel_layer(put_wheel(tmp_path, wheel_bytes()), Target(Platform(), store, tmp_path / "cache"))
    image = image_of([layer], Platform())
    put_image(store, image, "x")

    app = unpacked(store, image.digest, tmp_path / "images") / "app"

    assert (app / "site/demo/__init__.py").is_file()
    assert (app / "site/demo_more.py").is_file()
    assert (app / "site/demo-1.0.dist-info/RECORD").read_bytes() == b"as it came\n"
    assert (app / "bin/demo-old").read_text() == "#!/usr/bin/env python3\nprint('old')\n"
    assert "from demo import main" in (app / "bin/demo").read_text()
    assert (app / "bin/demo").stat().st_mode & 0o777 == 0o755
    assert not list(app.rglob("*.pyc"))


def test_a_layer_depends_on_what_is_in_the_wheel(tmp_path):
    target = Target(Platform(), Layout(tmp_path / "store"), tmp_path / "cache")
    first = wheel_layer(put_wheel(tmp_path / "a", wheel_bytes()), target)
    zipped_later = wheel_layer(put_wheel(tmp_path / "b", wheel_bytes(date=(2021, 1, 1, 0, 0, 0))), target)
    other = wheel_layer(put_wheel(tmp_path / "c", wheel_bytes(extra={"more.py": b""})), target)

    assert first == zipped_later
    assert first != other


def test_a_wheel_that_leaves_its_folder_is_refused(tmp_path):
    wheel = put_wheel(tmp_path, wheel_bytes(extra={"../../evil.py": b""}))

    with pytest.raises(Exception, match="not a path inside"):
        wheel_layer(wheel, Target(Platform(), Layout(tmp_path / "store"), tmp_path / "cache"))


def test_a_wheel_that_cannot_be_understood_is_an_error_with_its_path(tmp_path):
    wheel = put_wheel(tmp_path, wheel_bytes(extra={"x-1.dist-info/entry_points.txt": b"no section"}))

    with pytest.raises(OutsideError) as caught:
        wheel_layer(wheel, Target(Platform(), Layout(tmp_path / "store"), tmp_path / "cache"))

    assert caught.value.where == str(wheel.path)
    assert caught.value.fix


def test_a_damaged_cached_wheel_is_an_error(tmp_path):
    wheel = put_wheel(tmp_path, wheel_bytes())
    wheel.path.write_bytes(wheel.path.read_bytes()[:-1] + b"!")

    with pytest.raises(OutsideError, match="damaged wheel"):
        wheel_layer(wheel, Target(Platform(), Layout(tmp_path / "store"), tmp_path / "cache"))


def test_a_remembered_layer_is_made_again_when_the_store_lost_it(tmp_path):
    store = Layout(tmp_path / "store")
    target = Target(Platform(), store, tmp_path / "cache")
    wheel = put_wheel(tmp_path, wheel_bytes())
    layer = wheel_layer(wheel, target)
    (tmp_path / "store/blobs/sha256" / layer.digest.hex).unlink()

    assert wheel_layer(wheel, target) == layer
    assert store.has(layer.digest)


def test_pip_brings_the_wheel_of_the_stated_platform(tmp_path, index):
    mine = put_wheel(index, wheel_bytes(tag="cp311-cp311-manylinux_2_17_x86_64"), "cp311-cp311-manylinux_2_17_x86_64")
    theirs = put_wheel(index, wheel_bytes(tag="cp313-cp313-manylinux2014_aarch64"), "cp313-cp313-manylinux2014_aarch64")
    new = put_wheel(index, wheel_bytes(tag="cp311-cp311-manylinux_2_99_x86_64"), "cp311-cp311-manylinux_2_99_x86_64")
    requirements = lock(mine, theirs, new)
    pip = Pip(tmp_path / "cache")

    (here,) = pip.wheels(requirements, Platform())
    (there,) = pip.wheels(requirements, Platform(arch="arm64", python="3.13"))

    assert here.sha256 == mine.sha256
    assert there.sha256 == theirs.sha256


def test_a_second_build_asks_no_index(tmp_path, index, monkeypatch):
    wheel = put_wheel(index, wheel_bytes())
    target = Target(Platform(), Layout(tmp_path / "store"), tmp_path / "cache/layers")
    first = wheel_layers(lock(wheel), Pip(tmp_path / "cache"), target)
    wheel.path.unlink()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")

    again = wheel_layers(lock(wheel), Pip(tmp_path / "cache"), target)

    assert again == first
    assert len(first) == 1


def test_another_file_under_the_same_name_is_a_finding_with_its_line(tmp_path, index):
    good = put_wheel(index, wheel_bytes())
    requirements = lock(good)
    bad = put_wheel(index, wheel_bytes(extra={"evil.py": b""}))

    with pytest.raises(Refused) as caught:
        Pip(tmp_path / "cache", "ocr").wheels(requirements, Platform())

    (finding,) = caught.value.findings
    assert (finding.rule, finding.where, finding.component) == (
        "requirements/hash",
        "requirements/demo.txt:2",
        "ocr",
    )
    assert bad.sha256 in finding.what
    assert good.sha256 in finding.what


def test_a_package_without_a_wheel_is_a_finding_and_the_others_are_kept(tmp_path, index):
    good = put_wheel(index, wheel_bytes())
    (index / "source-1.0.tar.gz").write_bytes(b"x")
    requirements = (*lock(good), *lock(Wheel(Path(), Digest(HASH)), name="source"))

    with pytest.raises(Refused) as caught:
        Pip(tmp_path / "cache", "ocr").wheels(requirements, Platform())

    (finding,) = caught.value.findings
    assert finding.rule == "requirements/wheel"
    assert "source==1.0" in finding.what
    assert "never compiled" in finding.what
    assert list((tmp_path / "cache").rglob("demo-1.0-py3-none-any.whl"))


def test_a_damaged_download_never_enters_the_cache(tmp_path, index):
    put_wheel(index, b"not a wheel")

    with pytest.raises((Refused, OutsideError)):
        Pip(tmp_path / "cache").wheels(lock(Wheel(Path(), Digest(HASH))), Platform())

    assert not list((tmp_path / "cache").rglob("*.whl"))
    assert hashlib.sha256(b"not a wheel").hexdigest() not in {path.name for path in tmp_path.rglob("*")}
