"""Types that parse: a value of one of them is well formed, everywhere.

They are strings (so they sort, print and serialise as they stand) whose only constructor is a strict parser.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema


class Parsed(str):
    """A string that matches its type's pattern. Raises ValueError with an example otherwise."""

    __slots__ = ()
    pattern: ClassVar[re.Pattern[str]]
    example: ClassVar[str]

    def __new__(cls, text: str) -> Self:
        """The same text, proved to match the pattern of the type."""
        if not isinstance(text, str) or not cls.pattern.fullmatch(text):
            raise ValueError(
                f"{text!r} is not {cls.__doc__.split('.')[0].lower() if cls.__doc__ else 'valid'}; a good one: "
                f"{cls.example}"
            )
        return super().__new__(cls, text)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Pydantic parses with the constructor alone, so its message (with a good example) is what people see."""
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """JSON Schema shows the pattern."""
        return {**handler(schema), "pattern": f"^(?:{cls.pattern.pattern})$"}


class Digest(Parsed):
    """A sha256 digest. Source: OCI image-spec v1.1, descriptor.md#digests, restricted to sha256."""

    __slots__ = ()
    pattern = re.compile(r"sha256:[0-9a-f]{64}")
    example = "sha256:" + "0123456789abcdef" * 4

    @property
    def hex(self) -> str:
        """The 64 hexadecimal characters without the algorithm."""
        return self[7:]


class DvcMd5(Parsed):
    """A DVC object's md5. 32 hexadecimal characters of the raw bytes (DVC 3; `.dir` objects have the suffix)."""

    __slots__ = ()
    pattern = re.compile(r"[0-9a-f]{32}")
    example = "d41d8cd98f00b204e9800998ecf8427e"


class GitOid(Parsed):
    """A Git object id. SHA-1 or SHA-256 repositories."""

    __slots__ = ()
    pattern = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
    example = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


class GitSha(GitOid):
    """A Git commit id. Full length."""

    __slots__ = ()


class ComponentName(Parsed):
    """A component name. A DNS label of at most 40 characters, so that `gate-<name>-<10 hex>` still names a Job.

    Source: RFC 1123 section 2.1 as Kubernetes restricts it (63 characters); Services must begin with a letter (RFC
        1035).
    """

    __slots__ = ()
    pattern = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?")
    example = "text-embedding"


class InstanceId(Parsed):
    """An instance id. `<component>-<10 hex of the digest of its objects>`."""

    __slots__ = ()
    pattern = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?-[0-9a-f]{10}")
    example = "gateway-3f2a91c0de"

    @property
    def component(self) -> ComponentName:
        """The component that this is an instance of."""
        return ComponentName(self[:-11])


class EnvironmentName(Parsed):
    """An environment name. A DNS label of at most 40 characters that does not look like a version."""

    __slots__ = ()
    pattern = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?")
    example = "staging"


class ImageRef(Parsed):
    """An image reference pinned by digest. `[host/]path@sha256:…`; a tag beside the digest is refused: it would
    enter ids.

    Source: OCI distribution-spec v1.1, section "Pulling manifests".
    """

    __slots__ = ()
    pattern = re.compile(
        r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::[0-9]+)?/)?"
        r"[a-z0-9]+(?:[._/-]+[a-z0-9]+)*@sha256:[0-9a-f]{64}"
    )
    example = "vllm/vllm-openai@sha256:" + "0123456789abcdef" * 4

    @property
    def digest(self) -> Digest:
        """The digest of the image's manifest."""
        return Digest(self.rpartition("@")[2])

    @property
    def repository(self) -> str:
        """Host and path, without the digest."""
        return self.rpartition("@")[0]


def digest_of(data: bytes) -> Digest:
    """The sha256 digest of bytes."""
    return Digest("sha256:" + hashlib.sha256(data).hexdigest())


def blob_oid(data: bytes) -> GitOid:
    """The id that Git gives to these bytes as a blob (SHA-1 object format).

    Source: git-hash-object(1): sha1 of "blob", a blank, the length in digits, a zero byte, and the bytes.
    """
    return GitOid(hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest())


HOST = re.compile(r"^(?:localhost|[^/]*[.:][^/]*)/")


def without_host(reference: str) -> str:
    """An image reference without its registry host (the first part, if it has a dot, a colon or is `localhost`).

    Source: distribution/reference v0.6, splitDockerDomain.
    """
    return HOST.sub("", reference)
