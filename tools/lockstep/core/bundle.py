"""lockstep.yaml: the bundle's registry, environments, lines and rules; and how its components call each other."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from lockstep.core.builder import Builder
from lockstep.core.cluster.quantity import thousandths
from lockstep.core.component import Component, Kind
from lockstep.core.contract.finding import Level
from lockstep.core.document import parse_authored
from lockstep.core.errors import Finding
from lockstep.core.model import Value, dump, load
from lockstep.core.names import ComponentName, EnvironmentName, ImageRef
from lockstep.core.retention import Retention
from lockstep.core.version import Version

OWN_STORE = "lockstep.local"  # the registry's host that means the store in .lockstep


def _address(text: str) -> str:
    """An address of a Git repository that may stand in Git itself."""
    if re.search(r"://[^/@]*:[^/@]*@", text):
        raise ValueError("there is a password in the address; leave it out, and give it to Git: git help credentials")
    if text.startswith("-") or re.search(r"\s", text):
        raise ValueError(f"{text!r} is no address; a good one: git@git.example.org:team/releases.git")
    return text


class Platform(Value):
    """What images are made for, and what they stand on. `python` is the minor version whose wheels are taken."""

    os: Literal["linux"] = Field(default="linux", description="operating system")
    arch: Literal["amd64", "arm64"] = Field(default="amd64", description="processor")
    python: Annotated[str, StringConstraints(pattern=r"^3\.[0-9]{1,2}$")] = Field(
        default="3.11", description="minor version of CPython whose wheels are taken"
    )
    base: ImageRef | None = Field(
        default=None,
        exclude_if=lambda base: base is None,
        description="an image of one platform with that Python, by digest; without it images hold no system",
    )

    @property
    def identity(self) -> dict[str, Any]:
        """What makes two platforms differ: of the base its digest, wherever it is had from."""
        return dump(self) | ({"base": self.base.digest} if self.base else {})


class Agent(StrEnum):
    """What applies an environment's files to a cluster."""

    ARGOCD = "argocd"
    FLUX = "flux"
    NONE = "none"


