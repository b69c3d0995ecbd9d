"""The code layer: the files of a component's Git tree, under app/."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from lockstep.core.errors import Finding
from lockstep.oci.layer import Entry, InvalidEntry, Mode, Opener, check, is_inside, link_entry

FOLDER = "app"

GitMode = Literal["100644", "100755", "120000", "160000"]


@dataclass(frozen=True)
class TreeFile:
    """One file of a Git tree.

    Args:
        path: In the image, below app/: relative to the folder that `code:` names.
        mode: As Git has it: 100644, 100755 or 120000 (a symbolic link). 160000 is a submodule, which has no
            bytes here.
        size: Bytes of the blob.
        opener: Opens the blob's bytes.
        target: Of a symbolic link: the blob's text.
        where: `ref:path`, for findings; empty means path.
    """

    path: str
    mode: GitMode
    size: int
    opener: Opener
    target: str = ""
    where: str = ""


def code_entries(component: str, tree: Iterable[TreeFile]) -> tuple[tuple[Entry, ...], tuple[Finding, ...]]:
    """The entries of the code layer, sorted by path, and what stands in its way. With findings the entries
    are not complete.
    """
    entries, found = [], []
    for file in sorted(tree, key=lambda file: file.path):
        problem = _problem(file)
        if problem:
            found.append(Finding("code/tree", file.where or file.path, *problem, component))
        else:
            entries.append(_entry(file))
    return tuple(entries), tuple(found)


def _entry(file: TreeFile) -> Entry:
    path = f"{FOLDER}/{file.path}"
    mode: Mode = 0o755 if file.mode == "100755" else 0o644
    return link_entry(path, file.target) if file.mode == "120000" else Entry(path, file.size, file.opener, mode)


def _problem(file: TreeFile) -> tuple[str, str] | None:
    """What is wrong with the file and its fix, or None."""
    if file.mode == "160000":
        return (
            "a Git submodule; its files are not in this repository",
            "copy the files that are needed into the component",
        )
    if file.mode == "120000" and not (file.target and is_inside(file.path, file.target)):
        return (
            f"a symbolic link that leaves the code: {file.target}",
            "replace the link by a copy of the file",
        )
    try:
        check(_entry(file))
    except InvalidEntry as error:
        return error.what, error.fix
    return None
