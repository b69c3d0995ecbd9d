"""What Flux is told about an environment: a folder of Kustomizations that is a function of the environment alone.

flux/objects/instances.yaml   applies instances/; what it may not delete yet, the guard refuses, and it tries again
flux/objects/policies/        policies/, applied with these Kustomizations: one build fewer for every commit (ADR 11)
flux/objects/gate.yaml        root-<id> of the root that the front names: applies its gate and waits for the answer
flux/objects/root-<id>.yaml   root-<id> of another root; it goes with its root, and its proof with it
flux/objects/front.yaml       applies the front once the gate of the root that it names has answered
flux/gate/<id>/               what root-<id> of gate.yaml applies: front/gate.yaml
flux/gates/<id>/              what root-<id> of another root applies: gates/<id>.yaml
flux/front/<id>/              what front applies: front/front.yaml, under the name of the root that it names

The folder that `front` applies is named by its root. So the `front` that a cluster still has finds its folder gone in
a commit that moves the pointer, and does nothing; only the `front` of that commit moves it, and that one waits for
the gate. stage touches none of this but in a new environment; promote changes `front` and `gate` and may add a root. No
file that retire deletes is ever changed: so the revert of a promote does not conflict, whatever was retired since.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from lockstep.core.bundle import Agent, Bundle
from lockstep.core.document import format_yaml
from lockstep.core.environment import FRONT_FILE, GATE_FILE, Environment, Files, Gate
from lockstep.core.names import InstanceId
from lockstep.core.render import Object

FOLDER = "flux/"
ACCOUNT = "lockstep"
_HEADER = "# written by lockstep; do not edit, run: lockstep stage\n"
_ANSWERED = "has(dep.status.lastAppliedRevision) && dep.status.lastAppliedRevision != ''"
_GRACE_SECONDS = 30  # beyond a gate's own deadline, so that its Job fails before the wait for it does


def flux_files(environment: Environment, bundle: Bundle, prefix: str) -> Files:
    """The files of flux/ by path in releases/<env>/; none where another agent applies the environment.

    Args:
        environment: What is there; its own flux/ is not looked at.
        bundle: Whose environment it is: says its agent, its namespace and the name of the source.
        prefix: The bundle's folder in the repository, empty or ending with a slash.

    Raises:
        LookupError: a gate has no deadline.
    """
    if bundle.environments[environment.name].agent is not Agent.FLUX or not environment.chart:
        return {}
    place = _Place(bundle.namespace_of(environment.name), str(bundle.name), f"{prefix}releases/{environment.name}")
    front = [environment.front.root] if environment.front else []
    policies = sorted(path for path in environment.chart if path.startswith("policies/"))
    return {
        **{f"{FOLDER}objects/{name}.yaml": _file(data) for name, data in _objects(environment, place)},
        **({f"{FOLDER}objects/policies/kustomization.yaml": _resources(policies)} if policies else {}),
        **{f"{FOLDER}{_gate_folder(environment, root)}/kustomization.yaml": _resources([environment.gate_file(root)])
           for root in environment.gates},
        **{f"{FOLDER}front/{root}/kustomization.yaml": _resources([FRONT_FILE]) for root in front},
    }  # fmt: skip


def overlaid(environment: Environment, bundle: Bundle, prefix: str) -> Environment:
    """The environment with the flux/ that belongs to it, and no other; idempotent."""
    own = {path: data for path, data in environment.chart.items() if not path.startswith(FOLDER)}
    told = flux_files(replace(environment, chart=own), bundle, prefix)
    return replace(environment, chart=MappingProxyType({**own, **told}))


@dataclass(frozen=True)
class _Place:
    """Where the Kustomizations of an environment are, and what they read.

    Args:
        namespace: Theirs, and that of what they apply.
        source: Name of the GitRepository.
        folder: The environment's folder in the repository.
    """

    namespace: str
    source: str
    folder: str


def _objects(environment: Environment, place: _Place) -> Iterator[tuple[str, Object]]:
    """Each Kustomization by the name of its file."""
    applied = {"prune": True, "wait": False, "deletionPolicy": "Orphan"}
    yield "instances", _kustomization(place, "instances", "instances", applied)
    for root, gate in environment.gates.items():
        folder = _gate_folder(environment, root)
        file = "gate" if environment.gate_file(root) == GATE_FILE else root_name(root)
        yield file, _kustomization(place, root_name(root), f"{FOLDER}{folder}", _waiting(gate))
    if environment.front:
        root = environment.front.root
        yield "front", _kustomization(place, "front", f"{FOLDER}front/{root}", _moving(root))


def _gate_folder(environment: Environment, root: InstanceId) -> str:
    """Named by its root, as the front's is, and by where its file is: so a folder's content never changes."""
    return f"gate/{root}" if environment.gate_file(root) == GATE_FILE else f"gates/{root}"


def _waiting(gate: Gate) -> Mapping[str, Any]:
    """A root's Kustomization: applied means answered, since it waits for the Job. Deleted, it deletes the Job."""
    deadline = int(gate.objects[0]["spec"]["activeDeadlineSeconds"])
    return {"prune": True, "wait": True, "timeout": f"{deadline + _GRACE_SECONDS}s", "retryInterval": "10s"}


def _moving(root: InstanceId) -> Mapping[str, Any]:
    """The pointer. It corrects an edit by hand within its interval, and waits for its root's first answer alone: a root
    that answered and has gone bad since can be returned to, and left.
    """
    depends = [{"name": root_name(root), "readyExpr": _ANSWERED}]
    return {"prune": False, "wait": False, "deletionPolicy": "Orphan", "interval": "10s", "dependsOn": depends}


def _kustomization(place: _Place, name: str, folder: str, spec: Mapping[str, Any]) -> Object:
    """Source: kustomize-controller v1.9, api kustomize.toolkit.fluxcd.io/v1."""
    return {
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1",
        "kind": "Kustomization",
        "metadata": {"name": name, "namespace": place.namespace},
        "spec": {
            "interval": "1m",
            "retryInterval": "2s",
            "path": f"./{place.folder}/{folder}",
            "serviceAccountName": ACCOUNT,
            "sourceRef": {"kind": "GitRepository", "name": place.source},
            "targetNamespace": place.namespace,
            **spec,
        },
    }


def root_name(root: InstanceId) -> str:
    """The name of the Kustomization that holds the proof of a root."""
    return f"root-{root}"


def _resources(paths: Sequence[str]) -> bytes:
    """A kustomization of files of the environment, named from a folder three levels below it."""
    return _file({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [posixpath.join("../../..", path) for path in paths],
    })  # fmt: skip


def _file(data: Mapping[str, Any]) -> bytes:
    return (_HEADER + format_yaml(data)).encode()
