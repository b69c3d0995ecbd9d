"""Pods as they must be in every environment: no root, nothing writable, nothing unpinned, and asked how they are.

Source: Kubernetes, Pod Security Standards, profile "restricted"; here also a read-only root file system.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lockstep.core.errors import Finding
from lockstep.core.fields import at, mappings
from lockstep.core.names import ImageRef
from lockstep.core.render import Object

# Tuples: what stands in a file may be a list or a mapping, which no set can be asked for.
_UNSET = (None, False)
_WITH_PODS = ("Pod", "CronJob", "ReplicaSet", "StatefulSet", "DaemonSet", "Deployment", "Job")
_WRONG_IF_TRUE = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace")
_ASKED = ("startupProbe", "readinessProbe", "livenessProbe")


def pod_findings(objects: tuple[Object, ...], where: str, component: str) -> Iterator[Finding]:
    """What is wrong with the pods of a file: unpinned images (each), and what is not hardened (at once)."""
    for item in objects:
        for image in images_of(item):
            if not ImageRef.pattern.fullmatch(str(image)):
                what = f"the image `{image}` is not pinned by digest; a good one: {ImageRef.example}"
                yield Finding("instance/pinned", where, what, "name it by digest in component.yaml", component)
        problems = tuple(_problems(item))
        if problems:
            what = f"{item.get('kind')} {at(item, 'metadata', 'name')} is not hardened: {'; '.join(problems)}"
            fix = "correct charts/objects, release and stage again"
            yield Finding("instance/hardened", where, what, fix, component)


def images_of(item: Object) -> tuple[Any, ...]:
    """Every image reference of an object: containers', init containers' and image volumes'."""
    volumes = (at(volume, "image", "reference") for volume in mappings(_pod(item), "volumes") if "image" in volume)
    return (*(container.get("image") for container in _containers(item)), *volumes)


def _pod(item: Object) -> Any:
    return at(item, "spec", "template", "spec")


def _containers(item: Object) -> list[Any]:
    return [
        *mappings(_pod(item), "initContainers"),
        *mappings(_pod(item), "containers"),
        *mappings(_pod(item), "ephemeralContainers"),
    ]


def _problems(item: Object) -> Iterator[str]:
    pod = _pod(item)
    if pod is None:
        if item.get("kind") in _WITH_PODS:
            yield "its pods are not in spec.template.spec, where they could be read"
        return
    if at(pod, "automountServiceAccountToken") is not False:
        yield "automountServiceAccountToken is not false"
    if at(pod, "securityContext", "runAsNonRoot") is not True:
        yield "runAsNonRoot is not true"
    if at(pod, "securityContext", "seccompProfile", "type") != "RuntimeDefault":
        yield "seccompProfile is not RuntimeDefault"
    yield from (f"{key} is set" for key in _WRONG_IF_TRUE if at(pod, key) not in _UNSET)
    yield from (
        f"the volume {volume.get('name')} is a hostPath" for volume in mappings(pod, "volumes") if "hostPath" in volume
    )
    if not mappings(pod, "containers"):
        yield "it has no container"
    for container in _containers(item):
        name = container.get("name")
        yield from (f"{name}: {problem}" for problem in _container_problems(container))
    for container in mappings(pod, "containers") if item.get("kind") == "Deployment" else ():
        yield from (f"{container.get('name')}: no {probe}" for probe in _ASKED if not at(container, probe))
        if not at(container, "lifecycle", "preStop"):
            yield f"{container.get('name')}: no preStop"


def _container_problems(container: Object) -> Iterator[str]:
    security = at(container, "securityContext")
    if at(security, "allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    if at(security, "readOnlyRootFilesystem") is not True:
        yield "readOnlyRootFilesystem is not true"
    if at(security, "capabilities", "drop") != ["ALL"] or at(security, "capabilities", "add"):
        yield "capabilities are not dropped (ALL)"
    if at(security, "privileged") not in _UNSET:
        yield "privileged"
    if at(security, "runAsNonRoot") is False or at(security, "runAsUser") == 0:
        yield "it may run as root"
    for path in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
        if not at(container, "resources", *path):
            yield f"no resources.{'.'.join(path)}"
