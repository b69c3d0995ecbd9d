"""Weights: the DVC pointers that people commit, and weights.lock, which says by sha256 what they point to.

A pointer names bytes by md5, in a format that DVC owns; only what can be hashed again is accepted. The lock
is written by one pass over the bytes, and from then on plan and release read the lock and never the bytes.

Source: DVC 3.x, documentation of .dvc files, checked against the code.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, model_validator

from lockstep.core.document import Document, format_yaml, parse_authored, parse_canonical
from lockstep.core.errors import Finding, Refused, refuse_if
from lockstep.core.model import Value, dump, load
from lockstep.core.names import Digest, DvcMd5

SCHEMA: Literal["lockstep.dev/weights/v1"] = "lockstep.dev/weights/v1"
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
# At the top of a Linux system. Source: Filesystem Hierarchy Standard 3.0, section 3, and what containers add.
_SYSTEM = {
    *("bin", "boot", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "media", "mnt", "opt", "proc", "root"),
    *("run", "sbin", "srv", "sys", "tmp", "usr", "var", "app", "lockstep", "lost+found"),
}
_POINTER_FIELDS = {"outs", "meta", "desc", "md5", "frozen"}
_OUT_FIELDS = {
    "md5",
    "hash",
    "size",
    "path",
    "isexec",
    "desc",
    "type",
    "labels",
    "meta",
    "remote",
    "persist",
    "push",
}


class WeightsFile(Value):
    """One file of weights.

    Args:
        path: The pointer's path in the component, such as weights/ocr.npz.dvc.
        name: The file's path in the image, such as ocr.npz.
        md5: Of the file's bytes; as in the pointer.
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
    """What weights.lock says: the digest of the weights image's manifest, and its files sorted by path."""

    image: Digest
    files: tuple[WeightsFile, ...]

    @model_validator(mode="after")
    def _is_canonical(self) -> WeightsLock:
        names = [file.name for file in self.files]
        if (
            not self.files
            or list(self.files) != sorted(self.files, key=lambda file: file.path)
            or len(set(names)) < len(names)
        ):
            raise ValueError("a lock has one file or more, sorted by path, each name once")
        return self


@dataclass(frozen=True)
class Pointer:
    """What a .dvc file points to.

    Args:
        path: Of the .dvc file in the component, such as weights/ocr.npz.dvc.
        name: Of the file in the weights image: its path below weights/.
        md5: Of the file's bytes.
        size: Bytes of the file.
        remote: Name of the DVC remote if the pointer names one; empty for the default one.
        where: file:line of the md5, for errors.
    """

    path: str
    name: str
    md5: DvcMd5
    size: int
    remote: str
    where: str


def parse_pointer(text: str, path: str, component: str) -> Pointer:
    """The pointer that a .dvc file holds. Scalars are read as strings: an md5 of digits alone stays one.

    Args:
        text: The file's text.
        path: Its path in the component.
        component: The component's name; errors show `components/<component>/<path>`.

    Raises:
        InvalidDocument: not YAML; with file:line.
        Refused: it points to something that cannot be hashed again, or is not understood; every problem, with
            its fix.
    """
    document = parse_authored(text, f"components/{component}/{path}")
    out, found = _out(document, component)
    found += _out_findings(out, document, component) if out else []
    refuse_if(found, f"{document.name} cannot be locked")
    folder = posixpath.dirname(path).removeprefix("weights").removeprefix("/")
    return Pointer(
        path=path,
        name=posixpath.join(folder, out["path"]),
        md5=DvcMd5(out["md5"]),
        size=int(out["size"]),
        remote=out.get("remote") or "",
        where=document.where(("outs", 0, "md5")),
    )


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
    locked = {file.path: file for file in lock.files}
    found = [_stale(where, f"{path} is locked but is no longer a weight of the component", component)
             for path in locked.keys() - pointed.keys()]  # fmt: skip
    for path, pointer in pointed.items():
        if path not in locked:
            found.append(_stale(pointer.where, f"{path} is not in weights.lock", component))
        elif what := _difference(locked[path], pointer):
            found.append(_stale(pointer.where, what, component))
    return tuple(sorted(found))


def _difference(file: WeightsFile, pointer: Pointer) -> str:
    if file.md5 != pointer.md5:
        return f"{pointer.path} says md5 {pointer.md5}, weights.lock says {file.md5}"
    if file.size != pointer.size:
        return f"{pointer.path} says {pointer.size} bytes, weights.lock says {file.size}"
    return "" if file.name == pointer.name else f"{pointer.path} names {pointer.name}, weights.lock says {file.name}"


def _command(component: str) -> str:
    return f"lockstep weights lock {component}"


def _stale(where: str, what: str, component: str) -> Finding:
    return Finding("weights/stale", where, what, _command(component), component)


def _out(document: Document, component: str) -> tuple[dict[str, Any], list[Finding]]:
    """The only output of a pointer, empty if there is not one; and what is wrong outside it."""
    data = document.data if isinstance(document.data, Mapping) else {}
    found = []
    if "deps" in data:
        what = "made by `dvc import`: its bytes are not in your own DVC remote"
        found.append(_refusal(document, ("deps",), what, "copy the file here and run `dvc add` on it", component))
    found += [_unknown(document, (key,), component) for key in data.keys() - _POINTER_FIELDS - {"deps"}]
    outs = data.get("outs")
    if not isinstance(outs, list) or len(outs) != 1 or not isinstance(outs[0], Mapping):
        count = len(outs) if isinstance(outs, list) else 0
        what = f"{count} outputs; a pointer of weights has one"
        found.append(_refusal(document, ("outs",), what, "run `dvc add FILE` once per file", component))
        return {}, found
    return dict(outs[0]), found


def _out_findings(out: dict[str, Any], document: Document, component: str) -> list[Finding]:
    """What is wrong with the one output."""
    again = f"run `dvc add {out.get('path') or 'FILE'}` with DVC 3"
    md5, size, name = str(out.get("md5") or ""), str(out.get("size") or ""), str(out.get("path") or "")
    found = [_unknown(document, ("outs", 0, key), component) for key in out.keys() - _OUT_FIELDS - {"nfiles"}]

    def refuse(key: str, what: str, fix: str) -> None:
        found.append(_refusal(document, ("outs", 0, key), what, fix, component))

    if md5.endswith(".dir") or "nfiles" in out:
        refuse(
            "md5",
            "a directory; a lock lists single files for now",
            f"run `dvc remove` on it, then `dvc add` each file of {name}",
        )
        return found
    if out.get("hash") != "md5":
        found_hash = out.get("hash") or "absent"
        refuse(
            "hash",
            f"hash: {found_hash}; DVC 2 changed line ends before it hashed: no proof of the bytes",
            again,
        )
    if not DvcMd5.pattern.fullmatch(md5):
        refuse("md5", f"{md5 or 'no value'} is not an md5; a good one: {DvcMd5.example}", again)
    if not _SIZE.fullmatch(size):
        refuse("size", f"{size or 'no value'} is not a size in bytes", again)
    if not name or "/" in name or name in {".", ".."}:
        refuse(
            "path",
            f"{name or 'no value'} is not a file beside its pointer",
            "keep each .dvc file beside the file that it points to",
        )
    return found


def _unknown(document: Document, path: tuple[str | int, ...], component: str) -> Finding:
    fix = "remove it, or run `dvc add` again with a plain remote"
    return _refusal(document, path, f"field `{path[-1]}` is not understood here", fix, component)


def _refusal(document: Document, path: tuple[str | int, ...], what: str, fix: str, component: str) -> Finding:
    return Finding("weights/pointer", document.where(path), what, fix, component)
