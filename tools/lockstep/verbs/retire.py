"""retire: deletes from an environment what no kept release needs."""

from __future__ import annotations

from dataclasses import dataclass

from lockstep.adapters.history import environment_commits
from lockstep.core.bundle import Agent
from lockstep.core.edits import retire
from lockstep.core.environment import Environment
from lockstep.core.errors import Finding, Refused
from lockstep.core.history import Event, events, front_moves, never_served, previous_root
from lockstep.core.names import EnvironmentName, InstanceId
from lockstep.core.version import Version
from lockstep.verbs.asking import Asking
from lockstep.verbs.edit import Edited, render_release, write_environment
from lockstep.verbs.landing import Writing
from lockstep.verbs.workspace import Workspace


@dataclass(frozen=True)
class Keeping:
    """What to keep and drop beside the default.

    Args:
        keep: Releases to keep as well.
        drop: Releases to delete although they would be kept; what serves cannot be dropped.
        now: Seconds since 1970 UTC; the front must have moved long enough before it.
    """

    keep: tuple[Version, ...]
    drop: tuple[Version, ...]
    now: float


def retire_releases(workspace: Workspace, name: EnvironmentName, keeping: Keeping, writing: Writing) -> Edited:
    """The commit that deletes every instance and gate that no kept root reaches; none if there are none.

    Kept are the root that serves, the one before it, what is staged and was never promoted, and `keep`, without `drop`.

    Raises:
        Refused: the front moved less than `retire_after_seconds` ago, or `drop` names what serves.
    """
    if not writing.dry:
        workspace.settle()
    environment = workspace.state.environment(name)
    history = events(environment_commits(workspace.repository, workspace.state.commit, name))
    _refuse_early(workspace, name, history, keeping.now)
    dropped = {render_release(workspace, environment, version).root for version in keeping.drop}
    if environment.front and environment.front.root in dropped:
        raise Refused(
            "what serves cannot be dropped",
            [
                Finding(
                    "retire/serves",
                    f"releases/{name}/front/front.yaml",
                    f"release {environment.front.release} serves in {name}",
                    "promote another release, or roll back, first",
                )
            ],
        )
    kept = kept_roots(environment, history) | {
        render_release(workspace, environment, version).root for version in keeping.keep
    }
    new = retire(environment, kept - dropped)
    _refuse_last(workspace, name, new)
    _refuse_served(environment, new, writing.asking)
    return write_environment(workspace, environment, new, {"Edit": "retire"}, writing)


def kept_roots(environment: Environment, history: tuple[Event, ...]) -> frozenset[InstanceId]:
    """The roots that are kept without being named: serving, previous, and staged but never promoted."""
    serving = {environment.front.root} if environment.front else set()
    previous = previous_root(history)
    waiting = never_served(history, environment.roots)
    return frozenset({*serving, *({previous} if previous else ()), *waiting})


def _refuse_last(workspace: Workspace, name: EnvironmentName, new: Environment) -> None:
    """Nothing, unless Flux would be left without the folder of instances: it would complain and delete nothing."""
    if not new.instances and workspace.state.bundle.environments[name].agent is Agent.FLUX:
        what = f"no instance would be left in {name}, where nothing ever served, and Flux does not empty a folder"
        fix = "stage another release first, or remove the environment: kubectl delete namespace "
        fix += workspace.state.bundle.namespace_of(name)
        raise Refused(
            "an environment of Flux keeps an instance",
            [Finding("retire/last", f"releases/{name}/instances", what, fix)],
        )


def _refuse_served(old: Environment, new: Environment, asking: Asking | None) -> None:
    """Nothing, unless a cluster that is known still sends requests to what would go: its agent is behind Git."""
    if asking is None or asking.despite:
        return
    front = asking.view.state(capacity=False).front
    gone = sorted(set(front.serves if front else ()) & (set(old.instances) - set(new.instances)))
    if front and gone:
        what = f"the cluster's front names release {front.release}, which needs {', '.join(gone)}"
        fix = f"wait until its agent has moved it: lockstep status {old.name}"
        raise Refused(
            "what serves in the cluster cannot be retired", [Finding("retire/front", "service front", what, fix)]
        )


def _refuse_early(workspace: Workspace, name: EnvironmentName, history: tuple[Event, ...], now: float) -> None:
    moves = front_moves(history)
    wait = workspace.state.bundle.environments[name].retire_after_seconds
    if moves and now - moves[-1].time < wait:
        left = int(wait - (now - moves[-1].time)) + 1
        raise Refused(
            "it is too early to retire",
            [
                Finding(
                    "retire/early",
                    f"releases/{name}",
                    f"the front moved {int(now - moves[-1].time)} s ago; requests that began before may run for "
                    f"{wait} s",
                    f"run it again in {left} s (`retire_after_seconds` in lockstep.yaml)",
                )
            ],
        )
