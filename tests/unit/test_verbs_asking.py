"""Asking a cluster before a commit and waiting for it afterwards: what stops, what is said, and when waiting ends."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from live import Seen, live, unready
from lockstep.core.cluster.moving import moving
from lockstep.core.cluster.preflight import Move, preflight
from lockstep.core.cluster.readiness import readiness
from lockstep.core.cluster.state import ClusterState
from lockstep.core.errors import Finding, OutsideError, Refused
from lockstep.verbs.asking import Asking, Patience, refuse_unfit, wait_for
from unit.test_core_compose import ids
from unit.test_core_environment import BOTH, MOVED, SECOND

SUMMARIZER = ids(SECOND)["summarizer"]
READY = live(BOTH).state()
STARTING = live(BOTH).change_pods(SUMMARIZER, unready()).state()
CRASHING = (
    live(BOTH)
    .change_pods(SUMMARIZER, unready({"reason": "CrashLoopBackOff"}, restarts=3, ended={"exitCode": 1}))
    .state()
)
ABSENT = live(BOTH).without(SUMMARIZER).state()
AWAY = OutsideError("connection refused", where="c", fix="f")
MOVE = Move(BOTH, dict(SECOND.instances), "1.1.0")


def anything(_reference: str) -> str:
    return ""


def patience(seconds: float = 100) -> Patience:
    """Every look at the clock is a second later."""
    ticks = itertools.count()
    return Patience(seconds, lambda: float(next(ticks)), lambda _seconds: None)


def asking(*states: ClusterState | OutsideError, **given: object) -> Asking:
    return Asking(Seen(list(states)), anything, **given)  # type: ignore[arg-type]


def ready(state: ClusterState) -> tuple[Finding, ...]:
    return readiness(BOTH, state, BOTH.instances)


def test_without_a_cluster_nothing_is_asked() -> None:
    said: list[str] = []

    assert refuse_unfit(None, MOVE, preflight, said.append) is None
    assert wait_for(asking(READY), ready, said.append) == 0
    assert said == []


def test_a_fit_cluster_lets_the_move_pass_and_is_asked_once() -> None:
    given = asking(READY)

    assert refuse_unfit(given, MOVE, preflight, print) == READY
    assert given.view.asked == [True]  # type: ignore[attr-defined]


def test_an_unfit_cluster_stops_it_and_a_reason_goes_on() -> None:
    said: list[str] = []
    with pytest.raises(Refused) as caught:
        refuse_unfit(asking(ABSENT), MOVE, preflight, said.append)
    given = asking(ABSENT, despite="the old one is\ndown")

    refuse_unfit(given, MOVE, preflight, said.append)

    assert [one.rule for one in caught.value.findings] == ["preflight/absent"]
    assert "--despite" in caught.value.what
    assert said[-1].startswith("despite preflight/absent")
    assert given.trailers == {"Despite": "the old one is down"}
    assert asking(READY).trailers == {}


def test_a_cluster_that_does_not_answer_stops_it_unless_a_person_goes_on() -> None:
    said: list[str] = []
    with pytest.raises(OutsideError):
        refuse_unfit(asking(AWAY), MOVE, preflight, said.append)

    assert refuse_unfit(asking(AWAY, despite="API server is down"), MOVE, preflight, said.append) is None
    assert "cannot be asked" in said[0]


def problem(images: dict[str, str | None]) -> Callable[[str], str]:
    def why(reference: str) -> str:
        found = images.get(reference, "")
        if found is None:
            raise OutsideError("certificate unknown", where=reference, fix="f")
        return found

    return why


def test_an_image_that_is_surely_gone_stops_it_and_one_that_nobody_can_ask_for_is_said() -> None:
    said: list[str] = []
    image = SECOND.instances[SUMMARIZER].images[0]

    with pytest.raises(Refused) as caught:
        refuse_unfit(Asking(Seen([READY]), problem({image: "404"})), MOVE, preflight, said.append)
    assert refuse_unfit(Asking(Seen([READY]), problem({image: None})), MOVE, preflight, said.append) == READY

    assert [one.rule for one in caught.value.findings] == ["preflight/image"]
    assert "not checked" in said[-1]
    assert "certificate unknown" in said[-1]


def test_waiting_ends_when_nothing_is_left_and_says_each_change_once() -> None:
    said: list[str] = []
    given = asking(ABSENT, ABSENT, STARTING, STARTING, READY, patience=patience())

    seconds = wait_for(given, ready, said.append)

    assert seconds > 0
    assert len(said) == 2
    assert ["is not in the cluster" in said[0], "readiness probe" in said[1]] == [True, True]


def test_waiting_ends_when_time_is_up_and_says_what_is_left() -> None:
    with pytest.raises(Refused) as caught:
        wait_for(asking(STARTING, patience=patience(20)), ready, print)

    assert [one.rule for one in caught.value.findings] == ["cluster/starting"]
    assert "after 2" in caught.value.what


def test_waiting_ends_early_where_it_helps_nobody_and_says_the_last_words() -> None:
    said: list[str] = []
    given = asking(CRASHING, patience=patience(10_000))
    given.view.said[f"{SUMMARIZER}-0/summarizer"] = "Traceback\nKeyError: 'MODEL'"  # type: ignore[attr-defined]

    with pytest.raises(Refused) as caught:
        wait_for(given, ready, said.append)

    assert "after 6" in caught.value.what
    assert said[-1] == f"{SUMMARIZER}-0 said: KeyError: 'MODEL'"


def test_a_crash_that_heals_is_waited_for() -> None:
    given = asking(CRASHING, CRASHING, STARTING, READY, patience=patience())

    assert wait_for(given, ready, lambda _line: None) > 0


def test_a_gate_that_failed_ends_the_wait_at_once() -> None:
    found = live(MOVED)
    found.one("jobs", f"gate-{SECOND.root}")["status"] = {"conditions": [{"type": "Failed", "status": "True"}]}

    with pytest.raises(Refused) as caught:
        wait_for(asking(found.state(), patience=patience()), lambda state: moving(MOVED, state), print)

    assert caught.value.findings[0].rule == "cluster/failed"


def test_a_cluster_that_goes_away_meanwhile_is_asked_again_until_time_is_up() -> None:
    said: list[str] = []

    assert wait_for(asking(AWAY, AWAY, READY, patience=patience()), ready, said.append) > 0
    with pytest.raises(OutsideError):
        wait_for(asking(AWAY, patience=patience(10)), ready, said.append)

    assert said[0] == "connection refused; asking again"
