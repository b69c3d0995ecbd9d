"""A cluster as the place: the clone is pushed to a bare repository, and Argo CD or Flux applies what is in it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml

from cluster.agents import notify
from cluster.running import Running
from demo.place import BrokenPromise
from lockstep.adapters.kubernetes import Cluster, open_cluster
from lockstep.core.cluster.state import ClusterState, Reason

_REPOSITORY = "documents"
NAMESPACE = "lockstep-demo"  # of its own: each run begins by deleting it


@dataclass
class OnCluster:
    """One environment of the clone in the namespace lockstep-demo of a cluster.

    Args:
        bundle: The clone's folder.
        environment: The environment.
        cluster: The cluster; `make cluster` made it.
        agent: argocd or flux.
    """

    bundle: Path
    environment: str
    cluster: Running
    agent: str
    since: str = "the push began"
    reach: tuple[str, ...] = ("--plain-http",)
    touches: str = f"the cluster's namespace {NAMESPACE}, and what charts/gitops makes for it"

    def settle(self) -> None:
        """The clone's images come from the cluster's registry, on its base image; its origin is a bare repository."""
        config = self.bundle / "lockstep.yaml"
        data = yaml.safe_load(config.read_text(encoding="utf-8"))
        tree = self._run(["git", "rev-parse", "HEAD^{tree}"]).strip()
        # Tags of releases never move, and this story begins at 1.0.0 each time: other content is another bundle.
        data["registry"] = f"{self.cluster.registry}/{_REPOSITORY}-{tree[:10]}"
        data["platform"]["base"] = self.cluster.base
        data["environments"][self.environment] |= {"agent": self.agent, "namespace": NAMESPACE}
        config.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
        shutil.rmtree(self._origin, ignore_errors=True)
        self._run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(self._origin)])
        self._run(["git", "remote", "set-url", "origin", str(self._origin)])

    def released(self, version: str) -> None:
        """Pushes the release's images; what is there already is not sent again."""
        command = [sys.executable, "-m", "lockstep.cli.main", "push", version, *self.reach, "-o", "json"]
        self._run(command)

    def committed(self) -> None:
        """Pushes the branch and tells the agent at once, as a webhook of a Git server does."""
        self._run(["git", "push", "--quiet", "--force", "origin", "main"])
        notify(self.cluster, self.agent, self._url)

    def look(self) -> tuple[str, ...]:
        """The cluster's own kubeconfig."""
        return ("--kubeconfig", str(self.cluster.kubeconfig))

    def start(self) -> None:
        """Does what an operator does once: installs charts/gitops, where nothing of an earlier run is left."""
        self._run(["git", "push", "--quiet", "--force", "origin", "main"])
        name, chart = f"{_REPOSITORY}-{self.environment}-gitops", str(self.bundle / "charts" / "gitops")
        self._helm("uninstall", name, "--ignore-not-found", "--wait", "--timeout", "3m")
        self._kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout", "3m")
        values = {
            "agent": self.agent,
            "environment": self.environment,
            "namespace": NAMESPACE,
            "repository.url": self._url,
        }
        options = [part for value in values.items() for part in ("--set-string", "=".join(value))]
        self._helm("upgrade", "--install", name, chart, *options)
        notify(self.cluster, self.agent, self._url)

    def stop(self) -> None:
        """Nothing: what runs may be looked at; `make cluster-down` ends it."""

    def check(self) -> None:
        """Nothing: a cluster that has ended makes every look at it fail."""

    def url(self) -> str:
        """The front's address, which this machine reaches as a client outside of the cluster would."""
        front = self._state().front
        if front is None:
            raise BrokenPromise(f"the cluster has no front in namespace {NAMESPACE}")
        return f"http://{front.objects[0]['spec']['clusterIP']}"

    def served(self) -> str:
        """The release that the front names, once it sends requests to a ready pod of it; empty for none."""
        front = self._state().front
        return front.release if front and front.ready else ""

    def root(self) -> str:
        """The root that the front names."""
        front = self._state().front
        return str(front.root) if front else ""

    def states(self) -> Mapping[str, str]:
        """What every instance is: ready when all the pods that it wants are."""
        return {
            str(name): "ready" if item.wanted and item.ready >= item.wanted else "starting"
            for name, item in self._state().instances.items()
        }

    def lives(self) -> Mapping[str, str]:
        """The ready pods of every instance that has some, and when each became ready."""
        ready = {
            str(name): " ".join(sorted(f"{pod.name}:{pod.started_seconds}" for pod in item.pods if pod.is_ready))
            for name, item in self._state().instances.items()
        }
        return {name: pods for name, pods in ready.items() if pods}

    def failing(self, instances: list[str]) -> str:
        """The first of these instances whose container ended by itself; empty if none did."""
        state = self._state()
        crashed = [
            str(name)
            for name, item in state.instances.items()
            if any(trouble.reason is Reason.CRASH for pod in item.pods for trouble in pod.troubles)
        ]
        return next((name for name in crashed if name in instances), "")

    def seen_ns(self, reverted_ns: int) -> int:
        """When `git revert` returned: the push begins there."""
        return reverted_ns

    @property
    def _origin(self) -> Path:
        return self.bundle.parent / "origin.git"

    @property
    def _url(self) -> str:
        return f"file://{self._origin}"

    @cached_property
    def _view(self) -> Cluster:
        return open_cluster(str(self.cluster.kubeconfig), NAMESPACE)

    def _state(self) -> ClusterState:
        return self._view.state(capacity=False)

    def _helm(self, *arguments: str) -> None:
        self._program("helm", *arguments, "--namespace", "default")

    def _kubectl(self, *arguments: str) -> None:
        self._program("kubectl", *arguments)

    def _program(self, name: str, *arguments: str) -> None:
        self._run([str(self.cluster.programs / name), *arguments, "--kubeconfig", str(self.cluster.kubeconfig)])

    def _run(self, command: list[str]) -> str:
        done = subprocess.run(command, cwd=self.bundle, check=False, capture_output=True, text=True)
        if done.returncode:
            raise BrokenPromise(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout
