"""DVC: where the bytes of a pointer are. DVC itself is only started to fetch; nothing of it is imported.

Nothing found here is believed: DVC accepts damaged bytes from most remotes, so whoever reads them hashes them
again.

Source: DVC 3.x; cache layout files/md5/<2>/<30>, .dvc/config and .dvc/config.local in the form of
configparser.
"""

from __future__ import annotations

import configparser
import posixpath
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from lockstep.adapters import files, process
from lockstep.core.errors import Finding, OutsideError, Refused
from lockstep.core.names import DvcMd5
from lockstep.core.pointer import Pointer, parse_folder


@dataclass(frozen=True)
class Place:
    """Where the pointers of one component are.

    Args:
        component: Its name.
        folder: Its folder, components/<name>.
    """

    component: str
    folder: Path


@dataclass(frozen=True)
class Config:
    """What .dvc/config and .dvc/config.local say: cache folder, name of the default remote, folders of local
    remotes by name.
    """

    cache: Path
    default: str
    remotes: dict[str, str]
    folder: Path


def repository_of(folder: Path) -> Path | None:
    """The nearest folder above that has .dvc/config, or None. It may lie above the bundle."""
    return next((parent for parent in (folder, *folder.parents) if (parent / ".dvc" / "config").is_file()), None)


def candidates(pointer: Pointer, place: Place) -> Iterator[Path]:
    """Files that may hold the pointer's bytes, nearest first; none has been hashed.

    They are: the working copy, DVC's cache, the local remote, and the cache again after `dvc fetch`. Take the
    next one when the bytes of one are wrong; the later ones are looked for only then.
    """
    near = _near(pointer, place)
    if near.is_file():
        yield near
    yield from _objects(pointer, place, pointer.md5)


def files_of(pointer: Pointer, place: Place) -> tuple[Pointer, ...]:
    """The files that a pointer means: one, or those of a folder as DVC lists them, with the sizes that they have where
    they were found first.

    Raises:
        Refused: no list of the folder has the bytes that the pointer names, or its files have another size together.
        OutsideError: the list or one of the files is nowhere to be had.
    """
    if not pointer.is_folder:
        return (pointer,)
    found = []
    for path, md5 in _list(pointer, place):
        file = Pointer(pointer.path, f"{pointer.name}/{path}", md5, 0, pointer.remote, pointer.where)
        kept = next(_objects(file, place, md5), None) or next(candidates(file, place), None)
        if kept is None:
            raise missing(file, place)
        with files.wrapped(kept):
            found.append(replace(file, size=kept.stat().st_size))
    if (size := sum(file.size for file in found)) != pointer.size:
        what = f"the files of {pointer.name} have {size} bytes, {pointer.path} says {pointer.size}"
        fix = f"if they are damaged: dvc pull {pointer.path}; if they are meant: dvc add {pointer.name}"
        finding = Finding("weights/bytes", pointer.where, what, fix, place.component)
        raise Refused(f"{place.component}: wrong bytes for {pointer.name}", [finding])
    return tuple(found)


def _list(folder: Pointer, place: Place) -> tuple[tuple[str, DvcMd5], ...]:
    """DVC's list of a folder, from the first place that has it with the right bytes."""
    wrong: list[Refused] = []
    for path in _objects(folder, place, f"{folder.md5}.dir"):
        try:
            return parse_folder(files.read(path), folder, place.component)
        except Refused as error:
            wrong.append(error)
    raise wrong[0] if wrong else missing(folder, place)


def _near(pointer: Pointer, place: Place) -> Path:
    """Where the pointer's file is in the working copy: beside the .dvc file, or in the folder there."""
    above = posixpath.dirname(pointer.path).removeprefix("weights").removeprefix("/")
    return (place.folder / pointer.path).parent / pointer.name.removeprefix(above).removeprefix("/")


def _objects(pointer: Pointer, place: Place, name: str) -> Iterator[Path]:
    """Where DVC itself may have the bytes of one md5 (a list's with `.dir`), nearest first."""
    repository = repository_of(place.folder.resolve())
    if not repository:
        return
    config = read_config(repository)
    cached = _object(config.cache, name)
    if cached.is_file():
        yield cached
    remote = _local_remote(config, pointer)
    if remote and _object(remote, name).is_file():
        yield _object(remote, name)
    if not remote and not cached.exists() and _fetch(pointer, place) and cached.is_file():
        yield cached


def read_config(repository: Path) -> Config:
    """The parts of DVC's configuration that say where bytes are; config.local wins.

    Raises:
        OutsideError: a file cannot be parsed.
    """
    folder = repository / ".dvc"
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read([folder / "config", folder / "config.local"], encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise OutsideError(
            f"not a DVC configuration: {error}", where=str(folder), fix="correct it: dvc config --list"
        ) from error
    remotes = {}
    for section in parser.sections():
        kind, _, name = section.strip("'\"").partition(" ")
        if kind == "remote" and parser.has_option(section, "url"):
            remotes[name.strip().strip('"')] = parser.get(section, "url")
    cache = parser.get("cache", "dir", fallback="cache")
    return Config((folder / cache).resolve(), parser.get("core", "remote", fallback=""), remotes, folder)


def missing(pointer: Pointer, place: Place) -> OutsideError:
    """The error for a pointer whose bytes are nowhere; says where they were looked for."""
    repository = repository_of(place.folder.resolve())
    where = (
        f"the working copy, {repository}/.dvc/cache and its remote"
        if repository
        else "the working copy (no .dvc/config above it)"
    )
    what = "DVC's list of " if pointer.is_folder else ""
    wanted = f"{what}{pointer.name} (md5 {pointer.md5}, {pointer.size} bytes)"
    return OutsideError(
        f"{place.component}: the bytes of {wanted} are not in {where}",
        where=pointer.where,
        fix=f"run `dvc pull {place.folder / pointer.path}`, or `dvc push` where the file was added",
    )


def _local_remote(config: Config, pointer: Pointer) -> Path | None:
    """The folder of the pointer's remote; None if it has none or it is not a folder. Relative ones start at
    .dvc/.
    """
    url = config.remotes.get(pointer.remote or config.default, "").removeprefix("file://")
    return (config.folder / url).resolve() if url and "://" not in url else None


def _object(base: Path, name: str) -> Path:
    return base / "files" / "md5" / name[:2] / name[2:]


def _fetch(pointer: Pointer, place: Place) -> bool:
    """Whether DVC says that it fetched the object into its cache. False without DVC.

    Raises:
        OutsideError: DVC failed; carries its message.
    """
    program = shutil.which("dvc")
    if not program:
        return False
    target = str((place.folder / pointer.path).resolve())
    process.checked(
        [program, "fetch", *(["--remote", pointer.remote] if pointer.remote else []), target],
        folder=place.folder,
    )
    return True
