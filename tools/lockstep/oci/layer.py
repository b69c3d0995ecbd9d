"""Layers: uncompressed tar archives whose bytes depend on the paths, modes and contents of their files, and
on nothing else.

The header is written here and not by `tarfile`, whose choice of extensions has changed between Python
versions: layer bytes are part of a release's identity. Being uncompressed, a layer's digest is also its diff
id.

Source: OCI image-spec v1.1.0, layer.md (https://github.com/opencontainers/image-spec/blob/v1.1.0/layer.md);
POSIX.1-2017, pax.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import BinaryIO, Literal, Protocol

from lockstep.core.errors import LockstepError, OutsideError
from lockstep.core.names import Digest

LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
CHUNK = 1 << 20  # bytes read at a time
BLOCK = 512  # bytes of a tar block
END = bytes(2 * BLOCK)  # of an archive
_LARGEST_USTAR_SIZE = 8**11 - 1  # eleven octal digits
_LONGEST_USTAR_NAME = 100  # bytes
WHITEOUT = ".wh."

Mode = Literal[0o644, 0o755]
Opener = Callable[[], BinaryIO]


class InvalidEntry(LockstepError):  # noqa: N818 - an answer about a file
    """A path, link or mode that a layer must not hold."""

    exit_code = 1


class Sink(Protocol):
    """Where bytes go: a file, a hash, an upload."""

    def write(self, data: bytes, /) -> object:
        """Takes all of the bytes."""
        ...


@dataclass(frozen=True)
class Layer:
    """A layer's digest, which is its diff id too, and its size in bytes."""

    digest: Digest
    size: int


@dataclass(frozen=True)
class Entry:
    """One file or symbolic link of a layer.

    Args:
        path: Relative, with slashes, without `.` and `..`.
        size: Bytes of the file; 0 for a link.
        opener: Opens the file's bytes; called once, when they are written.
        mode: 0o644, or 0o755 for a program.
        target: What a symbolic link points to, relative to its folder; empty for a file.
    """

    path: str
    size: int
    opener: Opener
    mode: Mode = 0o644
    target: str = ""


def bytes_entry(path: str, data: bytes, mode: Mode = 0o644) -> Entry:
    """A file with these bytes."""
    return Entry(path, len(data), lambda: BytesIO(data), mode)


def link_entry(path: str, target: str) -> Entry:
    """A symbolic link."""
    return Entry(path, 0, BytesIO, target=target)


def write_layer(entries: Iterable[Entry], sink: Sink) -> None:
    """Nothing; writes the tar archive to the sink in constant memory. The store, or `Hashed`, says which
    layer it is.

    Entries come out sorted by the bytes of their paths, each parent folder once before what it holds; times,
    owners and groups are 0.

    Raises:
        InvalidEntry: see `ordered`.
        OutsideError: a file had another length than its entry says.
    """
    for entry in ordered(entries):
        if isinstance(entry, str):
            sink.write(header(f"{entry}/", b"5", 0o755))
        elif entry.target:
            sink.write(header(entry.path, b"2", 0o777, target=entry.target))
        else:
            sink.write(header(entry.path, b"0", entry.mode, size=entry.size))
            for chunk in chunks_of(entry):
                sink.write(chunk)
            sink.write(padding(entry.size))
    sink.write(END)


def size_of(entries: Iterable[Entry]) -> int:
    """The size in bytes of the layer of these entries, without reading a file."""
    total = len(END)
    for entry in ordered(entries):
        if isinstance(entry, str):
            total += len(header(f"{entry}/", b"5", 0o755))
        else:
            kind = b"2" if entry.target else b"0"
            total += len(header(entry.path, kind, entry.mode, size=entry.size, target=entry.target))
            total += entry.size + len(padding(entry.size))
    return total


def ordered(entries: Iterable[Entry]) -> tuple[Entry | str, ...]:
    """Folders (as str) and entries in the order of the archive.

    Raises:
        InvalidEntry: a path or link leaves the tree or is not portable, two entries have one path, or an
            entry lies below a file.
    """
    files: dict[str, Entry] = {}
    for entry in entries:
        check(entry)
        if entry.path in files:
            raise InvalidEntry("two files of a layer have one path", where=entry.path, fix="rename one of them")
        files[entry.path] = entry
    folders = {folder for path in files for folder in _parents(path)}
    for path in sorted(folders & files.keys()):
        raise InvalidEntry("a path is both a file and a folder", where=path, fix="rename one of them")
    everything: dict[str, Entry | str] = {**{folder: folder for folder in folders}, **files}
    return tuple(everything[path] for path in sorted(everything, key=lambda path: path.encode()))


