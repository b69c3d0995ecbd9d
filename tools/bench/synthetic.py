"""`python -m bench.synthetic FOLDER FILES MEGABYTES`: a monorepo with one release, made without building anything.

Weights are pointers and locks alone: no byte of them exists, and a plan needs none. In a program of its own, so that
what it imports is not counted as memory of what is measured.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from lockstep.adapters import process
from lockstep.core.edits import Edit
from lockstep.core.names import ComponentName, Digest, DvcMd5, GitSha, ImageRef, digest_of
from lockstep.core.release import (
    BumpSaid,
    LayerRef,
    Pinned,
    PinnedImage,
    PinnedWeights,
    Release,
    Runtime,
    format_release,
)
from lockstep.core.source import TEMPLATES, Source, component_path, load_source
from lockstep.core.version import Bump, Version
from lockstep.core.weights import WeightsFile, WeightsLock, format_lock
from lockstep.oci.weights import weights_image
from lockstep.verbs.init import SCAFFOLD
from lockstep.verbs.workspace import Workspace, files_below, open_workspace, release_path

COMPONENTS, SHARDS, PER_FOLDER = 50, 8, 100
_VERSION = Version("1.0.0")
_BUNDLE = """name: monorepo
entry: c00
lines: [main]
environments:
  staging: {}
