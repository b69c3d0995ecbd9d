"""What a release pins: each component as a commit has it, with its images, and the release of them all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lockstep.adapters.git import GitTree
from lockstep.core.errors import Finding, Refused
from lockstep.core.names import ComponentName, ImageRef, digest_of
from lockstep.core.release import BumpSaid, Pinned, PinnedImage, PinnedWeights, Release
from lockstep.core.source import TEMPLATES, Source, component_path
from lockstep.core.version import Bump, Version, bump_between
from lockstep.verbs.plan import Planned
from lockstep.verbs.workspace import files_below


@dataclass(frozen=True)
class Images:
    """The images of a component: its program and its weights."""

    image: PinnedImage | None
    weights: PinnedWeights | None


def compose_release(
    tree: GitTree, planned: Planned, version: Version, components: Mapping[ComponentName, Pinned]
) -> Release:
    """The release of a planned commit, with every component as it is given."""
    source, base = planned.source, planned.base
    chosen = bump_between(base.version, version) if base else Bump.NONE
    return Release(
        version=version,
        commit=planned.commit,
        entry=source.bundle.entry,
        base=base.version if base else None,
        bump=BumpSaid(required=planned.plan.bump, chosen=chosen),
        platform=source.bundle.platform,
        templates={name: digest_of(data) for name, data in sorted(files_below(tree, TEMPLATES).items())},
        components=components,
        inputs={name: planned.inputs[name] for name in sorted(components)},
        changes=planned.plan.changes,
    )


def preview_release(tree: GitTree, planned: Planned, version: Version) -> Release:
    """The release of a planned commit as far as it is known before anything is built: what changed has no image of
    ours. For notes; it is never written.
    """
    changed = {change.component for change in planned.plan.changes if change.because is None}
    before = planned.base.components if planned.base else {}
    known = {**{name: one for name, one in before.items() if name not in changed}, **planned.pinned}
    components = {
        name: known.get(name) or pin_component(tree, planned.source, name, _unbuilt(planned.source, name))
        for name in sorted(planned.source.components)
    }
    return compose_release(tree, planned, version, components)


def _unbuilt(source: Source, name: ComponentName) -> Images:
    component, lock = source.components[name], source.locks.get(name)
    reference = component.image.reference if component.image else None
    image = PinnedImage(reference=reference) if reference else None
    if named := component.weights_image:
        return Images(image, PinnedWeights(reference=named.image, files=(), path=named.path))
    weights = PinnedWeights(reference=ImageRef(f"{name}-weights@{lock.image}"), files=lock.files) if lock else None
    return Images(image, weights)


def pin_component(tree: GitTree, source: Source, name: ComponentName, images: Images) -> Pinned:
    """A component of a commit, with its images.

    Raises:
        Refused: a prompt is not text.
    """
    component = source.components[name]
    contract = component_path(name, component.contract)
    uses = {callee: component_path(name, path) for callee, path in component.calls.items()}
    prompts = {path.rpartition("/")[2]: component_path(name, path) for path in component.prompts}
    files = tree.read([contract, *uses.values(), *prompts.values()])
    return Pinned(
        kind=component.kind,
        image=images.image,
        address=component.address,
        command=component.command,
        port=component.port,
        weights=images.weights,
        prompts={key: _text(files[path], path, name) for key, path in prompts.items()},
        contract=digest_of(files[contract]),
        calls={callee: digest_of(files[path]) for callee, path in uses.items()},
        config=component.config,
        secrets=component.secrets,
        resources=component.resources,
        replicas=component.replicas,
        autoscale=component.autoscale,
        grace=component.grace,
        probes=component.probes,
        gate=component.gate,
    )


def _text(data: bytes, path: str, name: ComponentName) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(
            "a prompt cannot be read",
            [Finding("prompt/text", path, f"not UTF-8: {error}", "save the file as UTF-8", name)],
        ) from error
