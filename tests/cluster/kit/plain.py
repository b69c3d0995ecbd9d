"""The same components as a plain rolling chart: what a release of the scenarios' bundle is without Lockstep.

Pods are taken from the release's instances as they are (images, probes, grace, preStop), so that only names and
rollout differ: a component keeps its name from release to release, and its Deployment rolls.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from demo.answers import Answer

Object = dict[str, Any]
_INSTANCE, _COMPONENT = "lockstep.dev/instance", "lockstep.dev/component"


def plain_values(objects: Iterable[Object], closure: frozenset[str], generation: str) -> Object:
    """Values of the plain chart for one release.

    Args:
        objects: The environment's objects.
        closure: The instances of the release.
        generation: What its pods say that they are: they answer as `<component>-<generation>`.
    """
    own = [item for item in objects if item["metadata"].get("labels", {}).get(_INSTANCE) in closure]
    prompts = {item["metadata"]["name"]: item["data"] for item in own if item["kind"] == "ConfigMap"}
    components = {}
    for item in own:
        if item["kind"] == "Deployment":
            name, instance = (item["metadata"]["labels"][key] for key in (_COMPONENT, _INSTANCE))
            template = _template(item["spec"]["template"], name, generation)
            components[name] = {"template": template, "prompts": prompts.get(f"{instance}-prompts", {})}
    return {"components": components}


def plain_mixed(answers: Iterable[Answer]) -> list[Answer]:
    """The good answers, streams apart, that pods of more than one generation took part in."""
    return [
        answer
        for answer in answers
        if not answer.error and len({name.rpartition("-")[2] for name in answer.served_by.values()}) > 1
    ]


def _template(template: Mapping[str, Any], name: str, generation: str) -> Object:
    made = copy.deepcopy(dict(template))
    made["metadata"] = {"labels": {"app": name}}
    for container in made["spec"]["containers"]:
        container["env"] = [_variable(item, name, generation) for item in container["env"]]
    for volume in made["spec"]["volumes"]:
        if "configMap" in volume:
            volume["configMap"] = {"name": f"{name}-prompts"}
    return made


def _variable(item: Mapping[str, str], name: str, generation: str) -> Mapping[str, str]:
    if item["name"] == "LOCKSTEP_INSTANCE":
        return {"name": item["name"], "value": f"{name}-{generation}"}
    if item["name"].endswith("_URL"):
        return {"name": item["name"], "value": f"http://{item['name'].removesuffix('_URL').lower()}"}
    return item
