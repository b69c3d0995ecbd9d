"""What some commits changed below releases/: which releases, which environments, and where nothing but the pointer."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from lockstep.core.environment import CHART_FILE, HOLD_FILE
from lockstep.core.errors import Finding
from lockstep.core.flux import FOLDER
from lockstep.core.names import EnvironmentName

_RELEASES = "releases/"
# What promote, rollback and a plain `git revert` of a promote change: front, gates, what says the version that serves.
_POINTER = re.compile(rf"(?:front|gates)/[^/]+|{FOLDER}.+|{re.escape(CHART_FILE)}|{re.escape(HOLD_FILE)}")


@dataclass(frozen=True)
class Touched:
    """What some commits changed.

    Args:
        releases: Folders of releases that they added to or changed.
        environments: Environments of which they changed more than the pointer's own files.
        pointers: Environments of which they changed nothing else.
        gone: Paths of release.yaml files that they deleted.
        others: Paths in folders that belong to neither.
    """

    releases: frozenset[str] = frozenset()
    environments: frozenset[EnvironmentName] = frozenset()
    pointers: frozenset[EnvironmentName] = frozenset()
    gone: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def touched(changes: Mapping[str, str], environments: Collection[EnvironmentName]) -> Touched:
    """What these changes touch.

    Args:
        changes: A added, M changed, D deleted, by path in the bundle; files directly in releases/ belong to nobody.
        environments: Those of lockstep.yaml.
    """
    releases: set[str] = set()
    paths: dict[EnvironmentName, list[str]] = {}
    gone, others = [], []
    for path in sorted(changes):
        folder, _, rest = path.removeprefix(_RELEASES).partition("/")
        if path.startswith(_RELEASES) and rest:
            if folder in environments:
                paths.setdefault(EnvironmentName(folder), []).append(rest)
            elif folder[:1].isdigit() and rest == "release.yaml" and changes[path] == "D":
                gone.append(path)
            elif folder[:1].isdigit():
                releases.add(folder)
            else:
                others.append(path)
    pointers = {name for name, found in paths.items() if all(map(_POINTER.fullmatch, found))}
    kept = {path.split("/")[1] for path in gone}
    return Touched(
        frozenset(releases - kept), frozenset(paths.keys() - pointers), frozenset(pointers), tuple(gone), tuple(others)
    )


def gone_findings(found: Touched) -> tuple[Finding, ...]:
    """A release that was deleted: its version meant something, and may again."""
    return tuple(
        Finding("release/edited", path, "it was deleted", f"restore it from Git: git log -- {path}")
        for path in found.gone
    )
