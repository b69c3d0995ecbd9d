"""An environment: what releases/<env>/ holds, and the edits that change it. Each edit is one commit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from lockstep.core.bindings import Bindings, parse_bindings
from lockstep.core.document import parse_authored, parse_objects
from lockstep.core.errors import Finding, Refused
from lockstep.core.instance import Instance, parse_instance
from lockstep.core.names import EnvironmentName, InstanceId
from lockstep.core.render import Object, format_objects
from lockstep.core.version import Version

Files = Mapping[str, bytes]
_INSTANCE_FILE = re.compile(r"instances/(?P<id>[a-z0-9-]+)\.yaml")
_GATE_FILE = re.compile(r"gates/(?P<id>[a-z0-9-]+)\.yaml")
FRONT_FILE = "front/front.yaml"
GATE_FILE = "front/gate.yaml"  # of the root that the front names; those of other roots are in gates/
CHART_FILE = "Chart.yaml"
BINDINGS_FILE = "bindings.yaml"
HOLD_FILE = "hold.yaml"
SERVES = "lockstep.dev/serves"
RELEASE = "lockstep.dev/release"
INSTANCE = "lockstep.dev/instance"
WAVE = "argocd.argoproj.io/sync-wave"
# For an agent that counts in waves; the front's own is 2. A gate that failed holds what comes after it.
OWN_WAVE, OTHER_WAVE = 1, 3  # of the gate of the root that the front names, and of the others


@dataclass(frozen=True, order=True)
class Route:
    """A share of the outside traffic and the root that gets it."""

    root: InstanceId
    weight: int = 100


@dataclass(frozen=True)
class Front:
    """The pointer: which root serves, which release that is, and every instance that it needs."""

    routes: tuple[Route, ...]
    release: Version
    serves: tuple[InstanceId, ...]
    objects: tuple[Object, ...]

    @property
    def root(self) -> InstanceId:
        """The root that serves; exactly one for now."""
        return self.routes[0].root

    def file(self) -> bytes:
        """The bytes of front/front.yaml."""
        return format_objects(self.objects, "written by lockstep; do not edit, run: lockstep promote")


@dataclass(frozen=True)
class Gate:
    """The question that a root must answer before the front may move to it."""

    root: InstanceId
    objects: tuple[Object, ...]

    def in_wave(self, wave: int) -> Gate:
        """The gate as an agent that counts in waves asks it in this one."""
        return replace(self, objects=in_wave(self.objects, wave))

    def file(self) -> bytes:
        """The bytes of its file."""
        return format_objects(self.objects, "written by lockstep; do not edit, run: lockstep promote")


@dataclass(frozen=True)
class Environment:
    """The content of releases/<env>/.

    Args:
        name: staging, production.
        instances: Every instance that is there, by id.
        gates: Every gate, by its root.
        front: The pointer; None before the first promote.
        chart: The other files of the Helm chart and what people edit (bindings.yaml, hold.yaml), by path.
    """

    name: EnvironmentName
    instances: Mapping[InstanceId, Instance] = field(default_factory=lambda: MappingProxyType({}))
    gates: Mapping[InstanceId, Gate] = field(default_factory=lambda: MappingProxyType({}))
    front: Front | None = None
    chart: Files = field(default_factory=lambda: MappingProxyType({}))

    @property
    def bindings(self) -> Bindings:
        """What this environment sets differently.

        Raises:
            Refused: bindings.yaml is not valid.
        """
        text = self.chart.get(BINDINGS_FILE)
        return (
            parse_bindings(text.decode(), f"releases/{self.name}/{BINDINGS_FILE}") if text is not None else Bindings()
        )

    @property
    def hold(self) -> str | None:
        """Why nothing may be promoted, if a person said so in hold.yaml."""
        text = self.chart.get(HOLD_FILE)
        if text is None:
            return None
        data = parse_authored(text.decode(), f"releases/{self.name}/{HOLD_FILE}").data
        return str(data.get("reason") if isinstance(data, dict) else data)

    def gate_file(self, root: InstanceId) -> str:
        """Where the gate of a root is. That of the root that is named lies beside the front and moves with it: a revert
        to a root that was retired brings its gate back, which nobody answers, so the front stays.
        """
        return GATE_FILE if self.front and self.front.root == root else f"gates/{root}.yaml"

    def closure(self, root: InstanceId) -> tuple[InstanceId, ...]:
        """The root and every instance that it reaches by addresses, also those that are not there; sorted."""
        reached = [root]
        for name in reached:
            if name in self.instances:
                reached += [callee for callee in self.instances[name].callees if callee not in reached]
        return tuple(sorted(reached))

    def missing(self, root: InstanceId) -> tuple[InstanceId, ...]:
        """What a root reaches that is not in the environment."""
        return tuple(name for name in self.closure(root) if name not in self.instances)

    @property
    def roots(self) -> tuple[InstanceId, ...]:
        """Instances that no other instance here calls, sorted."""
        called = {callee for item in self.instances.values() for callee in item.callees}
        return tuple(sorted(name for name in self.instances if name not in called))


@dataclass(frozen=True)
class Rendered:
    """A release bound to one environment: everything that stage and promote write."""

    version: Version
    root: InstanceId
    instances: Mapping[InstanceId, Instance]
    gate: Gate
    front: Front


def parse_environment(name: EnvironmentName, files: Files) -> Environment:
    """The environment that the files of releases/<env>/ hold (paths relative to it). Inverse of format_environment.

    Raises:
        InvalidDocument: a manifest is not strict YAML.
        Refused: a file name is not an instance id, or the front names no root.
    """
    instances, gates, chart = {}, {}, {}
    for path, data in files.items():
        where = f"releases/{name}/{path}"
        if match := _INSTANCE_FILE.fullmatch(path):
            own = _instance_id(match["id"], where)
            instances[own] = parse_instance(own, _objects(data, where))
        elif match := _GATE_FILE.fullmatch(path):
            root = _instance_id(match["id"], where)
            gates[root] = Gate(root, _objects(data, where))
        elif path not in {FRONT_FILE, GATE_FILE}:
            chart[path] = data
    front = parse_front(files[FRONT_FILE], f"releases/{name}/{FRONT_FILE}") if FRONT_FILE in files else None
    if front and GATE_FILE in files:
        gates[front.root] = Gate(front.root, _objects(files[GATE_FILE], f"releases/{name}/{GATE_FILE}"))
    return Environment(name, MappingProxyType(instances), MappingProxyType(gates), front, MappingProxyType(chart))


def format_environment(environment: Environment) -> Files:
    """The files of releases/<env>/ by path. Inverse of parse_environment."""
    files = dict(environment.chart)
    files.update({f"instances/{name}.yaml": item.file() for name, item in environment.instances.items()})
    files.update({environment.gate_file(root): gate.file() for root, gate in environment.gates.items()})
    if environment.front:
        files[FRONT_FILE] = environment.front.file()
    return files


def parse_front(data: bytes, where: str) -> Front:
    """The front that front.yaml holds.

    Raises:
        Refused: it is not one Service with a selector and both annotations.
    """
    objects = _objects(data, where)
    try:
        service = objects[0]
        notes = service["metadata"]["annotations"]
        root = InstanceId(service["spec"]["selector"][INSTANCE])
        serves = tuple(InstanceId(name) for name in notes[SERVES].split(","))
        return Front((Route(root),), Version(notes[RELEASE]), serves, objects)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        finding = Finding(
            "front/field",
            where,
            f"the front is not a Service that names a root, its release and what serves ({error!r})",
            f"restore it from Git: git log -- {where}",
        )
        raise Refused(f"{where} is not a front", [finding]) from error


def in_wave(objects: tuple[Object, ...], wave: int) -> tuple[Object, ...]:
    """Objects with another wave in their metadata; nothing that runs is changed by it."""
    made = []
    for item in objects:
        metadata = dict(item.get("metadata") or {})
        metadata["annotations"] = {**(metadata.get("annotations") or {}), WAVE: str(wave)}
        made.append({**item, "metadata": metadata})
    return tuple(made)


def _instance_id(text: str, where: str) -> InstanceId:
    try:
        return InstanceId(text)
    except ValueError as error:
        raise Refused(
            f"{where} does not belong here",
            [Finding("instance/name", where, str(error), f"remove the file: git rm {where}")],
        ) from error


def _objects(data: bytes, where: str) -> tuple[Object, ...]:
    return tuple(document.data for document in parse_objects(data.decode(), where))
