"""The DVC pointers that people commit: .dvc files, of one file or of one folder.

A pointer names bytes by md5, in a format that DVC owns; only what can be hashed again is accepted: what a remote
says of versions and etags is read by nobody here.

Source: DVC 3.x, documentation of .dvc files, checked against the code and what DVC 3.67 writes.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lockstep.core.document import Document, parse_authored
from lockstep.core.errors import Finding, Refused, refuse_if
from lockstep.core.names import DvcMd5

_FOLDER = ".dir"
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_POINTER_FIELDS = {"outs", "deps", "meta", "desc", "md5", "frozen"}
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
    "cloud",  # of a version-aware remote: where it has the bytes; they are hashed like all others
}


@dataclass(frozen=True)
class Pointer:
    """What a .dvc file points to: a file, or a folder by DVC's list of its files.

    Args:
        path: Of the .dvc file in the component, such as weights/ocr.npz.dvc.
        name: Of the file or folder in the weights image: its path below weights/.
        md5: Of the file's bytes, or of the list's (without DVC's `.dir`).
        size: Bytes of the file, or of all files of the folder.
        remote: Name of the DVC remote if the pointer names one; empty for the default one.
        where: file:line of the md5, for errors.
        is_folder: Whether it is one.
        listed: The files of a folder, where the pointer itself lists them (version-aware remotes).
        is_imported: Whether `dvc import` took it from another repository: DVC neither pushes its bytes nor fetches them
            from here.
    """

    path: str
    name: str
    md5: DvcMd5
    size: int
    remote: str
    where: str
    is_folder: bool = False
    listed: tuple[tuple[str, DvcMd5], ...] = ()
    is_imported: bool = False


def folder_md5(files: Iterable[tuple[str, DvcMd5]]) -> DvcMd5:
    """The md5 by which DVC knows a folder, without its `.dir`.

    Args:
        files: Path below the folder and md5 of each.

    Source: DVC 3.x, dvc-data, hashfile/tree.py: JSON of the sorted list.
    """
    listed = [{"md5": str(md5), "relpath": path} for path, md5 in sorted(files)]
    return DvcMd5(hashlib.md5(json.dumps(listed, sort_keys=True).encode(), usedforsecurity=False).hexdigest())


def parse_folder(data: bytes, folder: Pointer, component: str) -> tuple[tuple[str, DvcMd5], ...]:
    """Path below the folder and md5 of each of its files, sorted, from DVC's list.

    Raises:
        Refused: the bytes are not the list that the pointer names, or it cannot be followed; names the component.
    """
    try:
        found = {str(one["relpath"]): DvcMd5(one["md5"]) for one in json.loads(data)}
    except (ValueError, KeyError, TypeError) as error:
        raise _wrong_list(folder, f"it cannot be read: {error}", component) from error
    return checked_folder(found, folder, component)


def checked_folder(found: Mapping[str, DvcMd5], folder: Pointer, component: str) -> tuple[tuple[str, DvcMd5], ...]:
    """The files of a folder, sorted, once they are known to be those that its pointer names.

    Raises:
        Refused: they are not, or cannot be followed; names the component.
    """
    if not found:
        raise _wrong_list(folder, "it has no file", component)
    for path in found:
        if any(part in {"", ".", ".."} for part in path.split("/")):
            raise _wrong_list(folder, f"it names {path!r}, which leads out of the folder", component)
    if folder_md5(found.items()) != folder.md5:
        what = f"it has the md5 {folder_md5(found.items())}.dir, {folder.path} says {folder.md5}.dir"
        raise _wrong_list(folder, what, component)
    return tuple(sorted(found.items()))


def mending(pointer: Pointer, component: str) -> str:
    """What to do about wrong bytes."""
    path = f"components/{component}/{pointer.path}"
    return (
        f"if they are meant: dvc add {path.removesuffix('.dvc')}; if they are damaged: delete that file, in a "
        f"remote too (DVC pushes over nothing), run `dvc push {path}` where it is whole, then: "
        f"lockstep weights lock {component}"
    )


def added_anew(path: str) -> str:
    """The commands that write a pointer anew. `dvc add` alone keeps what an old one says, and `dvc cache migrate` (seen
    in DVC 3.67) calls the md5 of a text without its carriage returns that of the text.
    """
    file = path.removesuffix(".dvc")
    return f"dvc pull {path} && rm {path} && dvc add {file} && dvc push {path}"


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
    listed, out = _listed(out)
    found += _out_findings(out, document, component) if out else []
    refuse_if(found, f"{document.name} cannot be locked")
    folder = posixpath.dirname(path).removeprefix("weights").removeprefix("/")
    return Pointer(
        path=path,
        name=posixpath.join(folder, out["path"]),
        md5=DvcMd5(out["md5"].removesuffix(_FOLDER)),
        size=int(out["size"]),
        remote=out.get("remote") or "",
        where=document.where(("outs", 0, "files" if listed else "md5")),
        is_folder=out["md5"].endswith(_FOLDER),
        listed=listed,
        is_imported=_is_imported(document),
    )


def _out(document: Document, component: str) -> tuple[dict[str, Any], list[Finding]]:
    """The only output of a pointer, empty if there is not one; and what is wrong outside it."""
    data = document.data if isinstance(document.data, Mapping) else {}
    found = [_unknown(document, (key,), component) for key in data.keys() - _POINTER_FIELDS]
    outs = data.get("outs")
    if not isinstance(outs, list) or len(outs) != 1 or not isinstance(outs[0], Mapping):
        count = len(outs) if isinstance(outs, list) else 0
        what = f"{count} outputs; a pointer of weights has one"
        found.append(_refusal(document, ("outs",), what, "run `dvc add` once for each file or folder", component))
        return {}, found
    return dict(outs[0]), found


def _is_imported(document: Document) -> bool:
    """Whether a dependency lies in another repository; those of `dvc import-url` have none, and are pushed as all
    others.
    """
    data = document.data if isinstance(document.data, Mapping) else {}
    deps = data.get("deps")
    return any("repo" in one for one in deps if isinstance(one, Mapping)) if isinstance(deps, list) else False


def _listed(out: dict[str, Any]) -> tuple[tuple[tuple[str, DvcMd5], ...], dict[str, Any]]:
    """The files that an output lists itself, and the output as if it named DVC's list of them; nothing and the output
    as it is where it lists none, or not each by md5 and size.
    """
    try:
        files = {str(one["relpath"]): (DvcMd5(one["md5"]), int(one["size"])) for one in out["files"]}
    except (KeyError, TypeError, ValueError):
        return (), out
    listed = tuple(sorted((path, md5) for path, (md5, _) in files.items()))
    rest = {key: value for key, value in out.items() if key != "files"}
    return listed, {
        **rest,
        "md5": f"{folder_md5(listed)}{_FOLDER}",
        "size": str(sum(size for _, size in files.values())),
    }


def _out_findings(out: dict[str, Any], document: Document, component: str) -> list[Finding]:
    """What is wrong with the one output."""
    again = added_anew(document.name)
    md5, size, name = str(out.get("md5") or ""), str(out.get("size") or ""), str(out.get("path") or "")
    found = [_unknown(document, ("outs", 0, key), component) for key in out.keys() - _OUT_FIELDS - {"nfiles"}]

    def refuse(key: str, what: str, fix: str) -> None:
        found.append(_refusal(document, ("outs", 0, key), what, fix, component))

    if out.get("hash") != "md5":
        what = f"hash: {out.get('hash') or 'absent'}; DVC 2 changed line ends before it hashed: no proof of the bytes"
        refuse("hash", what, again)
    if not md5 and ("cloud" in out or "files" in out or "deps" in document.data):
        what = "it says where the bytes are and not what they are: there is no md5 to hash them against"
        refuse("files" if "files" in out else "path", what, again)
    elif not DvcMd5.pattern.fullmatch(md5.removesuffix(_FOLDER)):
        refuse("md5", f"{md5 or 'no value'} is not an md5; a good one: {DvcMd5.example}", again)
    if md5 and not _SIZE.fullmatch(size):
        refuse("size", f"{size or 'no value'} is not a size in bytes", again)
    if not name or "/" in name or name in {".", ".."}:
        refuse(
            "path",
            f"{name or 'no value'} is not a file or folder beside its pointer",
            "keep each .dvc file beside what it points to",
        )
    return found


def _unknown(document: Document, path: tuple[str | int, ...], component: str) -> Finding:
    fix = "remove it, or run `dvc add` again with a plain remote"
    return _refusal(document, path, f"field `{path[-1]}` is not understood here", fix, component)


def _refusal(document: Document, path: tuple[str | int, ...], what: str, fix: str, component: str) -> Finding:
    return Finding("weights/pointer", document.where(path), what, fix, component)


def _wrong_list(folder: Pointer, what: str, component: str) -> Refused:
    what = f"DVC's list of {folder.name}: {what}"
    finding = Finding("weights/bytes", folder.where, what, mending(folder, component), component)
    return Refused(f"{component}: no list of the files of {folder.name}", [finding])
