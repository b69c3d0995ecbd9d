"""`dvc fetch`: brings what a remote has into DVC's cache. The one place that starts DVC.

Its exit code says little (0 also when an object is missing) and it hashes nothing: look into the cache afterwards, and
hash what is there. Its own bar is not shown: how much has arrived is seen in the cache, on a terminal as in CI.

Source: DVC 3.67; what it writes while it downloads lies beside the object in the cache.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from lockstep.adapters import process
from lockstep.core.errors import OutsideError
from lockstep.core.pointer import Pointer

_REASON = re.compile(r"^ERROR: (.+)$", re.MULTILINE)
_LOGIN = re.compile(r"://[^/@\s]+@")
_LONGEST = 400  # characters of DVC's own words


@dataclass
class Fetching:
    """What one command had DVC fetch; each pointer is asked for once.

    Args:
        moved: Told how many bytes have arrived since the last time, every second or so; 0 as well.
        is_allowed: Whether DVC may be started; a dry run does not.
        asked: Paths of .dvc files.
        fresh: Objects of the cache that were not there before.
    """

    moved: Callable[[int], None] = lambda _: None
    is_allowed: bool = True
    asked: set[Path] = field(default_factory=set)
    fresh: set[Path] = field(default_factory=set)

    def fetch(self, pointers: Sequence[Pointer], component: str, folder: Path, cache: Path) -> None:
        """Has DVC fetch what the cache lacks of these pointers: all at once, for each remote. Does nothing without DVC.

        Args:
            pointers: Of one component.
            component: Its name.
            folder: Its folder.
            cache: DVC's.

        Raises:
            OutsideError: DVC failed; names the component and DVC's reason. What has arrived stays.
        """
        program = shutil.which("dvc") if self.is_allowed else None
        wanted = [one for one in pointers if (folder / one.path).resolve() not in self.asked]
        self.asked |= {(folder / one.path).resolve() for one in wanted}
        for remote in sorted({one.remote for one in wanted}) if program else ():
            targets = [one for one in wanted if one.remote == remote]
            before = _held(cache)
            command = [str(program), "fetch", *(["--remote", remote] if remote else [])]
            command += [str((folder / one.path).resolve()) for one in targets]
            try:
                output = process.watched(command, folder, _Arrived(cache, sum(before.values()), self.moved).tell)
            finally:
                self.fresh |= _held(cache).keys() - before.keys()
            if output.code:
                raise _failed(component, remote, targets, output)


@dataclass
class _Arrived:
    """How much more the cache holds than before; never less than what was told."""

    cache: Path
    told: int
    moved: Callable[[int], None]

    def tell(self) -> None:
        """Tells what has arrived since the last time."""
        now = max(self.told, sum(_held(self.cache).values()))
        self.moved(now - self.told)
        self.told = now


def _held(cache: Path) -> dict[Path, int]:
    """Bytes of every object of the cache, and of those that are still arriving."""
    found = {}
    for folder in (cache / "files" / "md5").glob("??"):
        with suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    found[folder / entry.name] = entry.stat().st_size
    return found


def _failed(component: str, remote: str, targets: Sequence[Pointer], output: process.Output) -> OutsideError:
    text = _LOGIN.sub("://…@", output.stderr.decode(errors="replace"))
    reason = "; ".join(_REASON.findall(text)) or text.strip() or f"exit code {output.code}"
    names = ", ".join(one.name for one in targets[:3]) + (" …" if len(targets) > 3 else "")
    where = f"its remote {remote}" if remote else "its default remote"
    return OutsideError(
        f"{component}: DVC could not fetch {names} from {where}: {reason[:_LONGEST]}",
        where=targets[0].where,
        fix="check the remote and its login (dvc remote list); what has arrived is not fetched again; then: "
        f"lockstep weights lock {component}",
    )
