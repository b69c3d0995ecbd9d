"""The call graph: who calls whom and whether the two ends of each call fit, in short, as text and as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from lockstep.core.contract.edges import Call, Edge, EdgeState
from lockstep.core.contract.forms.markdown import prose
from lockstep.core.contract.forms.report import counted
from lockstep.core.notes_markdown import cell
from lockstep.core.shown import visible

UNASKED = "cannot be judged"
STATES = (*(str(state) for state in EdgeState), UNASKED)
_COLORS = dict(zip(STATES, ("green", "yellow", "red", "red"), strict=True))
_MANY = dict(zip(STATES, ("fit", "may not fit", "do not fit", "cannot be judged"), strict=True))
_SIGNS = dict(zip(STATES, ("🟢", "🟡", "🔴", "⚪"), strict=True))


@dataclass(frozen=True)
class ToldCall:
    """One call as it is told.

    Args:
        caller: Who calls.
        callee: Who is called.
        state: One of STATES.
        number: How many findings break.
        counts: How many of each level, in words.
        words: What the first of them says, or why nobody could judge; empty if all is well.
    """

    caller: str
    callee: str
    state: str
    number: int = 0
    counts: str = ""
    words: str = ""

    @property
    def said(self) -> str:
        """All of it in a sentence."""
        counts = f", {self.counts}" if self.counts else ""
        return f"{self.caller} calls {self.callee}: {self.state}{counts}" + (f": {self.words}" if self.words else "")


@dataclass(frozen=True)
class CallGraph:
    """A call graph as it is told.

    Args:
        title: What it is of.
        entry: The component that takes outside traffic.
        components: Every component, sorted.
        calls: Every call, sorted by caller and callee.
    """

    title: str
    entry: str
    components: tuple[str, ...]
    calls: tuple[ToldCall, ...]

    @property
    def summary(self) -> str:
        """How many calls there are in each state, in words."""
        found = [call.state for call in self.calls]
        parts = [
            f"{number} {state if number == 1 else _MANY[state]}" for state in STATES if (number := found.count(state))
        ]
        head = f"{len(found)} call" if len(found) == 1 else f"{len(found)} calls"
        return f"{head}: {', '.join(parts)}" if parts else "nothing calls anything"


def told_calls(judged: Iterable[Edge], unasked: Mapping[Call, str]) -> tuple[ToldCall, ...]:
    """Calls that were judged, and calls that could not be with the reason why; sorted."""
    known = [_told(edge) for edge in judged]
    others = [ToldCall(caller, callee, UNASKED, words=why) for (caller, callee), why in unasked.items()]
    return tuple(sorted([*known, *others], key=lambda call: (call.caller, call.callee)))


def _told(edge: Edge) -> ToldCall:
    heavy = [finding for finding in edge.findings if finding.level.is_breaking]
    if not heavy:
        return ToldCall(edge.caller, edge.callee, str(edge.state))
    return ToldCall(edge.caller, edge.callee, str(edge.state), len(heavy), counted(heavy), heavy[0].what)


def calls_text(graph: CallGraph, paint: Callable[[str, str], str]) -> str:
    """One line for each call; what does not fit, with the first finding."""
    width = max((len(f"{call.caller} -> {call.callee}") for call in graph.calls), default=0)
    lines = []
    for call in graph.calls:
        name, said = f"{call.caller} -> {call.callee}", f"{call.state}: {call.counts}" if call.counts else call.state
        lines.append(f"{name:<{width}}  {paint(said, _COLORS[call.state])}")
        lines += [f"{'':<{width}}  {visible(call.words)}"] if call.words else []
    alone = _alone(graph)
    lines += [f"{', '.join(alone)}: nobody calls it, and it calls nobody"] if alone else []
    return "\n".join([*lines, graph.summary]) + "\n"


def calls_markdown(graph: CallGraph) -> str:
    """The graph as a table."""
    rows = [
        f"| {cell(call.caller)} | {cell(call.callee)} | {_SIGNS[call.state]} {call.state} | "
        f"{f'{call.counts}: ' if call.counts else ''}{prose(call.words)} |"
        for call in graph.calls
    ]
    table = "\n".join(["| caller | callee | state | found |", "|---|---|---|---|", *rows])
    return "\n\n".join([f"## {prose(graph.title)}", f"{graph.summary}.", *([table] if rows else [])]) + "\n"


def _alone(graph: CallGraph) -> Sequence[str]:
    known = {name for call in graph.calls for name in (call.caller, call.callee)}
    return [name for name in graph.components if name not in known]
