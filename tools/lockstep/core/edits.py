"""The edits of an environment: stage, promote, retire as functions of values, and edits as files that change."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass, replace
from types import MappingProxyType

from lockstep.core.document import format_yaml, parse_authored
from lockstep.core.environment import (
    BINDINGS_FILE,
    CHART_FILE,
    HOLD_FILE,
    OTHER_WAVE,
    OWN_WAVE,
    Environment,
    Files,
    Rendered,
)
from lockstep.core.errors import Finding, refuse_if
from lockstep.core.names import EnvironmentName, InstanceId
from lockstep.core.version import Version

_EMPTY_BINDINGS = b"""# What this environment sets differently; see `lockstep schema bindings`. People edit this file.
components: {}
"""


@dataclass(frozen=True, order=True)
class Edit:
    """One file of an edit: bytes before (None: absent) and after (None: deleted)."""

    path: str
    old: bytes | None
    new: bytes | None


def stage(environment: Environment, rendered: Rendered, chart: Files) -> Environment:
    """The environment with every instance of a release added; the front is as it was. Idempotent.

    Args:
        environment: What is there.
        rendered: The release, bound to it.
        chart: Files of charts/environment: taken where the environment lacks them or has others, but for what
            people edit.

    Raises:
        Refused: an instance of the same name has other content.
    """
    differing = [
        name
        for name, item in rendered.instances.items()
        if name in environment.instances and environment.instances[name].digest != item.digest
    ]
    refuse_if(
        (_other_content(environment, rendered, name) for name in differing),
        f"{environment.name} holds other content under the same name",
    )
    added = {**rendered.instances, **environment.instances}
    return replace(
        environment,
        instances=MappingProxyType(added),
        chart=MappingProxyType({**environment.chart, **_fresh_chart(environment, chart)}),
    )


def promote(environment: Environment, rendered: Rendered) -> Environment:
    """The environment with the front moved to a root, and that root's gate beside it; added if it was absent."""
    gates = {root: gate.in_wave(OTHER_WAVE) for root, gate in environment.gates.items()}
    gates[rendered.root] = environment.gates.get(rendered.root, rendered.gate).in_wave(OWN_WAVE)
    chart = {**environment.chart, CHART_FILE: _chart_of(environment, rendered.version)}
    return replace(environment, gates=MappingProxyType(gates), front=rendered.front, chart=MappingProxyType(chart))


def retire(environment: Environment, kept_roots: Iterable[InstanceId]) -> Environment:
    """The environment with only what the kept roots reach, and their gates. What serves is always kept."""
    roots = {*kept_roots, *({environment.front.root} if environment.front else ())}
    kept = {name for root in roots for name in environment.closure(root)} | set(
        environment.front.serves if environment.front else ()
    )
    instances = {name: item for name, item in environment.instances.items() if name in kept}
    gates = {root: gate for root, gate in environment.gates.items() if root in kept}
    return replace(environment, instances=MappingProxyType(instances), gates=MappingProxyType(gates))


def edits(old: Files, new: Files) -> tuple[Edit, ...]:
    """What turns the old files into the new ones, sorted by path; equal files give none."""
    return tuple(
        Edit(path, old.get(path), new.get(path)) for path in sorted({*old, *new}) if old.get(path) != new.get(path)
    )


def apply(files: Files, changes: Iterable[Edit]) -> Files:
    """What files are after some edits, so that applying the edits from a to b to a gives b."""
    result = dict(files)
    for edit in changes:
        if edit.new is None:
            result.pop(edit.path, None)
        else:
            result[edit.path] = edit.new
    return result


def _fresh_chart(environment: Environment, chart: Files) -> Files:
    edited = {BINDINGS_FILE, HOLD_FILE}
    fresh = {
        path: data for path, data in chart.items() if posixpath.basename(path) not in edited and path != CHART_FILE
    }
    if CHART_FILE not in environment.chart:
        fresh[CHART_FILE] = chart_file(chart.get(CHART_FILE, b""), environment.name, "0.0.0")
    if BINDINGS_FILE not in environment.chart:
        fresh[BINDINGS_FILE] = _EMPTY_BINDINGS
    return fresh


def _chart_of(environment: Environment, version: Version) -> bytes:
    return chart_file(environment.chart.get(CHART_FILE, b""), environment.name, str(version))


def chart_file(text: bytes, name: EnvironmentName, version: str) -> bytes:
    """Chart.yaml of an environment: what it says already, or what it is a copy of says, with its name and version."""
    data = parse_authored(text.decode(), CHART_FILE).data or {}
    chart = {
        "apiVersion": "v2",
        "type": "application",
        **data,
        "name": str(name),
        "version": version,
        "appVersion": version,
    }
    return b"# written by lockstep; do not edit, run: lockstep promote\n" + format_yaml(chart).encode()


def _other_content(environment: Environment, rendered: Rendered, name: InstanceId) -> Finding:
    folder = f"releases/{environment.name}/instances"
    here, wanted = environment.instances[name].digest, rendered.instances[name].digest
    what, fix = (
        f"{name} is {here} here but the release gives {wanted}",
        f"restore it from Git: git checkout HEAD -- {folder}",
    )
    return Finding("instance/id", f"{folder}/{name}.yaml", what, fix, name.component)
