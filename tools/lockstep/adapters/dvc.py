"""DVC: where the bytes of a pointer are. DVC itself is only started to fetch (dvc_fetch.py); nothing of it is imported.

Nothing found here is believed: DVC accepts damaged bytes from most remotes, so whoever reads them hashes them
again.

Source: DVC 3.x.
"""

from __future__ import annotations

import hashlib
import posixpath
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from lockstep.adapters import files
from lockstep.adapters.dvc_config import Config, local_remote, object_in, read_config, repository_of
from lockstep.adapters.dvc_fetch import Fetching
from lockstep.core.errors import Finding, LockstepError, OutsideError, Refused
from lockstep.core.names import DvcMd5
from lockstep.core.pointer import Pointer, added_anew, checked_folder, mending, parse_folder


@dataclass(frozen=True)
class Place:
    """Where the pointers of one component are.

    Args:
        component: Its name.
        folder: Its folder, components/<name>.
        fetching: What DVC was asked to fetch.
    """

    component: str
    folder: Path
    fetching: Fetching = field(default_factory=Fetching)


def candidates(pointer: Pointer, place: Place) -> Iterator[Path]:
    """Files that may hold the pointer's bytes, nearest first; none has been hashed.

    They are: the working copy, DVC's cache, the local remote, and the cache again after `dvc fetch`; what was imported
    from another repository only where it is mirrored: in the cache and the local remote. Take the next one when the
    bytes of one are wrong; the later ones are looked for only then. Wrong ones that DVC fetched for us are removed from
    its cache, which would keep them from being fetched again.
    """
    near = _near(pointer, place)
    if near.is_file() and not pointer.is_imported:
        yield near
    yield from _objects(pointer, place, pointer.md5)


def absent(pointers: Sequence[Pointer], place: Place) -> tuple[Pointer, ...]:
    """The pointers of which something is not on this machine, and that DVC may be asked for. Hashes nothing; a file in
    the working copy counts if it has the right size.
    """
    repository = repository_of(place.folder.resolve())
    if repository is None:
        return ()
    config = read_config(repository)
    return tuple(
        one
        for one in pointers
        if not one.is_imported and local_remote(config, one) is None and not _is_here(one, place, config)
    )


def fetch(pointers: Sequence[Pointer], place: Place) -> None:
    """Has DVC fetch what is absent of these pointers, all at once.

    Raises:
        OutsideError: DVC failed; names the component and DVC's reason.
    """
    repository = repository_of(place.folder.resolve())
    if repository and pointers:
        place.fetching.fetch(pointers, place.component, place.folder, read_config(repository).cache)


def was_fetched(file: Pointer, place: Place) -> bool:
    """Whether DVC brought the file's bytes in this run."""
    repository = repository_of(place.folder.resolve())
    return repository is not None and object_in(read_config(repository).cache, file.md5) in place.fetching.fresh


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
        file = _file_of(pointer, path, md5)
        kept = next(_objects(file, place, md5), None) or next(candidates(file, place), None)
        if kept is None:
            raise missing(file, place)
        with files.wrapped(kept):
            found.append(replace(file, size=kept.stat().st_size))
    if sum(file.size for file in found) != pointer.size:
        found = [replace(file, size=_right_size(file, place)) for file in found]
    if (size := sum(file.size for file in found)) != pointer.size:
        what = f"the files of {pointer.name} have {size} bytes, {pointer.path} says {pointer.size}"
        raise _wrong(pointer, place, what)
    return tuple(found)


def _file_of(folder: Pointer, path: str, md5: DvcMd5) -> Pointer:
    """One file of a folder, of a size that is not known yet."""
    return replace(folder, name=f"{folder.name}/{path}", md5=md5, size=0, is_folder=False, listed=())


