"""What `docker build` gets of a component: the files that are for the image, told by Git ids. Prompts, weights, the
contract and appended code are not: none of them may start a build.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from lockstep.core.builder import Builder
from lockstep.core.bundle import Bundle
from lockstep.core.component import Component
from lockstep.core.dockerfile import RUNTIME_STAGE, dockerfile_findings, parse_dockerfile, stand_in
from lockstep.core.dockerignore import is_ignored, parse_ignore
from lockstep.core.document import format_json
from lockstep.core.errors import Finding, Refused
from lockstep.core.inputs import Change, Input, InputKind
from lockstep.core.names import ComponentName, blob_oid
from lockstep.core.tree import Tree, TreeEntry

IGNORE = ".dockerignore"
_LOCK = "weights.lock"
_SUBMODULE = "160000"
_IMAGE = "component.yaml image"


@dataclass(frozen=True)
class Context:
    """What the image of one component is built from.

    Args:
        files: Every file, by its path below the component's folder.
        places: Bundle paths of files, and of folders that belong to it whole, which together are these files.
        dockerfile: Path of the Dockerfile there.
        target: The stage to build; empty for the last one.
        arguments: Build arguments, without BASE_IMAGE.
    """

    files: Mapping[str, TreeEntry]
    places: tuple[str, ...]
    dockerfile: str
    target: str
    arguments: Mapping[str, str]


def builder_of(bundle: Bundle, component: Component) -> Builder | None:
    """Who makes the component's runtime; None where nothing is built."""
    image = component.image
    return (image.builder or bundle.builder) if image and image.reference is None else None


def contexts_of(
    tree: Tree, bundle: Bundle, components: Mapping[ComponentName, Component]
) -> dict[ComponentName, Context]:
    """What every component that Docker builds is built from.

    Raises:
        Refused: every problem of a Dockerfile or .dockerignore.
    """
    chosen = {name: one for name, one in components.items() if builder_of(bundle, one) is Builder.DOCKER}
    if not chosen:
        return {}
    folders = {name: f"components/{name}/" for name in chosen}
    files = tree.below([folder.rstrip("/") for folder in folders.values()])
    texts = tree.read([folders[name] + path for name, one in chosen.items() for path in (IGNORE, _dockerfile(one))])
    found: dict[ComponentName, Context] = {}
    findings: list[Finding] = []
    for name, component in chosen.items():
        own = folders[name]
        listed = {entry.path.removeprefix(own): entry for entry in files if entry.path.startswith(own)}
        try:
            found[name] = _context(component, listed, texts.get(own + IGNORE, b"").decode())
            text = texts.get(own + _dockerfile(component), b"").decode()
        except ValueError as error:
            findings.append(Finding("component/ignore", own + IGNORE, str(error), "correct the line", name))
            continue
        findings += _findings(bundle, component, text)
    if findings:
        raise Refused("some images cannot be built with Docker", findings)
    return found


def context_paths(component: Component, paths: Collection[str], ignore: str) -> tuple[str, ...]:
    """The files that a build gets, of those of the component's folder, sorted; `ignore` is the text of .dockerignore.

    Raises:
        ValueError: a pattern of it means nothing.
    """
    patterns, absent = parse_ignore(ignore), left_out(component)
    return tuple(
        path
        for path in sorted(paths)
        if path == _dockerfile(component)
        or not (any(path == one or path.startswith(f"{one}/") for one in absent) or is_ignored(path, patterns))
    )


def left_out(component: Component) -> tuple[str, ...]:
    """Files and folders of a component that are never for its image."""
    code = component.image.code if component.image else ()
    own = ("component.yaml", IGNORE, _LOCK, "tests", component.contract)
    return (*own, *component.calls.values(), *component.prompts, *component.pointers, *code)


def covering(chosen: Collection[str], every: Collection[str]) -> tuple[str, ...]:
    """The fewest paths that stand for the chosen files and for no other: a folder where all of it is chosen."""
    mixed = {folder for path in every if path not in chosen for folder in _above(path)}
    return tuple(sorted({next((folder for folder in _above(path) if folder not in mixed), path) for path in chosen}))


def context_inputs(tree: Tree, contexts: Mapping[ComponentName, Context]) -> dict[ComponentName, tuple[Input, ...]]:
    """The inputs that are the files of each context: Git ids of files, and of folders that belong to it whole."""
    entries = tree.look([path for context in contexts.values() for path in context.places])
    return {
        name: tuple(Input(kind=InputKind.RUNTIME, path=path, oid=entries[path].oid) for path in context.places)
        for name, context in contexts.items()
    }


def built_inputs(name: ComponentName, component: Component, bundle: Bundle) -> tuple[Input, ...]:
    """The input that stands for how Docker builds the image: what component.yaml and lockstep.yaml say of that."""
    if builder_of(bundle, component) is not Builder.DOCKER or component.image is None:
        return ()
    said = {"args": dict(component.image.args), "builder": Builder.DOCKER, "whole": not component.image.code}
    return (
        Input(kind=InputKind.RUNTIME, path=f"components/{name}/{_IMAGE}", oid=blob_oid(format_json(said).encode())),
    )


def is_built(item: Input | Change) -> bool:
    """Whether an input, or a change of one, is how Docker builds an image, and so no file."""
    return item.kind is InputKind.RUNTIME and item.path.endswith(f"/{_IMAGE}")


def _dockerfile(component: Component) -> str:
    return (component.image.dockerfile if component.image else None) or ""


def _context(component: Component, listed: Mapping[str, TreeEntry], ignore: str) -> Context:
    chosen = context_paths(component, [path for path, one in listed.items() if one.mode != _SUBMODULE], ignore)
    own, image = f"components/{component.name}/", component.image
    return Context(
        files={path: listed[path] for path in chosen},
        places=tuple(own + path for path in covering(set(chosen), listed)),
        dockerfile=_dockerfile(component),
        target=RUNTIME_STAGE if image and image.code else "",
        arguments=dict(image.args) if image else {},
    )


def _findings(bundle: Bundle, component: Component, text: str) -> Iterator[Finding]:
    own = f"components/{component.name}/"
    if not _dockerfile(component):
        what = "its builder is `docker`, and it names no `dockerfile`"
        fix = "add `dockerfile: Dockerfile`, or write `image: {builder: wheels, …}`"
        yield Finding("component/builder", f"{own}component.yaml", what, fix, component.name)
        return
    arguments = stand_in(bundle.platform.base, component.image.args if component.image else {})
    is_whole = not (component.image and component.image.code)
    parsed = parse_dockerfile(text, arguments)
    yield from dockerfile_findings(parsed, own + _dockerfile(component), component.name, is_whole=is_whole)


def _above(path: str) -> tuple[str, ...]:
    """The folders that a file lies in, the uppermost first."""
    parts = path.split("/")
    return tuple("/".join(parts[:depth]) for depth in range(1, len(parts)))
