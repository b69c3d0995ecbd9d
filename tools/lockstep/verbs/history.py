"""history: every edit of an environment, told from what its commits changed."""

from __future__ import annotations

from lockstep.adapters.history import environment_commits
from lockstep.core.history import Event, events
from lockstep.core.names import EnvironmentName
from lockstep.verbs.workspace import Workspace


def history_of(workspace: Workspace, name: EnvironmentName) -> tuple[Event, ...]:
    """The edits of an environment, oldest first, whoever made them: Lockstep, a plain `git revert` or a hand.

    Raises:
        UsageError: lockstep.yaml names no such environment.
    """
    workspace.state.environment(name)
    return events(environment_commits(workspace.repository, workspace.state.commit, name))
