"""Step 3: a release says of its commit what that commit holds."""

from __future__ import annotations

from collections.abc import Iterator

from lockstep.core.bundle import Bundle, parse_bundle
from lockstep.core.component import Component, Image, parse_component
from lockstep.core.context import built_inputs, is_built
from lockstep.core.contract.referred import closure
from lockstep.core.environment import Files
from lockstep.core.errors import Finding, LockstepError
from lockstep.core.inputs import InputKind
from lockstep.core.names import ComponentName, Digest, digest_of
from lockstep.core.release import Pinned, PinnedImage, PinnedWeights, Release
from lockstep.core.rules.facts import Facts, Filed, Snapshot
from lockstep.core.source import LOCK, TEMPLATES, component_path, image_inputs, is_file, is_image
from lockstep.core.weights import parse_lock

# What release.yaml takes from component.yaml as it stands there.
_WRITTEN = (
    "kind",
    "address",
    "command",
    "port",
    "config",
    "secrets",
    "resources",
    "replicas",
    "autoscale",
    "grace",
    "probes",
    "gate",
)
BUNDLE = "lockstep.yaml"


def paths_in(release: Release) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Paths of every input (for their Git ids), and of the small files whose content the release holds."""
    inputs = [item for items in release.inputs.values() for item in items if is_file(item)]
    texts = [item.path for item in inputs if item.kind in {InputKind.PROMPT, InputKind.CONTRACT, InputKind.CONFIG}]
    texts += [item.path for item in inputs if item.path.endswith(f"/{LOCK}")]
    templates = [f"{TEMPLATES}/{name}" for name in release.templates]
    return tuple(sorted({item.path for item in inputs})), tuple(sorted({BUNDLE, *texts, *templates}))


def source_findings(filed: Filed, release: Release, facts: Facts) -> Iterator[Finding]:
    """Step 3 for one release whose commit is here."""
    if filed.source is None:
        return
    yield from _template_findings(filed, release, filed.source)
    bundle = _bundle(filed.source)
    if not isinstance(bundle, Bundle):
        yield _wrong(filed, f"lockstep.yaml at {release.commit[:10]} cannot be read: {bundle}")
        return
    if (bundle.entry, bundle.platform) != (release.entry, release.platform):
        yield _wrong(filed, f"entry or platform are not those of lockstep.yaml at {release.commit[:10]}")
    for name, pinned in release.components.items():
        if name in bundle.pin:
            yield from _held_findings(filed, release, name, facts.known.get(bundle.pin[name].origin))
        elif wrong := tuple(_input_findings(filed, release, name, filed.source)):
            yield from wrong
        else:
            said = _differences(name, pinned, release, filed.source.files)
            yield from (
                _wrong(filed, what, name) for what in (*said, *_other_builder(name, release, bundle, filed.source))
            )


def _template_findings(filed: Filed, release: Release, source: Snapshot) -> Iterator[Finding]:
    for name, digest in release.templates.items():
        data = source.files.get(f"{TEMPLATES}/{name}")
        found = digest_of(data) if data is not None else "absent"
        if found != digest:
            what = f"{TEMPLATES}/{name} is {found} at {release.commit[:10]}, the release pins {digest}"
            yield Finding("release/templates", filed.path, what, f"git log -- {filed.path}")
    there = {path.removeprefix(f"{TEMPLATES}/") for path in source.files if path.startswith(f"{TEMPLATES}/")}
    for name in sorted(there - release.templates.keys()):
        what = f"{TEMPLATES}/{name} is there at {release.commit[:10]}, the release does not pin it"
        yield Finding("release/templates", filed.path, what, f"git log -- {filed.path}")


def _input_findings(filed: Filed, release: Release, name: ComponentName, source: Snapshot) -> Iterator[Finding]:
    for item in release.inputs.get(name, ()):
        found = source.oids.get(item.path, "absent")
        if is_file(item) and found != item.oid:
            what = f"{item.path} is {found} at {release.commit[:10]}, the release says {item.oid}"
            yield Finding("release/inputs", filed.path, what, f"git log -- {filed.path}", name)


def _held_findings(filed: Filed, release: Release, name: ComponentName, origin: Release | None) -> Iterator[Finding]:
    """A component that `pin:` held is what the named release had."""
    if origin is None or name not in origin.components:
        yield _wrong(filed, "lockstep.yaml holds it at a release that is not here", name)
    elif (origin.components[name], origin.inputs[name]) != (release.components[name], release.inputs[name]):
        yield _wrong(filed, f"lockstep.yaml holds it at {origin.version}, which pins something else", name)


def _differences(name: ComponentName, pinned: Pinned, release: Release, files: Files) -> Iterator[str]:
    """Sentences on what a component of the release is not as in the commit's files."""
    at, inputs = f"at {release.commit[:10]}", release.inputs.get(name, ())
    prompts = {
        item.path.rpartition("/")[2]: files.get(item.path, b"") for item in inputs if item.kind is InputKind.PROMPT
    }
    if {key: text.encode() for key, text in pinned.prompts.items()} != prompts:
        yield f"its prompts are not the files {at}"
    yield from _lock_differences(name, pinned, files, at)
    path = component_path(name, "component.yaml")
    try:
        component = parse_component(files.get(path, b"").decode(), path, name)
    except (LockstepError, UnicodeDecodeError) as error:
        yield f"{path} {at} cannot be read: {error}"
        return
    other = [key for key in _WRITTEN if getattr(component, key) != getattr(pinned, key)]
    other += ["calls"] if set(component.calls) != set(pinned.calls) else []
    other += ["image"] if not _is_from(component.image, pinned.image) else []
    other += ["weights"] if not _are_weights(component, pinned.weights) else []
    yield from _contract_differences(component, pinned, release, files)
    if tuple(filter(is_image, inputs)) != image_inputs(name, component):
        yield f"its inputs name other weights than {path} {at}"
    if other:
        yield f"{', '.join(other)} {'is' if len(other) == 1 else 'are'} not as in {path} {at}"


