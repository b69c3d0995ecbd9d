"""The bundle as one commit has it: components, what each is made of, weights locks. Reads small files only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lockstep.core.bundle import Bundle, call_findings, parse_bundle
from lockstep.core.component import Component, Kind, parse_component
from lockstep.core.context import Context, built_inputs, context_inputs, contexts_of, is_built
from lockstep.core.contract.referred import referred_inputs
from lockstep.core.document import InvalidDocument, format_json
from lockstep.core.errors import Finding, Refused, UsageError, refuse_if
from lockstep.core.inputs import Calls, Change, Input, InputKind, Inputs
from lockstep.core.names import ComponentName, GitOid, blob_oid
from lockstep.core.pointer import parse_pointer
from lockstep.core.tree import Tree, TreeEntry
from lockstep.core.weights import WeightsLock, beside_an_image, parse_lock, stale

TEMPLATES = "charts/objects"
CHART = "charts/environment"
LOCK = "weights.lock"
_PLATFORM = "lockstep.yaml platform"
_WEIGHTS = "component.yaml weights"  # and after a blank the folder of the image, if one is named
_SYMLINK = "120000"


@dataclass(frozen=True)
class Source:
    """Everything that a release is made from, by Git ids.

    Args:
        bundle: lockstep.yaml.
        components: Every component.yaml, by name.
        inputs: What each component is made of, sorted by kind and path.
        locks: weights.lock of every component whose weights are DVC pointers.
        contexts: What Docker builds a component from, where it does.
    """

    bundle: Bundle
    components: Mapping[ComponentName, Component]
    inputs: Inputs
    locks: Mapping[ComponentName, WeightsLock]
    contexts: Mapping[ComponentName, Context]

    @property
    def calls(self) -> Calls:
        """Who calls whom."""
        return {name: tuple(sorted(component.calls)) for name, component in self.components.items()}


def load_bundle(tree: Tree) -> Bundle:
    """lockstep.yaml of a commit.

    Raises:
        UsageError: the commit has none.
        Refused, InvalidDocument: it is not valid.
    """
    found = tree.read(["lockstep.yaml"])
    if not found:
        raise UsageError(
            "the commit has no lockstep.yaml", where="lockstep.yaml", fix="git add lockstep.yaml && git commit"
        )
    return parse_bundle(found["lockstep.yaml"].decode(), "lockstep.yaml")


def load_source(tree: Tree) -> Source:
    """The bundle at a commit. Its cost follows the number of components, not of files or bytes; where Docker
    builds, also that of files in the component's folder.

    Raises:
        Refused: everything that is wrong in any component, at once.
    """
    bundle = load_bundle(tree)
    components = load_components(tree)
    refuse_if(call_findings(bundle.entry, components), "the components do not fit together")
    entries = tree.look(
        [path for name, component in components.items() for path in paths_of(name, component)]
        + [component_path(name, LOCK) for name, component in components.items() if component.weights_image]
        + [TEMPLATES]
    )
    refuse_if(
        [finding for name, component in components.items() for finding in _path_findings(name, component, entries)],
        "some files that components name are not in the commit",
    )
    contexts = contexts_of(tree, bundle, components)
    given, referred = context_inputs(tree, contexts), referred_inputs(tree, _contract_paths(components))
    inputs = {
        name: _inputs(name, component, bundle, entries, (*given.get(name, ()), *referred.get(name, ())))
        for name, component in components.items()
    }
    return Source(bundle, components, inputs, _locks(tree, components), contexts)


def component_path(name: str, path: str) -> str:
    """The bundle path of a component's file."""
    return f"components/{name}/{path}"


def load_components(tree: Tree) -> dict[ComponentName, Component]:
    """Every component.yaml of a tree, by name.

    Raises:
        Refused: everything that is wrong in any of them, at once; or there is none.
    """
    folders = [entry.path.rpartition("/")[2] for entry in tree.names("components") if entry.mode == "040000"]
    files = tree.read([component_path(folder, "component.yaml") for folder in folders])
    found: dict[ComponentName, Component] = {}
    findings: list[Finding] = []
    for path, data in sorted(files.items()):
        folder = path.split("/")[1]
        try:
            component = parse_component(data.decode(), path, folder)
            found[component.name] = component
        except Refused as error:
            findings += error.findings
        except InvalidDocument as error:
            findings.append(Finding("component/yaml", error.where, str(error), error.fix, folder))
        except UnicodeDecodeError as error:
            findings.append(Finding("component/yaml", path, f"not UTF-8: {error}", "save the file as UTF-8", folder))
    findings += _same_names(files)
    if not found and not findings:
        findings.append(
            Finding(
                "bundle/empty",
                "components/",
                "there is no component",
                "create components/<name>/component.yaml, or start with: lockstep init my-bundle",
            )
        )
    refuse_if(findings, "some components are not valid")
    return found


def _same_names(files: Mapping[str, bytes]) -> Iterator[Finding]:
    """Two folders whose component.yaml say the same name (each differs from its folder too; this says which two)."""
    seen: dict[bytes, str] = {}
    for path, data in sorted(files.items()):
        line = next((line.strip() for line in data.splitlines() if line.startswith(b"name:")), b"")
        if line and line in seen:
            yield Finding(
                "component/twice",
                path,
                f"`{line.decode(errors='replace')}` is also the name in {seen[line]}",
                "give one of the two another name (and folder)",
                path.split("/")[1],
            )
        seen.setdefault(line, path)


