"""What some commits changed: components, releases, environments; and where nothing but the pointer moved."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from lockstep.core.environment import CHART_FILE, HOLD_FILE
from lockstep.core.errors import Finding
from lockstep.core.flux import FOLDER
from lockstep.core.names import ComponentName, EnvironmentName

_RELEASES, _COMPONENTS = "releases/", "components/"
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


def changed_components(paths: Iterable[str], names: Collection[ComponentName]) -> frozenset[ComponentName]:
    """Those of the components whose folder one of these paths is in; all of them where a path lies directly in
    components/, as every component's tests may use it.
    """
    folders = [path.split("/")[1:] for path in paths if path.startswith(_COMPONENTS)]
    if any(len(parts) == 1 for parts in folders):
        return frozenset(names)
    found = {parts[0] for parts in folders}
    return frozenset(name for name in names if name in found)
