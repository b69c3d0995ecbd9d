"""Small honest stand-ins; each passes the same contract test as the real thing."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

_PATH = re.compile(r"/v2/(?P<repository>[a-z0-9/._-]+?)/(?P<kind>blobs/uploads|blobs|manifests|tags)/(?P<name>[^/?]*)$")


@dataclass(frozen=True)
class Trouble:
    """What goes wrong with one request.

    Args:
        method: Of that request.
        part: Somewhere in its path.
        status: Instead of the right one; 0 ends the connection without an answer, None leaves it.
        headers: Of the answer, beside the right ones.
        half: Whether it comes after half of the body.
        late: Whether the request is done first: only its answer is another.
        does: Called when the request comes.
    """

    method: str
    part: str
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    half: bool = False
    late: bool = False
    does: Callable[[], None] = lambda: None


@dataclass
class FakeRegistry:
    """What a registry holds, and every request that it had: (method, path, status).

    Args:
        mounts: Whether it mounts blobs across repositories; one that does not answers 202, as it may.
        mount_status: What it answers to a mount that it will not do; 403 is against the specification, and is met.
        says_digests: Whether it sends Docker-Content-Digest, which is a SHOULD.
        page: Tags per page of a list.
        cuts: Whether it ends large bodies in the middle.
        refuses: Status and body for every request of a method.
        accepts: How many uploads it takes before its disk is full; -1 for any number.
        uploads: What has arrived of blobs that are not whole yet, by the upload's number.
        numbers: Of the next uploads.
        breaks: Pieces, counted from 1, of which it takes half and then breaks the connection.
        keeps_tags: Status and body of the answer to whoever moves a tag; 0 lets tags move.
        on_piece: Called after each piece with the number of bytes that are there.
        troubles: What goes wrong, each once.
        stored: Repository and digest of every blob that was sent and taken, in that order.
    """

    blobs: dict[str, dict[str, bytes]] = field(default_factory=dict)
    manifests: dict[str, dict[str, bytes]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, str, int]] = field(default_factory=list)
    received: int = 0
    mounts: bool = True
    mount_status: int = 202
    says_digests: bool = True
    page: int = 2
    cuts: bool = False
    accepts: int = -1
    refuses: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    breaks: set[int] = field(default_factory=set)
    keeps_tags: tuple[int, bytes] = (0, b"")
    on_piece: Callable[[int], None] = lambda _: None
    troubles: list[Trouble] = field(default_factory=list)
    stored: list[tuple[str, str]] = field(default_factory=list)

    def trouble(self, method: str, path: str) -> Trouble | None:
        """What goes wrong with this request; the next one of its kind has the next trouble."""
        found = next((one for one in self.troubles if one.method == method and one.part in path), None)
        if found:
            self.troubles.remove(found)
            found.does()
        return found

    def sent(self, method: str) -> list[str]:
        """Paths of the requests of a method."""
        return [path for found, path, _ in self.requests if found == method]


@contextlib.contextmanager
def serving(registry: FakeRegistry) -> Iterator[str]:
    """`host:port` of the registry on this machine's loopback, as long as the block lasts."""
    handler = type("Handler", (_Handler,), {"registry": registry})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    """Source: OCI distribution-spec v1.1.0."""

    registry: FakeRegistry
    trouble: Trouble | None = None
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        found = _PATH.fullmatch(parts.path)
        self.query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        refused = self.registry.refuses.get(self.command)
        self.trouble = self.registry.trouble(self.command, parts.path)
        if self.trouble and self.trouble.status is not None and not self.trouble.late:
            self._body(half=self.trouble.half)
            self.close_connection = True
            self._answer(self.trouble.status, b"")
        elif refused:
            self._body()
            self.close_connection = True
            self._answer(*refused)
        elif found is None:
            self._answer(404, _error("NAME_UNKNOWN"))
        else:
            self.repository, self.name = found["repository"], found["name"]
            getattr(self, f"{self.command.lower()}_{found['kind'].replace('/', '_')}")()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def get_blobs(self) -> None:
        data = self.registry.blobs.get(self.repository, {}).get(self.name)
        self._answer(*(404, _error("BLOB_UNKNOWN")) if data is None else (200, data))

    head_blobs = get_blobs

    def post_blobs_uploads(self) -> None:
        mounted = self.registry.blobs.get(self.query.get("from", ""), {}).get(self.query.get("mount", ""))
        if mounted is not None and self.registry.mounts:
            self.registry.blobs.setdefault(self.repository, {})[digest(mounted)] = mounted
            self._answer(201, b"", {"location": f"/v2/{self.repository}/blobs/{digest(mounted)}"})
            return
        if "mount" in self.query and self.registry.mount_status != 202:
            self._answer(self.registry.mount_status, _error("DENIED"))
            return
        number = str(next(self.registry.numbers))
        self.registry.uploads[number] = b""
        self._answer(202, b"", self._upload(number))

    def patch_blobs_uploads(self) -> None:
        before = self.registry.uploads.get(self.name)
        pieces = len(self.registry.sent("PATCH")) + 1
        is_broken = pieces in self.registry.breaks
        self.registry.breaks.discard(pieces)
        data = self._body(half=is_broken)
        if before is None:
            self._answer(404, _error("BLOB_UPLOAD_UNKNOWN"))
            return
        if data is None or self.headers["content-range"].partition("-")[0] != str(len(before)):
            self._answer(416, b"")
            return
        self.registry.uploads[self.name] = before + data
        if is_broken:
            self.registry.requests.append((self.command, self.path, 0))
            self.close_connection = True
            return
        self._answer(202, b"", self._upload(self.name))
        self.registry.on_piece(len(before + data))

    def get_blobs_uploads(self) -> None:
        known = self.name in self.registry.uploads
        self._answer(*(204, b"", self._upload(self.name)) if known else (404, _error("BLOB_UPLOAD_UNKNOWN")))

    def put_blobs_uploads(self) -> None:
        data = self._body()
        if data is None:
            return
        if self.name not in self.registry.uploads:
            self._answer(404, _error("BLOB_UPLOAD_UNKNOWN"))
            return
        data = self.registry.uploads.pop(self.name) + data
        if digest(data) != self.query["digest"] or self.query["state"] != "a/b":
            self._answer(400, _error("DIGEST_INVALID"))
            return
        if self.registry.accepts == 0:
            self._answer(500, _error("UNKNOWN"))
            return
        self.registry.accepts -= self.registry.accepts > 0
        self.registry.blobs.setdefault(self.repository, {})[digest(data)] = data
        self.registry.stored.append((self.repository, digest(data)))
        self._answer(201, b"", self._digest(digest(data)))

    def get_manifests(self) -> None:
        named = self.registry.tags.get(self.repository, {}).get(self.name, self.name)
        data = self.registry.manifests.get(self.repository, {}).get(named)
        if data is None or self.registry.types[named] not in self.headers["accept"]:
            self._answer(404, _error("MANIFEST_UNKNOWN"))
            return
        self._answer(200, data, {"content-type": self.registry.types[named], **self._digest(named)})

    head_manifests = get_manifests

    def put_manifests(self) -> None:
        data = self._body() or b""
        document = json.loads(data)
        parts = [document["config"], *document["layers"]]
        if any(part["digest"] not in self.registry.blobs.get(self.repository, {}) for part in parts):
            self._answer(400, _error("MANIFEST_BLOB_UNKNOWN"))
            return
        named = self.registry.tags.get(self.repository, {}).get(self.name)
        if self.registry.keeps_tags[0] and named is not None:
            self._answer(*self.registry.keeps_tags)
            return
        self.registry.manifests.setdefault(self.repository, {})[digest(data)] = data
        self.registry.tags.setdefault(self.repository, {})[self.name] = digest(data)
        self.registry.types[digest(data)] = self.headers["content-type"]
        self._answer(201, b"", self._digest(digest(data)))

    def delete_manifests(self) -> None:
        held = self.registry.manifests.get(self.repository, {})
        if held.pop(self.name, None) is None:
            self._answer(404, _error("MANIFEST_UNKNOWN"))
            return
        tags = self.registry.tags.get(self.repository, {})
        self.registry.tags[self.repository] = {tag: one for tag, one in tags.items() if one != self.name}
        self._answer(202, b"")

    def get_tags(self) -> None:
        if self.repository not in self.registry.tags:
            self._answer(404, _error("NAME_UNKNOWN"))
            return
        after = self.query.get("last", "")
        names = [name for name in sorted(self.registry.tags[self.repository]) if name > after]
        page, more = names[: self.registry.page], len(names) > self.registry.page
        path = f"/v2/{self.repository}/tags/list?n={self.registry.page}&last={page[-1] if page else ''}"
        link = {"link": f'<{path}>; rel="next"'} if more else {}
        self._answer(200, json.dumps({"name": self.repository, "tags": page}).encode(), link)

    def _upload(self, number: str) -> dict[str, str]:
        size = len(self.registry.uploads[number])
        location = f"/v2/{self.repository}/blobs/uploads/{number}?state=a%2Fb"
        return {"location": location, "range": f"0-{max(0, size - 1)}"}

    def _body(self, *, half: bool = False) -> bytes | None:
        """All of it (or half), or None if the sender left before its end."""
        length = int(self.headers.get("content-length", "0"))
        data = self.rfile.read(length // 2 if half else length)
        self.registry.received += len(data)
        if len(data) < length and not half:
            self.close_connection = True
            return None
        return data

    def _digest(self, name: str) -> dict[str, str]:
        return {"docker-content-digest": name} if self.registry.says_digests else {}

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        if self.trouble:
            status = status if self.trouble.status is None else self.trouble.status
            headers, self.trouble = {**(headers or {}), **self.trouble.headers}, None
        self.registry.requests.append((self.command, self.path, status))
        if not status:
            self.close_connection = True
            return
        self.send_response(status)
        said = {"connection": "close"} if self.close_connection else {}
        for key, value in {"content-length": str(len(body)), **said, **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            is_cut = self.registry.cuts and len(body) > 1 << 20
            with contextlib.suppress(ConnectionError):  # who broke off does not wait for the answer
                self.wfile.write(body[: len(body) // 2] if is_cut else body)
            self.close_connection |= is_cut


def _error(code: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": code.lower()}]}).encode()
