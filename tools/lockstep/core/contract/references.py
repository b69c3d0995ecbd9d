"""References of contracts: where they stand, what they name, and what that leads to."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from lockstep.core.contract.limits import LIMIT_DEPTH, Pointer

_PERCENT = re.compile(r"%([0-9a-fA-F]{2})")
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")  # RFC 6901, section 4
_LONG = 100  # characters of a reference that are shown

# Below these, keys are names that somebody chose; below those of _FREE anything may stand.
NAMED = {"properties", "patternProperties", "dependentSchemas", "$defs", "definitions", "schemas", "paths"}
NAMED |= {"responses", "callbacks", "headers", "parameters", "requestBodies", "securitySchemes", "webhooks"}
NAMED |= {"pathItems", "encoding"}
_FREE = {"example", "examples", "default", "enum", "const"}

Named = Mapping[tuple[str, str], Pointer]


@dataclass(frozen=True)
class Marks:
    """What a file refers to, and what can be referred to by a name.

    Args:
        references: Every `$ref` with the place of the mapping that has it, in the order of the file.
        names: Schemas that have a name of their own (`$id`, `$anchor`, `$dynamicAnchor`), as a reference writes it.
        bases: Places of nested schemas with an `$id`: a reference below them that begins with `#` means them.
    """

    references: tuple[tuple[Pointer, str], ...]
    names: Mapping[str, Pointer]
    bases: Collection[Pointer]


def marks_of(value: Any) -> Marks:
    """What is marked in a file; examples and constants may hold anything, so they are passed over."""
    references: list[tuple[Pointer, str]] = []
    names: dict[str, Pointer] = {}
    bases: set[Pointer] = set()
    stack: list[tuple[Pointer, Any, bool]] = [((), value, False)]
    while stack:
        pointer, here, are_names = stack.pop()
        below: list[tuple[Pointer, Any, bool]] = []
        if isinstance(here, list):
            below = [((*pointer, str(i)), item, False) for i, item in enumerate(here) if isinstance(item, dict | list)]
        elif isinstance(here, dict):
            if not are_names and "$ref" in here and isinstance(here["$ref"], str):
                references.append((pointer, here["$ref"]))
            if not are_names and not _OWN.isdisjoint(here):
                names |= _own_names(here, pointer)
                if pointer and isinstance(here.get("$id"), str):
                    bases.add(pointer)
            below = [
                ((*pointer, key), item, not are_names and key in NAMED)
                for key, item in here.items()
                if isinstance(item, dict | list) and (are_names or not _is_free(key))
            ]
        below.reverse()
        stack += below
    return Marks(tuple(references), names, bases)


_OWN = {"$id", "$anchor", "$dynamicAnchor"}


def _own_names(here: Mapping[str, Any], pointer: Pointer) -> dict[str, Pointer]:
    own = {f"#{name}": pointer for key in ("$anchor", "$dynamicAnchor") if isinstance(name := here.get(key), str)}
    return own | {name: pointer for key in ("$id",) if isinstance(name := here.get(key), str)}


def _is_free(key: str) -> bool:
    return key in _FREE or (key.startswith("x-") and key != "x-lockstep")


def others(marks: Marks, path: str) -> tuple[str, ...]:
    """Paths of the other files that a file refers to, sorted; those on hosts are left out."""
    files = {reference.partition("#")[0] for _, reference in marks.references if reference not in marks.names}
    return tuple(sorted({_file_of(path, file) for file in files} - {path, ""}))


def _is_elsewhere(reference: str) -> bool:
    return "://" in reference or reference.startswith("//")


def _file_of(path: str, reference: str) -> str:
    """The file that a reference names; that of the reference itself if it names none, empty for one on a host."""
    file = reference.partition("#")[0]
    if _is_elsewhere(reference):
        return ""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), _unescape(file))) if file else path


def _unescape(text: str) -> str:
    return _PERCENT.sub(lambda found: chr(int(found[1], 16)), text) if "%" in text else text


def target(documents: Mapping[str, Any], named: Named, path: str, reference: str) -> tuple[str, Pointer, Any] | str:
    """File, pointer and value of what a reference that stands in a file leads to; a sentence if it leads nowhere."""
    said = cut(reference)
    if (path, reference) in named:
        pointer = named[path, reference]
    elif _is_elsewhere(reference):
        return f"`{said}` is on another host; contracts refer to files beside them only"
    else:
        file, fragment = _file_of(path, reference), reference.partition("#")[2]
        if file not in documents:
            return f"`{said}` names the file {cut(file)}, which is not there"
        path = file
        if fragment and not fragment.startswith("/"):
            if (path, f"#{fragment}") not in named:
                return f"`{said}` names the anchor `{cut(fragment)}`, which is not there"
            pointer = named[path, f"#{fragment}"]
        else:
            pointer = tuple(_unescape(part).replace("~1", "/").replace("~0", "~") for part in fragment.split("/")[1:])
    value = documents[path]
    for key in pointer:
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and _INDEX.fullmatch(key) and int(key) < len(value):
            value = value[int(key)]
        else:
            return f"`{said}` leads nowhere: there is no `{cut(key)}`"
    return path, pointer, value


def cut(text: str) -> str:
    """The text, or its beginning where it is long."""
    return text if len(text) <= _LONG else text[:_LONG] + "…"


def wrong_references(
    documents: Mapping[str, Any], marks: Mapping[str, Marks], named: Named
) -> list[tuple[str, Pointer, str]]:
    """File, place and what is wrong of every reference that leads nowhere or only to references, in order."""
    known: dict[tuple[str, str], int | str] = {}
    found = []
    for file, own in marks.items():
        for pointer, reference in own.references:
            steps = _steps(documents, named, (file, reference), known)
            if isinstance(steps, str):
                found.append((file, pointer, steps))
            elif own.bases and reference.startswith("#") and _is_based(pointer, own.bases):
                what = (
                    f"`{cut(reference)}` stands below a nested `$id`, so it means something else; that is not supported"
                )
                found.append((file, pointer, what))
    return found


def _is_based(pointer: Pointer, bases: Collection[Pointer]) -> bool:
    return any(pointer[:length] in bases for length in range(1, len(pointer) + 1))


def _steps(
    documents: Mapping[str, Any], named: Named, start: tuple[str, str], known: dict[tuple[str, str], int | str]
) -> int | str:
    """How many references one after the other a reference leads through; a sentence if it leads nowhere, or round in
    a ring of references alone.
    """
    found: int | str | None = None
    followed: dict[tuple[str, str], None] = {}  # in order
    here = start
    while found is None:
        if here in followed:
            found = f"`{cut(start[1])}` leads back to itself"
        elif (found := known.get(here)) is None:
            followed[here] = None
            there = target(documents, named, *here)
            if isinstance(there, str):
                found = there
            elif isinstance(there[2], dict) and isinstance(more := there[2].get("$ref"), str):
                here = (there[0], more)
            else:
                found = 0
    for one in reversed(followed):
        found = found + 1 if isinstance(found, int) else found
        if isinstance(found, int) and found > LIMIT_DEPTH:
            found = f"`{cut(one[1])}` leads through more than {LIMIT_DEPTH} references"
        known[one] = found
    return known[start]
