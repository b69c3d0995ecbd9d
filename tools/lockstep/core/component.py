"""component.yaml: what one part of the system is, nothing resolved."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    TypeAdapter,
    WithJsonSchema,
    WrapValidator,
    model_validator,
)

from lockstep.core.builder import Builder
from lockstep.core.document import Document, parse_authored
from lockstep.core.errors import Finding, Refused
from lockstep.core.model import Value, load
from lockstep.core.names import ComponentName, ImageRef

_SECRET_KEY = re.compile(
    r"(?:^|_)(?:PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIALS?)$", re.IGNORECASE
)
_SECRET_VALUE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}|\bsk-[A-Za-z0-9_-]{20,}|://[^/\s:@]+:[^/\s:@]+@"
)
_RESERVED = {"PORT", "HOST", "PYTHONPATH"}
_TAG = r":[A-Za-z0-9_][A-Za-z0-9._-]{0,127}(?=@)"  # OCI distribution-spec v1.1, "Pulling manifests"
# No dollar and no colon: both would mean something in a variable that holds it.
_FOLDER = re.compile(r"(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+)*")


def _inside(path: str) -> str:
    """A relative path that stays in its folder, in normal form."""
    if path.startswith(("/", "..")) or "\\" in path or posixpath.normpath(path) != path:
        raise ValueError(f"{path!r} leaves the component's folder or is not in normal form; a good one: src/model.py")
    return path


def _variable(name: str) -> str:
    if name in _RESERVED or name.startswith("LOCKSTEP_"):
        raise ValueError(f"{name} is set by Lockstep; choose another name")
    return name


def _untagged(text: Any) -> Any:
    """A reference without the tag beside its digest: that is for people, and would enter ids."""
    return re.sub(_TAG, "", text) if isinstance(text, str) else text


def _folder(path: str) -> str:
    if not _FOLDER.fullmatch(path):
        raise ValueError(f"{path!r} is no folder of an image, written from its top; a good one: models/llama")
    return path


FilePath = Annotated[str, AfterValidator(_inside)]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z_][A-Z0-9_]*$"), AfterValidator(_variable)]
BuildArgument = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
Quantity = Annotated[str, StringConstraints(pattern=r"^[0-9]+(?:\.[0-9]+)?(?:m|k|M|G|T|Ki|Mi|Gi|Ti)?$")]
RequestPath = Annotated[str, StringConstraints(pattern=r"^/[A-Za-z0-9._~/-]*$")]


Reference = Annotated[
    ImageRef,
    BeforeValidator(_untagged),
    WithJsonSchema(
        {"type": "string", "pattern": f"^(?:{ImageRef.pattern.pattern.replace('@', f'(?:{_TAG})?@')})$"},
    ),
]


class Kind(StrEnum):
    """What runs a component."""

    SERVICE = "service"
    EXTERNAL = "external"


class Image(Value):
    """Where a component's image comes from: built here (`dockerfile`, `requirements`, `code`), or named by digest
    (`reference`).
    """

    dockerfile: FilePath | None = Field(
        default=None, description="two stages: `runtime` (dependencies) and a last one that copies the code"
    )
    requirements: FilePath | None = Field(default=None, description="hash-locked requirements; wheels only")
    code: tuple[FilePath, ...] = Field(
        default=(), description="folders that become one layer at /app; a code change uploads only that"
    )
    reference: Reference | None = Field(
        default=None,
        description="a third-party image by digest, instead of all of the above; the tag of `name:tag@sha256:…` is for "
        "people",
    )

    builder: Builder | None = Field(
        default=None, description="`wheels` or `docker`, instead of what lockstep.yaml says: who makes its runtime"
    )
    args: Mapping[BuildArgument, str] = Field(
        default_factory=dict, description="build arguments, for Docker only; never secrets"
    )

    @model_validator(mode="after")
    def _one_origin(self) -> Image:
        built = self.dockerfile is not None or bool(self.code) or self.requirements is not None
        if built == (self.reference is not None):
            raise ValueError("give either `dockerfile` (with `code` and `requirements`) or `reference: name@sha256:…`")
        if self.reference is not None and (self.builder or self.args):
            raise ValueError("an image named by `reference` is not built: leave out `builder` and `args`")
        if "BASE_IMAGE" in self.args:
            raise ValueError("BASE_IMAGE is given by Lockstep: it is `platform: {base: …}` of lockstep.yaml")
        return self


class WeightsImage(Value):
    """Weights that are an image already: named by digest and mounted from where they are; nothing of them is copied."""

    image: Reference = Field(description="the image by digest; the tag of `name:tag@sha256:…` is for people")
    path: Annotated[str, AfterValidator(_folder)] = Field(
        default="", description="the folder of the image that LOCKSTEP_WEIGHTS names; its top, if not given"
    )


_POINTERS: TypeAdapter[tuple[FilePath, ...]] = TypeAdapter(tuple[FilePath, ...])


def _one_form(value: Any, _: Any) -> tuple[FilePath, ...] | WeightsImage:
    """Weights in the one form that they are written in, so that people read about that form's problems only."""
    if isinstance(value, list | tuple):
        return _POINTERS.validate_python(value)
    if isinstance(value, Mapping | WeightsImage):
        return WeightsImage.model_validate(value)
    raise ValueError("give a list of .dvc files, or `{image: name@sha256:…, path: models}`")