"""
_COMPONENT = """name: NAME
description: One of many.
owner: bench
image: {dockerfile: Dockerfile, code: [src]}
command: [python3, -m, NAME]
prompts: [prompts/ask.prompt]
contract: contract/openapi.yaml
"""
_ENTRY = "gate: {command: [python3, -m, c00.gate], deadline: 30}\n"


def main() -> None:
    """Makes the repository, checks it out and commits its release."""
    folder, files, megabytes = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    folder.mkdir(parents=True)
    process.checked(["git", "init", "-q", "-b", "main"], folder=folder)
    stream = b"".join(_commit({**_shared(), **_code(files), **_models(megabytes * 1_000_000)}))
    process.checked(["git", "fast-import", "--quiet", "--done"], folder=folder, stdin=stream)
    process.checked(["git", "reset", "-q", "--hard"], folder=folder)
    workspace = open_workspace(folder)
    edit = Edit(release_path(_VERSION), None, format_release(_release(workspace)).encode())
    workspace.branch.commit((edit,), "release 1.0.0", workspace.state.commit)


def _names() -> list[ComponentName]:
    return [ComponentName(f"c{number:02}") for number in range(COMPONENTS)]


def _commit(files: Mapping[str, bytes]) -> Iterator[bytes]:
    """One commit in the form of git-fast-import(1)."""
    yield b"commit refs/heads/main\ncommitter bench <bench@bench.test> 0 +0000\ndata 5\nfirst\n"
    for path, data in files.items():
        yield b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data)
    yield b"done\n"


def _shared() -> dict[str, bytes]:
    """What every bundle has: lockstep.yaml and charts."""
    charts = SCAFFOLD / "charts"
    found = {path.relative_to(charts): path.read_bytes() for path in charts.rglob("*") if path.is_file()}
    ignored = {".gitignore": b"/.lockstep/\n", "lockstep.yaml": _BUNDLE.encode()}
    return {**ignored, **{f"charts/{path.as_posix()}": data for path, data in found.items()}}


def _code(files: int) -> dict[str, bytes]:
    """Code files, spread evenly; each differs."""
    names = _names()
    numbers = ((names[number % COMPONENTS], number // COMPONENTS) for number in range(files))
    return {
        component_path(name, f"src/{name}/part{index // PER_FOLDER}/file{index}.py"): f"{name} = {index}\n".encode()
        for name, index in numbers
    }


def _models(size: int) -> dict[str, bytes]:
    """component.yaml, prompt, contract, pointers and lock of each; the first calls the next three."""
    found: dict[str, bytes] = {}
    names = _names()
    for name in names:
        lock = _lock(name, size) if name != names[0] else None
        calls = names[1:4] if name == names[0] else []
        own = {"component.yaml": _component(name, lock, calls), "Dockerfile": b"FROM scratch AS runtime\n"}
        own |= {"prompts/ask.prompt": b"Answer.\n", "contract/openapi.yaml": b"openapi: 3.1.0\n"}
        own |= {f"contract/uses/{callee}.yaml": b"openapi: 3.1.0\n" for callee in calls}
        if lock:
            own["weights.lock"] = format_lock(lock, name).encode()
            own |= {file.path: _pointer(file) for file in lock.files}
        found |= {component_path(name, path): data for path, data in own.items()}
    return found


def _component(name: ComponentName, lock: WeightsLock | None, calls: list[ComponentName]) -> bytes:
    text = _COMPONENT.replace("NAME", name) + ("" if lock else _ENTRY)
    text += f"calls: {{{', '.join(f'{callee}: contract/uses/{callee}.yaml' for callee in calls)}}}\n"
    return (text + f"weights: [{', '.join(file.path for file in lock.files) if lock else ''}]\n").encode()


def _lock(name: ComponentName, size: int) -> WeightsLock:
    """Digests of nothing: they only have to be well formed and to agree with the pointers."""
    files = tuple(
        WeightsFile(
            path=f"weights/shard{shard}.bin.dvc",
            name=f"shard{shard}.bin",
            md5=DvcMd5(hashlib.md5(f"{name} {shard}".encode(), usedforsecurity=False).hexdigest()),
            size=size,
            sha256=_made_up(name, shard, "file"),
            layer=_made_up(name, shard, "layer"),
        )
        for shard in range(SHARDS)
    )
    return WeightsLock(image=weights_image(files).digest, files=files)


def _pointer(file: WeightsFile) -> bytes:
    return f"outs:\n- md5: {file.md5}\n  size: {file.size}\n  hash: md5\n  path: {file.name}\n".encode()


def _made_up(*parts: object) -> Digest:
    return digest_of(repr(parts).encode())


def _release(workspace: Workspace) -> Release:
    """A release of HEAD whose images were never made."""
    commit = workspace.repository.resolve("HEAD")
    tree = workspace.repository.tree(GitSha(str(commit)))
    source = load_source(tree)
    templates = files_below(tree, TEMPLATES)
    return Release(
        version=_VERSION,
        commit=tree.commit,
        entry=source.bundle.entry,
        base=None,
        bump=BumpSaid(required=Bump.NONE, chosen=Bump.NONE),
        platform=source.bundle.platform,
        templates={name: digest_of(data) for name, data in sorted(templates.items())},
        components={name: _pinned(source, name) for name in sorted(source.components)},
        inputs={name: source.inputs[name] for name in sorted(source.inputs)},
        changes=(),
    )


def _pinned(source: Source, name: ComponentName) -> Pinned:
    component, lock = source.components[name], source.locks.get(name)
    weights = PinnedWeights(reference=ImageRef(f"{name}-weights@{lock.image}"), files=lock.files) if lock else None
    runtime = Runtime(inputs=_made_up(name, "inputs"), builder="bench", layers=())
    image = PinnedImage(
        reference=ImageRef(f"{name}@{_made_up(name)}"),
        runtime=runtime,
        code=LayerRef(digest=_made_up(name, "code"), size=1),
    )
    return Pinned(
        kind=component.kind,
        image=image,
        command=component.command,
        port=component.port,
        weights=weights,
        prompts={"ask.prompt": "Answer.\n"},
        contract=digest_of(b"openapi: 3.1.0\n"),
        calls={callee: digest_of(b"openapi: 3.1.0\n") for callee in component.calls},
        config=component.config,
        secrets=component.secrets,
        resources=component.resources,
        replicas=component.replicas,
        autoscale=component.autoscale,
        grace=component.grace,
        probes=component.probes,
        gate=component.gate,
    )


if __name__ == "__main__":
    main()
