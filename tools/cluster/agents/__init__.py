"""Argo CD and Flux in the node: `install` makes them known, `notify` tells them of a push."""

from __future__ import annotations

from pathlib import Path

from cluster.agents import argocd, flux
from cluster.program import Program
from cluster.running import Running
from lockstep.core.errors import OutsideError, UsageError

AGENTS = ("argocd", "flux")
_INSTALL = {"argocd": argocd.install, "flux": flux.install}


def install(agent: str, kubeconfig: Path, work: Path) -> tuple[Program, ...]:
    """The programs of an agent, to be started; the cluster knows its kinds and its configuration afterwards.

    Args:
        agent: One of AGENTS.
        kubeconfig: An administrator's access, as the node sees the file too.
        work: Folder of its own for what its programs write, as the node sees it too.

    Raises:
        UsageError: there is no such agent.
        OutsideError: its manifests cannot be had, or the cluster refused them.
    """
    if agent not in _INSTALL:
        raise UsageError(f"no agent {agent!r}", fix=f"one of: {' '.join(AGENTS)}")
    return _INSTALL[agent](kubeconfig, work)


def notify(cluster: Running, agent: str, repository: str) -> tuple[str, ...]:
    """What was told of a push to a repository, at once, as a webhook of a Git server does.

    Argo CD: what its webhook does, the annotation `argocd.argoproj.io/refresh: normal` on each Application of the
    repository. Flux: the hook of our stand-in for the source-controller.

    Args:
        cluster: Where the agent runs.
        agent: One of AGENTS.
        repository: As `repository.url` in charts/gitops says it.

    Raises:
        OutsideError: the agent cannot be reached, or follows no such repository.
    """
    told = argocd.refresh(cluster.kubeconfig, repository) if agent == "argocd" else flux.hook(repository)
    if not told:
        raise OutsideError(
            f"{agent} follows no repository {repository}",
            where=str(cluster.kubeconfig),
            fix=f"helm upgrade --install NAME charts/gitops --set agent={agent} --set repository.url={repository}",
        )
    return told
