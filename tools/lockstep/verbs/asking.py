"""A cluster that a verb asks: before its commit whether that may be, after it until the cluster holds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from lockstep.core.cluster.moving import give_up_seconds
from lockstep.core.cluster.preflight import Move
from lockstep.core.cluster.state import ClusterState, Reason, View
from lockstep.core.errors import Finding, OutsideError, Refused
from lockstep.verbs.workspace import Clock, Say

POLL_SECONDS = 0.5
Check = Callable[[Move, ClusterState], tuple[Finding, ...]]
Look = Callable[[ClusterState], tuple[Finding, ...]]


@dataclass(frozen=True)
class Patience:
    """How long to wait.

    Args:
        seconds: In all.
        clock: Seconds that only go up.
        sleep: Waits that many seconds.
    """

    seconds: float
    clock: Clock
    sleep: Callable[[float], None]


@dataclass(frozen=True)
class Asking:
    """A cluster, and what to do with its answers.

    Args:
        view: How it is looked at.
        pull_problem: Why an image cannot be pulled, by its reference; empty if it can. Raises OutsideError where
            nobody can say.
        despite: If not empty: why a person goes on whatever the cluster says; it goes into the commit.
        patience: How long to wait after the commit; None for not at all.
    """

    view: View
    pull_problem: Callable[[str], str]
    despite: str = ""
    patience: Patience | None = None

    @property
    def trailers(self) -> dict[str, str]:
        """What the commit says of a person's decision."""
        return {"Despite": " ".join(self.despite.split())} if self.despite else {}


def refuse_unfit(asking: Asking | None, move: Move, check: Check, say: Say) -> ClusterState | None:
    """The cluster's state, once nothing speaks against a move or a person goes on despite it; None without a cluster.

    Raises:
        Refused: something does.
        OutsideError: the cluster cannot be asked.
    """
    if asking is None:
        return None
    try:
        state = asking.view.state(capacity=True)
    except OutsideError:
        if not asking.despite:
            raise
        say("the cluster cannot be asked; going on despite that")
        return None
    found = check(replace(move, unpullable=_unpullable(asking, move, say)), state)
    for note in state.notes:
        say(f"not checked: {note}")
    if found and not asking.despite:
        fix = "correct them, or go on with a reason: --despite 'REASON'"
        raise Refused(f"the cluster is not fit for release {move.release}; {fix}", found)
    for finding in found:
        say(f"despite {finding.rule}: {finding.what}")
    return state


def _unpullable(asking: Asking, move: Move, say: Say) -> dict[str, str]:
    """Why images cannot be pulled, where that is certain; what nobody can say is said and not held against them."""
    problems, unknown = {}, {}
    for image in sorted({image for item in move.target.values() for image in item.images}):
        try:
            if problem := asking.pull_problem(image):
                problems[image] = problem
        except OutsideError as error:
            unknown[image] = error.what
    if unknown:
        image, why = next(iter(unknown.items()))
        say(f"not checked: whether {len(unknown)} images can be pulled, such as {image}: {why}")
    return problems


def wait_for(asking: Asking, look: Look, say: Say) -> float:
    """How many seconds it took until nothing was left to wait for; says what changes meanwhile.

    Raises:
        Refused: time is up, or what is left has stood for so long that waiting does not help.
        OutsideError: the cluster could not be asked at the end.
    """
    patience = asking.patience
    if patience is None:
        return 0.0
    began = patience.clock()
    since: dict[tuple[str, str], float] = {}
    said: tuple[str, ...] = ()
    while True:
        now = patience.clock()
        late = now - began >= patience.seconds
        state = _seen(asking, say, give_up=late)
        if state is not None:
            found = look(state)
            if not found:
                return now - began
            since = {_key(one): since.get(_key(one), now) for one in found}
            said = _say_changes(found, said, now - began, say)
            if late or any(_is_over(one, now - since[_key(one)]) for one in found):
                _say_last_words(asking, state, say)
                raise Refused(f"after {now - began:.0f} s the cluster does not hold what Git says", found)
        patience.sleep(POLL_SECONDS)


def _seen(asking: Asking, say: Say, *, give_up: bool) -> ClusterState | None:
    """The state; None while the cluster does not answer, for as long as there is time."""
    try:
        return asking.view.state(capacity=False)
    except OutsideError as error:
        if give_up:
            raise
        say(f"{error.what}; asking again")
        return None


def _key(finding: Finding) -> tuple[str, str]:
    return finding.rule, finding.where


def _is_over(finding: Finding, stood: float) -> bool:
    limit = give_up_seconds(finding)
    return limit is not None and stood >= limit


def _say_changes(found: tuple[Finding, ...], said: tuple[str, ...], seconds: float, say: Say) -> tuple[str, ...]:
    """What was said by now: each sentence once."""
    new = [one.what for one in found if one.what not in said]
    for what in new:
        say(f"{seconds:5.1f} s  {what}")
    return (*said, *new)


def _say_last_words(asking: Asking, state: ClusterState, say: Say) -> None:
    """What containers printed before they ended: the first thing that anybody would ask for."""
    pods = [pod for one in state.instances.values() for pod in one.pods]
    crashed = [(one.pod, one.container) for pod in pods for one in pod.troubles if one.reason is Reason.CRASH]
    gates = [(name, "gate") for gate in state.gates.values() if gate.answer == "failed" for name in gate.pods]
    for pod, container in [*crashed, *gates][:5]:
        for line in asking.view.last_words(pod, container).splitlines()[-5:]:
            say(f"{pod} said: {line}")
