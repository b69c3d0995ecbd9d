"""Pods that bring images to nodes and run nothing: one for each node and set of images, removed once it has ended.

Each image has a container, and each container names a program that no image has: nothing of an image ever runs and no
GPU is asked for, and a start that fails is the proof that the image was pulled.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lockstep.core.cluster.capacity import ask_of, selects
from lockstep.core.cluster.pods import parse_pod
from lockstep.core.cluster.state import NodeState, Reason
from lockstep.core.fields import at, mappings
from lockstep.core.instance import Instance
from lockstep.core.render import Object

LABEL = "lockstep.dev/prefetch"
_NOTHING = "/lockstep/nothing-runs-here"
_STARTED = {"StartError", "ContainerCannotRun"}  # kubernetes v1.36, pkg/kubelet: the container could not be started


def pullers(
    nodes: Iterable[NodeState], instances: Sequence[Instance], pull_secrets: Iterable[str]
) -> tuple[Object, ...]:
    """A pod for every node that may run some of these instances, with the images of all of those."""
    found = []
    for number, node in enumerate(nodes):
        images = {image for item in instances if selects(ask_of(item, 1), node) for image in item.images}
        if images:
            found.append(_pod(f"prefetch-{number}", node.name, sorted(images), list(pull_secrets)))
    return tuple(found)


def pull_answer(pod: Object) -> str | None:
    """Whether a pod has done its work: empty once every image is on the node, why not if one cannot be pulled, None as
    long as nobody knows.
    """
    statuses = mappings(at(pod, "status"), "containerStatuses")
    if statuses and all(_was_started(one) for one in statuses):
        return ""
    troubles = [one.words for one in parse_pod(pod).troubles if one.reason in {Reason.IMAGE, Reason.UNSCHEDULABLE}]
    if at(pod, "status", "phase") == "Failed":
        troubles.append(str(at(pod, "status", "message") or at(pod, "status", "reason")))
    return troubles[0] if troubles else None


def _was_started(status: Object) -> bool:
    ended = at(status, "state", "terminated")
    return at(ended, "reason") in _STARTED or at(ended, "exitCode") == 128


def _pod(name: str, node: str, images: list[str], pull_secrets: list[str]) -> Object:
    return {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"generateName": f"{name}-", "labels": {LABEL: "true"}},
        "spec": {
            "nodeName": node, "restartPolicy": "Never", "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False, "enableServiceLinks": False,
            "imagePullSecrets": [{"name": secret} for secret in pull_secrets],
            "securityContext": {
                "runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}
            },
            "containers": [
                {
                    "name": f"pull-{number}", "image": image, "imagePullPolicy": "IfNotPresent", "command": [_NOTHING],
                    "securityContext": {
                        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
                for number, image in enumerate(images)
            ],
        },
    }  # fmt: skip
