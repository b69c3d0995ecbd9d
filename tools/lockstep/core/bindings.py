"""bindings.yaml: what one environment sets differently from the release."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from lockstep.core.component import Autoscale, Quantity, Variable
from lockstep.core.contract.embedding import Embedding
from lockstep.core.document import parse_authored
from lockstep.core.errors import Finding, refuse_if
from lockstep.core.model import Value, load
from lockstep.core.names import ComponentName
from lockstep.core.release import Pinned, PinnedWeights, Release


class BoundResources(Value):
    """Overrides of a component's resources; what is absent stays as released."""

    cpu: Quantity | None = None
    memory: Quantity | None = None
    gpu: int | None = Field(default=None, ge=0, le=64)


class Binding(Value):
    """Overrides for one component. Only `replicas` and `autoscale` leave instance ids as they are."""

    replicas: int | None = Field(default=None, ge=0, le=1000, description="how many pods; leaves ids as they are")
    autoscale: Autoscale | None = Field(default=None, description="instead of the component's; leaves ids as they are")
    resources: BoundResources = Field(default=BoundResources(), description="overrides of cpu, memory, gpu")
    config: Mapping[Variable, str] = Field(default_factory=dict, description="added to and replacing the component's")
    secrets: Mapping[ComponentName, str] = Field(
        default_factory=dict, description="name of the Kubernetes Secret for each secret"
    )
    node_selector: Mapping[str, str] = Field(default_factory=dict, description="labels of the nodes to run on")
    address: str | None = Field(default=None, description="of an external component")


class BuiltWith(Embedding):
    """What an index was built with: the component whose vectors are in it, and the fields of `x-lockstep: {embedding}`
    in that component's contract.
    """

    component: ComponentName = Field(description="whose vectors are in it")

    @property
    def embedding(self) -> Embedding:
        """The same without the component."""
        return Embedding(**{key: value for key, value in self.stated.items() if key != "component"})


class Index(Value):
    """An index of vectors that exists beside this environment: it outlives releases."""

    name: Annotated[str, StringConstraints(min_length=1)] = Field(description="for people")
    built_with: BuiltWith = Field(description="what made the vectors in it")


class WeightsBy(StrEnum):
    """How weights come to pods."""

    VOLUME = "volume"
    COPY = "copy"


class Bindings(Value):
    """One bindings.yaml."""

    registry: str | None = Field(default=None, description="instead of the bundle's")
    weights: WeightsBy = Field(
        default=WeightsBy.VOLUME,
        description="`volume` mounts the weights' image; `copy`, for clusters that cannot, has an init container copy",
    )
    components: Mapping[ComponentName, Binding] = Field(default_factory=dict, description="overrides by component")
    indexes: tuple[Index, ...] = Field(
        default=(), description="indexes of vectors that exist; what serves must find one built with its embedding"
    )
    pull_secrets: tuple[str, ...] = Field(default=(), description="names of image pull secrets")

    def of(self, component: ComponentName) -> Binding:
        """The overrides for a component; none by default."""
        return self.components.get(component, Binding())


def parse_bindings(text: str, path: str) -> Bindings:
    """The overrides that a bindings.yaml holds.

    Raises:
        Refused: every problem with its line.
        InvalidDocument: it is not YAML, or has a duplicate key.
    """
    return load(Bindings, parse_authored(text, path), rule="bindings/field")


def bound(pinned: Pinned, binding: Binding) -> Pinned:
    """The pinned component with an environment's overrides. With no overrides it is the same value."""
    resources = pinned.resources.model_copy(
        update={key: value for key, value in binding.resources.model_dump().items() if value is not None}
    )
    changed: dict[str, object] = {"resources": resources, "config": {**pinned.config, **binding.config}}
    if binding.replicas is not None:
        changed["replicas"] = binding.replicas
    if binding.autoscale is not None:
        changed["autoscale"] = binding.autoscale
    if binding.address is not None:
        changed["address"] = binding.address
    return pinned.model_copy(update=changed)


def refuse_unfit(bindings: Bindings, release: Release, path: str) -> None:
    """Nothing when every binding is for a component (and a secret) that the release has, and can be honoured.

    Raises:
        Refused: an override that would be ignored, or that the release cannot follow.
    """
    found = [*_unknown(bindings, release, path), *_unfit(bindings, release, path)]
    refuse_if(found, f"{path} does not fit the release")


def _unknown(bindings: Bindings, release: Release, path: str) -> Iterator[Finding]:
    fix = "remove it or correct its name"
    for name, binding in bindings.components.items():
        if name not in release.components:
            what = f"`{name}` is not a component of release {release.version}"
            yield Finding("bindings/unknown", path, what, fix, name)
            continue
        for secret in binding.secrets:
            if secret not in release.components[name].secrets:
                yield Finding("bindings/unknown", path, f"`{name}` has no secret `{secret}`", fix, name)


def _unfit(bindings: Bindings, release: Release, path: str) -> Iterator[Finding]:
    for name, pinned in release.components.items():
        pods = bound(pinned, bindings.of(name)) if name in bindings.components else pinned
        if pods.autoscale and not 1 <= pods.replicas < pods.autoscale.max:
            what = f"`{name}` would have at least {pods.replicas} pods and at most {pods.autoscale.max}"
            fix = "with `autoscale`, make `replicas` at least 1 and less than `max`"
            yield Finding("bindings/field", path, what, fix, name)
        if bindings.weights is WeightsBy.COPY and pinned.weights and not pinned.weights.copier:
            yield Finding("bindings/weights", path, *_without_copier(name, pinned.weights, release), name)


def _without_copier(name: ComponentName, weights: PinnedWeights, release: Release) -> tuple[str, str]:
    """What is wrong with weights that nothing can copy, and the fix."""
    if weights.is_third_party:
        what = f"`weights: copy`, and those of `{name}` are the image {weights.reference}, which can only be mounted"
        return what, f"`weights: volume` (Kubernetes 1.36), or weights of components/{name} as .dvc files, and release"
    what = f"`weights: copy`, and release {release.version} pins nothing that could copy those of `{name}`"
    fix = "name a `base` in lockstep.yaml, call no file or folder of weights as a system's (lib, etc), and release"
    return what, f"{fix}; or `weights: volume`"
