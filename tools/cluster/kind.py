"""The `kind` provider: a cluster in a container, for machines where Docker may run one. Untested."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cluster.running import STATE, Running
from lockstep.adapters import files, process

_NAME = "lockstep"
_REGISTRY = "localhost:5001"  # on this machine; the node is told to go to the container of that name
_REGISTRY_IMAGE = "registry:3"
_BASE = "python:3.11-slim"
_CONFIG = """\
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
nodes: [{role: control-plane}]
networking: {podSubnet: 10.220.0.0/24, serviceSubnet: 10.220.4.0/22}
containerdConfigPatches:
- |-
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "/etc/containerd/certs.d"
"""
_HOSTS = f'[host."http://{_NAME}-registry:5000"]\n'


def up(top: Path, reason: str, _agents: tuple[str, ...], say: Callable[[str], None]) -> Running:
    """A cluster of one node with a registry beside it; the base image is Docker's official Python, by digest."""
    kubeconfig = top / STATE / "kind.kubeconfig"
    say("kind: this provider has not been tested")
    if _NAME not in process.checked(["kind", "get", "clusters"]).decode().split():
        create = ["kind", "create", "cluster", "--name", _NAME, "--config", "-", "--kubeconfig", str(kubeconfig)]
        files.put_folder(kubeconfig.parent)
        process.checked([*create, "--wait", "120s"], stdin=_CONFIG.encode())
        port = ["--publish", "127.0.0.1:5001:5000", "--network", "kind"]
        process.checked(["docker", "run", "--detach", "--name", f"{_NAME}-registry", *port, _REGISTRY_IMAGE])
        folder = f"/etc/containerd/certs.d/{_REGISTRY}"
        script = f"mkdir -p {folder} && cat >{folder}/hosts.toml"
        node = f"{_NAME}-control-plane"
        process.checked(["docker", "exec", "--interactive", node, "sh", "-c", script], stdin=_HOSTS.encode())
    return Running("kind", reason, kubeconfig, _REGISTRY, _base())


def down() -> None:
    """Nothing; cluster and registry are gone, if they were there."""
    if _NAME in process.run(["kind", "get", "clusters"]).stdout.decode().split():
        process.checked(["kind", "delete", "cluster", "--name", _NAME])
        process.checked(["docker", "rm", "--force", f"{_NAME}-registry"])


def _base() -> str:
    """The reference by digest under which the base image is in our registry."""
    name = f"{_REGISTRY}/lockstep/base"
    for command in (
        ["pull", "--quiet", _BASE],
        ["tag", _BASE, f"{name}:cluster"],
        ["push", "--quiet", f"{name}:cluster"],
    ):
        process.checked(["docker", *command])
    said = process.checked(["docker", "inspect", "--format", '{{join .RepoDigests "\\n"}}', _BASE]).decode()
    return next(line for line in said.splitlines() if line.startswith(f"{name}@"))
