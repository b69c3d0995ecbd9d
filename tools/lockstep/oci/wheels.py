"""Dependencies as layers: one layer per wheel, so that components with the same numpy share it.

A layer is a function of the wheel's bytes: nothing is compiled, dated, or made for this machine.

Source: PyPA specification "Binary distribution format" 1.0; pip's requirements file format with --hash.
"""

from __future__ import annotations

import configparser
import functools
import hashlib
import json
import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, Protocol, cast

from lockstep.adapters import files
from lockstep.core.bundle import Platform
from lockstep.core.document import format_json
from lockstep.core.errors import OutsideError
from lockstep.core.names import Digest
from lockstep.oci.layer import Entry, Layer, Mode, bytes_entry, write_layer
from lockstep.oci.requirements import Requirement, needed
from lockstep.oci.store import BlobStore

SITE = "app/site"
BIN = "app/bin"
_FORM = 1  # of the layers made here; another number makes them again
_SCRIPT = """#!/usr/bin/env python3
import sys

from {module} import {first}

if __name__ == "__main__":
    sys.exit({attribute}())
"""


@dataclass(frozen=True)
class Wheel:
    """A wheel file whose bytes have this sha256."""

    path: Path
    sha256: Digest


class WheelSource(Protocol):
    """Where wheels come from."""

    def wheels(self, requirements: tuple[Requirement, ...], platform: Platform) -> tuple[Wheel, ...]:
        """One wheel per requirement, in their order, each with a hash that its requirement lists.

        Raises:
            Refused: a requirement has no such wheel; names its file:line.
            OutsideError: the package index cannot be reached.
        """
        ...


@dataclass(frozen=True)
class Target:
    """What dependency layers are made for, where they go, and the folder that remembers them."""

    platform: Platform
    store: BlobStore
    cache: Path


def wheel_layers(requirements: tuple[Requirement, ...], source: WheelSource, target: Target) -> tuple[Layer, ...]:
    """One layer per requirement that the platform needs, in the order of their names; all of them are in the
    store.

    Raises:
        Refused, OutsideError: as WheelSource.wheels.
    """
    wheels = source.wheels(needed(requirements, target.platform), target.platform)
    return tuple(wheel_layer(wheel, target) for wheel in wheels)


def wheel_layer(wheel: Wheel, target: Target) -> Layer:
    """The wheel's layer; made once, then remembered by the wheel's sha256 as long as the store has it."""
    memo = target.cache / "layers" / f"{wheel.sha256.hex}.json"
    known = _read_memo(memo)
    if known and target.store.has(known.digest):
        return known
    try:
        with open_wheel(wheel) as archive:
            fill = functools.partial(write_layer, wheel_entries(archive))
            layer = target.store.put(wheel.path.name, fill)
    except (zipfile.BadZipFile, zlib.error, configparser.Error, UnicodeDecodeError) as error:
        what = f"not a wheel that can be unpacked: {error}"
        raise OutsideError(what, where=str(wheel.path), fix="pin another version of this package") from error
    files.write(memo, format_json({"form": _FORM, "digest": layer.digest, "size": layer.size}).encode())
    return layer


def open_wheel(wheel: Wheel) -> zipfile.ZipFile:
    """The wheel's archive, once its bytes are proved to have their sha256.

    Raises:
        OutsideError: the file has changed since it was cached, or is not a zip archive.
    """
    fix = "delete it and run the same command again"
    try:
        found = sha256_of(wheel.path)
        if found != wheel.sha256:
            raise OutsideError(
                f"damaged wheel: it has {found}, expected {wheel.sha256}", where=str(wheel.path), fix=fix
            )
        return zipfile.ZipFile(wheel.path)
    except (OSError, zipfile.BadZipFile) as error:
        raise OutsideError(f"cannot read the wheel: {error}", where=str(wheel.path), fix=fix) from error


def sha256_of(path: Path) -> Digest:
    """The sha256 digest of a file's bytes."""
    with path.open("rb") as stream:
        return Digest(f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}")


def wheel_entries(archive: zipfile.ZipFile) -> tuple[Entry, ...]:
    """The wheel's files where an image has them: modules in app/site, programs in app/bin. RECORD stays as
    the wheel has it.

    A program of the wheel wins over one generated from its entry points.
    """
    entries: dict[str, Entry] = {}
    for info in archive.infolist():
        if info.is_dir():
            continue
        path = _installed(info.filename)
        is_script = path.startswith(f"{BIN}/")
        mode: Mode = 0o755 if is_script or info.external_attr >> 16 & 0o111 else 0o644
        entries[path] = _script(archive, info, path) if is_script else _stored(archive, info, path, mode)
    for name, text in _programs(archive):
        entries.setdefault(f"{BIN}/{name}", bytes_entry(f"{BIN}/{name}", text.encode(), 0o755))
    return tuple(entries.values())


def _installed(name: str) -> str:
    """Where a file of a wheel goes. Source: "Binary distribution format", "The .data directory"."""
    top, _, rest = name.partition("/")
    if not top.endswith(".data"):
        return f"{SITE}/{name}"
    scheme, _, path = rest.partition("/")
    places = {
        "purelib": SITE,
        "platlib": SITE,
        "scripts": BIN,
        "data": "app",
        "headers": f"app/include/{top.partition('-')[0]}",
    }
    if scheme not in places or not path:
        raise OutsideError(
            f"a wheel with an unknown folder: {name}", where=name, fix="pin another version of this package"
        )
    return posixpath.join(places[scheme], path)


def _stored(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str, mode: Mode) -> Entry:
    return Entry(path, info.file_size, lambda: cast("BinaryIO", archive.open(info)), mode)


def _script(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str) -> Entry:
    """A program; its first line `#!python` is to be replaced by that of a true interpreter, says the
    specification.
    """
    data = re.sub(rb"\A#!pythonw?[^\n]*", b"#!/usr/bin/env python3", archive.read(info))
    return bytes_entry(path, data, 0o755)


def _programs(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    """Name and text of each program that entry_points.txt declares. Source: PyPA, "Entry points
    specification".
    """
    for info in archive.infolist():
        if re.fullmatch(r"[^/]+\.dist-info/entry_points\.txt", info.filename):
            with archive.open(info) as stream:
                yield from _console_scripts(stream)


def _console_scripts(stream: IO[bytes]) -> Iterator[tuple[str, str]]:
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[method-assign,assignment] # names keep their case
    parser.read_string(stream.read().decode())
    for name, value in sorted(parser.items("console_scripts")) if parser.has_section("console_scripts") else ():
        module, _, attribute = value.partition("[")[0].strip().partition(":")
        module, attribute = module.strip(), attribute.strip()
        yield name, _SCRIPT.format(module=module, first=attribute.partition(".")[0], attribute=attribute)


def _read_memo(path: Path) -> Layer | None:
    """What was remembered; None if nothing, or in another form."""
    try:
        data = json.loads(path.read_bytes())
        return Layer(Digest(data["digest"]), int(data["size"])) if data["form"] == _FORM else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
