"""The checker of the cluster tests: a clean record gives nothing, every planted violation is found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from demo.answers import Answer
from kit.checker import Bounds, Violation, Window, violations
from kit.record import Event, Record

SECOND = 1_000_000_000
OLD, NEW = "root-0000000000", "root-1111111111"
MODEL = {OLD: "model-0000000000", NEW: "model-1111111111"}
CLOSURES = {root: frozenset({root, model}) for root, model in MODEL.items()}
PROMOTED, REVERTED, END = 10 * SECOND, 20 * SECOND, 30 * SECOND


@dataclass
class Story:
    """A record in the making: both releases run, the front moves at 10 s and back at 20 s, clients ask all the time."""

    events: list[Event] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    bounds: Bounds = field(default_factory=Bounds)

    def event(self, at: float, kind: str, name: str, change: str = "MODIFIED", **facts: Any) -> None:
        """Adds an event; its version follows from its time."""
        at_ns = int(at * SECOND)
        self.events.append(Event(at_ns, at_ns // 1_000_000 + 1000, kind, name, change, facts))

    def front(self, at: float, root: str, change: str = "MODIFIED") -> None:
        """The front names a root."""
        self.event(at, "Service", "front", change, root=root, serves=sorted(CLOSURES[root]))

    def answer(self, at: float, made_by: str, **changes: Any) -> None:
        """A good answer of a root, or what the changes make of it."""
        served = {name.partition("-")[0]: name for name in CLOSURES[made_by]}
        at_ns = int(at * SECOND)
        good = Answer(at_ns - 3_000_000, at_ns, 200, made_by, served, "", at_ns + 1000, "keep-1.1")
        self.answers.append(replace(good, **changes))

    def violations(self) -> tuple[Violation, ...]:
        """What the checker finds."""
        answers = tuple(sorted(self.answers, key=lambda answer: answer.began_ns))
        return violations(Record(tuple(self.events), answers), CLOSURES, self.bounds)


@pytest.fixture
def story() -> Story:
    """A clean record."""
    made = Story()
    for root, model in MODEL.items():
        for name in (root, model):
            made.event(0, "Service", name, "LISTED")
            made.event(0, "Deployment", name, "LISTED", ready=1, wanted=1)
            made.event(0, "EndpointSlice", f"{name}-x", "LISTED", service=name, ready=1)
            made.event(0, "Pod", f"{name}-pod", "LISTED", instance=name, ready=True, restarts=0)
    made.event(0, "EndpointSlice", "front-x", "LISTED", service="front", ready=1)
    made.front(0, OLD, "LISTED")
    made.front(10, NEW)
    made.front(20, OLD)
    for tenth in range(300):
        made.answer(tenth / 10 + 0.05, NEW if 100 <= tenth < 205 else OLD)
    return made


Plant = Callable[[Story], None]


def _mixed_answer(story: Story) -> None:
    story.answer(15, NEW, served_by={"root": NEW, "model": MODEL[OLD]})


def _answer_with_a_part_missing(story: Story) -> None:
    story.answer(15, NEW, served_by={"root": NEW})


def _failed_answer(story: Story) -> None:
    story.answer(15, NEW, status=502, error="no callee", served_by={})


def _no_answer(story: Story) -> None:
    story.answer(15, NEW, status=0, root="", error="ConnectionRefusedError", served_by={})


def _answer_without_a_root(story: Story) -> None:
    story.answer(15, NEW, root="")


def _slow_answer(story: Story) -> None:
    story.answer(15, NEW, sent_ns=9 * SECOND)


def _silence(story: Story) -> None:
    story.answers = [answer for answer in story.answers if not 12 * SECOND < answer.began_ns < 18 * SECOND]


def _late_old_answer(story: Story) -> None:
    story.answer(14, OLD)


def _late_answer_of_the_reverted_release(story: Story) -> None:
    story.answer(24, NEW)


def _answer_before_the_front_moved(story: Story) -> None:
    story.answer(5, NEW)


def _stream_that_changes_its_release(story: Story) -> None:
    story.answer(12, NEW, lane="stream-1.1", lines=(NEW, OLD))


def _front_names_an_unready_root(story: Story) -> None:
    story.event(9, "EndpointSlice", f"{NEW}-x", service=NEW, ready=0)


def _root_becomes_unready_while_it_serves(story: Story) -> None:
    story.event(15, "EndpointSlice", f"{NEW}-x", service=NEW, ready=0)
    story.event(15.2, "EndpointSlice", f"{NEW}-x", service=NEW, ready=1)


def _front_without_an_endpoint(story: Story) -> None:
    story.event(10.01, "EndpointSlice", "front-x", service="front", ready=0)
    story.event(10.02, "EndpointSlice", "front-x", service="front", ready=1)


def _served_instance_deleted(story: Story) -> None:
    story.event(25, "Deployment", MODEL[OLD], "DELETED")


def _served_instance_not_ready(story: Story) -> None:
    story.event(15, "Deployment", MODEL[NEW], ready=0, wanted=1)


def _service_of_a_served_instance_deleted(story: Story) -> None:
    story.event(15, "Service", MODEL[NEW], "DELETED")


def _front_deleted(story: Story) -> None:
    story.event(25, "Service", "front", "DELETED")


def _refused_root_is_named(story: Story) -> None:
    story.bounds = Bounds(refused=frozenset({NEW}))


def _pod_started_on_a_revert(story: Story) -> None:
    story.bounds = Bounds(still=(Window(REVERTED, END),))
    story.event(21, "Pod", f"{OLD}-other", "ADDED", instance=OLD, restarts=0)


def _pod_stopped_on_a_revert(story: Story) -> None:
    story.bounds = Bounds(still=(Window(REVERTED, END),))
    story.event(21, "Pod", f"{NEW}-pod", "DELETED", instance=NEW, restarts=0)


def _pod_restarted_on_a_revert(story: Story) -> None:
    story.bounds = Bounds(still=(Window(REVERTED, END),))
    story.event(21, "Pod", f"{OLD}-pod", instance=OLD, restarts=1)


def _no_answers(story: Story) -> None:
    story.answers = []


def _no_pods(story: Story) -> None:
    story.events = [event for event in story.events if event.kind != "Pod"]


def _no_front(story: Story) -> None:
    story.events = [event for event in story.events if event.name != "front"]


PLANTED: dict[Plant, str] = {
    _mixed_answer: "answer/mixed",
    _answer_with_a_part_missing: "answer/mixed",
    _failed_answer: "answer/failed",
    _no_answer: "answer/failed",
    _answer_without_a_root: "answer/failed",
    _slow_answer: "answer/slow",
    _silence: "answer/gap",
    _late_old_answer: "answer/late",
    _late_answer_of_the_reverted_release: "answer/late",
    _answer_before_the_front_moved: "answer/late",
    _stream_that_changes_its_release: "answer/stream",
    _front_names_an_unready_root: "front/unready",
    _root_becomes_unready_while_it_serves: "front/unready",
    _front_without_an_endpoint: "front/endpoints",
    _served_instance_deleted: "front/closure",
    _served_instance_not_ready: "front/closure",
    _service_of_a_served_instance_deleted: "front/closure",
    _front_deleted: "front/gone",
    _refused_root_is_named: "front/refused",
    _pod_started_on_a_revert: "instance/still",
    _pod_stopped_on_a_revert: "instance/still",
    _pod_restarted_on_a_revert: "instance/still",
    _no_answers: "record/answers",
    _no_pods: "record/events",
    _no_front: "record/events",
}


def test_violations_finds_nothing_in_a_clean_record(story: Story) -> None:
    story.bounds = Bounds(still=(Window(REVERTED, END),), refused=frozenset({"root-2222222222"}))

    assert story.violations() == ()


@pytest.mark.parametrize(("plant", "rule"), PLANTED.items(), ids=lambda value: getattr(value, "__name__", value))
def test_violations_finds_what_was_planted_and_nothing_else(story: Story, plant: Plant, rule: str) -> None:
    plant(story)

    assert {violation.rule for violation in story.violations()} == {rule}


def test_violations_allows_what_a_root_broken_on_purpose_does_and_no_more(story: Story) -> None:
    story.bounds = Bounds(broken=(Window(12 * SECOND, 21 * SECOND, frozenset({NEW})),))
    story.event(13, "EndpointSlice", f"{NEW}-x", service=NEW, ready=0)
    story.event(13, "EndpointSlice", "front-x", service="front", ready=0)
    story.event(20.1, "EndpointSlice", "front-x", service="front", ready=1)
    story.answer(14, NEW, status=500, error="broken", served_by={})
    story.answer(15, NEW, status=0, root="", error="refused", served_by={})
    assert story.violations() == ()

    story.answer(25, OLD, status=500, error="broken", served_by={})
    story.answer(14, NEW, served_by={"root": NEW, "model": MODEL[OLD]})
    assert {violation.rule for violation in story.violations()} == {"answer/failed", "answer/mixed"}


def test_violations_judges_states_in_the_order_of_versions_not_of_arrival(story: Story) -> None:
    """The kinds are watched apart: news of the front may arrive before earlier news of its root."""
    late = 9.5
    story.event(late, "EndpointSlice", f"{NEW}-x", service=NEW, ready=1)
    story.event(late - 1, "EndpointSlice", f"{NEW}-x", service=NEW, ready=0)
    story.events[-2] = replace(story.events[-2], at_ns=int(10.4 * SECOND))

    assert story.violations() == ()


def test_violations_waits_until_every_kind_was_listed() -> None:
    """Lists are of different versions: a front that was listed first names a root that nobody has listed yet."""
    story = Story()
    story.front(0, OLD, "LISTED")
    story.event(0.1, "Service", OLD, "LISTED")
    story.event(0.1, "Service", MODEL[OLD], "LISTED")
    for name in CLOSURES[OLD]:
        story.event(0.3, "Deployment", name, "LISTED", ready=1)
        story.event(0.3, "Pod", f"{name}-pod", "LISTED", instance=name, restarts=0)
    story.event(0.4, "EndpointSlice", "root-x", "LISTED", service=OLD, ready=1)
    story.event(0.4, "EndpointSlice", "front-x", "LISTED", service="front", ready=1)
    for tenth in range(10, 120):
        story.answer(tenth / 10, OLD)

    assert story.violations() == ()
