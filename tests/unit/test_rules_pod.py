"""Pods that are not hardened, one way at a time."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from lockstep.core.rules.pod import images_of, pod_findings

IMAGE = "registry.example.org/tiny/model@sha256:" + "0123456789abcdef" * 4
CONTAINER = {
    "name": "model",
    "image": IMAGE,
    "resources": {"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "1Gi"}},
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    },
    "startupProbe": {"httpGet": {}},
    "readinessProbe": {"httpGet": {}},
    "livenessProbe": {"httpGet": {}},
    "lifecycle": {"preStop": {"sleep": {"seconds": 3}}},
}
POD = {
    "automountServiceAccountToken": False,
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [CONTAINER],
    "volumes": [{"name": "weights", "image": {"reference": IMAGE}}],
}
GOOD = {"kind": "Deployment", "metadata": {"name": "model"}, "spec": {"template": {"spec": POD}}}
CASES: dict[str, tuple[tuple[str | int, ...], Any, str]] = {
    "token": (("automountServiceAccountToken",), True, "automountServiceAccountToken is not false"),
    "root": (("securityContext", "runAsNonRoot"), None, "runAsNonRoot is not true"),
    "seccomp": (("securityContext", "seccompProfile", "type"), "Unconfined", "seccompProfile is not RuntimeDefault"),
    "host network": (("hostNetwork",), True, "hostNetwork is set"),
    "host path": (("volumes", 0), {"name": "w", "hostPath": {"path": "/"}}, "the volume w is a hostPath"),
    "no container": (("containers",), [], "it has no container"),
    "escalation": (("containers", 0, "securityContext", "allowPrivilegeEscalation"), True, "allowPrivilegeEscalation"),
    "writable": (("containers", 0, "securityContext", "readOnlyRootFilesystem"), False, "readOnlyRootFilesystem"),
    "capability": (("containers", 0, "securityContext", "capabilities", "add"), ["NET_RAW"], "capabilities"),
    "privileged": (("containers", 0, "securityContext", "privileged"), True, "privileged"),
    "uid 0": (("containers", 0, "securityContext", "runAsUser"), 0, "it may run as root"),
    "no limit": (("containers", 0, "resources", "limits", "memory"), None, "no resources.limits.memory"),
    "no probe": (("containers", 0, "livenessProbe"), None, "no livenessProbe"),
    "no preStop": (("containers", 0, "lifecycle"), {}, "no preStop"),
    "init container": (("initContainers",), [{"name": "copy", "image": IMAGE}], "copy: readOnlyRootFilesystem"),
}


def edited(path: tuple[str | int, ...], value: Any) -> dict[str, Any]:
    item: Any = copy.deepcopy(GOOD)
    target = item["spec"]["template"]["spec"]
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return {**item}


def test_a_hardened_pod_gives_nothing():
    assert list(pod_findings((GOOD,), "file", "model")) == []


@pytest.mark.parametrize("name", CASES)
def test_a_pod_that_is_not_hardened_is_found(name: str):
    path, value, said = CASES[name]

    found = list(pod_findings((edited(path, value),), "file", "model"))

    assert [(one.rule, said in one.what) for one in found] == [("instance/hardened", True)]


@pytest.mark.parametrize("image", ["model", "model:latest", "model:1.0@sha256:" + "0" * 64, IMAGE[:-1], None])
@pytest.mark.parametrize("path", [("containers", 0, "image"), ("volumes", 0, "image", "reference")])
def test_an_image_that_is_not_pinned_is_found_wherever_it_stands(path: tuple[str | int, ...], image: str | None):
    found = list(pod_findings((edited(path, image),), "file", "model"))

    assert [one.rule for one in found] == ["instance/pinned"]


def test_an_init_container_image_counts():
    item = edited(("initContainers",), [{"name": "copy", "image": "busybox"}])

    assert "busybox" in images_of(item)


def test_a_pod_in_another_place_is_not_passed_over():
    found = list(pod_findings(({"kind": "Pod", "metadata": {"name": "x"}, "spec": POD},), "file", "model"))

    assert [one.rule for one in found] == ["instance/hardened"]
