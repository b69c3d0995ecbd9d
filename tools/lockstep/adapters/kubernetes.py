"""Kubernetes, reading only: the objects of one namespace and, where asked, what its nodes have free.

The package `kubernetes` finds the cluster and proves who asks; answers are taken as the JSON that they are, by path:
its classes for every kind take two seconds to import and are not needed. core/cluster reads what it needs of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockstep.core.cluster.reading import GATE, parse_state
from lockstep.core.cluster.state import ClusterState
from lockstep.core.environment import INSTANCE
from lockstep.core.errors import OutsideError, UsageError
from lockstep.core.render import Object

_SECONDS = (5, 30)  # to connect, to answer
_PAGE = "500"
_UNKNOWN, _FORBIDDEN, _ABSENT = 401, 403, 404
# What a namespace holds of ours: path and selector of each list. Source: Kubernetes v1.36, API reference.
_OWN = {
    "deployments": ("/apis/apps/v1/namespaces/{}/deployments", ""),
    "pods": ("/api/v1/namespaces/{}/pods", ""),
    "services": ("/api/v1/namespaces/{}/services", ""),
    "configmaps": ("/api/v1/namespaces/{}/configmaps", INSTANCE),
    "horizontalpodautoscalers": ("/apis/autoscaling/v2/namespaces/{}/horizontalpodautoscalers", ""),
    "networkpolicies": ("/apis/networking.k8s.io/v1/namespaces/{}/networkpolicies", ""),
    "jobs": ("/apis/batch/v1/namespaces/{}/jobs", GATE),
    "endpointslices": ("/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices", "kubernetes.io/service-name=front"),
}
# What may be absent (an agent that is not installed), or not be shown to this account.
_AGENTS = {
    "applications": ("/apis/argoproj.io/v1alpha1/namespaces/argocd/applications", ""),
    "kustomizations": ("/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/{}/kustomizations", ""),
}
_CAPACITY = {"nodes": ("/api/v1/nodes", ""), "everypod": ("/api/v1/pods", "")}


@dataclass(frozen=True)
class Cluster:
    """One namespace of a cluster that a kubeconfig names.

    Args:
        client: The package's own client.
        address: Of the API server, for messages.
        namespace: Whose objects are read.
    """

    client: Any
    address: str
    namespace: str

    def state(self, *, capacity: bool) -> ClusterState:
        """What the namespace holds now; with `capacity` also what every node has free.

        Raises:
            OutsideError: the cluster cannot be reached, or does not let us read the namespace.
        """
        if not self._namespace_exists():
            return ClusterState(self.address, self.namespace, exists=False)
        notes: list[str] = []
        lists: dict[str, tuple[Object, ...]] = {}
        for kind, (path, selector) in _OWN.items():
            with self.wrapped(kind):
                lists[kind] = self._pages(path, selector)
        for kind, (path, selector) in {**_AGENTS, **(_CAPACITY if capacity else {})}.items():
            try:
                with self.wrapped(kind):
                    lists[kind] = self._pages(path, selector)
            except OutsideError as error:
                if _status(error.__cause__) not in {_FORBIDDEN, _ABSENT}:
                    raise
                if _status(error.__cause__) == _FORBIDDEN:
                    notes.append(f"{kind} may not be listed by this account ({error.fix})")
        return parse_state(self.address, self.namespace, lists, notes)

    def last_words(self, pod: str, container: str) -> str:
        """The last lines that a container printed before it ended; empty if nobody has them."""
        path = f"/api/v1/namespaces/{self.namespace}/pods/{pod}/log"
        for previous in ("true", "false"):
            try:
                found = self._get(path, {"container": container, "previous": previous, "tailLines": "5"})
            except _failures():
                continue
            text = found.decode(errors="replace").strip()
            if text:
                return text
        return ""

    def _pages(self, path: str, selector: str) -> tuple[Object, ...]:
        """Every item of a list, page by page, each with its kind."""
        items: list[Object] = []
        query = {"limit": _PAGE, **({"labelSelector": selector} if selector else {})}
        while True:
            data = json.loads(self._get(path.format(self.namespace), query))
            kind, version = str(data.get("kind", "")).removesuffix("List"), data.get("apiVersion")
            items += [{"apiVersion": version, "kind": kind, **item} for item in data.get("items") or []]
            token = (data.get("metadata") or {}).get("continue")
            if not token:
                return tuple(items)
            query["continue"] = token

    def _get(self, path: str, query: dict[str, str]) -> bytes:
        return self.send("GET", path, query)

    def send(self, method: str, path: str, query: dict[str, str], body: Object | None = None) -> bytes:
        """The body of an answer; an error of the package for anything but success."""
        headers = {"Accept": "application/json", **({"Content-Type": "application/json"} if body else {})}
        request = self.client.param_serialize(
            method, path, query_params=list(query.items()), header_params=headers, body=body,
            auth_settings=["BearerToken"],
        )  # fmt: skip
        answer = self.client.call_api(*request, _request_timeout=_SECONDS)
        found = bytes(answer.read())
        if not 200 <= answer.status < 300:
            raise _api_error()(status=answer.status, reason=answer.reason, body=found.decode(errors="replace"))
        return found

    def _namespace_exists(self) -> bool:
        """Whether it does; taken to be there where this account may not ask."""
        try:
            with self.wrapped("namespaces"):
                self._get(f"/api/v1/namespaces/{self.namespace}", {})
        except OutsideError as error:
            if _status(error.__cause__) not in {_FORBIDDEN, _ABSENT}:
                raise
            return _status(error.__cause__) == _FORBIDDEN
        return True

    @contextmanager
    def wrapped(self, what: str) -> Iterator[None]:
        """Turns what the package raises into an error with its place and its fix; `what` was to be done or read."""
        try:
            yield
        except _failures() as error:
            status = _status(error)
            verb, right = (what, "create pods") if " " in what else (f"read {what}", f"list {what}")
            fix = (
                f"let this account do that: kubectl auth can-i {right} -n {self.namespace}"
                if status == _FORBIDDEN
                else "renew the credentials of the kubeconfig: kubectl auth whoami"
                if status == _UNKNOWN
                else "see that the cluster answers: kubectl cluster-info"
            )
            place = f"{self.address}, namespace {self.namespace}"
            raise OutsideError(f"cannot {verb}: {_reason(error)}", where=place, fix=fix) from error


def open_cluster(kubeconfig: str, namespace: str) -> Cluster:
    """The cluster that a kubeconfig's current context names; nothing is asked yet.

    Args:
        kubeconfig: One file, or several as $KUBECONFIG has them.
        namespace: The environment's.

    Raises:
        UsageError: there is no such file, or it is no kubeconfig.
    """
    from kubernetes import config  # noqa: PLC0415 - see above
    from yaml import YAMLError  # noqa: PLC0415

    try:
        client: Any = config.new_client_from_config(config_file=kubeconfig)  # type: ignore[no-untyped-call]
    except (config.ConfigException, YAMLError, OSError, ValueError, TypeError) as error:
        there = [str(Path(part)) for part in kubeconfig.split(":") if Path(part).is_file()]
        fix = (
            "kubectl config view shows what kubectl reads" if there else "name a file that is there: --kubeconfig FILE"
        )
        raise UsageError(f"not a kubeconfig that names a cluster: {error}", where=kubeconfig, fix=fix) from error
    return Cluster(client, str(client.configuration.host), namespace)


def _reason(error: BaseException) -> str:
    """What the API server said, or why it could not be asked, in one line."""
    body = getattr(error, "body", None)
    try:
        said = json.loads(body or "")["message"]
    except (ValueError, TypeError, KeyError):
        said = getattr(error, "reason", None) or error
    return " ".join(str(said).split())[:300]


def _status(error: BaseException | None) -> int | None:
    return getattr(error, "status", None)


def _api_error() -> Any:
    from kubernetes.client.exceptions import ApiException  # noqa: PLC0415 - see above

    return ApiException


def _failures() -> tuple[type[BaseException], ...]:
    from urllib3.exceptions import HTTPError  # noqa: PLC0415 - comes with the package

    return (_api_error(), HTTPError, OSError)
