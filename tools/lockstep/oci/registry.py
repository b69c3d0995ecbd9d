"""A store behind HTTP: one repository of a registry, asked as the distribution specification says.

What is there is not sent: blobs and tags are asked for first, and a blob that another repository of the same host
was seen to have is mounted from there. How bytes go up is in upload.py.

Source: OCI distribution-spec v1.1.0 (https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO
from urllib.parse import quote, urljoin

from lockstep.adapters import files
from lockstep.core.errors import Finding, OutsideError, Refused, UsageError
from lockstep.core.names import HOST, Digest, digest_of
from lockstep.oci.http import DIGEST, Access, Answer, Host, said_digest, strange
from lockstep.oci.image import DOCKER_INDEX_TYPE, DOCKER_MANIFEST_TYPE, INDEX_TYPE, MANIFEST_TYPE, parse_manifest
from lockstep.oci.layer import Layer
from lockstep.oci.memory import Memory
from lockstep.oci.store import BlobStore, Damaged, Fill, Hashed, checked_tag
from lockstep.oci.upload import Job, Uploads

# Indexes too: pods can pull one, and who reads one as an image is told what it is instead of that it is not there.
_MANIFESTS = {"accept": f"{MANIFEST_TYPE}, {DOCKER_MANIFEST_TYPE}, {INDEX_TYPE}, {DOCKER_INDEX_TYPE}"}
# What registries answer to a tag that they keep as it is: there is no standard for it. 403 mostly means something else.
_KEPT = {400, 405, 409, 412}
_NEXT = re.compile(r'<([^>]*)>\s*;\s*rel="?next"?')  # RFC 5988; spec.md, "Listing Tags"


@dataclass(frozen=True)
class Registry:
    """One repository of a registry; a Store.

    Args:
        host: Where it is.
        repository: Its path there, such as `documents/ocr`.
        memory: Where uploads under way are remembered.
        moved: Told how many bytes have arrived, as they do; from several threads.
    """

    host: Host
    repository: str
    memory: Memory = field(default_factory=Memory)
    moved: Callable[[int], None] = lambda _: None

    def has(self, digest: Digest) -> bool:
        """Whether the blob is there. Manifests are not among the blobs: ask digest_of."""
        url = self._url(f"blobs/{digest}")
        answer = self.host.send("HEAD", url)
        if answer.status not in {200, 404}:
            raise self.host.refused(f"look for blob {digest}", url, answer)
        if answer.status == 200:
            self.host.check(answer, digest, url)
            self.host.holders.setdefault(digest, self.repository)
        return answer.status == 200

    def size(self, digest: Digest) -> int | None:
        """Bytes of the blob as the registry says; None if it is not there. Nothing of it is read."""
        url = self._url(f"blobs/{digest}")
        answer = self.host.send("HEAD", url)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise self.host.refused(f"look for blob {digest}", url, answer)
        if not answer.headers.get("content-length", "").isdigit():
            raise strange(url, "it says no size of a blob")
        return int(answer.headers["content-length"])

    def open(self, digest: Digest) -> BinaryIO:
        """The blob's bytes as they arrive, unverified.

        Raises:
            OutsideError: it is not there, or cannot be had.
        """
        url = self._url(f"blobs/{digest}")
        found = self.host.stream(url)
        if isinstance(found, Answer):
            raise self.host.refused(f"read blob {digest}", url, found)
        return found

    def put(self, name: str, fill: Fill) -> Layer:
        """Digest and size of what `fill` wrote; all of it is stored, or nothing. The bytes wait on disk until their
        digest is known, and are not sent if the blob is there.

        Raises:
            OutsideError: disk or registry failed; names what was being written.
        """
        with files.spooled() as stream:
            hashed = Hashed(stream)
            fill(hashed)
            if not self.has(hashed.layer.digest):
                self._send(Job(name, hashed.layer, lambda: files.reopened(stream)))
        return hashed.layer

    def add(self, name: str, blob: Layer, source: BlobStore) -> int:
        """How many bytes of a blob of known digest had to be sent: 0 if it was there or could be mounted.

        Raises:
            OutsideError: missing or damaged in the source, or the registry failed; nothing is stored then.
        """
        return 0 if self.has(blob.digest) else self._send(Job(name, blob, lambda: source.open(blob.digest)))

    def manifest(self, digest: Digest) -> bytes:
        """The manifest's bytes, verified.

        Raises:
            OutsideError: it is not there, or its bytes have another digest.
        """
        url = self._url(f"manifests/{digest}")
        answer = self.host.send("GET", url, _MANIFESTS)
        if answer.status != 200:
            raise self.host.refused(f"read the manifest {digest}", url, answer)
        if digest_of(answer.body) != digest:
            raise Damaged(digest, digest_of(answer.body))
        return answer.body

    def tag(self, name: str, manifest: bytes) -> Digest:
        """The manifest's digest; the tag names it from now on. Not sent if it does already.

        Raises:
            Refused: the tag names another manifest, and the registry keeps tags as they are.
            OutsideError: the registry failed.
        """
        parse_manifest(manifest, name)
        digest = digest_of(manifest)
        if self.digest_of(checked_tag(name)) == digest:
            return digest
        url = self._url(f"manifests/{name}")
        media_type = str(json.loads(manifest).get("mediaType", MANIFEST_TYPE))
        answer = self.host.send("PUT", url, {"content-type": media_type}, manifest)
        if answer.status != 201:
            error = self.host.refused(f"store the manifest {digest} as {name}", url, answer)
            if self._is_kept(name, digest, answer, error):
                return digest
            raise error
        self.host.check(answer, digest, url)
        return digest

    def _is_kept(self, name: str, digest: Digest, answer: Answer, error: OutsideError) -> bool:
        """Whether a tag that could not be set names the manifest by now.

        Raises:
            Refused: it names another one.
        """
        is_kept = answer.status in _KEPT or (answer.status == 403 and b"immutable" in answer.body)
        found = self.digest_of(name) if is_kept else None
        if found in {None, digest}:
            return found == digest
        what = f"the tag names {found} and the registry lets nobody change it; this is {digest} ({error.what})"
        fix = "tags are immutable there: release under a new version, or remove the tag there"
        where = f"{self.host.name}/{self.repository}:{name}"
        finding = Finding("push/tag", where, what, fix, self.repository.rpartition("/")[2])
        raise Refused(f"{where} cannot be set", [finding]) from error

    def delete(self, digest: Digest) -> bool:
        """Whether a manifest was here; it is not any more, nor is a tag that names it. Its blobs stay until the
        registry collects them itself.

        Source: OCI distribution-spec v1.1.0, "Content Management".

        Raises:
            OutsideError: the registry does not let us.
        """
        url = self._url(f"manifests/{digest}")
        answer = self.host.send("DELETE", url)
        if answer.status not in {202, 404}:
            raise self.host.refused(f"delete the manifest {digest}", url, answer)
        return answer.status == 202

    def digest_of(self, reference: str) -> Digest | None:
        """The manifest that a tag or a digest names here; None if there is none."""
        url = self._url(f"manifests/{reference}")
        answer = self.host.send("HEAD", url, _MANIFESTS)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise self.host.refused(f"look for {self.repository}:{reference}", url, answer)
        if DIGEST not in answer.headers:  # the specification says SHOULD
            answer = self.host.send("GET", url, _MANIFESTS)
            return digest_of(answer.body) if answer.status == 200 else None
        return said_digest(answer, url)

    def tags(self) -> dict[str, Digest]:
        """Every tag and the manifest that it names, sorted by tag. One request per tag: to ask for one, digest_of."""
        names: list[str] = []
        url = self._url("tags/list?n=1000")
        while url:
            answer = self.host.send("GET", url)
            if answer.status == 404:
                break
            if answer.status != 200:
                raise self.host.refused(f"list the tags of {self.repository}", url, answer)
            names += _names(answer, url)
            following = _NEXT.search(answer.headers.get("link", ""))
            url = urljoin(url, following[1]) if following else ""
        found = {name: self.digest_of(name) for name in sorted(set(names))}
        return {name: digest for name, digest in found.items() if digest}

    def _url(self, path: str) -> str:
        return f"{self.host.url}{self.repository}/{path}"

    def _send(self, job: Job) -> int:
        """How many bytes were sent until a blob that was not here is; one that another repository has is mounted."""
        uploads, digest = Uploads(self.host, self._url("blobs/uploads/"), self.memory, self.moved), job.blob.digest
        with uploads.alone(job) as may_be_here:
            if may_be_here and self.has(digest):
                return 0
            holder = self.host.holders.get(digest)
            location = None
            if holder and holder != self.repository:
                query = f"?mount={quote(digest, safe='')}&from={quote(holder, safe='')}"
                location = uploads.begun(query, f"mount blob {digest} from {holder}")
                if location is None:
                    return 0
            sent = uploads.send(job, location)
        self.host.holders[digest] = self.repository
        return sent


@dataclass(frozen=True)
class Registries:
    """Repositories by their full names; those of one host share its connections and what was seen there.

    Args:
        access: How registries are asked.
        memory: Where uploads under way are remembered.
        moved: Told how many bytes have arrived, as they do; from several threads.
        hosts: Those that were asked for.
    """

    access: Access = field(default_factory=Access)
    memory: Memory = field(default_factory=Memory)
    moved: Callable[[int], None] = lambda _: None
    hosts: dict[str, Host] = field(default_factory=dict)

    def at(self, name: str) -> Registry:
        """The repository of a name such as `registry.example.org/documents/ocr`.

        Raises:
            UsageError: the name has no host.
        """
        host, _, path = name.partition("/")
        if not HOST.match(name):
            raise UsageError(
                f"{name} does not say which registry it is in",
                where=name,
                fix=f"write the registry's host before it, such as registry.example.org/{name}",
            )
        return Registry(self.hosts.setdefault(host, Host(host, self.access)), path, self.memory, self.moved)


def _names(answer: Answer, url: str) -> list[str]:
    try:
        document: Mapping[str, list[str] | None] = json.loads(answer.body)
        return [str(name) for name in document["tags"] or ()]
    except (ValueError, KeyError, TypeError) as error:
        raise strange(url, f"{type(error).__name__}: {error}") from error
