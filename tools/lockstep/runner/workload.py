"""What a Deployment or a Job asks to be run, as a value. Pure. What cannot be honoured is an error, never ignored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lockstep.core.names import ImageRef
from lockstep.runner.honour import CONTAINER, cannot, known
from lockstep.runner.volumes import Volume, mounts_of

# Fields that place or confine a pod; a process on this machine does the same work without them.
_POD = {
    "automountServiceAccountToken",
    "enableServiceLinks",
    "imagePullSecrets",
    "nodeSelector",
    "securityContext",
    "serviceAccountName",
    "tolerations",
    "affinity",
    "topologySpreadConstraints",
    "priorityClassName",
    "runtimeClassName",
    "restartPolicy",
    "terminationGracePeriodSeconds",
    "initContainers",
    "containers",
    "volumes",
}
_PROBE = {"httpGet", "periodSeconds", "failureThreshold", "timeoutSeconds", "successThreshold"}


@dataclass(frozen=True)
class Probe:
    """An HTTP question to an instance: asked every `period` seconds, given up after `failures` wrong answers."""

    path: str
    period: int
    failures: int
    timeout: int


@dataclass(frozen=True)
class Probes:
    """How an instance is asked whether it has started, may be called, and is alive."""

    startup: Probe
    readiness: Probe
    liveness: Probe | None

    @property
    def startup_seconds(self) -> int:
        """How long it may take to start."""
        return self.startup.period * self.startup.failures


@dataclass(frozen=True)
class Workload:
    """One container to run as a process.

    Args:
        name: Name of the object.
        image: Whose files it runs from.
        command: Program and arguments, `$(NAME)` not yet replaced.
        environment: Variables in the object's order, `$(NAME)` not yet replaced.
        mounts: Volume by mount path.
        probes: None for a Job.
        replicas: Pods asked for; one process runs when it is 1 or more.
        grace: Seconds between SIGTERM and SIGKILL.
        deadline: Seconds a Job may take; 0 for a Deployment.
    """

    name: str
    image: ImageRef
    command: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    mounts: Mapping[str, Volume]
    probes: Probes | None
    replicas: int
    grace: int
    deadline: int


def parse_deployment(item: Mapping[str, Any], maps: Mapping[str, Mapping[str, str]]) -> Workload:
    """The workload of a Deployment.

    Args:
        item: The object.
        maps: Data of the ConfigMaps of the same file, by name.

    Raises:
        CannotRun: something in it would be ignored, or is missing.
    """
    spec = item["spec"]
    known(
        spec,
        {
            "replicas",
            "revisionHistoryLimit",
            "selector",
            "strategy",
            "template",
            "minReadySeconds",
            "progressDeadlineSeconds",
        },
        "spec",
    )
    container = _container(spec["template"]["spec"])
    probes = Probes(
        startup=_probe(container, "startupProbe"),
        readiness=_probe(container, "readinessProbe"),
        liveness=_probe(container, "livenessProbe") if "livenessProbe" in container else None,
    )
    return _workload(item, maps, probes, replicas=spec.get("replicas", 1), deadline=0)


def parse_job(item: Mapping[str, Any]) -> Workload:
    """The workload of a Job.

    Raises:
        CannotRun: something in it would be ignored, or is missing.
    """
    spec = item["spec"]
    known(spec, {"activeDeadlineSeconds", "backoffLimit", "template", "ttlSecondsAfterFinished"}, "spec")
    if spec.get("backoffLimit") != 0:
        raise cannot("the Job would be tried again", "write `backoffLimit: 0`: a gate is asked once")
    if spec["activeDeadlineSeconds"] < 1:
        raise cannot("the Job has no time", "write activeDeadlineSeconds of 1 or more")
    return _workload(item, {}, None, replicas=1, deadline=spec["activeDeadlineSeconds"])


def _workload(
    item: Mapping[str, Any],
    maps: Mapping[str, Mapping[str, str]],
    probes: Probes | None,
    *,
    replicas: int,
    deadline: int,
) -> Workload:
    pod = item["spec"]["template"]["spec"]
    container = _container(pod)
    if not container.get("command"):
        raise cannot(
            "the container has no `command`",
            "write `command:` in component.yaml; an image's entrypoint is not read",
        )
    return Workload(
        name=item["metadata"]["name"],
        image=ImageRef(container["image"]),
        command=(*container["command"], *container.get("args", [])),
        environment=tuple(_variable(entry) for entry in container.get("env", [])),
        mounts=mounts_of(pod, container, maps),
        probes=probes,
        replicas=replicas,
        grace=pod.get("terminationGracePeriodSeconds", 30),
        deadline=deadline,
    )


def _container(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    known(pod, _POD, "the pod")
    containers = pod["containers"]
    if len(containers) != 1:
        raise cannot(f"{len(containers)} containers", "the local runner runs exactly one container per pod")
    container: Mapping[str, Any] = containers[0]
    known(container, CONTAINER, f"container {container.get('name')}")
    return container


def _variable(entry: Mapping[str, Any]) -> tuple[str, str]:
    known(entry, {"name", "value"}, f"variable {entry.get('name')}")
    value = entry.get("value", "")
    if not isinstance(value, str):
        raise cannot(f"variable {entry['name']} is not a string", f'quote it: "{value}"')
    return entry["name"], value


def _probe(container: Mapping[str, Any], name: str) -> Probe:
    if name not in container:
        raise cannot(f"no {name}", f"give the container a {name} with httpGet")
    probe = container[name]
    known(probe, _PROBE, name)
    get = probe["httpGet"]
    known(get, {"path", "port", "scheme"}, f"{name}.httpGet")
    ports = {value for port in container.get("ports", []) for value in (port.get("name"), port["containerPort"])}
    if get["port"] not in ports or len(container["ports"]) != 1 or get.get("scheme", "HTTP") != "HTTP":
        raise cannot(f"{name} asks port {get['port']}", "probe the container's one port by plain HTTP")
    return Probe(
        get["path"],
        probe.get("periodSeconds", 10),
        probe.get("failureThreshold", 3),
        probe.get("timeoutSeconds", 1),
    )
