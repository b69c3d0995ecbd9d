"""status, the cluster's half: what an environment's cluster holds beside what Git says, and who lags behind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lockstep.core.cluster.compare import SideBySide, side_by_side
from lockstep.core.cluster.state import View
from lockstep.core.document import parse_objects
from lockstep.core.environment import Environment
from lockstep.core.names import EnvironmentName
from lockstep.core.render import Object
from lockstep.verbs.workspace import Workspace


@dataclass(frozen=True)
class Beside:
    """One environment in Git and in its cluster.

    Args:
        sides: Both.
        lag: For each agent's name: commits of this environment that it has not applied; None where its commit is not in
            this clone.
    """

    sides: SideBySide
    lag: Mapping[str, int | None]


def beside(workspace: Workspace, name: EnvironmentName, view: View) -> Beside:
    """Git and cluster side by side for one environment.

    Raises:
        OutsideError: the cluster cannot be seen.
    """
    environment = workspace.state.environment(name)
    sides = side_by_side(environment, _policies(environment), view.state(capacity=False))
    return Beside(sides, {agent.name: _lag(workspace, name, agent.revision) for agent in sides.agents})


def _policies(environment: Environment) -> tuple[Object, ...]:
    return tuple(
        document.data
        for path, data in sorted(environment.chart.items())
        if path.startswith("policies/")
        for document in parse_objects(data.decode(), f"releases/{environment.name}/{path}")
    )


def _lag(workspace: Workspace, name: EnvironmentName, revision: str) -> int | None:
    """Commits that touched the environment since a revision."""
    repository, tip = workspace.repository, workspace.state.commit
    if not revision or repository.resolve(revision) is None:
        return None
    folder = f"{repository.prefix}releases/{name}"
    return int(repository.git("rev-list", "--count", f"{revision}..{tip}", "--", f":(top){folder}"))
