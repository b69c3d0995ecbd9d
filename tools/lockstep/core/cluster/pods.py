"""One pod: whether it is ready, and if not, why, in words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lockstep.core.cluster.state import PodState, Reason, Trouble
from lockstep.core.fields import at, mappings
from lockstep.core.render import Object

# Source: kubernetes v1.36, pkg/kubelet/images/types.go and pkg/kubelet/container/sync_result.go.
_IMAGE = {
    *("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError"),
    *("RegistryUnavailable", "SignatureValidationFailed"),
}
_CONFIG = {"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PreCreateHookError"}
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d+)?Z")
_ORDER = tuple(Reason)


def parse_pod(pod: Object) -> PodState:
    """What a pod's object says of it."""
    name, going = str(at(pod, "metadata", "name")), at(pod, "metadata", "deletionTimestamp") is not None
    conditions = {str(one.get("type")): one for one in mappings(at(pod, "status"), "conditions")}
    became = conditions.get("Ready", {})
    ready = became.get("status") == "True" and not going
    started = seconds_between(at(pod, "metadata", "creationTimestamp"), became.get("lastTransitionTime"))
    return PodState(
        name,
        str(at(pod, "spec", "nodeName") or ""),
        ready,
        going,
        () if ready or going else tuple(sorted(_troubles(pod, name, conditions), key=_severity)),
        {str(one.get("name")): str(one["imageID"]) for one in _statuses(pod) if one.get("imageID")},
        started if ready else None,
    )


def gone_wrong(pod: PodState) -> tuple[Trouble, ...]:
    """What is wrong with a pod beside not being ready yet."""
    return tuple(trouble for trouble in pod.troubles if trouble.reason is not Reason.STARTING)


def seconds_between(start: Any, end: Any) -> int | None:
    """Seconds from one time to another as Kubernetes writes them (RFC 3339, UTC); None if one is no such time."""
    times = [_TIME.fullmatch(str(one)) for one in (start, end)]
    if times[0] is None or times[1] is None:
        return None
    first, last = (_seconds(*map(int, one.groups())) for one in times if one)
    return last - first


def _seconds(*parts: int) -> int:
    """Seconds since the first day of the year 0 (Gregorian)."""
    year, month, day, hour, minute, second = parts
    years = year - (month <= 2)  # a year ends with February, so that its leap day is its last
    days = 365 * years + years // 4 - years // 100 + years // 400 + (153 * ((month + 9) % 12) + 2) // 5 + day
    return ((days * 24 + hour) * 60 + minute) * 60 + second


def _severity(trouble: Trouble) -> tuple[int, str, str]:
    return _ORDER.index(trouble.reason), trouble.container, trouble.words


def _statuses(pod: Object) -> list[Any]:
    status = at(pod, "status")
    return [*mappings(status, "initContainerStatuses"), *mappings(status, "containerStatuses")]


def _troubles(pod: Object, name: str, conditions: dict[str, Any]) -> Iterator[Trouble]:
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        words = f"no node takes it: {scheduled.get('message') or scheduled.get('reason')}"
        yield Trouble(Reason.UNSCHEDULABLE, words, name)
        return
    found = [trouble for one in _statuses(pod) for trouble in _of_container(one, name)]
    yield from found or [Trouble(Reason.STARTING, _phase(pod), name)]


def _phase(pod: Object) -> str:
    status = at(pod, "status") or {}
    said = status.get("message") or status.get("reason")
    return f"it is {str(status.get('phase') or 'unknown').lower()}" + (f": {said}" if said else "")


def _of_container(status: Any, pod: str) -> Iterator[Trouble]:
    """Why one container is not ready; nothing for one that is, and for an init container that has ended well."""
    if status.get("ready"):
        return
    name, restarts = str(status.get("name")), int(status.get("restartCount") or 0)
    waiting, ended = at(status, "state", "waiting"), at(status, "state", "terminated")
    reason = str(at(waiting, "reason") or "")
    said = str(at(waiting, "message") or "")
    if reason in _IMAGE:
        yield Trouble(Reason.IMAGE, f"its image cannot be pulled ({reason}): {_short(said)}", pod, name, restarts)
    elif reason in _CONFIG:
        yield Trouble(Reason.CONFIG, f"it cannot be started ({reason}): {_short(said)}", pod, name, restarts)
    elif ended is not None and ended.get("exitCode") == 0 and restarts == 0:
        return
    elif reason == "CrashLoopBackOff" or ended is not None or restarts:
        last = ended or at(status, "lastState", "terminated") or {}
        yield Trouble(Reason.CRASH, _crash(last, restarts), pod, name, restarts)
    else:
        running = at(status, "state", "running") is not None
        words = "it runs, and its readiness probe has not answered yet" if running else ""
        yield Trouble(Reason.STARTING, words or f"it is being created ({reason or 'waiting'})", pod, name)


def _crash(last: Any, restarts: int) -> str:
    ended = f"exit code {last.get('exitCode')}"
    if last.get("signal"):
        ended += f", signal {last['signal']}"
    if last.get("reason") not in {None, "Error", "Completed"}:
        ended += f", {last['reason']}"
    said = f": {_short(str(last['message']))}" if last.get("message") else ""
    return f"it ended ({ended}){said}; it was started again {restarts} times"


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 300 else f"{words[:140]} … {words[-140:]}"
