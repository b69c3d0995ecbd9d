"""DVC's configuration: where its cache and its remotes are.

Source: DVC 3.x; cache layout files/md5/<2>/<30>, .dvc/config and .dvc/config.local in the form of configparser.
"""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from pathlib import Path

from lockstep.core.errors import OutsideError
from lockstep.core.pointer import Pointer


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


def local_remote(config: Config, pointer: Pointer) -> Path | None:
    """The folder of the pointer's remote; None if it has none or it is not a folder. Relative ones start at
    .dvc/.
    """
    url = config.remotes.get(pointer.remote or config.default, "").removeprefix("file://")
    return (config.folder / url).resolve() if url and "://" not in url else None


def remotes_elsewhere(folder: Path) -> tuple[str, ...]:
    """Names of the remotes that are no folders of this machine, which DVC alone can read; `folder`: the bundle's."""
    repository = repository_of(folder)
    found = read_config(repository).remotes if repository else {}
    return tuple(sorted(name for name, url in found.items() if "://" in url.removeprefix("file://")))


def object_in(base: Path, name: str) -> Path:
    """Where a cache or a remote has the object of an md5 (a list's with `.dir`)."""
    return base / "files" / "md5" / name[:2] / name[2:]
