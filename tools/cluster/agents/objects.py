"""Kubernetes objects of the agents: read from manifests of Go modules, applied by server-side apply."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from lockstep.adapters import files, process
from lockstep.core.errors import OutsideError

_GO = Path(__file__).parents[1] / "go"
MANAGER = "lockstep-cluster"
Manifest = Mapping[str, Any]


def module_folder(module: str) -> Path:
    """The folder of a Go module in the version that tools/cluster/go/go.mod pins, downloaded (and checked) if need be.

    Raises:
        OutsideError: Go has it not and cannot get it.
    """
    process.checked(["go", "mod", "download", module], folder=_GO)
    found = process.checked(["go", "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", module], folder=_GO)
    return Path(found.decode().strip())


def pinned_folder(module: str, version: str, checksum: str) -> Path:
    """The folder of a Go module that our go.mod does not need, checked against its sum as in go.sum.

    Raises:
        OutsideError: Go cannot get it, or it is not what the sum says.
    """
    told = process.checked(["go", "mod", "download", "-json", f"{module}@{version}"], folder=_GO.parent)
    found = json.loads(told)
    if found["Sum"] != checksum:
        raise OutsideError(
            f"{module}@{version} is {found['Sum']}, not {checksum}",
            where=found["Dir"],
            fix="go clean -modcache, then again",
        )
    return Path(found["Dir"])


def manifests(paths: Iterable[Path]) -> list[Manifest]:
    """Every object of the files, in order."""
    return [item for path in paths for item in yaml.safe_load_all(files.read(path).decode()) if item]


def kubernetes(module: str) -> Any:
    """A module of the package kubernetes, imported when it is needed: it is slow to import, and has no types."""
    return importlib.import_module(f"kubernetes.{module}")


def custom_objects(kubeconfig: Path) -> Any:
    """A client for kinds that are not Kubernetes' own, at the API server that a kubeconfig names."""
    return kubernetes("client").CustomObjectsApi(kubernetes("config").new_client_from_config(str(kubeconfig)))


def apply(kubeconfig: Path, objects: Iterable[Manifest], namespace: str = "default") -> None:
    """Nothing; afterwards the cluster holds the objects. Those without a namespace of their own go to `namespace`.

    Raises:
        OutsideError: the API server refused one.
    """
    with answering(kubeconfig):
        client = kubernetes("dynamic").DynamicClient(kubernetes("config").new_client_from_config(str(kubeconfig)))
        for item in objects:
            kind = client.resources.get(api_version=item["apiVersion"], kind=item["kind"])
            own = item["metadata"].get("namespace", namespace) if kind.namespaced else None
            said = {"field_manager": MANAGER, "force_conflicts": True}
            client.server_side_apply(kind, body=dict(item), name=item["metadata"]["name"], namespace=own, **said)


@contextmanager
def answering(kubeconfig: Path) -> Iterator[None]:
    """A block in which an API server that refuses or does not answer is an OutsideError."""
    from urllib3.exceptions import HTTPError  # noqa: PLC0415 - slow to import

    try:
        yield
    except kubernetes("client.exceptions").ApiException as error:
        what = f"the cluster refused: {error.status} {error.reason} {error.body or ''}"
        raise OutsideError(what, where=str(kubeconfig), fix="python -m cluster status") from error
    except HTTPError as error:
        raise OutsideError(
            f"the cluster does not answer: {error}", where=str(kubeconfig), fix="python -m cluster status"
        ) from error