class EnvironmentRules(Value):
    """What an environment accepts, and where it runs."""

    agent: Agent = Field(
        default=Agent.ARGOCD, description="what applies it; `flux` gives it a folder of Kustomizations"
    )
    namespace: Annotated[str, StringConstraints(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$")] | None = Field(
        default=None, description="of the cluster; the environment's name, if not given"
    )
    prereleases: bool = Field(default=False, description="whether pre-releases may be staged")
    external: bool = Field(default=False, description="whether external components may be staged")
    retire_after_seconds: int = Field(
        default=60,
        ge=0,
        description="how long after a promote nothing may be retired: the longest request plus the connection age",
    )


class State(Value):
    """Where releases/ lives."""

    branch: str = Field(default="main", description="the branch that holds releases/")
    repository: Annotated[str, AfterValidator(_address)] = Field(
        default="",
        description="address of a Git repository of its own that holds it, without a password; this one, if not given",
    )


class Pin(Value):
    """Holds a component at what an earlier release had."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    origin: Version = Field(alias="from", description="the release whose component is kept")


def _known(levels: Mapping[str, Level]) -> Mapping[str, Level]:
    """The levels, if every rule exists: a misspelt one would change nothing, and nobody would notice."""
    from lockstep.core.contract.levels import unknown_rules  # noqa: PLC0415 - most bundles change no level

    if unknown := unknown_rules(levels):
        raise ValueError("; ".join(unknown))
    return levels


class ContractRules(Value):
    """How contracts are judged."""

    levels: Annotated[Mapping[str, Level], AfterValidator(_known)] = Field(
        default_factory=dict,
        description="levels that this team gives to rules: ERR and WARN break, INFO does not; docs/contracts.md",
    )


class Bundle(Value):
    """One lockstep.yaml. Its folder is the bundle."""

    name: ComponentName = Field(description="of the bundle")
    entry: ComponentName = Field(description="the component that takes outside traffic")
    registry: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]*(?::[0-9]+)?(?:/[a-z0-9._-]+)*$")] = Field(
        default=OWN_STORE,
        description="host and path of its images; `lockstep.local` means the store in .lockstep",
    )
    largest_layer: Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]*(?:M|G|Mi|Gi)?$")] | None = Field(
        default=None, description="bytes of the largest layer that the registry takes, such as `10G` or `52000Mi`"
    )
    platform: Platform = Field(default=Platform(), description="what images are made for")
    builder: Builder = Field(
        default=Builder.WHEELS, description="who makes runtimes: `wheels`, or `docker` from each Dockerfile"
    )
    lines: tuple[str, ...] = Field(default=("main",), description="branches that may be released")
    tag_prefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._/-]*$")] = Field(
        default="v", description="before the version in tags"
    )
    environments: Mapping[EnvironmentName, EnvironmentRules] = Field(
        min_length=1, description="folders below releases/, and what each accepts"
    )
    state: State = Field(default=State(), description="where releases/ lives")
    retention: Retention = Field(default=Retention(), description="which releases keep their images; all, if not given")
    contracts: ContractRules = Field(default=ContractRules(), description="how contracts are judged")
    pin: Mapping[ComponentName, Pin] = Field(
        default_factory=dict, description="components held at an earlier release: `ocr: {from: 1.4.0}`"
    )

    @property
    def layer_limit(self) -> int | None:
        """`largest_layer` in bytes."""
        return thousandths(self.largest_layer) // 1000 if self.largest_layer else None

    @property
    def has_registry(self) -> bool:
        """Whether its images go to a registry, and not only to the store in .lockstep."""
        return self.registry.partition("/")[0] != OWN_STORE

    def namespace_of(self, environment: EnvironmentName) -> str:
        """The namespace of a cluster that an environment is."""
        return self.environments[environment].namespace or str(environment)


def parse_bundle(text: str, path: str) -> Bundle:
    """The bundle that a lockstep.yaml describes.

    Raises:
        Refused: every problem with its line.
        InvalidDocument: it is not YAML, or has a duplicate key.
    """
    return load(Bundle, parse_authored(text, path), rule="bundle/field")


def call_findings(entry: ComponentName, components: Mapping[ComponentName, Component]) -> tuple[Finding, ...]:
    """What is wrong with who calls whom: a dangling call, a cycle, an entry that is missing, external or without a
    gate.
    """
    found = [
        Finding(
            "bundle/calls",
            f"components/{name}/component.yaml",
            f"`calls` names `{callee}`, which is not a component of this bundle",
            f"create components/{callee}/ or remove the call",
            name,
        )
        for name, component in components.items()
        for callee in component.calls
        if callee not in components
    ]
    cycle = find_cycle({name: tuple(component.calls) for name, component in components.items()})
    if cycle:
        found.append(
            Finding(
                "bundle/cycle",
                f"components/{cycle[0]}/component.yaml",
                "components call each other in a circle: " + " -> ".join(cycle),
                "remove one of these calls: a callee's address must exist before its caller's name",
                cycle[0],
            )
        )
    found += _entry_findings(entry, components)
    return tuple(sorted(found))


def _entry_findings(entry: ComponentName, components: Mapping[ComponentName, Component]) -> list[Finding]:
    if entry not in components:
        return [
            Finding(
                "bundle/entry",
                "lockstep.yaml",
                f"the entry `{entry}` is not a component of this bundle",
                "set `entry:` to one of: " + (", ".join(sorted(components)) or "(there is no component)"),
                entry,
            )
        ]
    where = f"components/{entry}/component.yaml"
    found = []
    if components[entry].kind is Kind.EXTERNAL or components[entry].weights:
        found.append(
            Finding(
                "bundle/entry",
                where,
                "the entry takes the outside traffic, so it is a service without weights",
                "put a thin component in front of the model",
                entry,
            )
        )
    if components[entry].gate is None:
        found.append(
            Finding(
                "bundle/gate",
                where,
                "the entry has no `gate`, so nothing could prove a staged root before it serves",
                "add for example `gate: {command: [python3, -m, gateway.gate], deadline: 60}`",
                entry,
            )
        )
    return found


def find_cycle(calls: Mapping[ComponentName, tuple[ComponentName, ...]]) -> tuple[ComponentName, ...]:
    """One circle of calls with its first name again at the end; empty when there is none. Names that nobody has are
    skipped.
    """
    done: set[ComponentName] = set()

    def visit(name: ComponentName, path: tuple[ComponentName, ...]) -> tuple[ComponentName, ...]:
        if name in path:
            return (*path[path.index(name) :], name)
        if name in done or name not in calls:
            return ()
        for callee in sorted(calls[name]):
            found = visit(callee, (*path, name))
            if found:
                return found
        done.add(name)
        return ()

    for name in sorted(calls):
        found = visit(name, ())
        if found:
            return found
    return ()


def callees_first(calls: Mapping[ComponentName, tuple[ComponentName, ...]]) -> tuple[ComponentName, ...]:
    """All names, each after everything it calls; alphabetical where that leaves a choice. There must be no circle."""
    order: list[ComponentName] = []

    def visit(name: ComponentName) -> None:
        if name not in order:
            for callee in sorted(calls[name]):
                visit(callee)
            order.append(name)

    for name in sorted(calls):
        visit(name)
    return tuple(order)