def _contract_differences(component: Component, pinned: Pinned, release: Release, files: Files) -> Iterator[str]:
    """Its contract and use files are those of the commit, and its inputs are these and what they refer to."""
    name, at = component.name, f"at {release.commit[:10]}"
    inputs = {item.path for item in release.inputs.get(name, ()) if item.kind is InputKind.CONTRACT}
    own: dict[str, Digest | None] = {component_path(name, component.contract): pinned.contract}
    own |= {component_path(name, path): pinned.calls.get(callee) for callee, path in component.calls.items()}
    if any(digest_of(files.get(path, b"")) != digest for path, digest in own.items()):
        yield f"its contract digests are not those of the files {at}"
        return
    try:
        wanted = closure(own, files)
    except LockstepError as error:
        yield f"its contracts {at} cannot be read: {error}"
        return
    if inputs != wanted:
        yield f"its contracts {at} refer to other files than its inputs: {', '.join(sorted(inputs ^ wanted))}"


def _other_builder(name: ComponentName, release: Release, bundle: Bundle, source: Snapshot) -> Iterator[str]:
    """A sentence, if the release says of who builds the image something else than the commit."""
    path = component_path(name, "component.yaml")
    try:
        component = parse_component(source.files.get(path, b"").decode(), path, name)
    except (LockstepError, UnicodeDecodeError):
        return  # it is said already
    if tuple(filter(is_built, release.inputs.get(name, ()))) != built_inputs(name, component, bundle):
        yield f"its inputs say another builder or other build arguments than {path} at {release.commit[:10]}"


def _is_from(said: Image | None, pinned: PinnedImage | None) -> bool:
    """Whether a pinned image is of the kind that component.yaml says: none, that third-party one, or built here."""
    if said is None or pinned is None:
        return said is None and pinned is None
    if said.reference is not None:
        return pinned == PinnedImage(reference=said.reference)
    return bool(said.code) == (pinned.code is not None)


def _are_weights(component: Component, pinned: PinnedWeights | None) -> bool:
    """Whether pinned weights are of the kind that component.yaml says: none, that image, or what weights.lock has."""
    if said := component.weights_image:
        return pinned == PinnedWeights(reference=said.image, files=(), path=said.path)
    if pinned is None:
        return not component.pointers
    return bool(component.pointers) and not pinned.is_third_party and not pinned.path


def _lock_differences(name: ComponentName, pinned: Pinned, files: Files, at: str) -> Iterator[str]:
    path = component_path(name, LOCK)
    if not pinned.weights or pinned.weights.is_third_party:
        return
    try:
        lock = parse_lock(files.get(path, b"").decode(), path, name)
    except (LockstepError, UnicodeDecodeError) as error:
        yield f"{path} {at} cannot be read: {error}"
        return
    if (lock.image, lock.files) != (pinned.weights.reference.digest, pinned.weights.files):
        yield f"its weights are not those of {path} {at}"


def _bundle(source: Snapshot) -> Bundle | str:
    try:
        return parse_bundle(source.files.get(BUNDLE, b"").decode(), BUNDLE)
    except (LockstepError, UnicodeDecodeError) as error:
        return str(error)


def _wrong(filed: Filed, what: str, name: str = "") -> Finding:
    return Finding("release/source", filed.path, what, f"git log -- {filed.path}", name)
