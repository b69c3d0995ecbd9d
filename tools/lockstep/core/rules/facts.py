"""What verify knows: values gathered from Git and the store. The rules look at nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lockstep.core.bundle import Bundle
from lockstep.core.environment import Environment, Files
from lockstep.core.errors import Finding
from lockstep.core.names import Digest, EnvironmentName, GitOid, GitSha
from lockstep.core.release import Release
from lockstep.core.render import Templates
from lockstep.core.rules.contract import Known
from lockstep.core.version import Version


@dataclass(frozen=True)
class Snapshot:
    """The tree of a release's commit, as far as the release says something about it.

    Args:
        oids: Git id by path, of every input that the release names.
        files: lockstep.yaml, the object templates, component.yaml, prompts and contracts, by path.
    """

    oids: Mapping[str, GitOid]
    files: Files


@dataclass(frozen=True)
class Filed:
    """One folder releases/<version>/ and what Git knows of it.

    Args:
        folder: Its name.
        files: Its files, by path below it.
        release: What release.yaml holds; None where it cannot be read.
        unread: What is wrong with the file itself.
        touched: Commits that changed or deleted release.yaml after it was added.
        tag: The commit that the version's tag names; None if there is no such tag here.
        source: The tree of the release's commit; None if this clone does not have it.
    """

    folder: str
    files: Files
    release: Release | None
    unread: tuple[Finding, ...] = ()
    touched: tuple[GitSha, ...] = ()
    tag: GitSha | None = None
    source: Snapshot | None = None

    @property
    def path(self) -> str:
        """The bundle path of its release.yaml."""
        return f"releases/{self.folder}/release.yaml"


@dataclass(frozen=True)
class Deployed:
    """One folder releases/<env>/.

    Args:
        name: The environment.
        files: Its files, by path below it.
        oids: Git id of each of them.
        environment: What they hold, without what cannot be read.
        unread: What cannot be read.
        once: Every path that it ever had.
    """

    name: EnvironmentName
    files: Files
    oids: Mapping[str, GitOid]
    environment: Environment
    unread: tuple[Finding, ...] = ()
    once: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Blob:
    """One blob that an image needs, and what the store has under its name.

    Args:
        digest: Its name.
        role: manifest, configuration, layer, or base image (its manifest).
        said: Bytes that the manifest says it has; None for the manifest.
        size: Bytes that the store has; None if it is not there.
        found: sha256 of the bytes that are there; None if they were not read.
    """

    digest: Digest
    role: str
    said: int | None
    size: int | None
    found: Digest | None


@dataclass(frozen=True)
class StoredImage:
    """One image of ours as the store has it.

    Args:
        repository: Such as `ocr` or `ocr-weights`.
        digest: Of its manifest.
        blobs: Manifest, configuration and layers; the manifest alone where it is absent, damaged or wrong.
        layers: Its layers, lowest first.
        problem: Why its manifest, or its base's, is not one; empty if it is.
        tags: What each tag that a release promises names there; None if there is no such tag.
        base: Layers of the image that it should stand on, lowest first.
        place: The registry that it was looked for in; empty for the bundle's own store.
    """

    repository: str
    digest: Digest
    blobs: tuple[Blob, ...]
    layers: tuple[Digest, ...]
    problem: str
    tags: Mapping[str, Digest | None]
    base: tuple[Digest, ...] = ()
    place: str = ""

    @property
    def layer_sizes(self) -> tuple[int | None, ...]:
        """Bytes that the store has of each layer."""
        return tuple(blob.size for blob in self.blobs if blob.role == "layer")

    @property
    def where(self) -> str:
        """The image, for messages."""
        return f"{self.repository}@{self.digest}"


@dataclass(frozen=True)
class Facts:
    """Everything that the rules of one run look at.

    Args:
        bundle: lockstep.yaml.
        chosen: Names of the folders of releases/ to report on; the others are only looked up in.
        releases: Every release.
        environments: Every environment that is there.
        strays: Paths in releases/ that belong to neither.
        images: The images of what is chosen, by repository and digest.
        chart: For each file of charts/environment every Git id that it ever had.
        templates: Text of the object templates of every release whose commit is here, with the digests that it pins.
        chart_now: The files of charts/environment as they are.
        prefix: The bundle's folder in the repository, empty or ending with a slash.
        is_shallow: Whether the history of this clone was cut off.
        let_go: Folders of releases whose images retention does not keep.
        registry: Where the images were looked for; empty for the bundle's own store.
        contracts: The contracts of the releases that are chosen, and of what chosen environments serve.
    """

    bundle: Bundle
    chosen: frozenset[str]
    releases: tuple[Filed, ...] = ()
    environments: tuple[Deployed, ...] = ()
    strays: tuple[str, ...] = ()
    images: Mapping[tuple[str, Digest], StoredImage] = field(default_factory=dict)
    chart: Mapping[str, frozenset[GitOid]] = field(default_factory=dict)
    chart_now: frozenset[str] = frozenset()
    templates: Mapping[Version, Templates] = field(default_factory=dict)
    prefix: str = ""
    is_shallow: bool = False
    let_go: frozenset[str] = frozenset()
    registry: str = ""
    contracts: Mapping[Version, Known] = field(default_factory=dict)

    @property
    def known(self) -> Mapping[Version, Release]:
        """Every release that can be read, by the version that it says."""
        return {filed.release.version: filed.release for filed in self.releases if filed.release}
