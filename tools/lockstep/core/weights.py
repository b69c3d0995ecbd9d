"""weights.lock: what the DVC pointers of a component mean, by sha256.

It is written by one pass over the bytes, and from then on plan and release read the lock and never the bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import Field, model_validator

from lockstep.core.document import Document, format_yaml, parse_canonical
from lockstep.core.errors import Finding, Refused
from lockstep.core.model import Value, dump, load
from lockstep.core.names import Digest, DvcMd5
from lockstep.core.pointer import Pointer, folder_md5

SCHEMA: Literal["lockstep.dev/weights/v1"] = "lockstep.dev/weights/v1"
# At the top of a Linux system. Source: Filesystem Hierarchy Standard 3.0, section 3, and what containers add.
_SYSTEM = {
    *("bin", "boot", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "media", "mnt", "opt", "proc", "root"),
    *("run", "sbin", "srv", "sys", "tmp", "usr", "var", "app", "lockstep", "lost+found"),
}


class WeightsFile(Value):
    """One file of weights.

    Args:
        path: The pointer's path in the component, such as weights/ocr.npz.dvc; the files of a folder share it.
        name: The file's path in the image, such as ocr.npz.
        md5: Of the file's bytes; as in the pointer, or in DVC's list of the folder.
        size: Bytes of the file.
        sha256: Of the file's bytes.
        layer: Digest of the layer that holds it.
    """

    path: str
    name: str
    md5: DvcMd5
    size: int = Field(ge=0)
    sha256: Digest
    layer: Digest


class WeightsLock(Value):
    """What weights.lock says: the digest of the weights image's manifest, and its files sorted by path and name."""

    image: Digest
    files: tuple[WeightsFile, ...]

    @model_validator(mode="after")
    def _is_canonical(self) -> WeightsLock:
        names = [file.name for file in self.files]
        if (
            not self.files
            or list(self.files) != sorted(self.files, key=lambda file: (file.path, file.name))
            or len(set(names)) < len(names)
        ):
            raise ValueError("a lock has one file or more, sorted by path and name, each name once")
        return self


def parse_lock(text: str, name: str, component: str = "") -> WeightsLock:
    """The lock that format_lock wrote.

    Raises:
        InvalidDocument: not YAML; with file:line.
        Refused: another schema, an unknown field or a value of the wrong form; every problem with its line.
    """
    document = parse_canonical(text, name)
    data = document.data if isinstance(document.data, dict) else {}
    if data.get("schema") != SCHEMA:
        what = f"schema is {data.get('schema')!r}, this Lockstep reads {SCHEMA!r}"
        raise Refused(f"{name} is not valid", [_stale(document.where(("schema",)), what, component)])
    rest = {key: value for key, value in data.items() if key != "schema"}
    return load(WeightsLock, Document(name, rest, document.lines), rule="weights/lock", component=component)


def format_lock(lock: WeightsLock, component: str) -> str:
    """The canonical text of weights.lock; equal locks give equal bytes."""
    head = f"# written by lockstep; do not edit, run: {_command(component)}\n"
    return head + format_yaml({"schema": SCHEMA, **dump(lock)})


def top_names(files: Iterable[WeightsFile]) -> tuple[str, ...]:
    """The files and folders that stand at the top of the image of these files, sorted."""
    return tuple(sorted({file.name.partition("/")[0] for file in files}))


def fit_a_system(files: Iterable[WeightsFile]) -> bool:
    """Whether these files can lie in an image beside a system: none of them has the name of one of its folders."""
    return _SYSTEM.isdisjoint(top_names(files))


def stale(component: str, lock: WeightsLock | None, pointers: Iterable[Pointer]) -> tuple[Finding, ...]:
    """Where the lock does not say what the pointers say; empty if it is up to date. Compares, reads no
    weights.

    Args:
        component: The component's name.
        lock: None if there is no weights.lock.
        pointers: Of every .dvc file that component.yaml lists.
    """
    where = f"components/{component}/weights.lock"
    pointed = {pointer.path: pointer for pointer in pointers}
    if lock is None:
        return (_stale(where, "there is no weights.lock", component),) if pointed else ()
    locked: dict[str, list[WeightsFile]] = {}
    for file in lock.files:
        locked.setdefault(file.path, []).append(file)
    found = [_stale(where, f"{path} is locked but is no longer a weight of the component", component)
             for path in locked.keys() - pointed.keys()]  # fmt: skip
    for path, pointer in pointed.items():
        if path not in locked:
            found.append(_stale(pointer.where, f"{path} is not in weights.lock", component))
        elif what := _difference(locked[path], pointer):
            found.append(_stale(pointer.where, what, component))
    return tuple(sorted(found))


def beside_an_image(component: str) -> Finding:
    """What is wrong with a weights.lock where the weights are an image already: it would say what nobody mounts."""
    path = f"components/{component}/weights.lock"
    what = "a weights.lock, but component.yaml names an image as the weights; its digest alone says what they are"
    return Finding("weights/image", path, what, f"git rm {path}, then commit", component)


def too_large(component: str, sizes: Iterable[tuple[str, int]], limit: int | None) -> tuple[Finding, ...]:
    """The layers that the bundle's registry will not take; none where it is not said what it takes.

    Args:
        component: The component's name.
        sizes: What a layer is of, and its bytes.
        limit: Bytes, from `largest_layer` of lockstep.yaml.
    """
    fix = "split the file (safetensors shards, a folder of parts), or choose a registry that takes it (`registry:`)"
    return tuple(
        Finding(
            "weights/layer",
            "lockstep.yaml",
            f"{name} is a layer of {size:,} bytes, the registry takes {limit:,} at most (`largest_layer`)",
            fix,
            component,
        )
        for name, size in sorted(sizes)
        if limit is not None and size > limit
    )


def _difference(files: list[WeightsFile], pointer: Pointer) -> str:
    """How what is locked for a pointer differs from what it says: by md5, which is that of the list for a folder."""
    first, size = files[0], sum(file.size for file in files)
    name, md5 = first.name, first.md5
    if pointer.is_folder:
        name = pointer.name if all(file.name.startswith(f"{pointer.name}/") for file in files) else first.name
        md5 = folder_md5((file.name.removeprefix(f"{pointer.name}/"), file.md5) for file in files)
    elif len(files) > 1:
        return f"{pointer.path} names one file, weights.lock has {len(files)}"
    if md5 != pointer.md5:
        return f"{pointer.path} says md5 {pointer.md5}, weights.lock says {md5}"
    if size != pointer.size:
        return f"{pointer.path} says {pointer.size} bytes, weights.lock says {size}"
    return "" if name == pointer.name else f"{pointer.path} names {pointer.name}, weights.lock says {name}"


def _command(component: str) -> str:
    return f"lockstep weights lock {component}"


def _stale(where: str, what: str, component: str) -> Finding:
    return Finding("weights/stale", where, what, _command(component), component)
