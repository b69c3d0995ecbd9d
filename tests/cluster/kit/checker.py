"""Says what a record violates. Pure: a record, the closures of the releases and the bounds give the violations.

1. The cluster's state is built event by event, in the order of resourceVersions; from the moment on at which every
   kind has been listed, each state is judged: the front names a Ready root, has an endpoint itself, and everything that
   it serves exists and is Ready.
2. Each answer is judged by itself: not failed, made by one release, not slow; each lane by its silences.
3. Answers are judged against the front: the old root answers for no longer than the bound after a move.
4. In the windows that the scenario calls still, no instance starts, stops or restarts.
A record in which nothing was seen is a violation itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from demo.answers import Answer, failed, mixed
from kit.record import Event, Record
from kit.state import State, states

_SECOND = 1_000_000_000
_AHEAD_NS = 500_000_000  # a node may follow a move before the watcher hears of it
Closures = Mapping[str, frozenset[str]]


@dataclass(frozen=True, order=True)
class Violation:
    """One broken invariant: which, when (monotonic), and what was seen."""

    rule: str
    at_ns: int
    what: str


@dataclass(frozen=True)
class Window:
    """A span of time. `roots` are those that it is about; none means all."""

    from_ns: int
    to_ns: int
    roots: frozenset[str] = frozenset()

    def holds(self, at_ns: int, root: str = "") -> bool:
        """Whether a moment (of a root) lies in it."""
        return self.from_ns <= at_ns <= self.to_ns and (not self.roots or root in self.roots)


@dataclass(frozen=True)
class Bounds:
    """What a scenario allows.

    Args:
        follow_seconds: How long after a move of the front the old root may still begin answers: the connection age,
            its grace, and the time in which a node's rules follow.
        slow_seconds: How long one request may take.
        silence_seconds: How long a lane may bring no answer.
        refused: Roots that the front must never name.
        broken: When the served root was broken on purpose: failures and unreadiness of these roots are its meaning.
        still: When no instance may start, stop or restart.
        idle: When nobody asked.
        least: The fewest answers that prove anything.
    """

    follow_seconds: float = 3.5
    slow_seconds: float = 5.0
    silence_seconds: float = 5.0
    refused: frozenset[str] = frozenset()
    broken: tuple[Window, ...] = ()
    still: tuple[Window, ...] = ()
    idle: tuple[Window, ...] = ()
    least: int = 100

    def excuses(self, at_ns: int, root: str) -> bool:
        """Whether a root was broken on purpose then."""
        return any(window.holds(at_ns, root) for window in self.broken)

    def is_breaking(self, at_ns: int) -> bool:
        """Whether any root was broken on purpose then: the front's own endpoints follow its selector a moment later."""
        return any(window.from_ns <= at_ns <= window.to_ns for window in self.broken)


@dataclass(frozen=True)
class _Case:
    """A record, what it is judged by, and what follows from its events."""

    record: Record
    closures: Closures
    bounds: Bounds
    timeline: tuple[tuple[Event, State], ...]
    moves: tuple[tuple[int, str], ...]

    def named(self, from_ns: int, to_ns: int) -> frozenset[str]:
        """The roots that the front named at some moment of a span."""
        before = [root for at, root in self.moves if at <= from_ns][-1:]
        return frozenset([*before, *(root for at, root in self.moves if from_ns < at <= to_ns)])

    def excuses(self, answer: Answer) -> bool:
        """Whether it met a root that was broken on purpose: the one that answered, or one that the front named."""
        roots = {answer.root} if answer.root else self.named(answer.sent_ns, answer.began_ns)
        return any(self.bounds.excuses(at, root) for root in roots for at in (answer.sent_ns, answer.began_ns))

    def waited_for_broken(self, answer: Answer) -> bool:
        """Whether it was sent when the front named a root that was broken on purpose; another may have answered it."""
        return any(self.bounds.excuses(answer.sent_ns, root) for root in self.named(answer.sent_ns, answer.sent_ns))


def violations(record: Record, closures: Closures, bounds: Bounds) -> tuple[Violation, ...]:
    """Everything that a record violates, sorted; none for a clean one.

    Args:
        record: What happened.
        closures: For every root, the instances of its release.
        bounds: What the scenario allows.
    """
    timeline = tuple(states(record.events))
    case = _Case(record, closures, bounds, timeline, front_moves(timeline))
    found = [*_nothing_seen(case), *_front(case), *_answers(case), *_silences(case), *_late(case), *_still(case)]
    return tuple(sorted(set(found)))


def front_moves(timeline: tuple[tuple[Event, State], ...]) -> tuple[tuple[int, str], ...]:
    """When the front named another root, and which; its first naming included."""
    moves: list[tuple[int, str]] = []
    for event, state in timeline:
        if state.root and (not moves or moves[-1][1] != state.root):
            moves.append((event.at_ns, state.root))
    return tuple(moves)


