"""DVC: where the bytes of a pointer are. DVC itself is only started to fetch; nothing of it is imported.

Nothing found here is believed: DVC accepts damaged bytes from most remotes, so whoever reads them hashes them
again.

Source: DVC 3.x; cache layout files/md5/<2>/<30>, .dvc/config and .dvc/config.local in the form of
configparser.
"""

from __future__ import annotations

import configparser
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lockstep.adapters import process
from lockstep.core.errors import OutsideError
from lockstep.core.weights import Pointer


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
    near = (place.folder / pointer.path).parent / Path(pointer.name).name
    if near.is_file():
        yield near
    repository = repository_of(place.folder.resolve())
    if not repository:
        return
    config = read_config(repository)
    cached = _object(config.cache, pointer)
    if cached.is_file():
        yield cached
    remote = _local_remote(config, pointer)
    if remote and _object(remote, pointer).is_file():
        yield _object(remote, pointer)
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
    wanted = f"{pointer.name} (md5 {pointer.md5}, {pointer.size} bytes)"
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


def _object(base: Path, pointer: Pointer) -> Path:
    return base / "files" / "md5" / pointer.md5[:2] / pointer.md5[2:]


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
