"""A release bound to an environment: every instance, the root's gate and the front, as literal objects."""

from __future__ import annotations

from types import MappingProxyType

from lockstep.core.bindings import Bindings, WeightsBy, bound
from lockstep.core.bundle import callees_first
from lockstep.core.component import Kind
from lockstep.core.environment import Front, Gate, Rendered, Route
from lockstep.core.instance import Instance, Spec, container_image, instance
from lockstep.core.names import ComponentName, InstanceId
from lockstep.core.release import Release
from lockstep.core.render import Templates, render


def compose(release: Release, bindings: Bindings, registry: str, templates: Templates) -> Rendered:
    """Everything that stage and promote write for a release in an environment.

    Ids depend on the release, the bindings (but for replicas) and the templates alone; the order of components does
    not matter.

    Args:
        release: What is pinned.
        bindings: What the environment sets differently.
        registry: The bundle's registry; `bindings.registry` goes before it.
        templates: Text of charts/objects/*.j2 by file name, as they were at the release's commit.

    Raises:
        TemplateError: a template cannot be rendered.
    """
    instances: dict[ComponentName, Instance] = {}
    specs: dict[ComponentName, Spec] = {}
    targets: dict[ComponentName, str] = {}
    for name in callees_first(release.calls):
        pinned = bound(release.components[name], bindings.of(name))
        if pinned.kind is Kind.EXTERNAL:
            targets[name] = pinned.address or ""
            continue
        binding = bindings.of(name)
        specs[name] = Spec(
            component=name,
            pinned=pinned,
            callees={callee: targets[callee] for callee in pinned.calls},
            entry=name == release.entry,
            registry=bindings.registry or registry,
            node_selector=binding.node_selector,
            secret_names=binding.secrets,
            pull_secrets=bindings.pull_secrets,
            copies_weights=bindings.weights is WeightsBy.COPY,
        )
        instances[name] = instance(specs[name], templates)
        targets[name] = instances[name].id
    root = instances[release.entry].id
    by_id = {item.id: item for item in instances.values()}
    return Rendered(
        version=release.version,
        root=root,
        instances=MappingProxyType(by_id),
        gate=_gate(specs[release.entry], root, templates),
        front=_front(release, root, tuple(sorted(by_id)), templates),
    )


def _gate(spec: Spec, root: InstanceId, templates: Templates) -> Gate:
    gate = spec.pinned.gate
    if gate is None:
        raise ValueError(f"{spec.component} has no gate")
    variables = {**spec.pinned.config, "GATE_DEADLINE_SECONDS": str(gate.deadline), "ROOT_URL": f"http://{root}"}
    context = {
        "root": str(root),
        "image": container_image(spec),
        "command": list(gate.command),
        "deadline": gate.deadline,
        "env": [{"name": key, "value": variables[key]} for key in sorted(variables)],
        "pull_secrets": [{"name": secret} for secret in spec.pull_secrets],
    }
    return Gate(root, render(templates, "gate.yaml.j2", context))


def _front(release: Release, root: InstanceId, serves: tuple[InstanceId, ...], templates: Templates) -> Front:
    context = {"root": str(root), "release": str(release.version), "serves": [str(name) for name in serves]}
    return Front((Route(root),), release.version, serves, render(templates, "front.yaml.j2", context))