def _nothing_seen(case: _Case) -> Iterator[Violation]:
    count = len(case.record.answers)
    if count < case.bounds.least:
        yield Violation("record/answers", 0, f"{count} answers prove nothing; at least {case.bounds.least}")
    kinds = {event.kind for event in case.record.events}
    for kind in ("Service", "EndpointSlice", "Deployment", "Pod"):
        if kind not in kinds:
            yield Violation("record/events", 0, f"no event of any {kind} was seen")
    if not case.moves:
        yield Violation("record/events", 0, "no state with a front was seen")


def _front(case: _Case) -> Iterator[Violation]:
    """Every state's faults, each once: at the event that brought it."""
    before: frozenset[tuple[str, str]] = frozenset()
    for event, state in case.timeline:
        now = frozenset(_state_faults(event, state, case.bounds))
        for rule, what in sorted(now - before):
            yield Violation(rule, event.at_ns, f"{what} (since {event.change} {event.kind} {event.name})")
        before = now


def _state_faults(event: Event, state: State, bounds: Bounds) -> Iterator[tuple[str, str]]:
    if not state.root:
        if state.had_front:
            yield "front/gone", "there is no front any more"
        return
    if state.root in bounds.refused:
        yield "front/refused", f"the front names {state.root}, which must never serve"
    if bounds.excuses(event.at_ns, state.root):
        return
    if state.endpoints(state.root) < 1:
        yield "front/unready", f"the front names {state.root}, which has no ready endpoint"
    if state.had_endpoints and state.endpoints("front") < 1 and not bounds.is_breaking(event.at_ns):
        yield "front/endpoints", f"the front (to {state.root}) has no ready endpoint itself"
    for name in sorted(state.serves):
        if not state.has_service(name) or state.ready(name) < 1:
            yield "front/closure", f"{name} is served by {state.root} but is absent or not ready"


def _answers(case: _Case) -> Iterator[Violation]:
    answers = case.record.answers
    for answer in failed(answers):
        if not case.excuses(answer):
            yield Violation("answer/failed", answer.began_ns, _said(answer))
    for answer in mixed(answers, case.closures):
        rule = "answer/stream" if answer.lines else "answer/mixed"
        yield Violation(rule, answer.began_ns, _said(answer))
    for answer in answers:
        seconds = (answer.began_ns - answer.sent_ns) / _SECOND
        if seconds > case.bounds.slow_seconds and not case.waited_for_broken(answer):
            yield Violation("answer/slow", answer.began_ns, f"{seconds:.2f} s: {_said(answer)}")


def _said(answer: Answer) -> str:
    if answer.error or not answer.root:
        return f"{answer.lane}: status {answer.status}, root {answer.root or 'none'}: {answer.error or 'no root named'}"
    return f"{answer.lane}: {answer.root} answered with {', '.join(answer.lines or sorted(answer.served_by.values()))}"


def _silences(case: _Case) -> Iterator[Violation]:
    """Lanes that brought nothing for too long, though they kept asking."""
    last: dict[str, int] = {}
    for answer in case.record.answers:
        if answer.lines or answer.lane.startswith("stream"):
            continue
        before, at = last.get(answer.lane, answer.began_ns), answer.began_ns
        windows = (*case.bounds.broken, *case.bounds.idle)
        is_meant = any(window.from_ns < at and before < window.to_ns for window in windows)
        if at - before > case.bounds.silence_seconds * _SECOND and not is_meant:
            yield Violation("answer/gap", at, f"{answer.lane}: no answer for {(at - before) / _SECOND:.2f} s")
        last[answer.lane] = at


def _late(case: _Case) -> Iterator[Violation]:
    """Answers that a root began too long after the front had left it, or before the front ever named it."""
    follow = int(case.bounds.follow_seconds * _SECOND)
    for answer in case.record.answers:
        allowed = case.named(answer.began_ns - follow, answer.began_ns + _AHEAD_NS)
        if not answer.root or answer.lines or not allowed or answer.root in allowed:
            continue
        left = [at for at, root in case.moves if at <= answer.began_ns and root != answer.root]
        after = (answer.began_ns - left[-1]) / _SECOND if left else 0.0
        what = f"{answer.lane}: {answer.root} began an answer {after:.2f} s after the front named another"
        yield Violation("answer/late", answer.began_ns, what)


def _still(case: _Case) -> Iterator[Violation]:
    """Instances that started, stopped or restarted when nothing should have."""
    restarts: dict[str, int] = {}
    for event in case.record.events:
        if event.kind != "Pod" or not event.facts.get("instance"):
            continue
        seen = int(event.facts.get("restarts", 0))
        is_change = event.change in {"ADDED", "DELETED"} or seen > restarts.get(event.name, seen)
        restarts[event.name] = seen
        instance = str(event.facts["instance"])
        if is_change and any(window.holds(event.at_ns, instance) for window in case.bounds.still):
            what = f"{event.change} pod {event.name} of {instance}, {seen} restarts, in a window that should be still"
            yield Violation("instance/still", event.at_ns, what)
