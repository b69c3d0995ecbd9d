"""The fast way back: what must be true of an environment whose front moved to what served before, and no more.

What the front names is there, unchanged, with its gate and its images; it served before; and retention keeps it. What
else lies in the environment was there before the move and is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from lockstep.core.environment import FRONT_FILE, Environment, Front
from lockstep.core.errors import Finding
from lockstep.core.history import Served
from lockstep.core.names import EnvironmentName
from lockstep.core.rules.contract import environment_index_findings
from lockstep.core.rules.environment import agent_findings, bindings_findings, canonical_findings
from lockstep.core.rules.facts import Deployed, Facts
from lockstep.core.rules.front import front_findings, gate_findings
from lockstep.core.rules.image import deployed_image_findings
from lockstep.core.rules.instance import instance_findings
from lockstep.core.version import Version


@dataclass(frozen=True)
class Past:
    """What is known of the releases that an environment may go back to.

    Args:
        served: What its front named before it named what it names now.
        kept: The releases whose images retention keeps, whatever this environment serves, and why.
        last: What its front named last before that; None for nothing.
    """

    served: frozenset[Served]
    kept: Mapping[Version, str]
    last: Served | None = None


def serving(environment: Environment) -> Environment:
    """The environment with the instances that the front's root reaches, and no others."""
    reached = environment.closure(environment.front.root) if environment.front else ()
    return replace(
        environment,
        instances=MappingProxyType(
            {name: environment.instances[name] for name in reached if name in environment.instances}
        ),
    )


def back_findings(deployed: Deployed, facts: Facts, past: Past) -> tuple[Finding, ...]:
    """Everything that is wrong with a way back, sorted, each once."""
    return tuple(sorted(set(_findings(deployed, facts, past))))


def is_back(front: Front, past: Past) -> bool:
    """Whether a front names what served before, and retention keeps that."""
    return (front.root, front.release) in past.served and front.release in past.kept


def _findings(deployed: Deployed, facts: Facts, past: Past) -> Iterator[Finding]:
    yield from deployed.unread
    front = deployed.environment.front
    if front is None:
        yield from _none(deployed)
        return
    yield from canonical_findings(deployed)
    yield from bindings_findings(deployed)
    yield from agent_findings(deployed, facts)
    needed = serving(deployed.environment)
    for item in needed.instances.values():
        yield from instance_findings(item, needed, facts)
    yield from gate_findings(deployed.environment, facts)
    yield from front_findings(
        replace(deployed, environment=replace(deployed.environment, instances=needed.instances)), facts
    )
    yield from deployed_image_findings(needed, facts)
    yield from environment_index_findings(deployed.environment, facts.contracts, past.last[1] if past.last else None)
    yield from _past_findings(deployed.name, front, past)


def _none(deployed: Deployed) -> Iterator[Finding]:
    if not deployed.unread:
        where = f"releases/{deployed.name}/{FRONT_FILE}"
        what = f"nothing serves in {deployed.name}: there is no front to check, and checking nothing proves nothing"
        yield Finding("verify/empty", where, what, f"lockstep promote {deployed.name} VERSION")


def _past_findings(name: EnvironmentName, front: Front, past: Past) -> Iterator[Finding]:
    """It served before, and its images are kept."""
    where = f"releases/{name}/{FRONT_FILE}"
    if (front.root, front.release) not in past.served:
        what = f"release {front.release} ({front.root}) never served in {name} before: this is no way back"
        fix = f"check all of it: lockstep verify {name} {front.release}"
        yield Finding("front/served", where, what, fix, front.root.component)
    elif front.release not in past.kept:
        what = f"release {front.release} served in {name} before, but `retention:` in lockstep.yaml lets it go"
        hold = f"`retention: {{hold: [{front.release}]}}` keeps it"
        fix = f"check all of it: lockstep verify {name} {front.release}; {hold}"
        yield Finding("front/kept", where, what, fix, front.root.component)
