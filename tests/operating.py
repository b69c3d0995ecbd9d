"""What an operator does in tests: renders and installs charts/gitops, applies, reads, deletes. Needs `make cluster`."""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from kubernetes.client.exceptions import ApiException

from cluster.agents import objects
from cluster.running import Running

TOP = Path(__file__).resolve().parents[1]
Object = dict[str, Any]


@dataclass(frozen=True)
class Cluster:
    """A running cluster and the programs that speak to it."""

    running: Running

    def program(self, *command: str, stdin: str = "") -> str:
        """Standard output of kubectl or helm, which must succeed."""
        path = f"{self.running.programs}{os.pathsep}{os.environ['PATH']}"
        environment = {**os.environ, "PATH": path, "KUBECONFIG": str(self.running.kubeconfig)}
        done = subprocess.run(command, input=stdin, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        return done.stdout

    def apply(self, given: list[Object], namespace: str = "default") -> None:
        """Applies objects."""
        objects.apply(self.running.kubeconfig, given, namespace)

    @cached_property
    def client(self) -> Any:
        """A client that knows every kind."""
        config = objects.kubernetes("config").new_client_from_config(str(self.running.kubeconfig))
        return objects.kubernetes("dynamic").DynamicClient(config)

    def kind(self, item: Mapping[str, Any]) -> Any:
        """What the client calls the kind of an object."""
        return self.client.resources.get(api_version=item["apiVersion"], kind=item["kind"])


def rendered(helm: Callable[..., str], chart: Path, *options: str) -> list[Object]:
    """What `helm template` gives, parsed."""
    return parsed(helm("helm", "template", "test", str(chart), *options))


def gitops_values(agent: str, environment: str, **values: str) -> list[str]:
    """Options for charts/gitops."""
    given = {
        "agent": agent,
        "environment": environment,
        "repository.url": "https://git.example.org/documents.git",
        **values,
    }
    return [part for name, value in given.items() for part in ("--set-string", f"{name}={value}")]


def new_name(prefix: str) -> str:
    """A namespace that no other test has."""
    return f"{prefix}-{secrets.token_hex(3)}"


def refusal(delete: Callable[[], object]) -> str:
    """The message with which the API server refused; empty if it did not."""
    try:
        delete()
    except ApiException as error:
        if error.status != 403:
            raise
        return str(yaml.safe_load(error.body)["message"])
    return ""


def eventually(question: Callable[[], Any], seconds: float = 30, what: str = "") -> Any:
    """The first answer that is true, asked for ten times a second."""
    end = time.monotonic() + seconds
    while not (answer := question()):
        assert time.monotonic() < end, f"not within {seconds} s: {what or question}"
        time.sleep(0.1)
    return answer


def documents(path: Path) -> list[Object]:
    """The objects of a file."""
    return parsed(path.read_text(encoding="utf-8"))


def parsed(text: str) -> list[Object]:
    """The objects of a text."""
    return [item for item in yaml.safe_load_all(text) if item]
