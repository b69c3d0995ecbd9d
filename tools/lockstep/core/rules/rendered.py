"""Step 9: gates and fronts have no name by content, so they are rendered again and compared.

A release's templates are pinned by digest. The front needs nothing else. A gate needs what an environment sets;
that is read from its root, whose own name proves it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lockstep.core.environment import (
    GATE_FILE,
    OTHER_WAVE,
    OWN_WAVE,
    Environment,
    Front,
    Gate,
    in_wave,
)
from lockstep.core.errors import Finding, LockstepError
from lockstep.core.fields import at, mappings
from lockstep.core.instance import Instance, has_own_name, variable_of
from lockstep.core.names import without_host
from lockstep.core.release import Release
from lockstep.core.render import Object, Templates, render
from lockstep.core.rules.facts import Facts
from lockstep.core.rules.instance import unlike
from lockstep.core.rules.pod import images_of

Plain = list[dict[str, Any]]


def gate_rendering_findings(gate: Gate, environment: Environment, facts: Facts) -> Iterator[Finding]:
    """A gate asks what some release says that its root must answer, and as it says."""
    root = environment.instances.get(gate.root)
    if root is None or not has_own_name(root):
        return
    candidates = [release for release in facts.known.values() if _may_be(root, release, facts)]
    contexts = {one.version: _gate_context(gate, root, one) for one in candidates}
    file = environment.gate_file(gate.root)
    wave = OWN_WAVE if file == GATE_FILE else OTHER_WAVE
    given = [
        _rendered(facts.templates[version], "gate.yaml.j2", context, wave) for version, context in contexts.items()
    ]
    if candidates and _plain(gate.objects) not in given:
        where = f"releases/{environment.name}/{file}"
        names = ", ".join(str(release.version) for release in candidates)
        what = f"it is not the gate that release {names} gives to {gate.root}"
        yield Finding("gate/rendered", where, what, f"restore it from Git: git log -- {where}", gate.root.component)


def front_rendering_findings(front: Front, release: Release, facts: Facts, where: str) -> Iterator[Finding]:
    """The front is what its release's template gives for its root."""
    if release.version not in facts.templates:
        return
    context = {"root": str(front.root), "release": str(release.version), "serves": [str(one) for one in front.serves]}
    given = _rendered(facts.templates[release.version], "front.yaml.j2", context)
    if _plain(front.objects) != given:
        what = f"it is not the front that release {release.version} gives to {front.root}"
        fix = f"git revert the commit that changed it: git log -- {where}"
        yield Finding("front/rendered", where, what, fix, front.root.component)


def _may_be(root: Instance, release: Release, facts: Facts) -> bool:
    """Whether an instance may be the root of a release whose templates are here."""
    entry = release.components.get(root.id.component) if release.entry == root.id.component else None
    return (
        entry is not None and entry.gate is not None and release.version in facts.templates and not unlike(root, entry)
    )


def _gate_context(gate: Gate, root: Instance, release: Release) -> dict[str, Any]:
    """What compose hands to the template, read back from the root."""
    pinned = release.components[root.id.component]
    asked = pinned.gate
    pod = next((at(one, "spec", "template", "spec") for one in root.objects if one.get("kind") == "Deployment"), None)
    given = {
        str(one.get("name")): one.get("value") for one in mappings(next(iter(mappings(pod, "containers")), {}), "env")
    }
    own = {"PORT", *(variable_of(callee) for callee in pinned.calls)}
    variables = {key: value for key, value in given.items() if key not in own and not key.startswith("LOCKSTEP_")}
    variables |= {"GATE_DEADLINE_SECONDS": str(asked.deadline if asked else 0), "ROOT_URL": f"http://{root.id}"}
    return {
        "root": str(root.id),
        "image": next((str(one) for one in images_of(gate.objects[0])), ""),
        "command": list(asked.command if asked else ()),
        "deadline": asked.deadline if asked else 0,
        "env": [{"name": key, "value": variables[key]} for key in sorted(variables)],
        "pull_secrets": mappings(pod, "imagePullSecrets"),
    }


def is_own_image(gate: Gate, root: Instance) -> bool:
    """Whether a gate runs its root's image; the registry's host may have moved between stage and promote."""
    return {without_host(str(one)) for one in images_of(gate.objects[0])} <= {without_host(one) for one in root.images}


def _rendered(templates: Templates, name: str, context: dict[str, Any], wave: int | None = None) -> Plain | None:
    try:
        objects = render(templates, name, context)
        return _plain(objects if wave is None else in_wave(objects, wave))
    except LockstepError:
        return None


def _plain(objects: tuple[Object, ...]) -> Plain:
    return [dict(item) for item in objects]
