"""Kubernetes, the one thing that is ever made in a cluster: short pods of `stage --prefetch`, and their removal."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from lockstep.adapters.kubernetes import Cluster
from lockstep.core.render import Object


@dataclass(frozen=True)
class Pods:
    """Pods in the namespace of a cluster."""

    cluster: Cluster

    def make(self, pod: Object) -> str:
        """The name of a pod that was made.

        Raises:
            OutsideError: the cluster refuses it, or cannot be reached.
        """
        return str(self._asked("POST", "", "make a pod", pod)["metadata"]["name"])

    def look(self, name: str) -> Object:
        """A pod as it is now."""
        found: Object = self._asked("GET", f"/{name}", f"read pod {name}")
        return found

    def end(self, name: str) -> None:
        """Deletes a pod at once."""
        self._asked("DELETE", f"/{name}", f"delete pod {name}")

    def _asked(self, method: str, below: str, what: str, body: Object | None = None) -> Any:
        path = f"/api/v1/namespaces/{self.cluster.namespace}/pods{below}"
        with self.cluster.wrapped(what):
            return json.loads(self.cluster.send(method, path, {}, body))
