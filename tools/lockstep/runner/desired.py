"""The files of an environment at one commit, as what should run. Pure. A bad file harms no other."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lockstep.core.document import parse_objects
from lockstep.core.environment import FRONT_FILE, GATE_FILE
from lockstep.core.errors import LockstepError
from lockstep.core.names import InstanceId
from lockstep.runner.honour import CannotRun
from lockstep.runner.workload import Workload, parse_deployment, parse_job

_FILE_NAME = re.compile(r"[-._a-zA-Z0-9]+")
# Objects that shape the cluster around an instance. The runner enforces none: any instance may call any other.
_AROUND = {"NetworkPolicy", "HorizontalPodAutoscaler", "PodDisruptionBudget", "ServiceAccount"}


@dataclass(frozen=True)
class FrontFile:
    """What front/front.yaml says: the root that serves, all that it reaches (itself among them), the release's name."""

    root: InstanceId
    serves: frozenset[InstanceId]
    release: str


@dataclass(frozen=True)
class Problem:
    """Why a file cannot be run."""

    what: str
    fix: str
    where: str

    def __str__(self) -> str:
        """What and how to mend it, on one line."""
        return f"{self.what}; {self.fix}" if self.fix else self.what


Result = Workload | FrontFile | Problem
_Reader = Callable[[str, tuple[Any, ...]], Workload | FrontFile]


@dataclass(frozen=True)
class Parsed:
    """One file: its bytes and what they say."""

    data: bytes
    result: Result


@dataclass(frozen=True)
class Desired:
    """What one commit asks for.

    Args:
        instances: What to run, by instance id.
        gates: The question to each root, by root id.
        front: None when there is no readable front file.
        problems: By path of the file; an instance with one keeps running if it runs.
        parsed: What each file was found to say, by path.
    """

    instances: Mapping[InstanceId, Workload] = field(default_factory=dict)
    gates: Mapping[InstanceId, Workload] = field(default_factory=dict)
    front: FrontFile | None = None
    problems: Mapping[str, Problem] = field(default_factory=dict)
    parsed: Mapping[str, Parsed] = field(default_factory=dict)

    @property
    def named(self) -> frozenset[InstanceId]:
        """Every instance that has a file, readable or not."""
        names = (_identifier(path) for path in self.problems if path.startswith("instances/"))
        return frozenset(self.instances) | frozenset(name for name in names if name)


def parse_desired(files: Mapping[str, bytes], before: Desired | None = None) -> Desired:
    """What the files ask for.

    Args:
        files: Bytes by path relative to releases/<env>/. Only instances/, gates/ and front/ are read.
        before: What an earlier commit asked for; files with the same bytes are not parsed again. It changes no result.
    """
    known = before.parsed if before else {}
    parsed: dict[str, Parsed] = {}
    for path in sorted(files):
        reader = _reader(path)
        if reader:
            old = known.get(path)
            is_same = old is not None and old.data == files[path]
            parsed[path] = old if old and is_same else Parsed(files[path], _result(reader, path, files[path]))
    results = {path: one.result for path, one in parsed.items()}
    workloads = {path: found for path, found in results.items() if isinstance(found, Workload)}
    front = results.get(FRONT_FILE)
    return Desired(
        instances={InstanceId(one.name): one for path, one in workloads.items() if path.startswith("instances/")},
        gates={_gated(one): one for path, one in workloads.items() if not path.startswith("instances/")},
        front=front if isinstance(front, FrontFile) else None,
        problems={path: found for path, found in results.items() if isinstance(found, Problem)},
        parsed=parsed,
    )


def _reader(path: str) -> _Reader | None:
    folder, _, name = path.partition("/")
    if path in {FRONT_FILE, GATE_FILE}:
        return _front if path == FRONT_FILE else _gate
    return None if name.startswith(".") else {"instances": _instance, "gates": _gate}.get(folder)


def _gated(gate: Workload) -> InstanceId:
    return InstanceId(gate.name.removeprefix("gate-"))


