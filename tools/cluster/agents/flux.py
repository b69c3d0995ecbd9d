"""Flux in the node: the real kustomize-controller, and a stand-in for the source-controller, which cannot be built."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from cluster.addresses import NODE
from cluster.agents.objects import Manifest, apply, manifests, module_folder, pinned_folder
from cluster.program import Program
from lockstep.core.errors import OutsideError

PORT = 9790  # of the stand-in for the source-controller
NAMESPACE = "flux-system"
KUSTOMIZATIONS = ("kustomize.toolkit.fluxcd.io", "v1", "kustomizations")
PROGRAMS = ("flux-source", "kustomize-controller")
# Not stock (30 s): a promote adds the gate and moves the front in one commit, and a front whose gate has not answered
# asks again after this time only. A revert does not wait for it: its gate has answered long ago.
REQUEUE = "--requeue-dependency=2s"
_MODULE = "github.com/fluxcd/kustomize-controller"
# Only its CRDs are used; its version is that of the API which kustomize-controller is built with.
_SOURCE = ("github.com/fluxcd/source-controller", "v1.9.0", "h1:5msg2yyjVYDULZos+2ve8MZzcSqTpusiXmrOeBhc9yY=")
_SOURCE_KINDS = ("buckets", "externalartifacts", "gitrepositories", "ocirepositories")


def objects(module: Path, source: Path) -> list[Manifest]:
    """Namespace and CRDs of Flux, from the manifests of its modules; a GitRepository may name a local folder too."""
    crds = Path("config") / "crd" / "bases"
    names = [source / crds / f"source.toolkit.fluxcd.io_{kind}.yaml" for kind in _SOURCE_KINDS]
    own = module / crds / "kustomize.toolkit.fluxcd.io_kustomizations.yaml"
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    return [namespace, *(_local(item) for item in manifests([own, *names]))]


def _local(crd: Manifest) -> Manifest:
    """A CRD whose urls may be file://, which the stand-in reads; Flux's own reads http, https and ssh."""
    return dict(json.loads(json.dumps(crd).replace("^(http|https|ssh)://", "^(file|http|https|ssh)://")))


def programs(kubeconfig: Path, work: Path) -> tuple[Program, ...]:
    """The stand-in for the source-controller and the kustomize-controller, stock but for REQUEUE. Pure.

    Args:
        kubeconfig: Access to the cluster.
        work: Folder for what they write, as the node sees it.
    """
    source = (
        *(sys.executable, "-m", "cluster.agents.source", "--kubeconfig", str(kubeconfig)),
        *("--folder", str(work / "archives"), "--address", NODE),
    )
    # Where it listens and whom it tells (nobody) say nothing about how it applies.
    quiet = ("--events-addr=", "--metrics-addr=127.0.0.1:0", "--health-addr=127.0.0.1:0")
    controller = (PROGRAMS[1], *quiet, REQUEUE)
    variables = {"KUBECONFIG": str(kubeconfig), "RUNTIME_NAMESPACE": NAMESPACE, "TMPDIR": str(work / "scratch")}
    return (Program(PROGRAMS[0], source), Program(PROGRAMS[1], controller, variables))


def install(kubeconfig: Path, work: Path) -> tuple[Program, ...]:
    """Flux's programs, to be started; the cluster knows its kinds afterwards.

    Raises:
        OutsideError: its modules cannot be had, or the cluster refused an object.
    """
    (work / "scratch").mkdir(parents=True, exist_ok=True)
    apply(kubeconfig, objects(module_folder(_MODULE), pinned_folder(*_SOURCE)), NAMESPACE)
    return programs(kubeconfig, work)


def hook(repository: str) -> tuple[str, ...]:
    """The GitRepositories of a repository, each looked at and published before this returns; a Receiver does the same.

    Raises:
        OutsideError: the stand-in does not answer, or could not publish.
    """
    where = f"http://{NODE}:{PORT}/hook"
    try:
        with urlopen(where, data=repository.encode(), timeout=30) as answer:
            return tuple(json.load(answer))
    except URLError as error:
        raise OutsideError(
            f"the stand-in for the source-controller failed: {error}",
            where=where,
            fix="see .lockstep/cluster/log/flux-source.log",
        ) from error