class Resources(Value):
    """What one pod of the component asks for. cpu and memory in Kubernetes quantities, gpu in whole devices."""

    cpu: Quantity = Field(default="100m", description="requested, in Kubernetes quantities")
    memory: Quantity = Field(default="128Mi", description="requested and limit")
    gpu: int = Field(default=0, ge=0, le=64, description="whole devices")


class Probes(Value):
    """Where the component answers for itself, and how many seconds it may take to start."""

    readiness: RequestPath = Field(default="/readyz", description="answers 200 when this instance can work")
    liveness: RequestPath = Field(default="/healthz", description="answers 200 while the process is sound")
    startup_seconds: int = Field(default=600, ge=1, le=86_400, description="how long loading may take")


class Gate(Value):
    """The question that a staged root must answer: a command of its own image, and seconds it may take."""

    command: tuple[str, ...] = Field(
        min_length=1, description="asks the root one real question at $(ROOT_URL); exit code 0 passes"
    )
    deadline: int = Field(default=60, ge=1, le=3600, description="seconds until it counts as failed")


class Autoscale(Value):
    """More pods while those that run are busy. Never fewer again as long as the instance is kept (ADR 14)."""

    max: int = Field(ge=2, le=1000, description="the most pods; `replicas` is the fewest")
    cpu: int = Field(ge=1, le=100, description="percent of the `cpu` that its pods ask for; above it pods are added")


