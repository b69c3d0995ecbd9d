"""verify: re-checks releases and environments from Git and the store alone. Changes nothing, stops at nothing.

1. read every release and environment of the branch of releases;
2. for what is chosen: the commit behind each release, its tag, and every later commit that touched its file;
3. for what is chosen: every image in the store; manifests and configurations are hashed, layers too where that
   is cheap or asked for;
4. apply the rules (core/rules), which look at nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from lockstep.adapters.git import Repository
from lockstep.core.contract.pinned import texts_needed
from lockstep.core.errors import Finding, UsageError
from lockstep.core.names import Digest, EnvironmentName, GitOid, GitSha, digest_of
from lockstep.core.release import Release
from lockstep.core.rules.contract import known_contracts, unasked_indexes
from lockstep.core.rules.environment import read_environment
from lockstep.core.rules.every import findings
from lockstep.core.rules.facts import Deployed, Facts, Filed, Snapshot, StoredImage
from lockstep.core.rules.image import Wanted, deployed_images, sizes_of, third_party_images, wanted_images
from lockstep.core.rules.release import read_release
from lockstep.core.rules.source import paths_in
from lockstep.core.source import CHART, TEMPLATES
from lockstep.core.version import Version
from lockstep.verbs.contracts import read_texts
from lockstep.verbs.images.shelf import Shelf
from lockstep.verbs.retention import kept_now
from lockstep.verbs.workspace import Workspace

Item = TypeVar("Item")
CHEAP = 64_000_000  # bytes of layers of one release that are hashed without being asked


@dataclass(frozen=True)
class Looking:
    """Where images are looked for, and how closely.

    Args:
        shelf: The own store, or a registry.
        deep: Whether every layer is hashed, whatever its size.
        now: Seconds since 1970 UTC: retention may have let a release go.
    """

    shelf: Shelf
    deep: bool
    now: float


@dataclass(frozen=True)
class Verified:
    """What verify found, and how much it looked at.

    Args:
        findings: Everything that is wrong, sorted.
        checked: How many of what: releases, environments, instances, images, blobs, bytes_hashed.
        notes: What was not checked, and how to check it.
    """

    findings: tuple[Finding, ...]
    checked: Mapping[str, int]
    notes: tuple[str, ...]


def verify_bundle(workspace: Workspace, what: Iterable[str], looking: Looking) -> Verified:
    """Everything that is wrong with some releases and environments; with all of them for none.

    Args:
        workspace: Where.
        what: Versions and names of environments.
        looking: Where images are looked for, and how closely.

    Raises:
        UsageError: there is no such release or environment.
        OutsideError: Git or the disk failed.
    """
    facts, skipped = gather(workspace, tuple(what), looking)
    return Verified(findings(facts), counts(facts, looking.shelf), (*skipped, *_notes(facts)))  # step 4


def gather(workspace: Workspace, what: tuple[str, ...], looking: Looking) -> tuple[Facts, tuple[str, ...]]:
    """Steps 1 to 3: all that the rules look at, and notes on what was not read."""
    facts = _read(workspace, what)  # step 1
    facts = with_contracts(workspace.repository, _traced(workspace, facts), ())  # step 2
    return looked_up(replace(facts, let_go=_let_go(workspace, facts, looking.now)), looking)  # step 3


def _read(workspace: Workspace, what: tuple[str, ...]) -> Facts:
    """Step 1: every folder of releases/, and which of them are chosen."""
    state = workspace.state
    tree, bundle = state.tree, state.bundle
    folders = [entry.path.rpartition("/")[2] for entry in tree.names("releases") if entry.mode == "040000"]
    versions = [name for name in folders if name[:1].isdigit()]
    environments = [name for name in folders if name in bundle.environments]
    unknown = [name for name in what if name not in versions and name not in bundle.environments]
    if unknown:
        known = ", ".join([*sorted(bundle.environments), *versions])
        raise UsageError(
            f"there is no release and no environment {unknown[0]}", where="releases/", fix=f"choose from: {known}"
        )
    strays = tuple(f"releases/{name}" for name in folders if name not in versions and name not in environments)
    entries = tree.below(["releases"])
    data = tree.read([entry.path for entry in entries])
    files = {name: _below(f"releases/{name}/", data) for name in folders}
    oids = {name: _below(f"releases/{name}/", {entry.path: entry.oid for entry in entries}) for name in environments}
    return Facts(
        bundle=bundle, chosen=frozenset(what or (*versions, *environments)),
        releases=tuple(Filed(name, files[name], *read_release(name, files[name])) for name in versions),
        environments=tuple(_deployed(EnvironmentName(name), files[name], oids[name]) for name in environments),
        strays=strays if not what else (), chart_now=frozenset(state.chart()),
        is_shallow=workspace.repository.is_shallow, prefix=workspace.repository.prefix,
    )  # fmt: skip


def _below(folder: str, values: Mapping[str, Item]) -> dict[str, Item]:
    return {path.removeprefix(folder): value for path, value in values.items() if path.startswith(folder)}


def _deployed(name: EnvironmentName, files: Mapping[str, bytes], oids: Mapping[str, GitOid]) -> Deployed:
    environment, unread = read_environment(name, files)
    return Deployed(name, files, oids, environment, unread)


def _traced(workspace: Workspace, facts: Facts) -> Facts:
    """Step 2: what Git knows of the chosen releases and environments, and of the chart that these are copies of."""
    repository, tip = workspace.repository, workspace.state.commit
    touched: dict[str, list[GitSha]] = {}
    for change in _changes(repository, tip, ":(glob)", "releases/*/release.yaml"):
        if change.status != "A":
            touched.setdefault(change.path.split("/")[1], []).append(change.commit)
    chart: dict[str, set[GitOid]] = {}
    for change in _changes(repository, workspace.state.charts.commit, "", CHART):
        if change.status != "D":
            chart.setdefault(change.path.removeprefix(f"{CHART}/"), set()).add(change.oid)
    prefix = f"refs/tags/{facts.bundle.tag_prefix}"
    releases = [
        replace(filed, touched=tuple(dict.fromkeys(touched.get(filed.folder, ()))), source=_snapshot(repository, filed),
                tag=repository.resolve(prefix + filed.folder)) if filed.folder in facts.chosen else filed
        for filed in facts.releases
    ]  # fmt: skip
    environments = [
        replace(one, once=_once(repository, tip, one.name)) if one.name in facts.chosen else one
        for one in facts.environments
    ]
    known = {path: frozenset(oids) for path, oids in chart.items()}
    templates = templates_of(repository, facts)
    return replace(facts, releases=tuple(releases), environments=tuple(environments), chart=known, templates=templates)


def templates_of(repository: Repository, facts: Facts) -> dict[Version, dict[str, str]]:
    """The templates of every release, as far as they are here with the digests that it pins; equal ones read once."""
    texts: dict[Digest, str] = {}
    for release in facts.known.values():
        if not set(release.templates.values()) <= texts.keys():
            found = repository.tree(release.commit).read([f"{TEMPLATES}/{name}" for name in release.templates])
            texts |= {digest_of(data): data.decode(errors="replace") for data in found.values()}
    return {
        version: {name: texts[digest] for name, digest in release.templates.items()}
        for version, release in facts.known.items()
        if set(release.templates.values()) <= texts.keys()
    }


def with_contracts(repository: Repository, facts: Facts, more: Iterable[Release]) -> Facts:
    """The facts with the contracts of the chosen releases, of what chosen environments serve, and of some more."""
    fronts = [one.environment.front for one in facts.environments if one.name in facts.chosen]
    served = {front.release for front in fronts if front}
    chosen = {filed.release.version: filed.release for filed in facts.releases if filed.release
              and (filed.folder in facts.chosen or filed.release.version in served)}  # fmt: skip
    releases = [*(chosen | {release.version: release for release in more}).values()]
    oids = {oid for release in releases for oid in texts_needed(release.inputs)}
    texts = read_texts(repository, sorted(oids))
    return replace(facts, contracts=known_contracts(releases, texts, facts.bundle.contracts.levels))


def _once(repository: Repository, tip: GitSha, name: EnvironmentName) -> frozenset[str]:
    """Every path that an environment ever had."""
    folder = f"releases/{name}"
    return frozenset(change.path.removeprefix(f"{folder}/") for change in _changes(repository, tip, "", folder))


@dataclass(frozen=True)
class Changed:
    """One file that one commit changed: A added, M changed, D deleted, and its Git id afterwards."""

    commit: GitSha
    status: str
    oid: GitOid
    path: str


def _changes(repository: Repository, tip: GitSha, magic: str, path: str) -> list[Changed]:
    """Every change of some files in all of history, newest first; merges are compared with each parent."""
    options = ("--full-history", "-m", "--raw", "--no-abbrev", "--no-renames", "--format=%x01%H")
    pathspec = f"{magic}{repository.prefix}{path}"
    output = repository.git("-c", "core.quotePath=false", "log", *options, tip, "--", pathspec).decode(
        "utf-8", "surrogateescape"
    )
    found = []
    for record in output.split("\x01")[1:]:
        commit, *lines = record.split("\n")
        for line in lines:
            if line.startswith(":"):
                meta, _, name = line.partition("\t")
                _, _, _, oid, status = meta.split()
                found.append(Changed(GitSha(commit), status[0], GitOid(oid), name.removeprefix(repository.prefix)))
    return found


def _snapshot(repository: Repository, filed: Filed) -> Snapshot | None:
    if filed.release is None or repository.resolve(filed.release.commit) is None:
        return None
    inputs, texts = paths_in(filed.release)
    tree = repository.tree(filed.release.commit)
    texts = tuple({*texts, *(entry.path for entry in tree.below([TEMPLATES]))})
    return Snapshot({path: entry.oid for path, entry in tree.look(inputs).items()}, tree.read(texts))


def _let_go(workspace: Workspace, facts: Facts, now: float) -> frozenset[str]:
    """Folders of the releases whose images retention does not keep; none while a file cannot be read."""
    unread = [*(one.unread for one in facts.releases), *(one.unread for one in facts.environments)]
    if facts.bundle.retention.is_for_ever or any(unread):
        return frozenset()
    kept = kept_now(workspace, now)
    return frozenset(str(version) for version in facts.known if version not in kept)


def looked_up(facts: Facts, looking: Looking) -> tuple[Facts, tuple[str, ...]]:
    """Step 3: the images of what is chosen; and a note for everything whose layers were too large to hash. A registry
    vouches for its blobs: it took none without hashing it.
    """
    notes: list[str] = []
    images: dict[tuple[str, Digest], StoredImage] = {}
    shelf, deep = looking.shelf, looking.deep
    for name, wanted, size in _groups(facts):
        read = deep or (size <= CHEAP and not shelf.place)
        if not read and wanted:
            notes.append(f"{name}: {size:,} bytes of layers were compared by size only; --deep hashes them")
        stored = shelf.images(wanted, read=read, read_base=deep)
        for one, found in zip(wanted, stored, strict=True):
            key = (one.reference.repository, one.reference.digest)
            tags = {**images[key].tags, **found.tags} if key in images else found.tags
            images[key] = replace(found, tags=tags)
    if not deep and any(one.base for one in images.values()):
        notes.append("the layers of base images were compared by size only; --deep hashes them")
    return replace(facts, images=images, registry=shelf.place), tuple(notes)


def _groups(facts: Facts) -> list[tuple[str, tuple[Wanted, ...], int]]:
    """What is chosen, the images of each, and the bytes of their layers."""
    chosen = facts.chosen - facts.let_go
    releases = [filed.release for filed in facts.releases if filed.release and filed.folder in chosen]
    groups = [(str(release.version), wanted_images(release), sum(sizes_of(release).values())) for release in releases]
    for deployed in facts.environments:
        if deployed.name in facts.chosen:
            found = deployed_images(deployed.environment, facts.known.values())
            sizes = {layer: sizes_of(release)[layer] for wanted, release in found for layer in wanted.layers}
            groups.append((str(deployed.name), tuple(wanted for wanted, _ in found), sum(sizes.values())))
    return groups


def counts(facts: Facts, shelf: Shelf) -> dict[str, int]:
    """How many of what were looked at."""
    deployed = [one for one in facts.environments if one.name in facts.chosen]
    return {
        "releases": sum(filed.folder in facts.chosen for filed in facts.releases),
        "environments": len(deployed),
        "instances": sum(len(one.environment.instances) for one in deployed),
        "images": len(facts.images),
        **shelf.counts(),
    }


def _notes(facts: Facts) -> list[str]:
    """What else was not checked."""
    chosen = [filed for filed in facts.releases if filed.folder in facts.chosen and filed.release]
    notes = []
    if gone := sorted(facts.let_go & facts.chosen):
        notes.append(f"the images of {', '.join(gone)}: `retention:` in lockstep.yaml lets them go")
    if facts.is_shallow:
        absent = sum(filed.source is None for filed in chosen)
        unseen = f"{absent} commits of releases and older edits were not seen"
        notes.append(f"this clone is shallow: {unseen}; git fetch --unshallow --tags shows them")
    deployed = [one.environment for one in facts.environments if one.name in facts.chosen]
    notes += [note for one in deployed for note in unasked_indexes(one, facts.contracts)]
    releases = [filed.release for filed in chosen if filed.release]
    foreign = {reference for release in releases for _, reference in third_party_images(release)}
    if foreign:
        notes.append(f"{len(foreign)} third-party images are named by digest; their registry was not asked")
    return notes
