"""rollback: takes back the last promote, or goes back to a release that served earlier. `git revert` of the promote
does the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType

from lockstep.adapters.history import environment_commits
from lockstep.core.cluster.preflight import Move, preflight
from lockstep.core.environment import (
    CHART_FILE,
    FRONT_FILE,
    HOLD_FILE,
    OTHER_WAVE,
    OWN_WAVE,
    Environment,
    parse_environment,
)
from lockstep.core.errors import Finding, Refused
from lockstep.core.history import Commit, EditKind, Event, events, front_moves, previous_root
from lockstep.core.names import EnvironmentName, GitSha, InstanceId
from lockstep.core.swap import Swap, swap_back, swapped
from lockstep.core.version import Version
from lockstep.verbs.asking import refuse_unfit
from lockstep.verbs.edit import Edited, told, write_environment
from lockstep.verbs.fit import refuse_other_index, refuse_unfitting
from lockstep.verbs.landing import Writing, land
from lockstep.verbs.swap import say_cost
from lockstep.verbs.wait import await_ready
from lockstep.verbs.workspace import Workspace, files_below


@dataclass(frozen=True)
class Back:
    """Which way back.

    Args:
        to: The release to go back to; None for the one that served before.
        leaving: The release that must serve; None for whichever does.
        hold: If not empty: why nothing may be promoted until a person removes hold.yaml.
    """

    to: Version | None = None
    leaving: Version | None = None
    hold: str = ""


def roll_back(workspace: Workspace, name: EnvironmentName, back: Back, writing: Writing) -> tuple[Edited, ...]:
    """The commits that take an environment back: one, or two where the target was retired (restore, then move the
    front); none where the release to leave has been taken back already.

    What comes back are the bytes that Git has, not a new rendering, so ids and gates are those that served.

    Args:
        workspace: Where.
        name: The environment.
        back: Which way.
        writing: Whether and where to.

    Raises:
        Refused: another release serves than the one to leave; nothing served before, or that release never did; a
            killed run of the same command had done it; what would serve does not fit together, or asks an index that is
            not there; or the cluster is not fit for it.
    """
    if not writing.dry:
        settled = workspace.settle()
        _refuse_twice(workspace, name, None if back.to or back.leaving else settled)
    now = workspace.state.environment(name)
    history = events(environment_commits(workspace.repository, workspace.state.commit, name))
    if back.leaving and _has_left(now, history, back.leaving):
        return ()
    commit, root = _target(now, history, back.to)
    then = parse_environment(name, files_below(workspace.repository.tree(commit), f"releases/{name}"))
    if then.front:
        refuse_other_index(workspace, now, refuse_unfitting(workspace, then.front.release))
    restored = _restored(now, then, root)
    done = []
    trailers = {"Release": str(then.front.release) if then.front else "", "Root": root}
    swap = swap_back(restored, then, root)
    if restored == now or not _can_wait(writing):
        _refuse_unfit(workspace, restored, then, swap, writing)
    start, writing = workspace, replace(writing, gathers=writing.proposes)
    if restored != now:
        done.append(write_environment(workspace, now, restored, {"Edit": "stage", **trailers}, writing))
        workspace = workspace.at(done[0].commit or workspace.state.commit)
        restored = told(workspace, restored)
        if _can_wait(writing):
            serves = now.front.serves if now.front else ()
            await_ready(workspace, name, set(restored.closure(root)) - set(serves), writing.asking)
            _refuse_unfit(workspace, restored, then, swap, writing)
    moved = swapped(_moved(restored, then, root, back.hold), swap)
    done.append(write_environment(workspace, restored, moved, {"Edit": "rollback", **trailers}, writing))
    if writing.proposes and (last := done[-1]).commit:
        land(start, last.commit, writing, last.said)
    return tuple(done)


def _refuse_twice(workspace: Workspace, name: EnvironmentName, settled: GitSha | None) -> None:
    """Nothing, unless an earlier run was killed after it had rolled back: the same command would go a step further."""
    if settled and b"\nLockstep-Edit: rollback\n" in workspace.repository.git("log", "-1", "--format=%B", settled):
        what = f"an earlier run was killed after it had committed {settled[:10]}; the working copy follows it now"
        fix = f"see what serves: lockstep status {name}; to go one step further back, run the same command again"
        where = f"releases/{name}/{FRONT_FILE}"
        raise Refused("it is rolled back already", [Finding("rollback/done", where, what, fix)])


def _has_left(now: Environment, history: tuple[Event, ...], leaving: Version) -> bool:
    """Whether the front's last move took a release back; False if it serves.

    Raises:
        Refused: neither.
    """
    serves = now.front.release if now.front else None
    if serves == leaving:
        return False
    moves = [event for event in history if event.kind in {EditKind.PROMOTE, EditKind.ROLLBACK}]
    before = moves[-1].commit.front_before if moves and moves[-1].kind is EditKind.ROLLBACK else None
    if before and before[1] == leaving:
        return True
    what = f"{serves or 'nothing'} serves in {now.name}, not {leaving}"
    fix = f"lockstep rollback {now.name} --from {serves}" if serves else f"lockstep status {now.name}"
    where = f"releases/{now.name}/{FRONT_FILE}"
    raise Refused(f"{leaving} cannot be taken back", [Finding("rollback/from", where, what, fix)])


def _target(now: Environment, history: tuple[Event, ...], to: Version | None) -> tuple[GitSha, InstanceId]:
    """The newest commit at which the wanted release served, and its root."""
    moves = front_moves(history)
    serving = now.front.root if now.front else None
    back = previous_root(history)
    for move in reversed(moves):
        root, version = move.front or (None, None)
        if root is not None and root != serving and (root == back if to is None else version == to):
            return move.sha, root
    where = f"releases/{now.name}/{FRONT_FILE}"
    finding = Finding("rollback/target", where, _why_not(now, moves, to), _fix(now, moves))
    raise Refused("there is nothing to go back to", [finding])


def _why_not(now: Environment, moves: tuple[Commit, ...], to: Version | None) -> str:
    if to is not None and now.front and now.front.release == to:
        return f"release {to} serves in {now.name} already"
    return (
        f"release {to} never served in {now.name}"
        if to
        else f"nothing served in {now.name} before"
        if moves
        else f"nothing serves in {now.name}"
    )


def _fix(now: Environment, moves: tuple[Commit, ...]) -> str:
    serves = now.front.release if now.front else None
    served = sorted({move.front[1] for move in moves if move.front} - {serves})
    return (
        "choose one of: " + ", ".join(str(version) for version in served)
        if served
        else f"lockstep promote {now.name} VERSION"
    )


def _restored(now: Environment, then: Environment, root: InstanceId) -> Environment:
    """The environment with the target's instances as Git has them, where they were retired."""
    needed = {name: then.instances[name] for name in then.closure(root) if name in then.instances}
    return replace(now, instances=MappingProxyType({**needed, **now.instances}))


