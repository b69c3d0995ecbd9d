"""test: runs the tests of components, one component after the other; of those that changed, where that is asked.

Files are taken as they lie there, committed or not: that is what pytest runs.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from lockstep.adapters.pytest import run_tests
from lockstep.core.errors import UsageError
from lockstep.core.names import ComponentName, GitSha
from lockstep.core.touched import changed_components
from lockstep.verbs.workspace import Workspace

_FOLDER = "components"


class Result(StrEnum):
    """What became of a component's tests."""

    PASSED = "passed"
    FAILED = "failed"
    NONE = "no tests"


# Source: pytest 9, "Exit codes": 0 all passed, 5 none collected; 1 some failed, 2 to 4 could not be run.
_RESULTS = {0: Result.PASSED, 5: Result.NONE}


@dataclass(frozen=True)
class Tested:
    """The tests of one component.

    Args:
        component: Its name.
        result: What became of them.
        seconds: How long they took.
        output: What pytest said.
    """

    component: ComponentName
    result: Result
    seconds: float
    output: str


def test_components(workspace: Workspace, names: Iterable[str], since: GitSha | None) -> tuple[Tested, ...]:
    """What became of the tests of some components, of all for none; every one is run, whatever became of others.

    Args:
        workspace: Where.
        names: Components.
        since: Only those whose folder differs from what it was at this commit; of all where a file that lies directly
            in components/ does, as all their tests may use it.

    Raises:
        UsageError: there is no such component, or no pytest.
    """
    known = _known(workspace)
    unknown = [name for name in names if name not in known]
    if unknown:
        fix = f"choose from: {', '.join(known) or 'none yet'}"
        raise UsageError(f"there is no component {unknown[0]}", where=f"{_FOLDER}/", fix=fix)
    chosen = tuple(name for name in known if name in names) or known
    if since is not None:
        changed = changed_components(_changed(workspace, since), chosen)
        chosen = tuple(name for name in chosen if name in changed)
    return tuple(_tested(workspace, name) for name in chosen)


def _known(workspace: Workspace) -> tuple[ComponentName, ...]:
    files = sorted((workspace.folder / _FOLDER).glob("*/component.yaml"))
    return tuple(ComponentName(path.parent.name) for path in files)


def _changed(workspace: Workspace, since: GitSha) -> tuple[str, ...]:
    """Paths that differ: committed since, and not committed yet."""
    repository = workspace.repository
    head = repository.resolve("HEAD")
    committed = repository.changed(since, head, f"{_FOLDER}/") if head else {}
    return (*committed, *repository.unclean())


def _tested(workspace: Workspace, name: ComponentName) -> Tested:
    workspace.say(f"test: {name}")
    began = time.monotonic()
    done = run_tests(workspace.folder, f"{_FOLDER}/{name}")
    said = (done.stdout + done.stderr).decode(errors="replace")
    return Tested(name, _RESULTS.get(done.code, Result.FAILED), time.monotonic() - began, said)
