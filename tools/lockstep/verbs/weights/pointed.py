"""The files that a component's pointers mean, after DVC brought those that are not on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lockstep.adapters.dvc import Place, absent, fetch, files_of
from lockstep.adapters.dvc_fetch import Fetching
from lockstep.core.names import ComponentName
from lockstep.core.pointer import Pointer
from lockstep.verbs.progress import Progress
from lockstep.verbs.workspace import Say


def place_of(bundle: Path, component: ComponentName, progress: Progress) -> Place:
    """Where a component's pointers are; what DVC fetches there is told to the progress."""
    return Place(component, bundle / "components" / component, Fetching(progress.moved))


def bring(pointers: Sequence[Pointer], place: Place, progress: Progress, say: Say) -> tuple[Pointer, ...]:
    """The files of all pointers, sizes known. What is absent is asked of DVC at once, and what it could not bring is
    found out file by file.

    Raises:
        OutsideError: DVC failed, or bytes are nowhere to be had.
        Refused: a list of a folder has wrong bytes, or an import is not mirrored.
    """
    lacking = absent(pointers, place)
    if lacking:
        size = sum(one.size for one in lacking)
        say(f"{place.component}: dvc fetch of {', '.join(one.name for one in lacking[:3])}"
            f"{' …' if len(lacking) > 3 else ''}, {size:,} bytes at most")  # fmt: skip
        progress.expect(f"{place.component}: fetched", size)
        fetch(lacking, place)
    return tuple(file for pointer in pointers for file in files_of(pointer, place))
