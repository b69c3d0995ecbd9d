"""A release: a version plus every component fully pinned, independent of environments. release.yaml is its canonical
form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from lockstep.core.bundle import Platform
from lockstep.core.component import Autoscale, Gate, Kind, Probes, Resources
from lockstep.core.document import format_json, format_yaml, parse_canonical
from lockstep.core.inputs import Calls, Change, Input
from lockstep.core.model import Value, dump, load
from lockstep.core.names import ComponentName, Digest, GitSha, ImageRef, digest_of
from lockstep.core.version import Bump, Version
from lockstep.core.weights import WeightsFile

SCHEMA: Literal["lockstep.dev/release/v1"] = "lockstep.dev/release/v1"


class LayerRef(Value):
    """A layer: its digest (of the uncompressed tar) and its size in bytes."""

    digest: Digest
    size: int


class Runtime(Value):
    """The part of an image that changes seldom: what it was made from (digest of its inputs), by whom, the image that
    it stands on (without its registry's host), and the layers on top of that.
    """

    inputs: Digest
    builder: str
    base: ImageRef | None = Field(default=None, exclude_if=lambda base: base is None)
    layers: tuple[LayerRef, ...]


class PinnedImage(Value):
    """An image by digest. A built one says how it is put together; a third-party one does not."""

    reference: ImageRef
    runtime: Runtime | None = None
    code: LayerRef | None = None

    @property
    def is_third_party(self) -> bool:
        """Whether it was named by digest, and not built here."""
        return self.runtime is None and self.code is None


class Copier(Value):
    """An image of the weights' layers on the bundle's base image (its name without a host), which has a program that
    copies them: for clusters that cannot mount images.
    """

    reference: ImageRef
    base: ImageRef


class PinnedWeights(Value):
    """The weights image by digest, and every file in it; its copier, where the bundle has a base image. A third-party
    one has no files here: its digest says what is in it, and `path` which folder of it the weights are (empty: all).
    """

    reference: ImageRef
    files: tuple[WeightsFile, ...]
    copier: Copier | None = Field(default=None, exclude_if=lambda copier: copier is None)
    path: str = Field(default="", exclude_if=lambda path: not path)

    @property
    def is_third_party(self) -> bool:
        """Whether it was named by digest, and not built here."""
        return not self.files


class Pinned(Value):
    """One component as a release has it: nothing left to resolve but the environment."""

    kind: Kind
    image: PinnedImage | None = None
    address: str | None = None
    command: tuple[str, ...] = ()
    port: int
    weights: PinnedWeights | None = None
    prompts: Mapping[str, str]
    contract: Digest
    calls: Mapping[ComponentName, Digest]
    config: Mapping[str, str]
    secrets: tuple[ComponentName, ...]
    resources: Resources
    replicas: int
    autoscale: Autoscale | None = None
    grace: int
    probes: Probes
    gate: Gate | None = None


class BumpSaid(Value):
    """The bump that the changes require and the one that was chosen."""

    required: Bump
    chosen: Bump


class Release(Value):
    """release.yaml.

    Args:
        commit: The tagged commit that everything was read from.
        base: The release that `changes` are counted from.
        templates: Digest of every object template, by file name.
        inputs: What each component was made of.
    """

    schema_: Literal["lockstep.dev/release/v1"] = SCHEMA
    version: Version
    commit: GitSha
    entry: ComponentName
    base: Version | None
    bump: BumpSaid
    platform: Platform
    templates: Mapping[str, Digest]
    components: Mapping[ComponentName, Pinned]
    inputs: Mapping[ComponentName, tuple[Input, ...]]
    changes: tuple[Change, ...]

    @property
    def digest(self) -> Digest:
        """sha256 of the release's canonical JSON; what evidence names."""
        return digest_of(format_json(_plain(self)).encode())

    @property
    def calls(self) -> Calls:
        """Who calls whom."""
        return {name: tuple(pinned.calls) for name, pinned in self.components.items()}


def _plain(release: Release) -> dict[str, object]:
    data = dump(release)
    data["schema"] = data.pop("schema_")
    return data


def format_release(release: Release) -> str:
    """release.yaml. Inverse of parse_release."""
    return f"# written by lockstep; do not edit, run: lockstep release {release.version}\n" + format_yaml(
        _plain(release)
    )


def parse_release(text: str, path: str) -> Release:
    """The release that a release.yaml holds.

    Raises:
        Refused: unknown or missing fields, malformed digests; each with its line.
        InvalidDocument: not YAML.
    """
    document = parse_canonical(text, path)
    if isinstance(document.data, dict) and "schema" in document.data:
        document.data["schema_"] = document.data.pop("schema")
    return load(Release, document, rule="release/field")