class Component(Value):
    """One component.yaml. Paths are relative to its folder."""

    name: ComponentName = Field(description="the same as its folder; a DNS label of at most 40 characters")
    description: str = Field(description="one sentence for people")
    owner: str = Field(description="the team that answers for it")
    kind: Kind = Field(
        default=Kind.SERVICE, description="`service`; `external` names a hosted model that cannot be pinned"
    )
    image: Image | None = Field(default=None, description="where its image comes from")
    address: (
        Annotated[str, StringConstraints(pattern=r"^https?://[A-Za-z0-9.-]+(?::[0-9]+)?(?:/[A-Za-z0-9._~/-]*)?$")]
        | None
    ) = Field(default=None, description="of an external component")
    command: tuple[str, ...] = Field(
        default=(), description="what runs, as in Kubernetes: `$(NAME)` stands for a variable"
    )
    port: int = Field(default=8080, ge=1024, le=65_535, description="where it listens; the instance is told by PORT")
    weights: Annotated[tuple[FilePath, ...] | WeightsImage, WrapValidator(_one_form)] = Field(
        default=(), description="DVC pointers, or an image that exists already; mounted at LOCKSTEP_WEIGHTS"
    )
    prompts: tuple[FilePath, ...] = Field(default=(), description="files, mounted byte for byte at LOCKSTEP_PROMPTS")
    contract: FilePath = Field(description="the OpenAPI document that it promises")
    calls: Mapping[ComponentName, FilePath] = Field(
        default_factory=dict,
        description="components it calls, and what it needs of their contracts; gives <CALLEE>_URL",
    )
    config: Mapping[Variable, str] = Field(default_factory=dict, description="environment variables; never secrets")
    secrets: tuple[ComponentName, ...] = Field(
        default=(), description="names; mounted as files at /lockstep/secrets/<name>"
    )
    resources: Resources = Field(default=Resources(), description="what one pod asks for")
    replicas: int = Field(default=1, ge=0, le=1000, description="how many pods; not part of the id")
    autoscale: Autoscale | None = Field(default=None, description="adds pods under load; not part of the id")
    grace: int = Field(default=30, ge=1, le=3600, description="seconds that running requests have after SIGTERM")
    probes: Probes = Field(default=Probes(), description="where it answers for itself")
    gate: Gate | None = Field(default=None, description="the entry only: the question before it may serve")

    @property
    def pointers(self) -> tuple[FilePath, ...]:
        """The DVC pointers of its weights; none where these are an image already."""
        return () if isinstance(self.weights, WeightsImage) else self.weights

    @property
    def weights_image(self) -> WeightsImage | None:
        """The image that its weights are already; None where they are DVC pointers, or there are none."""
        return self.weights if isinstance(self.weights, WeightsImage) else None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Component:
        if self.kind is Kind.EXTERNAL:
            if self.address is None or self.image or self.weights or self.prompts or self.calls:
                raise ValueError(
                    "an external component has an `address` and a `contract`; no image, weights, prompts or calls"
                )
        elif self.image is None or self.address is not None or not self.command:
            raise ValueError("a service has an `image` and a `command`, and no `address`")
        return self

    @model_validator(mode="after")
    def _has_room_to_scale(self) -> Component:
        if self.autoscale and not 1 <= self.replicas < self.autoscale.max:
            raise ValueError("with `autoscale`, `replicas` is the fewest pods: at least 1, and less than `max`")
        return self

    @model_validator(mode="after")
    def _names_are_distinct(self) -> Component:
        for what, paths in (("weights", self.pointers), ("prompts", self.prompts)):
            names = [posixpath.basename(path) for path in paths]
            double = {name for name in names if names.count(name) > 1}
            if double:
                raise ValueError(
                    f"two {what} have the file name {', '.join(sorted(double))}; they would hide each other when "
                    f"mounted"
                )
        return self


def parse_component(text: str, path: str, folder: str) -> Component:
    """The component that a component.yaml describes.

    Args:
        text: The file.
        path: Its path for messages.
        folder: The name of the folder that it lies in; `name` must be the same.

    Raises:
        Refused: every problem with its line.
        InvalidDocument: it is not YAML, or has a duplicate key.
    """
    document = parse_authored(text, path)
    component = load(Component, document, rule="component/field", component=folder)
    findings = list(_literal_secrets(component, document))
    if component.name != folder:
        findings.append(
            Finding(
                "component/name",
                document.where(("name",)),
                f"the name is `{component.name}` but the folder is `{folder}`",
                f"write `name: {folder}`, or rename the folder",
                folder,
            )
        )
    if findings:
        raise Refused(f"{path} is not valid", findings)
    return component


def _literal_secrets(component: Component, document: Document) -> list[Finding]:
    found = []
    for name, value in component.config.items():
        if (_SECRET_KEY.search(name) and not value.startswith("/lockstep/secrets/")) or _SECRET_VALUE.search(value):
            found.append(
                Finding(
                    "component/secret",
                    document.where(("config", name)),
                    f"config `{name}` looks like a literal secret",
                    f"name it under `secrets:` and read it from /lockstep/secrets/<name>; set config `{name}` to that "
                    f"path if the program needs it",
                    component.name,
                )
            )
    return found
