"""prefetch: brings the images and weights of a release to the nodes that may run it, before anything needs a GPU.

Commits nothing and leaves nothing: its pods run no program and are removed, also when it fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lockstep.core.cluster.prefetch import pull_answer, pullers
from lockstep.core.cluster.readiness import absent_namespace
from lockstep.core.errors import Finding, OutsideError, Refused
from lockstep.core.names import EnvironmentName
from lockstep.core.render import Object
from lockstep.core.version import Version
from lockstep.verbs.asking import POLL_SECONDS, Asking, Patience
from lockstep.verbs.edit import render_release
from lockstep.verbs.workspace import Say, Workspace

_FIX = "lockstep push VERSION; a third-party image must be in the registry that it names"


class Pods(Protocol):
    """How short pods are made, looked at and removed."""

    def make(self, pod: Object) -> str:
        """The name of a pod that was made."""
        ...

    def look(self, name: str) -> Object:
        """A pod as it is now."""
        ...

    def end(self, name: str) -> None:
        """Deletes a pod."""
        ...


@dataclass(frozen=True)
class Prefetched:
    """What was brought: to how many nodes, how many images at most on one, in how many seconds."""

    nodes: int
    images: int
    seconds: float


def prefetch_release(
    workspace: Workspace, name: EnvironmentName, version: Version, asking: Asking, pods: Pods
) -> Prefetched:
    """What was brought to the nodes of an environment's cluster.

    Raises:
        Refused: an image cannot be pulled, there is no such namespace, or no node may run the release.
        OutsideError: the cluster does not answer, or does not show its nodes.
    """
    environment = workspace.state.environment(name)
    state = asking.view.state(capacity=True)
    if not state.exists:
        raise Refused("there is no place to prefetch to", [absent_namespace(state)])
    if state.nodes is None:
        fix = "let this account list nodes and pods, or leave out --prefetch"
        raise OutsideError(f"nodes cannot be seen: {'; '.join(state.notes)}", where=state.cluster, fix=fix)
    instances = tuple(render_release(workspace, environment, version).instances.values())
    wanted = pullers(state.nodes, instances, environment.bindings.pull_secrets)
    if not wanted:
        what, fix = f"no node may run release {version}", "see node selectors in bindings.yaml, and kubectl get nodes"
        raise Refused("there is no node to prefetch to", [Finding("prefetch/node", state.cluster, what, fix)])
    patience = asking.patience
    if patience is None:
        raise ValueError("prefetching waits, so it needs patience")
    began, made = patience.clock(), []
    try:
        for pod in wanted:
            made.append((pods.make(pod), str(pod["spec"]["nodeName"])))  # noqa: PERF401 - what was made must go
        _wait(dict(made), pods, patience, workspace.say)
    finally:
        for one, _ in made:
            pods.end(one)
    return Prefetched(len(wanted), max(len(pod["spec"]["containers"]) for pod in wanted), patience.clock() - began)


def _wait(made: dict[str, str], pods: Pods, patience: Patience, say: Say) -> None:
    """Nothing once every pod has done its work."""
    began = patience.clock()
    while made:
        answers = {name: pull_answer(pods.look(name)) for name in made}
        late = patience.clock() - began >= patience.seconds
        found = [
            Finding("prefetch/image", f"node {made[name]}", words or "not pulled in time", _FIX)
            for name, words in answers.items()
            if words or (late and words is None)
        ]
        if found and (late or all(words is not None for words in answers.values())):
            raise Refused("not every image could be pulled", found)
        for name, words in answers.items():
            if words == "":
                say(f"{patience.clock() - began:5.1f} s  every image is on node {made.pop(name)}")
        if made:
            patience.sleep(POLL_SECONDS)
