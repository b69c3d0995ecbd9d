"""init: a new bundle of two small components in an empty folder, with charts, tests and a first commit.

1. refuse a folder with something in it, a name that cannot be one, a commit that Git could not make;
2. write the files of lockstep/scaffold: `bundle` with the name put in, `charts` as they are;
3. make a repository if the folder is in none, and one commit of these files alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lockstep.adapters import files, process
from lockstep.adapters.branch import identity
from lockstep.core.edits import Edit
from lockstep.core.errors import Finding, Refused, UsageError
from lockstep.core.names import ComponentName, GitSha
from lockstep.verbs.edit import Edited

SCAFFOLD = Path(__file__).resolve().parent.parent / "scaffold"
_NAME = b"@NAME@"
_FIRST = "a new Lockstep bundle"


@dataclass(frozen=True)
class Start:
    """What to start.

    Args:
        folder: Where; absent or empty, but for a `.git`.
        name: The bundle's name; empty for the folder's.
        git: Whether to make a repository, where there is none, and a commit.
        dry: Whether to write nothing.
    """

    folder: Path
    name: str = ""
    git: bool = True
    dry: bool = False


def start_bundle(start: Start) -> Edited:
    """The new bundle's files, written unless the run is dry, and their commit.

    Raises:
        UsageError: the name cannot be one, or Git does not know who commits.
        Refused: the folder is not empty.
        OutsideError: the folder cannot be written, or Git failed.
    """
    folder = start.folder.resolve()
    name = _bundle_name(start.name or folder.name, start.folder)
    _refuse_filled(folder)
    if start.git:
        identity(_nearest(folder), "COMMITTER")  # before anything is written
    found = bundle_files(name)
    edits = tuple(Edit(path, None, found[path]) for path in sorted(found))
    commit = None
    if not start.dry:
        for edit in edits:
            files.write(folder / edit.path, edit.new or b"")
        commit = _first_commit(folder, [edit.path for edit in edits]) if start.git else None
    return Edited("init", "", edits, commit, f"start the bundle {name} in {start.folder}")


def bundle_files(name: ComponentName) -> dict[str, bytes]:
    """The files of a new bundle by path in it. A function of the name and of the installed Lockstep alone."""
    own = {path: data.replace(_NAME, name.encode()) for path, data in _below(SCAFFOLD / "bundle").items()}
    for hidden in ("gitignore", "gitlab-ci.yml"):  # under their true names they would mean Lockstep's own repository
        own[f".{hidden}"] = own.pop(hidden)
    return {**own, **{f"charts/{path}": data for path, data in _below(SCAFFOLD / "charts").items()}}


def _below(folder: Path) -> dict[str, bytes]:
    """Every file below a folder by path below it; what pip compiled there is no part of it."""
    found = (path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): files.read(path) for path in found}


def _bundle_name(text: str, folder: Path) -> ComponentName:
    try:
        return ComponentName(text)
    except ValueError as error:
        fix = f"lockstep init {folder} --name my-bundle"
        raise UsageError(
            f"`{text}` cannot be a bundle's name: lower case, digits and `-`", where=str(folder), fix=fix
        ) from error


def _refuse_filled(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        there = "it is a file"
    else:
        names = sorted(path.name for path in folder.glob("*") if path.name != ".git")
        there = f"it holds {', '.join(names)}"[:100] if names else ""
    if there:
        fix = f"choose a new folder: lockstep init {folder.parent / (folder.name + '-bundle')}"
        raise Refused("a bundle starts in an empty folder", [Finding("init/folder", str(folder), there, fix)])


def _nearest(folder: Path) -> Path:
    """The folder itself or the nearest one above that exists."""
    return next(parent for parent in (folder, *folder.parents) if parent.is_dir())


def _first_commit(folder: Path, paths: list[str]) -> GitSha:
    """A commit of these files; what else lies in the repository or its index stays as it is."""
    if process.run(["git", "rev-parse", "--git-dir"], folder=folder).code:
        process.checked(["git", "init", "--quiet", "-b", "main"], folder=folder)
    process.checked(["git", "add", "--", *paths], folder=folder)
    process.checked(["git", "commit", "--quiet", "-m", _FIRST, "--", *paths], folder=folder)
    return GitSha(process.checked(["git", "rev-parse", "HEAD"], folder=folder).decode().strip())
