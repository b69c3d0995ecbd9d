"""Instances: a pinned component as it runs in an environment, named by the content of its objects."""

from __future__ import annotations

import copy
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lockstep.core.document import format_json
from lockstep.core.names import ComponentName, Digest, InstanceId, digest_of, without_host
from lockstep.core.release import Pinned, PinnedWeights
from lockstep.core.render import Object, TemplateError, Templates, format_objects, render
from lockstep.core.weights import top_names

_ADDRESS = re.compile(r"http://([a-z](?:[a-z0-9-]{0,38}[a-z0-9])?-[0-9a-f]{10})")
_ID_LENGTH = 10
_STRANGE = "\0"  # stands for a placeholder in a finished file: nobody rendered that, so it must not give the name back


AUTOSCALER = "HorizontalPodAutoscaler"


@dataclass(frozen=True)
class Spec:
    """A pinned component bound to an environment and to its callees.

    Args:
        component: Its name.
        pinned: What the release pins, with the environment's binding applied.
        callees: For every call: the callee's instance id, or the address of an external one.
        entry: Whether outside traffic may reach it.
        registry: Host and path prefix of this bundle's images.
        node_selector: Labels of nodes, from the binding.
        secret_names: Name of the Kubernetes Secret for every secret.
        pull_secrets: Names of image pull secrets.
        copies_weights: Whether an init container copies the weights, instead of their image being a volume.
    """

    component: ComponentName
    pinned: Pinned
    callees: Mapping[ComponentName, str]
    entry: bool
    registry: str
    node_selector: Mapping[str, str]
    secret_names: Mapping[ComponentName, str]
    pull_secrets: tuple[str, ...]
    copies_weights: bool = False


@dataclass(frozen=True)
class Instance:
    """Literal objects, and the name that their content gives them."""

    id: InstanceId
    digest: Digest
    objects: tuple[Object, ...]

    @property
    def callees(self) -> tuple[InstanceId, ...]:
        """The instances whose addresses it is given, sorted."""
        return tuple(
            sorted(
                {
                    InstanceId(match[1])
                    for value in _environment_values(self.objects)
                    if (match := _ADDRESS.fullmatch(value))
                }
            )
        )

    @property
    def images(self) -> tuple[str, ...]:
        """Every image reference in its objects, containers' and volumes', sorted."""
        return tuple(sorted({holder[key] for holder, key in _image_fields(self.objects)}))

    @property
    def replicas(self) -> int:
        """How many pods it asks for; with an autoscaler, the fewest."""
        asked = [item["spec"] for item in self.objects if item.get("kind") == "Deployment"]
        scaled = [item["spec"]["minReplicas"] for item in self.objects if item.get("kind") == AUTOSCALER]
        return int(next((spec["replicas"] for spec in asked if "replicas" in spec), scaled[0] if scaled else 0))

    def file(self) -> bytes:
        """The bytes of instances/<id>.yaml."""
        return format_objects(
            self.objects, f"written by lockstep; do not edit: the file's name is the digest of its content ({self.id})"
        )


def instance(spec: Spec, templates: Templates) -> Instance:
    """The instance of a spec. The only place where an id is made.

    The objects are rendered under a placeholder name, hashed, and get their name from the hash; so the same spec
    and templates
    give the same instance anywhere.

    Raises:
        TemplateError: the template instance.yaml.j2 cannot be rendered, or does not use the copier that it is given.
    """
    placeholder = _placeholder(spec.component)
    context = _context(spec, placeholder)
    objects = render(templates, "instance.yaml.j2", context)
    copier = context["copier"]
    if copier and all(holder[key] != copier["image"] for holder, key in _image_fields(objects)):
        raise TemplateError(
            f"the template does not use `copier`: pods of {spec.component} would have no weights",
            where="charts/objects/instance.yaml.j2",
            fix="take over the init container of Lockstep's own template and release, or bind `weights: volume`",
        )
    digest = objects_digest(objects, placeholder)
    name = InstanceId(f"{spec.component}-{digest.hex[:_ID_LENGTH]}")
    return Instance(name, digest, _renamed(objects, placeholder, name))


def parse_instance(name: InstanceId, objects: tuple[Object, ...]) -> Instance:
    """An instance as its file holds it; the digest is computed from the objects, so `id` and `digest` agree only in an
    unedited file.
    """
    return Instance(name, objects_digest(objects, name), objects)


def has_own_name(item: Instance) -> bool:
    """Whether the id is the one that the objects give."""
    return item.id == f"{item.id.component}-{item.digest.hex[:_ID_LENGTH]}"


def objects_digest(objects: tuple[Object, ...], name: InstanceId) -> Digest:
    """sha256 of the objects' canonical JSON with `name` as placeholder, replicas 1 and image hosts left out (design
    section 3.1), and without an autoscaler.
    """
    plain = copy.deepcopy([dict(item) for item in objects if item.get("kind") != AUTOSCALER])
    for item in plain:
        if item.get("kind") == "Deployment":
            item["spec"]["replicas"] = 1
    for holder, key in _image_fields(plain):
        holder[key] = without_host(holder[key])
    placeholder = _placeholder(name.component)
    if name != placeholder:
        plain = _renamed(plain, placeholder, _STRANGE)
    return digest_of(format_json(_renamed(plain, name, placeholder)).encode())


def _placeholder(component: ComponentName) -> InstanceId:
    return InstanceId(f"{component}-" + "0" * _ID_LENGTH)