def _result(read: _Reader, path: str, data: bytes) -> Result:
    try:
        return read(path, tuple(document.data for document in parse_objects(data.decode(), path)))
    except LockstepError as error:
        return Problem(error.what, error.fix, error.where or path)
    except KeyError as error:
        return Problem(f"the field {error} is missing", "restore the file from Git", path)
    except (AttributeError, IndexError, RecursionError, TypeError, ValueError) as error:
        return Problem(f"not in the form that lockstep writes: {error}", "restore the file from Git", path)


def _instance(path: str, objects: tuple[Any, ...]) -> Workload:
    name = _named_by(path)
    by_kind: dict[str, list[Any]] = {}
    for item in objects:
        by_kind.setdefault(item["kind"], []).append(item)
    unknown = sorted(set(by_kind) - _AROUND - {"ConfigMap", "Deployment", "Service"})
    if unknown:
        raise CannotRun(f"kind {', '.join(unknown)}", fix="the local runner knows ConfigMap, Deployment and Service")
    maps = {item["metadata"]["name"]: _texts(item) for item in by_kind.get("ConfigMap", [])}
    deployment = _only(by_kind, "Deployment", name)
    _check_service(_only(by_kind, "Service", name), name)
    return parse_deployment(deployment, maps)


def _gate(path: str, objects: tuple[Any, ...]) -> Workload:
    own = objects[0]["metadata"]["name"] if path == GATE_FILE else f"gate-{_named_by(path)}"
    return parse_job(_only({item["kind"]: [item] for item in objects}, "Job", own))


def _front(path: str, objects: tuple[Any, ...]) -> FrontFile:
    if len(objects) != 1 or objects[0]["kind"] != "Service":
        raise CannotRun("the front is not one Service", where=path, fix="restore the file from Git")
    (service,) = objects
    selector = service["spec"]["selector"]
    if set(selector) != {"lockstep.dev/instance"}:
        raise CannotRun("the front does not select one instance", where=path, fix="select lockstep.dev/instance alone")
    annotations = service["metadata"]["annotations"]
    root = InstanceId(selector["lockstep.dev/instance"])
    serves = frozenset(InstanceId(name) for name in annotations["lockstep.dev/serves"].split(","))
    return FrontFile(root, serves | {root}, annotations["lockstep.dev/release"])


def _named_by(path: str) -> InstanceId:
    name = _identifier(path)
    if not name:
        raise CannotRun("the file's name is not an instance id", where=path, fix="a good one: gateway-3f2a91c0de.yaml")
    return name


def _identifier(path: str) -> InstanceId | None:
    try:
        return InstanceId(path.partition("/")[2].removesuffix(".yaml"))
    except ValueError:
        return None


def _only(by_kind: Mapping[str, list[Any]], kind: str, name: str) -> Mapping[str, Any]:
    names = [item["metadata"]["name"] for item in by_kind.get(kind, [])]
    if names != [name]:
        raise CannotRun(f"expected one {kind} named {name}, found {names or 'none'}", fix="restore the file from Git")
    item: Mapping[str, Any] = by_kind[kind][0]
    return item


def _check_service(service: Mapping[str, Any], name: str) -> None:
    """An instance is reached at http://<id>, so its Service has port 80 and selects the instance itself."""
    spec = service["spec"]
    ports = [port["port"] for port in spec["ports"]]
    if ports != [80] or spec["selector"] != {"lockstep.dev/instance": name}:
        raise CannotRun(f"the Service does not lead from port 80 to {name}", fix="restore the file from Git")


def _texts(item: Mapping[str, Any]) -> Mapping[str, str]:
    extra = sorted(set(item) - {"apiVersion", "kind", "metadata", "immutable", "data"})
    if extra:
        raise CannotRun(f"ConfigMap with {', '.join(extra)}", fix="the local runner mounts `data` only")
    for name, text in item["data"].items():
        if not _FILE_NAME.fullmatch(name) or name in {".", ".."} or not isinstance(text, str):
            raise CannotRun(f"ConfigMap entry {name!r} is not a text under a file name", fix="rename or quote it")
    data: Mapping[str, str] = item["data"]
    return data
