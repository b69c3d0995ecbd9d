"""verify --front and --since: checks what some commits changed below releases/, and of a way back only the way back.

1. tell from the changed paths which releases and environments were touched;
2. an environment of which nothing but the pointer moved, back to what served before and retention keeps: read its
   front, what that reaches and its gates, the releases that these are, and look for their images;
3. everything else that was touched: verify it whole.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from lockstep.adapters.history import environment_commits
from lockstep.core.environment import FRONT_FILE, Environment
from lockstep.core.errors import OutsideError, UsageError
from lockstep.core.history import Served, events, front_moves
from lockstep.core.names import EnvironmentName, GitSha, InstanceId
from lockstep.core.rules.back import Past, back_findings, is_back, serving
from lockstep.core.rules.contract import unasked_indexes
from lockstep.core.rules.environment import read_environment
from lockstep.core.rules.facts import Deployed, Facts, Filed
from lockstep.core.rules.release import read_release
from lockstep.core.touched import Touched, gone_findings, touched
from lockstep.core.version import Version
from lockstep.verbs.retention import kept_besides
from lockstep.verbs.verify import Looking, Verified, counts, looked_up, templates_of, verify_bundle, with_contracts
from lockstep.verbs.workspace import Workspace, release_path

_INSTANCES = "instances/"
NOTHING = Verified(
    (), dict.fromkeys(("releases", "environments", "instances", "images", "blobs", "bytes_hashed"), 0), ()
)


def verify_fronts(workspace: Workspace, names: Iterable[EnvironmentName], looking: Looking) -> Verified:
    """Everything that is wrong with the fronts of some environments as ways back; of all that serve for none.

    Raises:
        UsageError: there is no such environment.
        OutsideError: the clone is shallow, so nobody knows what served; or Git, the registry or the disk failed.
    """
    known = workspace.state.bundle.environments
    chosen = tuple(names) or tuple(name for name in known if _has_front(workspace, name)) or tuple(known)
    for name in chosen:
        if name not in known:
            fix = f"choose from: {', '.join(sorted(known))}"
            raise UsageError(f"there is no environment {name}", where="lockstep.yaml", fix=fix)
    return _sum(*(_front(workspace, name, _past(workspace, name, None, looking.now), looking) for name in chosen))


def verify_since(workspace: Workspace, old: GitSha | None, looking: Looking) -> Verified:
    """Everything that is wrong with what changed below releases/ since a commit; with everything for None.

    Args:
        workspace: Where; its releases are those of the newer commit.
        old: The older commit.
        looking: Where images are looked for, and how closely.
    """
    if old is None:
        return verify_bundle(workspace, (), looking)
    state = workspace.state
    found = touched(workspace.repository.changed(old, state.commit, "releases/"), state.bundle.environments)  # step 1
    back = {name: past for name in sorted(found.pointers) if (past := _way_back(workspace, name, old, looking))}
    parts = [_front(workspace, name, past, looking) for name, past in back.items()]  # step 2
    whole = _whole(workspace, found, back)
    if whole or found.others:
        parts.append(verify_bundle(workspace, () if found.others else whole, looking))  # step 3
    said = Verified(gone_findings(found), NOTHING.checked, ())
    if not parts and not found.gone:
        workspace.say(f"nothing below releases/ changed since {old[:10]}")
    return _sum(*parts, said)


def _whole(workspace: Workspace, found: Touched, back: Collection[EnvironmentName]) -> tuple[str, ...]:
    """What is verified whole, as far as it is still there."""
    there = {entry.path.rpartition("/")[2] for entry in workspace.state.tree.names("releases")}
    names = {
        *found.releases,
        *map(str, found.environments),
        *(str(name) for name in found.pointers if name not in back),
    }
    return tuple(sorted(names & there))


def _way_back(workspace: Workspace, name: EnvironmentName, old: GitSha, looking: Looking) -> Past | None:
    """What the environment may go back to, if that is what its front did since a commit."""
    if workspace.repository.is_shallow:
        return None
    path = f"releases/{name}/{FRONT_FILE}"
    files = workspace.state.tree.read([path])
    environment, unread = read_environment(name, {FRONT_FILE: files[path]} if files else {})
    past = _past(workspace, name, old, looking.now)
    moved = workspace.repository.tree(old).read([path]) != files
    return past if moved and not unread and environment.front and is_back(environment.front, past) else None


def _past(workspace: Workspace, name: EnvironmentName, old: GitSha | None, now: float) -> Past:
    """What served in an environment up to a commit; for None, before its front moved last."""
    if workspace.repository.is_shallow:
        raise OutsideError(
            f"this clone is shallow: what served in {name} before cannot be seen",
            where=str(workspace.repository.top),
            fix="git fetch --unshallow",
        )
    moves = _moves(workspace, name, old or workspace.state.commit)
    before = moves if old else moves[:-1]
    return Past(frozenset(before), kept_besides(workspace, name, now), before[-1] if before else None)


def _moves(workspace: Workspace, name: EnvironmentName, tip: GitSha) -> list[Served]:
    moves = front_moves(events(environment_commits(workspace.repository, tip, name)))
    return [move.front for move in moves if move.front]


def _front(workspace: Workspace, name: EnvironmentName, past: Past, looking: Looking) -> Verified:
    """Step 2 for one environment."""
    deployed = _deployed(workspace, name)
    facts = _facts(workspace, deployed, past)
    facts, skipped = looked_up(replace(facts, environments=(_served(deployed),)), looking)
    found = back_findings(deployed, facts, past)
    front = deployed.environment.front
    said = f"what else lies in releases/{name}: only the front, which names {front.release if front else 'nothing'}"
    skipped = (*skipped, *unasked_indexes(deployed.environment, facts.contracts))
    return Verified(found, counts(facts, looking.shelf), (f"{said}, and what that needs were", *skipped))


def _has_front(workspace: Workspace, name: EnvironmentName) -> bool:
    return bool(workspace.state.tree.look([f"releases/{name}/{FRONT_FILE}"]))


def _served(deployed: Deployed) -> Deployed:
    return replace(deployed, environment=serving(deployed.environment))


def _deployed(workspace: Workspace, name: EnvironmentName) -> Deployed:
    """The environment with what its front reaches and the roots of its gates; other instances are not read."""
    tree, folder = workspace.state.tree, f"releases/{name}/"
    paths = [entry.path for entry in tree.below([folder])]
    files = _below(folder, tree.read([path for path in paths if not path.startswith(folder + _INSTANCES)]))
    environment, unread = read_environment(name, files)
    asked: set[InstanceId] = set()
    while wanted := _needed(environment) - asked:
        asked |= wanted
        more = _below(folder, tree.read([f"{folder}{_INSTANCES}{one}.yaml" for one in wanted]))
        found, wrong = read_environment(name, more)
        files, unread = {**files, **more}, (*unread, *wrong)
        environment = replace(environment, instances={**environment.instances, **found.instances})
    return Deployed(name, files, {}, environment, unread)


def _needed(environment: Environment) -> set[InstanceId]:
    front = environment.front
    return {*environment.gates, *(environment.closure(front.root) if front else ())}


def _below(folder: str, data: Mapping[str, bytes]) -> dict[str, bytes]:
    return {path.removeprefix(folder): content for path, content in data.items()}


def _facts(workspace: Workspace, deployed: Deployed, past: Past) -> Facts:
    """What the rules look at: the releases that the front and the roots of the gates are, and no others."""
    front, gates = deployed.environment.front, deployed.environment.gates
    versions = {version for root, version in past.served if root in gates} | ({front.release} if front else set())
    files = workspace.state.tree.read([release_path(version) for version in versions])
    releases = [_filed(version, files) for version in sorted(versions)]
    repository = workspace.repository
    facts = Facts(
        bundle=workspace.state.bundle, chosen=frozenset({deployed.name}), environments=(deployed,),
        releases=tuple(releases), is_shallow=repository.is_shallow, prefix=repository.prefix,
    )  # fmt: skip
    last = past.last[1] if past.last else None
    before = _filed(last, workspace.state.tree.read([release_path(last)])).release if last else None
    facts = replace(facts, templates=templates_of(repository, facts))
    return with_contracts(repository, facts, [before] if before else [])


def _filed(version: Version, files: Mapping[str, bytes]) -> Filed:
    path = release_path(version)
    own = {path.rpartition("/")[2]: files[path]} if path in files else {}
    return Filed(str(version), own, *read_release(str(version), own))


def _sum(*parts: Verified) -> Verified:
    checked = {key: sum(part.checked[key] for part in parts) for key in NOTHING.checked}
    findings = sorted({finding for part in parts for finding in part.findings})
    return Verified(tuple(findings), checked, tuple(note for part in parts for note in part.notes))
