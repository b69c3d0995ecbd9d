"""The tags that Lockstep gives to images, and what each one promises. The only place that knows their form.

A store keeps what a tag names. Tags of releases promise a release in Git; the others only save work.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from lockstep.core.names import Digest
from lockstep.core.version import Version

_SHORT = 20  # hexadecimal characters of a digest


class TagKind(StrEnum):
    """Why an image has a tag."""

    RELEASE = "release"  # a release pins it
    COPIER = "copier"  # a release pins it, beside the weights in one repository
    RUNTIME = "in"  # a runtime, by the digest of its inputs
    BASE = "base"  # what images stand on
    MADE = "code"  # an image that was made, by its digest
    FOREIGN = ""  # none of ours


_OF_RELEASE = frozenset({TagKind.RELEASE, TagKind.COPIER})
_BESIDE = re.compile(r"_[0-9a-f]{64}$")  # no version has a `_`
_HEX = re.compile(rf"[0-9a-f]{{{_SHORT}}}|[0-9a-f]{{64}}")


@dataclass(frozen=True)
class Tag:
    """A tag, understood.

    Args:
        kind: Why it is there.
        version: The release that it promises; None for the other kinds.
    """

    kind: TagKind
    version: Version | None = None


def release_tag(version: Version, *, beside: Digest | None = None) -> str:
    """The tag of every image of a release; with its digest where another one of the release has that tag in the same
    repository, as third-party images may.
    """
    return f"release-{version}" + (f"_{beside.hex}" if beside else "")


def copier_tag(version: Version) -> str:
    """The tag of a release's copiers."""
    return f"copier-{version}"


def runtime_tag(inputs: Digest) -> str:
    """The tag of a runtime, by the digest of its inputs."""
    return f"in-{inputs.hex}"


def base_tag(digest: Digest) -> str:
    """The tag of a base image in every repository whose images stand on it."""
    return f"base-{digest.hex[:_SHORT]}"


def made_tag(digest: Digest) -> str:
    """The tag of an image from the moment when it was made."""
    return f"code-{digest.hex[:_SHORT]}"


def parse_tag(text: str) -> Tag:
    """What a tag is; one that does not have exactly a form of ours is foreign, never an error."""
    head, _, rest = text.partition("-")
    kind = TagKind(head) if head in set(TagKind) else TagKind.FOREIGN
    if kind in _OF_RELEASE:
        try:
            return Tag(kind, Version(_BESIDE.sub("", rest)))
        except ValueError:
            return Tag(TagKind.FOREIGN)
    return Tag(kind if _HEX.fullmatch(rest) else TagKind.FOREIGN)
