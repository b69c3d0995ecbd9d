"""An image layout in one tar file, written and read as a stream, in constant memory.

Nothing in such a file is free: which members there are, in which order, and how long each is follow from the documents
before them, so a reader knows every header before it comes and compares its bytes with those that a writer writes. It
parses no name, follows no path, and takes no byte that it does not expect: a changed one is refused wherever it is.

Source: OCI image-spec v1.1.0, image-layout.md
(https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md); POSIX.1-2017, pax.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from lockstep.adapters import files
from lockstep.core.errors import Finding, OutsideError, Refused
from lockstep.core.names import Digest
from lockstep.oci.layer import BLOCK, CHUNK, END, Layer, Sink, header, padding
from lockstep.oci.store import BlobStore, Damaged, Fill, Hashed

LAYOUT_PATH, INDEX_PATH = "oci-layout", "index.json"
LARGEST_DOCUMENT = 16 << 20  # bytes of what is held in memory: an index, a manifest, release.yaml
_AGAIN = "carry the file again, as lockstep export wrote it"
_SIZE, _SIZE_AT = re.compile(rb"([0-7]{11})\0"), 124  # in a ustar header
_KIND_FIELD = slice(156, 157)
_NAME_FIELD = slice(0, 100)
_MAGIC_FIELD = slice(257, 262)
_KINDS = {
    b"0": "a file",
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a device",
    b"4": "a device",
    b"5": "a folder",
    b"6": "a pipe",
    b"x": "a file with a pax header",
    b"g": "a pax header",
}


@dataclass(frozen=True)
class Member:
    """One file of an archive: its path, its bytes, and the component that needs it, for errors."""

    path: str
    size: int
    component: str = ""

    @property
    def header(self) -> bytes:
        """What stands before its bytes."""
        return header(self.path, b"0", 0o644, size=self.size)

    @property
    def whole(self) -> int:
        """Bytes of the archive that it takes."""
        return len(self.header) + self.size + len(padding(self.size))


@dataclass(frozen=True)
class Part:
    """A member and what writes its bytes."""

    member: Member
    fill: Fill


def blob_member(digest: Digest, size: int, component: str = "") -> Member:
    """The member that is a blob."""
    return Member(f"blobs/sha256/{digest.hex}", size, component)


def copied(source: BlobStore, blob: Layer) -> Fill:
    """The fill that copies a blob, hashed on the way.

    It raises OutsideError at its end if the blob was damaged, or has another size than is said.
    """

    def fill(sink: Sink) -> None:
        hashed = Hashed(sink)
        with source.open(blob.digest) as stream:
            shutil.copyfileobj(stream, hashed, CHUNK)
        if hashed.layer.digest != blob.digest:
            raise Damaged(blob.digest, hashed.layer.digest)
        if hashed.layer.size != blob.size:
            what = f"blob {blob.digest} has {hashed.layer.size} bytes, its manifest says {blob.size}"
            raise OutsideError(what, where=str(blob.digest), fix="its manifest is wrong: build the image again")

    return fill


def write_archive(parts: Iterable[Part], sink: Sink) -> None:
    """Nothing; writes the archive of some parts, in their order."""
    for part in parts:
        sink.write(part.member.header)
        part.fill(sink)
        sink.write(padding(part.member.size))
    sink.write(END)


def archive_size(members: Iterable[Member]) -> int:
    """Bytes of the archive of some members."""
    return sum(member.whole for member in members) + len(END)


@dataclass(frozen=True)
class Archive:
    """An archive that is read once, from its first byte to its last.

    Args:
        stream: Its bytes; what was read is gone.
        name: What people call it.
    """

    stream: BinaryIO
    name: str

    def copy(self, member: Member, sink: Sink) -> None:
        """Nothing; writes the bytes of the next member to the sink, unhashed.

        Raises:
            Refused: the next member is another one, or the file is cut or changed there.
        """
        self._expect(member.header, member)
        self._body(member, sink)

    def document(self, member: Member) -> bytes:
        """The bytes of the next member, unhashed.

        Raises:
            Refused: as copy; or they are too many to be a document.
        """
        if member.size > LARGEST_DOCUMENT:
            raise self._refused(member, f"{member.size:,} bytes are too many for a document")
        data = BytesIO()
        self.copy(member, data)
        return data.getvalue()

    def index(self) -> bytes:
        """The bytes of the next member, which is index.json: the only one whose size nothing before it says.

        Raises:
            Refused: as document.
        """
        block = self._read(BLOCK)
        size = _SIZE.match(block, _SIZE_AT)
        member = Member(INDEX_PATH, int(size[1], 8) if size else 0)
        if block != member.header:
            raise self._refused(member, _found(block, member))
        if member.size > LARGEST_DOCUMENT:
            raise self._refused(member, f"{member.size:,} bytes are too many for a document")
        data = BytesIO()
        self._body(member, data)
        return data.getvalue()

    def end(self) -> None:
        """Nothing, if the archive ends here and the file with it.

        Raises:
            Refused: something follows, or the end is cut.
        """
        block = self._read(len(END) + 1)
        if len(block) < len(END):
            raise self._refused(Member("the end", 0), "the file is cut there")
        if block[: len(END)] != END:
            raise self._refused(Member("the end", 0), _found(block, Member("", 0)))
        if block != END:
            raise self._refused(Member("the end", 0), "more bytes follow")

    def _expect(self, wanted: bytes, member: Member) -> None:
        block = self._read(len(wanted))
        if block != wanted:
            raise self._refused(member, _found(block, member))

    def _body(self, member: Member, sink: Sink) -> None:
        left = member.size
        while left:
            data = self._read(min(CHUNK, left))
            if not data:
                raise self._refused(member, f"the file is cut: {left:,} of its {member.size:,} bytes are missing")
            sink.write(data)
            left -= len(data)
        blank = padding(member.size)
        if (found := self._read(len(blank))) != blank:
            what = "the file is cut behind it" if len(found) < len(blank) else "the zeros behind it were changed"
            raise self._refused(member, what)

    def _read(self, size: int) -> bytes:
        """Exactly so many bytes; fewer only where the file ends."""
        with files.wrapped(Path(self.name)):
            return self.stream.read(size)

    def _refused(self, member: Member, what: str) -> Refused:
        finding = Finding("import/archive", f"{self.name}:{member.path}", what, _AGAIN, member.component)
        return Refused("this is not, byte for byte, an archive that lockstep export wrote", [finding])


def _found(block: bytes, wanted: Member) -> str:
    """What stands in the place of a member, in words."""
    if len(block) < BLOCK:
        return "the file is cut there"
    if not any(block[:BLOCK]):
        return "the archive ends before it, or in half a sign of its end"
    name = block[_NAME_FIELD].rstrip(b"\0").decode(errors="replace")
    if name == wanted.path and block[_KIND_FIELD] == b"0":
        return "its header was changed, or it has another size than the documents say"
    if block[_MAGIC_FIELD] != b"ustar":
        return "what stands there is no member of a tar file"
    return f"{_KINDS.get(block[_KIND_FIELD], 'something else')} {name!a} stands in its place"