def is_inside(path: str, target: str) -> bool:
    """Whether the link at `path` stays in the tree that `path` is relative to.

    `..` may only lead the target. With that, and with no entry below a link, links cannot be chained into an
    escape: after the leading `..` one stands in a true folder of the tree and only goes down, through links
    for which the same holds.
    """
    parts = target.split("/")
    plain = [part for part in parts if part != ".."]
    climbs = len(parts) - len(plain)
    return (
        not target.startswith("/")
        and parts[:climbs] == [".."] * climbs
        and climbs <= path.count("/")
        and "\0" not in target
    )


def chunks_of(entry: Entry) -> Iterator[bytes]:
    """The file's bytes, CHUNK at a time.

    Raises:
        OutsideError: it cannot be read, or has not exactly `entry.size` bytes.
    """
    count = 0
    try:
        with entry.opener() as stream:
            while count <= entry.size and (chunk := stream.read(CHUNK)):
                count += len(chunk)
                if count <= entry.size:
                    yield chunk
    except OSError as error:
        raise OutsideError(
            f"cannot read it: {error.strerror or error}", where=entry.path, fix="check the file"
        ) from error
    if count != entry.size:
        found = f"{count} bytes" if count < entry.size else "more"
        raise OutsideError(
            f"expected {entry.size} bytes, read {found}",
            where=entry.path,
            fix="do not change the file meanwhile, run it again",
        )


def padding(size: int) -> bytes:
    """The zeros that fill up the last block of `size` bytes."""
    return bytes(-size % BLOCK)


def header(path: str, kind: bytes, mode: int, *, size: int = 0, target: str = "") -> bytes:
    """The ustar header of one member, after a pax header where ustar has no room. Source: POSIX.1-2017, pax,
    "ustar Interchange Format".
    """
    records = {}
    name, link = path.encode(), target.encode()
    if len(name) > _LONGEST_USTAR_NAME or not name.isascii():
        records["path"] = name
    if len(link) > _LONGEST_USTAR_NAME or not link.isascii():
        records["linkpath"] = link
    if size > _LARGEST_USTAR_SIZE:
        records["size"] = b"%d" % size
    extended = b"".join(_record(key.encode(), value) for key, value in sorted(records.items()))
    before = _ustar(b"pax", b"x", 0o644, len(extended), b"") + extended + padding(len(extended)) if extended else b""
    return before + _ustar(_plain(name), kind, mode, 0 if "size" in records else size, _plain(link))


def _record(key: bytes, value: bytes) -> bytes:
    r"""`<length> <key>=<value>\n`, where the length counts its own digits."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def _plain(name: bytes) -> bytes:
    return bytes(byte if byte < 0x80 else ord("_") for byte in name[:_LONGEST_USTAR_NAME])


def _ustar(name: bytes, kind: bytes, mode: int, size: int, link: bytes) -> bytes:
    fields = (
        name.ljust(100, b"\0"),
        b"%07o\0" % mode, b"%07o\0" % 0, b"%07o\0" % 0,  # mode, owner, group
        b"%011o\0" % size, b"%011o\0" % 0,  # size, modification time
        b" " * 8,  # the checksum is computed with blanks in its place
        kind, link.ljust(100, b"\0"), b"ustar\x0000",
        bytes(64), b"%07o\0" % 0, b"%07o\0" % 0,  # names of owner and group, device
        bytes(155 + 12),  # prefix, unused: longer paths are in a pax record
    )  # fmt: skip
    block = b"".join(fields)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _parents(path: str) -> Iterator[str]:
    while path := posixpath.dirname(path):
        yield path


def check(entry: Entry) -> None:
    """Nothing, if the entry may stand in a layer.

    Raises:
        InvalidEntry: its path or link leaves the tree, its name means something else in a layer, or its mode
            is not one of two.
    """
    parts = entry.path.split("/")
    if "" in parts or "." in parts or ".." in parts or "\0" in entry.path:
        raise InvalidEntry(
            f"not a path inside a layer: {entry.path!r}",
            where=entry.path,
            fix="use a relative path such as app/src/main.py",
        )
    if any(part.startswith(WHITEOUT) for part in parts):
        raise InvalidEntry(
            f"a name that starts with {WHITEOUT} means a deletion in a layer",
            where=entry.path,
            fix="rename it",
        )
    if entry.target and not is_inside(entry.path, entry.target):
        raise InvalidEntry(
            f"a symbolic link that leaves its tree: {entry.target}",
            where=entry.path,
            fix="replace it by a copy of the file",
        )
    if entry.mode not in {0o644, 0o755}:
        raise InvalidEntry(
            f"mode {entry.mode:o}; a layer has 644 and 755",
            where=entry.path,
            fix="chmod 644, or 755 for a program",
        )
    try:
        (entry.path + entry.target).encode()
    except UnicodeEncodeError as error:
        raise InvalidEntry("a name that is not UTF-8", where=ascii(entry.path), fix="rename the file") from error
