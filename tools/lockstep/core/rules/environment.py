"""Steps 7 to 10 for one environment: its files, its instances, its gates and the front."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from lockstep.core.document import parse_objects
from lockstep.core.environment import (
    BINDINGS_FILE,
    CHART_FILE,
    FRONT_FILE,
    GATE_FILE,
    HOLD_FILE,
    Environment,
    Files,
    Front,
    Gate,
    format_environment,
    parse_front,
)  # fmt: skip
from lockstep.core.errors import Finding, LockstepError, Refused
from lockstep.core.flux import FOLDER, flux_files
from lockstep.core.instance import Instance, parse_instance
from lockstep.core.names import EnvironmentName, InstanceId
from lockstep.core.render import Object
from lockstep.core.rules.contract import environment_index_findings
from lockstep.core.rules.facts import Deployed, Facts
from lockstep.core.rules.front import front_findings, gate_findings
from lockstep.core.rules.image import deployed_image_findings
from lockstep.core.rules.instance import instance_findings

_OWN = re.compile(r"(?P<folder>instances|gates)/(?P<id>[^/]+)\.yaml")
# What Helm or the loader of charts/environment would apply or obey.
_APPLIED = re.compile(r"(?:instances|gates|front|policies|templates|charts|crds)/|\.helmignore$")
_WORDS = {CHART_FILE, BINDINGS_FILE, HOLD_FILE, FRONT_FILE, GATE_FILE}


def read_environment(name: EnvironmentName, files: Files) -> tuple[Environment, tuple[Finding, ...]]:
    """The environment without what cannot be read, and a finding for each file that cannot."""
    instances: dict[InstanceId, Instance] = {}
    gates: dict[InstanceId, Gate] = {}
    fronts: list[Front] = []
    chart: dict[str, bytes] = {}
    found: list[Finding] = []
    named: tuple[Object, ...] = ()
    for path, data in sorted(files.items()):
        where = f"releases/{name}/{path}"
        try:
            if match := _OWN.fullmatch(path):
                own, objects = _instance_id(match["id"], where), _objects(data, where)
                if match["folder"] == "gates":
                    gates[own] = Gate(own, objects)
                else:
                    instances[own] = _readable(parse_instance(own, objects))
            elif path == FRONT_FILE:
                fronts.append(parse_front(data, where))
            elif path == GATE_FILE:
                named = _objects(data, where)
            else:
                chart[path] = data
        except Refused as error:
            found += error.findings
        except (LockstepError, LookupError, TypeError, ValueError, AttributeError) as error:
            place = error.where if isinstance(error, LockstepError) else where
            what = f"cannot be read as Kubernetes objects: {error}"
            found.append(Finding("environment/yaml", place, what, f"restore it from Git: git log -- {where}"))
    if fronts and named:
        gates[fronts[0].root] = Gate(fronts[0].root, named)
    environment = Environment(
        name, MappingProxyType(instances), MappingProxyType(gates), fronts[0] if fronts else None, chart
    )
    return environment, tuple(found)


def _instance_id(text: str, where: str) -> InstanceId:
    try:
        return InstanceId(text)
    except ValueError as error:
        raise Refused(
            where, [Finding("instance/name", where, str(error), f"remove the file: git rm {where}")]
        ) from error


def _objects(data: bytes, where: str) -> tuple[Object, ...]:
    objects = tuple(document.data for document in parse_objects(data.decode(), where))
    if not objects or not all(isinstance(item, Mapping) for item in objects):
        raise ValueError("there is no object, or one that is no mapping")
    return objects


def _readable(item: Instance) -> Instance:
    """The instance, once everything that rules ask it was answered."""
    _ = (item.callees, item.images, item.replicas)
    return item


def environment_findings(deployed: Deployed, facts: Facts) -> Iterator[Finding]:
    """Steps 7 to 10 for one environment."""
    environment = deployed.environment
    yield from deployed.unread  # step 7
    yield from canonical_findings(deployed)
    yield from _chart_findings(deployed, facts)
    yield from bindings_findings(deployed)
    yield from agent_findings(deployed, facts)
    for item in environment.instances.values():
        yield from instance_findings(item, environment, facts)  # steps 8 and 10
    yield from gate_findings(environment, facts)  # step 9
    yield from front_findings(deployed, facts)
    yield from environment_index_findings(environment, facts.contracts, None)
    yield from deployed_image_findings(environment, facts)  # step 10


def canonical_findings(deployed: Deployed) -> Iterator[Finding]:
    """Step 7: what we wrote is as we write it, so every reader of the file sees what was named."""
    for path, data in sorted(format_environment(deployed.environment).items()):
        if path in deployed.files and deployed.files[path] != data:
            where = f"releases/{deployed.name}/{path}"
            what = "its bytes are not those that its objects are written as (order, quotes, blanks or header)"
            yield Finding("environment/canonical", where, what, f"restore it from Git: git log -- {where}")


def _chart_findings(deployed: Deployed, facts: Facts) -> Iterator[Finding]:
    """Step 7: the loader and the policies are a copy of charts/environment, and nothing else would be applied."""
    known = facts.chart
    for path in sorted(known):
        where = f"releases/{deployed.name}/{path}"
        if path not in _WORDS and path in deployed.files and deployed.oids[path] not in known[path]:
            what = f"it is not the file that charts/environment/{path} is or ever was"
            yield Finding("environment/chart", where, what, f"lockstep stage {deployed.name} VERSION copies it anew")
    for path in sorted(deployed.files):
        own = _OWN.fullmatch(path) or path == FRONT_FILE or (path == GATE_FILE and FRONT_FILE in deployed.files)
        if _APPLIED.match(path) and path not in known and not own:
            where = f"releases/{deployed.name}/{path}"
            what = "an agent would apply this file, but no release and no chart put it there"
            yield Finding("environment/file", where, what, f"git rm {where}, or add it to charts/environment and stage")
    for path in sorted((facts.chart_now & deployed.once) - set(deployed.files)):
        what = f"it was copied from charts/environment/{path} and is gone"
        fix = f"lockstep stage {deployed.name} VERSION copies it anew"
        yield Finding("environment/chart", f"releases/{deployed.name}/{path}", what, fix)


def agent_findings(deployed: Deployed, facts: Facts) -> Iterator[Finding]:
    """Step 7: Flux is told what the environment gives, and another agent's environment tells it nothing."""
    try:
        wanted = flux_files(deployed.environment, facts.bundle, facts.prefix)
    except (LookupError, TypeError, ValueError):  # of a gate without a deadline, which has a finding of its own
        return
    there = {path: data for path, data in deployed.files.items() if path.startswith(FOLDER)}
    wrong = sorted(path for path in {*wanted, *there} if wanted.get(path) != there.get(path))
    if wrong:
        agent = facts.bundle.environments[deployed.name].agent
        words = [f"{path} {_word(path in there, path in wanted)}" for path in wrong[:3]]
        what = f"its agent is {agent}, and {len(wrong)} of its files are not what that is told: {', '.join(words)}"
        fix = f"lockstep stage {deployed.name} VERSION, with a version that is staged, writes them anew"
        yield Finding("environment/flux", f"releases/{deployed.name}/{wrong[0]}", what, fix)


def _word(*state: bool) -> str:
    return {(True, True): "differs", (True, False): "belongs to nothing"}.get((state[0], state[1]), "is not there")


def bindings_findings(deployed: Deployed) -> Iterator[Finding]:
    """Step 7: what people edit can be read."""
    for path, read in (
        (BINDINGS_FILE, lambda: deployed.environment.bindings),
        (HOLD_FILE, lambda: deployed.environment.hold),
    ):
        try:
            read()
        except Refused as error:
            yield from error.findings
        except (LockstepError, UnicodeDecodeError) as error:
            where = error.where if isinstance(error, LockstepError) else f"releases/{deployed.name}/{path}"
            yield Finding("environment/yaml", where, f"cannot be read: {error}", "correct the file at that line")
