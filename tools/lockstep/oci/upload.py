"""A blob of known digest in pieces: hashed beside the wire, and remembered, so that what was interrupted goes on there.

Source: OCI distribution-spec v1.1.0, "Pushing a blob in chunks".
"""

from __future__ import annotations

import hashlib
import io
import re
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Self
from urllib.parse import quote, urljoin

from lockstep.core.names import Digest
from lockstep.oci.http import Answer, Host, NoAnswer
from lockstep.oci.layer import CHUNK, Layer
from lockstep.oci.memory import Memory
from lockstep.oci.store import Damaged

MOST_BREAKS = 5  # of an upload, one after the other without a new byte between them
_AHEAD = 16  # chunks that may wait to be hashed
_UNKNOWN = frozenset({400, 404, 416})  # what registries say of an upload that is over; the first means more, too
_RANGE = re.compile(r"(?:bytes=)?0-([0-9]+)")


@dataclass(frozen=True)
class Job:
    """A blob to upload.

    Args:
        name: What it is, in words for errors.
        blob: What its bytes must be.
        opener: Opens them.
    """

    name: str
    blob: Layer
    opener: Callable[[], BinaryIO]


class Pieces:
    """A blob's bytes from any place on, each hashed once, in a thread of its own; the last ones are held back until all
    of them are known to be right. Memory does not grow with the blob.

    Args:
        blob: What the bytes must be.
        opener: Opens them.
    """

    def __init__(self, blob: Layer, opener: Callable[[], BinaryIO]) -> None:
        self._blob, self._opener = blob, opener
        self._stream: BinaryIO = io.BytesIO()
        self._is_open = False
        self._at = self._hashed = 0
        self._sha256 = hashlib.sha256()
        self._waiting: deque[Future[None]] = deque()
        self._thread = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(cancel_futures=True)
        self._stream.close()

    def piece(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes from `start` to before `end`, in chunks. May be asked again for what it gave before.

        Raises:
            OutsideError: the bytes are not the blob's.
        """
        self._go_to(start)
        while self._at < end:
            data = self._read(end - self._at)
            if self._at == self._blob.size:
                self._check()
            yield data

    def _go_to(self, start: int) -> None:
        if not self._is_open or self._at > start:
            self._stream.close()
            self._stream, self._at, self._is_open = self._opener(), 0, True
        while self._at < start:
            self._read(start - self._at)

    def _read(self, most: int) -> bytes:
        data = self._stream.read(min(CHUNK, most))
        new = data[max(0, self._hashed - self._at) :]
        self._at += len(data)
        if new:
            self._hashed += len(new)
            self._waiting.append(self._thread.submit(self._sha256.update, new))
        while len(self._waiting) > _AHEAD:
            self._waiting.popleft().result()
        if not data:
            raise Damaged(self._blob.digest, self._found())
        return data

    def _check(self) -> None:
        if self._found() != self._blob.digest or self._stream.read(1):
            raise Damaged(self._blob.digest, self._found())

    def _found(self) -> Digest:
        while self._waiting:
            self._waiting.popleft().result()
        return Digest(f"sha256:{self._sha256.hexdigest()}")


@dataclass(frozen=True)
class Uploads:
    """Uploads into one repository.

    Args:
        host: Its registry.
        url: Where uploads begin there.
        memory: Where those under way are remembered.
        moved: Told how many bytes have arrived, as they do.
    """

    host: Host
    url: str
    memory: Memory
    moved: Callable[[int], None]

    def begun(self, query: str, what: str) -> str | None:
        """Where to upload a blob; None if the registry mounted it, as `query` asked; one that refuses to mount, though
        it should answer 202, is asked for a plain upload. Source: "Mounting a blob".
        """
        # Twice does no harm: a registry drops uploads that nobody goes on with.
        answer = self.host.send("POST", f"{self.url}{query}", {"content-length": "0"}, repeatable=True)
        if query and answer.status == 201:
            return None
        if query and answer.status != 202:
            return self.begun("", what)
        if answer.status != 202 or "location" not in answer.headers:
            raise self.host.refused(what, self.url, answer)
        return urljoin(self.url, answer.headers["location"])

    def send(self, job: Job, location: str | None) -> int:
        """How many bytes were sent until the registry had the blob: less than its size where an earlier upload could go
        on.

        Args:
            job: The blob.
            location: Where to upload it, if that is known already.

        Raises:
            OutsideError: damaged in the source (nothing is stored then), or the registry failed.
        """
        with Pieces(job.blob, job.opener) as pieces:
            if job.blob.size <= self.memory.piece:
                return self._whole(job, pieces, location)
            return self._in_pieces(job, pieces, location)

    @contextmanager
    def alone(self, job: Job) -> Iterator[bool]:
        """Waits until nobody else on this machine uploads this blob there. Whether somebody may have: then it may be
        there now.
        """
        with self.memory.alone(self._key(job)) as may_have:
            yield may_have

    def _key(self, job: Job) -> str:
        return f"{self.url}{job.blob.digest}"

    def _whole(self, job: Job, pieces: Pieces, location: str | None) -> int:
        """Source: "POST then PUT"."""
        size = job.blob.size
        headers = {"content-type": "application/octet-stream", "content-length": str(size)}
        url = _finishing(location or self.begun("", f"upload {job.name}") or "", job.blob.digest)
        self._done(job, url, self.host.send("PUT", url, headers, lambda: pieces.piece(0, size)))
        self.moved(size)
        return size

    def _in_pieces(self, job: Job, pieces: Pieces, location: str | None) -> int:
        key, size = self._key(job), job.blob.size
        location, offset = self._resumed(job, location)
        first = furthest = offset
        self.moved(offset)
        breaks = 0
        while offset < size:
            location, reached = self._piece(job, pieces, location, offset)
            breaks = breaks + 1 if reached <= furthest else 0
            if breaks > MOST_BREAKS:
                raise self.host.silent(f"upload {job.name}", location)
            offset = reached
            self.memory.remember(key, location)
            self.moved(max(0, offset - furthest))
            furthest = max(furthest, offset)
        url = _finishing(location, job.blob.digest)
        answer = self.host.send("PUT", url, {"content-length": "0"})
        self.memory.forget(key)
        self._done(job, url, answer)
        return size - first

    def _piece(self, job: Job, pieces: Pieces, location: str, offset: int) -> tuple[str, int]:
        """Where the upload goes on after one more piece, and how many bytes are there."""
        end = min(offset + self.memory.piece, job.blob.size)
        headers = {
            "content-type": "application/octet-stream",
            "content-length": str(end - offset),
            "content-range": f"{offset}-{end - 1}",
        }
        try:
            answer = self.host.send("PATCH", location, headers, lambda: pieces.piece(offset, end))
        except NoAnswer:
            return self._status(location) or (location, offset)
        if answer.status == 202 and "location" in answer.headers:
            return urljoin(location, answer.headers["location"]), _reached(answer, end)
        found = self._status(location) if answer.status == 416 else None
        if found is None:
            if answer.status < 500:
                self.memory.forget(self._key(job))
            raise self.host.refused(f"upload {job.name}", location, answer)
        return found

    def _resumed(self, job: Job, location: str | None) -> tuple[str, int]:
        """Where an upload goes on: where an earlier one of the same blob ended, else at its first byte."""
        key = self._key(job)
        known = self.memory.recall(key)
        found = self._status(known) if known else None
        if found is None:
            found = location or self.begun("", f"upload {job.name}") or "", 0
            self.memory.remember(key, found[0])
        return found

    def _status(self, location: str) -> tuple[str, int] | None:
        """Where an upload goes on and how many bytes are there, if the registry still knows it. Source: spec.md,
        "Pushing a blob in chunks", GET of the location.
        """
        try:
            answer = self.host.send("GET", location)
        except NoAnswer:
            return None
        if answer.status != 204:
            return None
        return urljoin(location, answer.headers.get("location", location)), _reached(answer, 0)

    def _done(self, job: Job, url: str, answer: Answer) -> None:
        """The registry must have it, and say the digest that we know, if it says one."""
        if answer.status in _UNKNOWN and self._is_there(job.blob):
            return  # the answer to an earlier try was lost: this upload is over, and what it brought is there
        if answer.status != 201:
            raise self.host.refused(f"upload {job.name}", url, answer)
        self.host.check(answer, job.blob.digest, url)

    def _is_there(self, blob: Layer) -> bool:
        return self.host.send("HEAD", f"{self.url.removesuffix('uploads/')}{blob.digest}").status == 200


def _finishing(location: str, digest: Digest) -> str:
    return f"{location}{'&' if '?' in location else '?'}digest={quote(digest, safe='')}"


def _reached(answer: Answer, unsaid: int) -> int:
    """How many bytes an upload has. `0-0` may mean none or one: it is taken as none, and a wrong guess ends as a wrong
    digest.
    """
    found = _RANGE.fullmatch(answer.headers.get("range", ""))
    if found is None:
        return unsaid
    return int(found[1]) + 1 if int(found[1]) else 0
