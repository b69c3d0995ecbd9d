"""Two places that meet outside schemas, and how both sides are read: what is malformed is noted once, never raised."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from lockstep.core.contract.contract import Contract, Node
from lockstep.core.contract.finding import Level
from lockstep.core.contract.judge import Draft, Judge, Question, said
from lockstep.core.contract.operation_rules import OPERATION_RULES
from lockstep.core.contract.reading import LIMIT_DEPTH, Pointer
from lockstep.core.document import InvalidDocument


@dataclass(frozen=True)
class Reader:
    """Reads the places of one contract.

    Args:
        contract: The contract.
        wrong: What is malformed, with what is expected there, by file and pointer.
    """

    contract: Contract
    wrong: dict[tuple[str, Pointer], tuple[Node, str]] = field(default_factory=dict)

    def note(self, node: Node, expected: str) -> None:
        """Notes that something else stands where OpenAPI has this."""
        self.wrong.setdefault((node.file, node.pointer), (node, expected))

    def resolve(self, node: Node) -> Node | None:
        """What a node leads to in the end; None, and noted, if it leads nowhere."""
        found = node
        for _ in range(LIMIT_DEPTH):
            if not (isinstance(found.value, dict) and isinstance(reference := found.value.get("$ref"), str)):
                return found
            try:
                found = self.contract.target(found, reference)
            except InvalidDocument:
                break
        self.note(node, "a reference that leads somewhere")
        return None

    def mapping(self, node: Node | None) -> Node | None:
        """The mapping that a node is or leads to; None if there is none."""
        if node is None or node.value is None:
            return None
        found = self.resolve(node) if isinstance(node.value, dict) and "$ref" in node.value else node
        if found is None or isinstance(found.value, dict):
            return found
        self.note(found, "a mapping")
        return None

    def entries(self, node: Node | None) -> dict[str, Node]:
        """The mappings below a mapping of names, resolved, by key."""
        above = self.mapping(node)
        here = ((key, self.mapping(item)) for key, item in (above.items() if above else ()))
        return {key: found for key, found in here if found is not None}

    def patterned(self, node: Node | None) -> dict[str, Node]:
        """The mappings below a mapping that may have extensions beside them, resolved, by key."""
        above = self.mapping(node)
        if above is None:
            return {}
        own = {key: item for key, item in above.value.items() if not key.startswith("x-")}
        return self.entries(Node(own, above.file, above.pointer))

    def listed(self, node: Node | None) -> Iterator[Node]:
        """The items of a list."""
        if node is None or node.value is None:
            return
        if not isinstance(node.value, list):
            self.note(node, "a list")
            return
        yield from (item for _, item in node.items())

    def text(self, node: Node, key: str) -> str:
        """The text of a field of a mapping; empty if there is none."""
        return str(self._typed(node, key, str, "text") or "")

    def flag(self, node: Node, key: str) -> bool | None:
        """Whether a field of a mapping is true; None if it is not there."""
        found = self._typed(node, key, bool, "true or false")
        return found if isinstance(found, bool) else None

    def _typed(self, node: Node, key: str, kind: type, expected: str) -> Any:
        value = node.value.get(key)
        if value is None or isinstance(value, kind):
            return value
        self.note(Node(value, node.file, (*node.pointer, key)), expected)
        return None


@dataclass(frozen=True)
class Pair:
    """Two places that meet.

    Args:
        provider: Where the provider says it; of what it does not say, the nearest that it says.
        needed: Where it is needed, likewise.
    """

    provider: Node
    needed: Node

    def below(self, key: str) -> Pair:
        """The same key on both sides; where it is not there, the place itself."""
        return Pair(self.provider.get(key) or self.provider, self.needed.get(key) or self.needed)


@dataclass(frozen=True)
class Case:
    """One operation while it is judged, or what belongs to none.

    Args:
        judge: Collects what is found.
        provider: Reads the provider's side.
        needed: Reads the other.
        operation: Method and path; empty for what belongs to no single one.
        schemes: Security schemes of the provider that are needed under another name, to that name.
        seen: Callbacks that were judged.
    """

    judge: Judge
    provider: Reader
    needed: Reader
    operation: str = ""
    schemes: dict[str, str] = field(default_factory=dict)
    seen: set[tuple[str, Pointer, str, Pointer]] = field(default_factory=set)

    def of(self, operation: str) -> Case:
        """The same for one operation."""
        return replace(self, operation=operation)

    @property
    def is_edge(self) -> bool:
        """Whether a caller asks: what a provider said beforehand about taking it away does not help a caller."""
        return self.judge.question is Question.EDGE

    def is_before(self, day: str) -> bool:
        """Whether this day is still to come."""
        return self.judge.asked.is_before(day)

    def is_past(self, day: str) -> bool:
        """Whether this day is over."""
        return self.judge.asked.is_past(day)

    def add(self, rule: str, what: str, at: Pair, *, old: Any = None, new: Any = None) -> None:
        """Notes what a rule found, with what is needed (`old`) and what the provider has (`new`); None is nothing."""
        self.add_as(OPERATION_RULES[rule].level, rule, what, at, (old, new))

    def add_as(self, level: Level, rule: str, what: str, at: Pair, values: tuple[Any, Any]) -> None:
        """Notes it with another level than the rule's own."""
        old, new = (None if value is None else said(value) for value in values)
        fix = OPERATION_RULES[rule].fix
        self.judge.add(Draft(rule, level, self.operation, what, fix, at.provider, at.needed, old, new))


def malformed_findings(case: Case) -> None:
    """Notes every place that could not be read, once; what is equally malformed on both sides is told as INFO."""
    ours, theirs = _by_value(case.provider), _by_value(case.needed)
    root = Pair(case.judge.provider.root, case.judge.needed.root)
    for node, expected in case.provider.wrong.values():
        other = theirs.get((expected, said(node.value))) or _equal(case.needed.contract, node)
        _malformed(case, Pair(node, other or root.needed), expected, is_same=other is not None)
    for node, expected in case.needed.wrong.values():
        if (expected, said(node.value)) not in ours:
            equal = _equal(case.provider.contract, node)
            _malformed(case, Pair(equal or root.provider, node), expected, is_same=equal is not None)


def _by_value(reader: Reader) -> dict[tuple[str, str], Node]:
    """What is malformed by what it is: elsewhere in the other file it may be the same."""
    return {(expected, said(node.value)): node for node, expected in reader.wrong.values()}


def _equal(contract: Contract, node: Node) -> Node | None:
    """The same place of another contract, if the same stands there and nobody came to read it."""
    value = contract.root.value
    for key in node.pointer:
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return Node(value, contract.path, node.pointer) if value == node.value else None


def _malformed(case: Case, at: Pair, expected: str, *, is_same: bool) -> None:
    level = Level.INFO if is_same else OPERATION_RULES["malformed"].level
    what = f"{expected} is expected here; what stands here was not judged"
    case.add_as(level, "malformed", what, at, (None, None))
