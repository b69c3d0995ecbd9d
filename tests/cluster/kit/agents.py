"""The agents as a scenario sees them: what an operator applies once, what a push tells them, what a person would do.

`helm` is no agent but a person at a terminal: `helm upgrade --install` after each push. It shows that the plain chart
works too, and needs nothing but a cluster; it gates nothing, so only scenarios without a failing release use it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from cluster.agents import notify
from cluster.running import Running
from kit.bundle import CHARTS, Bundle, CommandError

HELM = "helm"


def helm(cluster: Running, *arguments: str) -> str:
    """What helm printed; it must succeed."""
    path = os.pathsep.join([str(cluster.programs), os.environ["PATH"]])
    program = shutil.which("helm", path=path)
    assert program, "helm is not built; fix: python -m cluster up --agent argocd"
    environment = {**os.environ, "PATH": path, "KUBECONFIG": str(cluster.kubeconfig)}
    done = subprocess.run([program, *arguments], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandError(f"helm {' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
    return done.stdout


def follow(cluster: Running, agent: str, bundle: Bundle, environment: str) -> None:
    """Nothing; from now on the agent follows the environment. What charts/gitops gives an operator to apply once."""
    values = {
        "agent": "argocd" if agent == HELM else agent,
        "bundle": "scenarios",
        "environment": environment,
        "repository.url": bundle.url,
    }
    options = [option for key, value in values.items() for option in ("--set", f"{key}={value}")]
    if agent == HELM:
        namespace, guard = ("--show-only", "templates/namespace.yaml"), ("--show-only", "templates/guard.yaml")
        _apply(cluster, helm(cluster, "template", "g", str(CHARTS / "gitops"), *options, *namespace, *guard))
    else:
        helm(cluster, "upgrade", "--install", f"gitops-{environment}", str(CHARTS / "gitops"), *options)


def forget(cluster: Running, agent: str, environment: str) -> None:
    """Nothing; the agent follows the environment no longer."""
    if agent != HELM:
        helm(cluster, "uninstall", "--ignore-not-found", f"gitops-{environment}")


def tell(cluster: Running, agent: str, bundle: Bundle, environment: str) -> None:
    """Nothing; the agent knows of a push, as a webhook would have told it."""
    if agent == HELM:
        chart = str(bundle.folder / "releases" / environment)
        helm(cluster, "upgrade", "--install", "--namespace", environment, environment, chart, "--wait=false")
    else:
        notify(cluster, agent, bundle.url)


def _apply(cluster: Running, text: str) -> None:
    command = [str(Path(cluster.programs) / "kubectl"), "apply", "--server-side", "--filename=-"]
    environment = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}
    done = subprocess.run(command, env=environment, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CommandError(f"kubectl apply ended with {done.returncode}: {done.stderr}")