def _renamed(value: Any, old: str, new: str) -> Any:
    """The value with a name replaced, but not in a ConfigMap's `data`: a prompt arrives as it was written, whatever it
    says.
    """
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, Mapping):
        return {key: item if key == "data" else _renamed(item, old, new) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_renamed(item, old, new) for item in value)
    return value


def _pod(item: Object) -> Mapping[str, Any]:
    spec = item.get("spec")
    template = spec.get("template") if isinstance(spec, Mapping) else None
    pod = template.get("spec") if isinstance(template, Mapping) else None
    return pod if isinstance(pod, Mapping) else {}


def _image_fields(objects: Any) -> Iterator[tuple[Any, str]]:
    for item in objects:
        pod = _pod(item)
        for container in [*pod.get("initContainers", []), *pod.get("containers", [])]:
            yield container, "image"
        for volume in pod.get("volumes", []):
            if "image" in volume:
                yield volume["image"], "reference"


def _environment_values(objects: tuple[Object, ...]) -> Iterator[str]:
    for item in objects:
        for container in _pod(item).get("containers", []):
            for variable in container.get("env", []):
                yield str(variable.get("value", ""))


def variable_of(component: str) -> str:
    """The variable that holds a callee's address: `text-embedding` gives TEXT_EMBEDDING_URL."""
    return component.upper().replace("-", "_") + "_URL"


def image_name(registry: str, reference: str, *, ours: bool) -> str:
    """The reference that pods use: ours under the environment's registry, a third-party one as it stands."""
    return f"{registry}/{reference}" if ours else reference


def _context(spec: Spec, name: InstanceId) -> dict[str, Any]:
    pinned = spec.pinned
    weights, copier = pinned.weights, _copier(spec)
    return {
        "id": name,
        "component": str(spec.component),
        "image": container_image(spec),
        "command": list(pinned.command),
        "port": pinned.port,
        "env": _variables(spec, name),
        "prompts": dict(pinned.prompts),
        "weights": _weights_name(spec.registry, weights) if weights and not copier else "",
        "copier": copier,
        "secrets": {secret: spec.secret_names.get(secret, secret) for secret in pinned.secrets},
        "resources": _resources(pinned),
        "probes": {
            "readiness": pinned.probes.readiness,
            "liveness": pinned.probes.liveness,
            "startup_seconds": pinned.probes.startup_seconds,
        },
        "calls": sorted(callee for callee in spec.callees.values() if "://" not in callee),
        "entry": spec.entry,
        "replicas": pinned.replicas,
        "autoscale": pinned.autoscale.model_dump() if pinned.autoscale else None,
        "grace": pinned.grace,
        "node_selector": dict(spec.node_selector),
        "pull_secrets": [{"name": secret} for secret in spec.pull_secrets],
    }


def _weights_name(registry: str, weights: PinnedWeights) -> str:
    return image_name(registry, weights.reference, ours=not weights.is_third_party)


def _copier(spec: Spec) -> dict[str, Any] | None:
    """The init container that copies the weights: its image, the paths in it that are weights, and what it
    asks for, which is what the component asks for: so a pod asks for no more because of it, but for the disk.

    Raises:
        ValueError: the release has no copier (bindings.refuse_unfit says it first).
    """
    weights, asked = spec.pinned.weights, spec.pinned.resources
    if weights is None or not spec.copies_weights:
        return None
    if weights.copier is None:
        raise ValueError(f"{spec.component} has no copier")
    disk = _mebibytes(sum(file.size for file in weights.files))
    return {
        "image": image_name(spec.registry, weights.copier.reference, ours=True),
        "paths": [f"/{name}" for name in top_names(weights.files)],
        "resources": {
            "requests": {"cpu": asked.cpu, "memory": asked.memory, "ephemeral-storage": disk},
            "limits": {"memory": asked.memory},
        },
    }


def _mebibytes(size: int) -> str:
    """A number of bytes, rounded up, as the API server writes it: in a larger unit where nothing is lost."""
    amount, units = max(1, -(-size // 2**20)), ["Mi", "Gi", "Ti"]
    while amount % 1024 == 0 and len(units) > 1:
        amount, units = amount // 1024, units[1:]
    return f"{amount}{units[0]}"


def container_image(spec: Spec) -> str:
    """The image reference that the component's pods run."""
    image = spec.pinned.image
    if image is None:
        raise ValueError(f"{spec.component} is external and has no image")
    return image_name(spec.registry, image.reference, ours=not image.is_third_party)


def _variables(spec: Spec, name: InstanceId) -> list[dict[str, str]]:
    values = {
        "PORT": str(spec.pinned.port),
        "LOCKSTEP_INSTANCE": str(name),
        **{
            variable_of(callee): target if "://" in target else f"http://{target}"
            for callee, target in spec.callees.items()
        },
        **spec.pinned.config,
    }
    if spec.pinned.weights:
        values["LOCKSTEP_WEIGHTS"] = posixpath.join("/lockstep/weights", spec.pinned.weights.path).rstrip("/")
    if spec.pinned.prompts:
        values["LOCKSTEP_PROMPTS"] = "/lockstep/prompts"
    return [{"name": key, "value": values[key]} for key in sorted(values)]


def _resources(pinned: Pinned) -> dict[str, Any]:
    asked: dict[str, str] = {"cpu": pinned.resources.cpu, "memory": pinned.resources.memory}
    limit: dict[str, str] = {"memory": pinned.resources.memory}
    if pinned.resources.gpu:
        limit["nvidia.com/gpu"] = str(pinned.resources.gpu)
    return {"requests": asked, "limits": limit}