def _right_size(file: Pointer, place: Place) -> int:
    """Bytes of the first candidate that has the right md5. Reads them all; for a folder whose size is not as said.

    Raises:
        Refused: none has.
    """
    wrong = ""
    for path in candidates(file, place):
        with files.wrapped(path), path.open("rb") as stream:
            md5 = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
            if md5 == file.md5:
                return stream.tell()
        wrong = wrong or f"{path} of {file.name} has md5 {md5}, DVC's list in {file.path} says {file.md5}"
    raise _wrong(file, place, wrong)


def _wrong(pointer: Pointer, place: Place, what: str) -> Refused:
    fix = mending(pointer, place.component)
    finding = Finding("weights/bytes", pointer.where, what, fix, place.component)
    return Refused(f"{place.component}: wrong bytes for {pointer.name}", [finding])


def _list(folder: Pointer, place: Place) -> tuple[tuple[str, DvcMd5], ...]:
    """DVC's list of a folder, from the first place that has it with the right bytes; the pointer itself may be one."""
    if folder.listed:
        return checked_folder(dict(folder.listed), folder, place.component)
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
    cached, remote = object_in(config.cache, name), local_remote(config, pointer)
    if cached.is_file():
        yield cached
        _forget(cached, place)
    if remote and object_in(remote, name).is_file():
        yield object_in(remote, name)
    if not remote and not pointer.is_imported and not cached.exists():
        fetch((pointer,), place)
        if cached.is_file():
            yield cached
            _forget(cached, place)


def _forget(cached: Path, place: Place) -> None:
    """Removes an object whose bytes are wrong (somebody asks for the next place), if DVC fetched it just now."""
    if cached in place.fetching.fresh:
        files.remove(cached)


def _is_here(pointer: Pointer, place: Place, config: Config) -> bool:
    near = _near(pointer, place)
    if object_in(config.cache, pointer.md5).is_file() or (near.is_file() and near.stat().st_size == pointer.size):
        return True
    if not pointer.is_folder:
        return False
    listed, path = pointer.listed, object_in(config.cache, f"{pointer.md5}.dir")
    if not listed and path.is_file():
        try:
            listed = parse_folder(files.read(path), pointer, place.component)
        except Refused:
            return True  # what is wrong with it is said where it is read
    found = [_file_of(pointer, name, md5) for name, md5 in listed]
    return bool(found) and all(
        object_in(config.cache, file.md5).is_file() or _near(file, place).is_file() for file in found
    )


def missing(pointer: Pointer, place: Place) -> LockstepError:
    """The error for a pointer whose bytes are nowhere; says where they were looked for."""
    if pointer.is_imported:
        return _unmirrored(pointer, place)
    repository = repository_of(place.folder.resolve())
    remote = pointer.remote or (read_config(repository).default if repository else "")
    looked = (
        f"the working copy, {repository}/.dvc/cache and its remote" + (f" {remote}" if remote else "")
        if repository
        else "the working copy (no .dvc/config above it)"
    )
    path = f"components/{place.component}/{pointer.path}"
    fix = f"run `dvc push {path}` where the file was added, then: lockstep weights lock {place.component}"
    if repository and not local_remote(read_config(repository), pointer) and not shutil.which("dvc"):
        looked = f"the working copy and {repository}/.dvc/cache, and there is no `dvc` here to fetch from {remote}"
        fix = f"install DVC with the plugin of that remote, then: lockstep weights lock {place.component}"
    what = "DVC's list of " if pointer.is_folder else ""
    wanted = f"{what}{pointer.name} (md5 {pointer.md5}, {pointer.size} bytes)"
    return OutsideError(
        f"{place.component}: the bytes of {wanted} are not in {looked}",
        where=pointer.where,
        fix=fix,
    )


def _unmirrored(pointer: Pointer, place: Place) -> Refused:
    path = f"components/{place.component}/{pointer.path}"
    what = f"{pointer.path} was made by `dvc import`; no cache or remote folder of this repository's DVC has its bytes"
    finding = Finding("weights/pointer", pointer.where, what, added_anew(path), place.component)
    return Refused(f"{place.component}: {pointer.name} is not mirrored", [finding])
