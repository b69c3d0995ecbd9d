"""Kubernetes, reading only: the objects of one namespace and, where asked, what its nodes have free.

The package `kubernetes` takes a second to import, so it is imported when a cluster is really asked. Answers are taken
as the JSON that they are (`_preload_content=False`): core/cluster reads what it needs and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lockstep.core.cluster.reading import GATE, parse_state
from lockstep.core.cluster.state import ClusterState
from lockstep.core.errors import OutsideError, UsageError
from lockstep.core.render import Object

_SECONDS = (5, 30)  # to connect, to answer
_PAGE = 500
_ARGOCD = "argocd"
_UNKNOWN, _FORBIDDEN, _ABSENT = 401, 403, 404


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
        lists: dict[str, tuple[Object, ...]] = {}
        notes: list[str] = []
        if self._optional(notes, "namespaces", self._namespace_exists) is False:
            return ClusterState(self.address, self.namespace, exists=False)
        for kind, ask in self._own().items():
            lists[kind] = self._required(kind, ask)
        wanted = {**self._agents(), **(self._capacity() if capacity else {})}
        for kind, ask in wanted.items():
            found = self._optional(notes, kind, ask)
            if found is not None:
                lists[kind] = found
        return parse_state(self.address, self.namespace, lists, notes)

    def last_words(self, pod: str, container: str) -> str:
        """The last lines that a container printed before it ended; empty if nobody has them."""
        core = self._kinds().CoreV1Api(self.client)
        for previous in (True, False):
            try:
                given: dict[str, Any] = {"container": container, "previous": previous, "tail_lines": 5}
                answer = core.read_namespaced_pod_log(
                    pod, self.namespace, _preload_content=False, _request_timeout=_SECONDS, **given
                )
            except _failures():
                continue
            text = bytes(answer.data).decode(errors="replace").strip()
            if text:
                return text
        return ""

    def _own(self) -> dict[str, Callable[..., Any]]:
        """What the namespace holds, by kind; one request each."""
        kinds = self._kinds()
        core, apps = kinds.CoreV1Api(self.client), kinds.AppsV1Api(self.client)
        batch, net = kinds.BatchV1Api(self.client), kinds.NetworkingV1Api(self.client)
        slices = kinds.DiscoveryV1Api(self.client)
        return {
            "deployments": self._in_namespace(apps.list_namespaced_deployment),
            "pods": self._in_namespace(core.list_namespaced_pod),
            "services": self._in_namespace(core.list_namespaced_service),
            "configmaps": self._in_namespace(core.list_namespaced_config_map, "lockstep.dev/instance"),
            "networkpolicies": self._in_namespace(net.list_namespaced_network_policy),
            "jobs": self._in_namespace(batch.list_namespaced_job, GATE),
            "endpointslices": self._in_namespace(
                slices.list_namespaced_endpoint_slice, "kubernetes.io/service-name=front"
            ),
        }

    def _agents(self) -> dict[str, Callable[..., Any]]:
        custom = self._kinds().CustomObjectsApi(self.client)
        flux, argo = ("kustomize.toolkit.fluxcd.io", "v1"), ("argoproj.io", "v1alpha1")
        return {
            "applications": lambda: custom.list_namespaced_custom_object(
                *argo, _ARGOCD, "applications", _request_timeout=_SECONDS
            )["items"],
            "kustomizations": lambda: custom.list_namespaced_custom_object(
                *flux, self.namespace, "kustomizations", _request_timeout=_SECONDS
            )["items"],
        }

    def _capacity(self) -> dict[str, Callable[..., Any]]:
        core = self._kinds().CoreV1Api(self.client)
        return {
            "nodes": lambda: _pages(core.list_node),
            "everypod": lambda: _pages(
                core.list_pod_for_all_namespaces, field_selector="status.phase!=Succeeded,status.phase!=Failed"
            ),
        }

    def _in_namespace(self, ask: Callable[..., Any], selector: str = "") -> Callable[[], tuple[Object, ...]]:
        return lambda: _pages(ask, self.namespace, label_selector=selector)

    def _namespace_exists(self) -> bool:
        try:
            self._kinds().CoreV1Api(self.client).read_namespace(
                self.namespace, _preload_content=False, _request_timeout=_SECONDS
            )
        except _api_error() as error:
            if error.status == _ABSENT:
                return False
            raise
        return True

    def _required(self, kind: str, ask: Callable[..., Any]) -> tuple[Object, ...]:
        with self._wrapped(kind):
            return tuple(ask())

    def _optional(self, notes: list[str], kind: str, ask: Callable[..., Any]) -> Any:
        """What is asked; None, with a note where that matters, if it is not there or may not be seen."""
        try:
            with self._wrapped(kind):
                return ask()
        except OutsideError as error:
            status = getattr(error.__cause__, "status", None)
            if status not in {_FORBIDDEN, _ABSENT}:
                raise
            if status == _FORBIDDEN:
                notes.append(f"{kind} may not be listed: {error.fix}")
            return None

    @contextmanager
    def _wrapped(self, kind: str) -> Iterator[None]:
        """Turns what the package raises into an error with its place and its fix."""
        try:
            yield
        except _failures() as error:
            status = getattr(error, "status", None)
            what = f"cannot read {kind}: {_reason(error)}"
            fix = (
                f"let this account read them: kubectl auth can-i list {kind} -n {self.namespace}"
                if status == _FORBIDDEN
                else "renew the credentials of the kubeconfig: kubectl auth whoami"
                if status == _UNKNOWN
                else "see that the cluster answers: kubectl cluster-info"
            )
            raise OutsideError(what, where=f"{self.address}, namespace {self.namespace}", fix=fix) from error

    @staticmethod
    def _kinds() -> Any:
        from kubernetes import client  # noqa: PLC0415 - see above

        return client


def open_cluster(kubeconfig: str, namespace: str) -> Cluster:
    """The cluster that a kubeconfig's current context names; nothing is asked yet.

    Args:
        kubeconfig: One file, or several as $KUBECONFIG has them.
        namespace: The environment's.

    Raises:
        UsageError: there is no such file, or it is no kubeconfig.
    """
    from kubernetes import config  # noqa: PLC0415 - see above

    try:
        client: Any = config.new_client_from_config(config_file=kubeconfig)  # type: ignore[no-untyped-call]
    except (config.ConfigException, OSError, ValueError, TypeError) as error:
        there = [str(Path(part)) for part in kubeconfig.split(":") if Path(part).is_file()]
        fix = (
            "kubectl config view shows what kubectl reads" if there else "name a file that is there: --kubeconfig FILE"
        )
        raise UsageError(f"not a kubeconfig that names a cluster: {error}", where=kubeconfig, fix=fix) from error
    return Cluster(client, str(client.configuration.host), namespace)


def _pages(ask: Callable[..., Any], *arguments: str, **options: str) -> tuple[Object, ...]:
    """Every item of a list, page by page."""
    items: list[Object] = []
    following: dict[str, str] = {}
    given = {key: value for key, value in options.items() if value}
    while True:
        answer = ask(*arguments, limit=_PAGE, _preload_content=False, _request_timeout=_SECONDS, **given, **following)
        data = json.loads(answer.data)
        kind, version = str(data.get("kind", "")).removesuffix("List"), data.get("apiVersion")
        items += [{"apiVersion": version, "kind": kind, **item} for item in data.get("items") or []]
        token = (data.get("metadata") or {}).get("continue")
        if not token:
            return tuple(items)
        following = {"_continue": token}


def _reason(error: BaseException) -> str:
    """What the API server said, or why it could not be asked, in one line."""
    body = getattr(error, "body", None)
    try:
        said = json.loads(body or "")["message"]
    except (ValueError, TypeError, KeyError):
        said = getattr(error, "reason", None) or error
    return " ".join(str(said).split())[:300]


def _api_error() -> Any:
    from kubernetes.client.exceptions import ApiException  # noqa: PLC0415 - see above

    return ApiException


def _failures() -> tuple[type[BaseException], ...]:
    from urllib3.exceptions import HTTPError  # noqa: PLC0415 - comes with the package

    return (_api_error(), HTTPError, OSError)
