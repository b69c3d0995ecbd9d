"""Whether everything that one side sends is valid for what the other side reads; what cannot be shown is a reason.

1. The sender is a set of schemas that hold together; the reader is one schema, taken apart into what holds together.
2. Each keyword of the reader has to follow from the sender's keywords; what is below (properties, items) is a step of
   its own, so a ring of references ends: it holds if nothing in the ring fails (each step takes a smaller value).
3. Where the reader offers a choice, the sender has to fit one of its branches, or each of the sender's own branches
   (its types, its listed values) one of them.
4. What is not understood does not follow. So a proof may be missed and is never given wrongly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from lockstep.core.contract.contract import Node
from lockstep.core.contract.notice import Asked
from lockstep.core.contract.schema.same import Same
from lockstep.core.contract.schema.sender import Sender, flat
from lockstep.core.contract.schema.view import Key, View, Views

LIMIT_STEPS = 20_000
LIMIT_NESTED = 16  # trials within trials
_NOWHERE = LIMIT_NESTED + 2


class Reason(NamedTuple):
    """Something that was not shown.

    Args:
        reader: The reader's schema.
        keyword: Which of its keywords; empty for the schema as a whole.
    """

    reader: Node
    keyword: str


class Step(NamedTuple):
    """Something that has to be shown: everything that is sent is read. `is_below`: it is about a part of the value."""

    sender: tuple[Node, ...]
    reader: Node
    is_below: bool


StepKey = tuple[tuple[Key, ...], Key]


@dataclass
class Found:
    """What a step showed: what failed at itself, and the steps that it rests on. `is_named`: they are all there are."""

    reasons: tuple[Reason, ...]
    steps: tuple[Step, ...]
    is_named: bool = False


@dataclass
class Prover:
    """Shows that one side's schemas fit the other's; what was shown once is remembered.

    Args:
        sending: The schemas of the side that sends.
        reading: Those of the side that reads.
        is_open: See Sender.
        hidden: Properties with this keyword do not occur: `readOnly` in a request, `writeOnly` in a response; empty
            where all do.
        same: Whether a sending and a reading schema say the same.
        forgiving: Who asks, where a required property that is gone may be one that was given up beforehand.
        found: What each step showed by itself.
        shown: Steps that hold, with all that they rest on.
        failed: Steps that do not, and why.
        open: The steps that are being looked at, the outermost first, each with a number of its own.
        places: Where in `open` a step is.
        meanwhile: What was shown as long as a step is open: why not, the place of the step, its number.
        leans: The outermost open step on which what is looked at leans.
        steps: How many steps were looked at.
    """

    sending: Views
    reading: Views
    is_open: bool
    hidden: str
    same: Same
    forgiving: Asked | None = None
    found: dict[StepKey, Found] = field(default_factory=dict)
    shown: set[StepKey] = field(default_factory=set)
    failed: dict[StepKey, tuple[Reason, ...]] = field(default_factory=dict)
    open: list[tuple[StepKey, int]] = field(default_factory=list)
    places: dict[StepKey, int] = field(default_factory=dict)
    meanwhile: dict[StepKey, tuple[tuple[Reason, ...], int, int]] = field(default_factory=dict)
    leans: int = _NOWHERE
    steps: int = 0

    def sender(self, nodes: tuple[Node, ...]) -> Sender | None:
        """The sender's schemas that hold together; None where one is its own part."""
        flats = flat(self.sending, nodes)
        return None if flats is None else Sender(self.sending, flats, self.is_open)

    def reasons(self, step: Step) -> tuple[Reason, ...]:
        """Why it could not be shown, at most one for each place; none: it is shown."""
        root = self.key(step)
        known = self._known(step, root)
        if known is not None:
            return known
        before, self.leans = self.leans, _NOWHERE
        reasons, above = self._walk(step)
        found = next(iter(reasons.values()), ())
        if self.leans >= len(self.open):
            self._remember(reasons, above)
        else:
            self.meanwhile[root] = (found, self.leans, self.open[self.leans][1])
        self.leans = min(self.leans, before)
        return found

    def _known(self, step: Step, root: StepKey) -> tuple[Reason, ...] | None:
        """What was shown before, or what holds as long as a step is open on which it leans."""
        if root in self.shown or (len(step.sender) == 1 and self.same.known.get((root[0][0], root[1]))):
            return ()
        if root in self.failed:
            return self.failed[root]
        found, leans, number = self.meanwhile.get(root, ((), _NOWHERE, 0))
        if leans < len(self.open) and self.open[leans][1] == number:
            self.leans = min(self.leans, leans)
            return found
        return None

    def _remember(self, reasons: dict[StepKey, tuple[Reason, ...]], above: dict[StepKey, list[StepKey]]) -> None:
        """Every step that rests on one that failed has failed as well; all others are shown."""
        passed: set[StepKey] = set()  # what had failed before may have new steps above it
        for failed, why in reasons.items():
            waiting = [failed]
            for key in waiting:
                if key not in passed:
                    passed.add(key)
                    self.failed.setdefault(key, why)
                    waiting += above[key]
        if not (reasons and self.open):  # a trial that ended early has not seen all
            self.shown.update(key for key in above if key not in self.failed)

    def holds(self, step: Step) -> bool:
        """Whether it can be shown."""
        return not self.reasons(step)

    def _walk(self, step: Step) -> tuple[dict[StepKey, tuple[Reason, ...]], dict[StepKey, list[StepKey]]]:
        """Reasons by the step that failed, and the steps above each."""
        reasons: dict[StepKey, tuple[Reason, ...]] = {}
        above: dict[StepKey, list[StepKey]] = {}
        seen: dict[StepKey, bool] = {}
        waiting: list[tuple[Step, bool, StepKey | None]] = [(step, False, None)]
        while waiting and not (reasons and self.open):  # of a trial one reason is enough
            here, is_below, from_ = waiting.pop()
            key = self.key(here)
            above.setdefault(key, []).extend([] if from_ is None else [from_])
            if key in self.shown or (key in seen and (seen[key] or not is_below)):
                continue
            if key in self.failed:
                reasons[key] = self.failed[key]
                continue
            if (place := self.places.get(key)) is not None:
                self.leans = min(self.leans, place)
                if not is_below:
                    reasons[key] = (Reason(here.reader, ""),)
                continue
            seen[key] = is_below
            found = self._explore(key, here)
            if found is None:
                self.leans = min(self.leans, 0)
                return {key: (Reason(here.reader, ""),)}, above
            if found.reasons:
                reasons[key] = found.reasons
            waiting += [(one, is_below or one.is_below, key) for one in found.steps]
        return reasons, above

    def _explore(self, key: StepKey, step: Step) -> Found | None:
        """What a step shows by itself, remembered unless it leans on what is open; None where it takes too long."""
        if key in self.found:
            return self.found[key]
        self.steps += 1
        place = len(self.open)
        if self.steps > LIMIT_STEPS or place > LIMIT_NESTED:
            return None
        from lockstep.core.contract.schema.follows import follows  # noqa: PLC0415 - each needs the other

        before, self.leans = self.leans, _NOWHERE
        self.open.append((key, self.steps))
        self.places[key] = place
        try:
            found = follows(self, step)
        finally:
            self.open.pop()
            del self.places[key]
        if self.leans >= place:
            self.found[key], self.leans = found, _NOWHERE
        self.leans = min(self.leans, before)
        return found

    def key(self, step: Step) -> StepKey:
        """The same for the same schemas, however they were referred to."""
        senders = {_key(self.sending, node) for node in step.sender}
        return (tuple(sorted(senders)), _key(self.reading, step.reader))


def _key(views: Views, node: Node) -> Key:
    return node.file, node.pointer if node.file.startswith("=") else views.of(node).node.pointer


def made(schema: dict[str, object], name: str) -> Node:
    """A schema that stands in no file; the name says what it is, so equal names are equal schemas."""
    return Node(schema, f"={name}", ())


def flat_reader(prover: Prover, reader: Node) -> tuple[View, ...] | None:
    """The reader's schemas that have to be satisfied, each."""
    return flat(prover.reading, (reader,))