def paths_of(name: ComponentName, component: Component) -> dict[str, InputKind]:
    """Bundle paths of everything that a component is made of, and their kinds."""
    image = component.image
    own = {"component.yaml": InputKind.CONFIG, component.contract: InputKind.CONTRACT}
    own |= dict.fromkeys(component.calls.values(), InputKind.CONTRACT) | dict.fromkeys(
        component.prompts, InputKind.PROMPT
    )
    own |= dict.fromkeys((*component.pointers, *((LOCK,) if component.pointers else ())), InputKind.WEIGHTS)
    if image:
        own |= {path: InputKind.RUNTIME for path in (image.dockerfile, image.requirements) if path}
        own |= dict.fromkeys(image.code, InputKind.CODE)
    return {component_path(name, path): kind for path, kind in own.items()}


def _contract_paths(components: Mapping[ComponentName, Component]) -> dict[ComponentName, tuple[str, ...]]:
    return {
        name: tuple(path for path, kind in paths_of(name, component).items() if kind is InputKind.CONTRACT)
        for name, component in components.items()
    }


def _path_findings(name: ComponentName, component: Component, entries: Mapping[str, TreeEntry]) -> Iterator[Finding]:
    own = component_path(name, "component.yaml")
    for path in paths_of(name, component):
        if path.endswith(f"/{LOCK}") and path not in entries:
            yield Finding(
                "weights/lock",
                path,
                "there is no weights.lock for the weights of this component",
                f"lockstep weights lock {name}, then commit it",
                name,
            )
        elif path not in entries:
            yield Finding(
                "component/path",
                own,
                f"`{path}` is not in the commit",
                f"git add {path} && git commit, or correct the path",
                name,
            )
        elif entries[path].mode == _SYMLINK:
            yield Finding(
                "component/symlink",
                path,
                "a symlink; what it points at is not pinned by it",
                "put the file itself there",
                name,
            )
    if component.weights_image and component_path(name, LOCK) in entries:
        yield beside_an_image(name)
    if TEMPLATES not in entries:
        yield Finding(
            "bundle/templates",
            TEMPLATES,
            "the object templates are missing",
            "git checkout a commit that has them, or copy them from lockstep init",
            name,
        )


def _inputs(
    name: ComponentName,
    component: Component,
    bundle: Bundle,
    entries: Mapping[str, TreeEntry],
    beside: tuple[Input, ...],
) -> tuple[Input, ...]:
    found = [Input(kind=kind, path=path, oid=entries[path].oid) for path, kind in paths_of(name, component).items()]
    if component.kind is Kind.SERVICE:
        found.append(Input(kind=InputKind.CHART, path=TEMPLATES, oid=entries[TEMPLATES].oid))
    if component.image and component.image.reference is None:
        platform = format_json(bundle.platform.identity).encode()
        found.append(Input(kind=InputKind.RUNTIME, path=_PLATFORM, oid=blob_oid(platform)))
    found += [item for item in beside if item not in found]
    found += [*built_inputs(name, component, bundle), *image_inputs(name, component)]
    return tuple(sorted(found, key=lambda entry: (entry.kind, entry.path)))


def image_inputs(name: ComponentName, component: Component) -> tuple[Input, ...]:
    """The input that stands for weights that are an image already: its path names the folder in it, its id is the
    image's digest; so another digest or folder is a change of weights, and another registry of the same is none.
    """
    if component.weights_image is None:
        return ()
    path = f"{component_path(name, _WEIGHTS)} {component.weights_image.path}".rstrip()
    return (Input(kind=InputKind.WEIGHTS, path=path, oid=GitOid(component.weights_image.image.digest.hex)),)


def is_image(item: Input | Change) -> bool:
    """Whether an input, or a change of one, is weights that are an image already."""
    own = component_path(item.path.removeprefix("components/").partition("/")[0], _WEIGHTS)
    return item.kind is InputKind.WEIGHTS and (item.path == own or item.path.startswith(f"{own} "))


def is_file(item: Input) -> bool:
    """Whether an input is a file or folder of the commit: not the platform or how Docker builds, which are parts
    of one, and no image.
    """
    return item.path != _PLATFORM and not is_built(item) and not is_image(item)


def _locks(tree: Tree, components: Mapping[ComponentName, Component]) -> dict[ComponentName, WeightsLock]:
    """weights.lock of every component with pointers, compared with its pointers; all that is stale is said at once."""
    weighty = {name: component for name, component in components.items() if component.pointers}
    files = tree.read(
        [component_path(name, path) for name, component in weighty.items() for path in (*component.pointers, LOCK)]
    )
    locks: dict[ComponentName, WeightsLock] = {}
    findings: list[Finding] = []
    for name, component in weighty.items():
        own = component_path(name, LOCK)
        try:
            pointers = [
                parse_pointer(files[component_path(name, path)].decode(), path, name) for path in component.pointers
            ]
            locks[name] = parse_lock(files[own].decode(), own, name)
            findings += stale(name, locks[name], pointers)
        except Refused as error:
            findings += error.findings
        except InvalidDocument as error:
            findings.append(Finding("weights/yaml", error.where, str(error), error.fix, name))
    refuse_if(findings, "some weights are not locked")
    return locks