def _moved(now: Environment, then: Environment, root: InstanceId, hold: str) -> Environment:
    """The environment with the front, its gate and the chart's version as they were; other roots keep their gates."""
    gates = {name: gate.in_wave(OTHER_WAVE) for name, gate in now.gates.items()}
    if root in then.gates:
        gates[root] = then.gates[root].in_wave(OWN_WAVE)
    chart: dict[str, bytes] = {**now.chart, CHART_FILE: then.chart[CHART_FILE]}
    if hold:
        chart[HOLD_FILE] = (
            b"# promote refuses while this file is here; remove it once that is settled\n"
            + f'reason: "{_plain(hold)}"\n'.encode()
        )
    return replace(now, gates=MappingProxyType(gates), front=then.front, chart=MappingProxyType(chart))


def _plain(text: str) -> str:
    return text.replace("\\", "/").replace('"', "'").replace("\n", " ")


def _can_wait(writing: Writing) -> bool:
    return writing.asking is not None and writing.asking.patience is not None and not writing.dry


def _refuse_unfit(workspace: Workspace, restored: Environment, then: Environment, swap: Swap, writing: Writing) -> None:
    """Nothing if the cluster is fit for what served then, or none is known; says what a swap costs."""
    front = then.front
    if front is None:
        return
    target = {one: restored.instances[one] for one in restored.closure(front.root) if one in restored.instances}
    move = Move(restored, target, str(front.release), falling=frozenset(swap.falling), rising=frozenset(swap.rising))
    state = refuse_unfit(writing.asking, move, preflight, workspace.say)
    say_cost(swap, None if front.root in restored.gates else then.gates.get(front.root), state, workspace.say)
