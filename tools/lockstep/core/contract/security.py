"""Security: whether what a caller shows is still enough."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lockstep.core.contract.case import Case, Pair, Reader
from lockstep.core.contract.contract import Node


@dataclass(frozen=True)
class Alternative:
    """One way to be let in: every scheme of it, with every scope.

    Args:
        schemes: Scopes by scheme, sorted.
    """

    schemes: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Its schemes."""
        return tuple(name for name, _ in self.schemes)

    def lets_in(self, shown: Alternative) -> bool:
        """Whether whoever shows all of the other is let in by this."""
        scopes = dict(shown.schemes)
        return all(name in scopes and set(needed) <= set(scopes[name]) for name, needed in self.schemes)

    def named(self, names: Mapping[str, str]) -> Alternative:
        """The same with other names for some of its schemes."""
        return Alternative(tuple(sorted((names.get(name, name), scopes) for name, scopes in self.schemes)))

    def __str__(self) -> str:
        if not self.schemes:
            return "nothing"
        return " and ".join(f"{name} ({', '.join(scopes)})" if scopes else name for name, scopes in self.schemes)


ANYBODY = Alternative(())


def security_of(reader: Reader, operation: Node) -> tuple[Alternative, ...]:
    """The ways to be let in to an operation, its own or those of the whole; ANYBODY alone if nothing is asked."""
    own = operation.get("security")
    found = alternatives(reader, reader.contract.root.get("security") if own is None or own.value is None else own)
    return (ANYBODY,) if ANYBODY in found or not found else found


def alternatives(reader: Reader, security: Node | None) -> tuple[Alternative, ...]:
    """What a list of security requirements says, in its order, each once."""
    found = []
    for item in reader.listed(security):
        if (one := reader.mapping(item)) is not None:
            schemes = {name: _scopes(reader, scopes) for name, scopes in one.items()}
            found.append(Alternative(tuple(sorted(schemes.items()))))
    return tuple(dict.fromkeys(found))


def _scopes(reader: Reader, node: Node) -> tuple[str, ...]:
    return tuple(sorted({str(item.value) for item in reader.listed(node)}))


def security_findings(case: Case, pair: Pair) -> None:
    """Notes what is found about who is let in to an operation."""
    ours = tuple(one.named(case.schemes) for one in security_of(case.provider, pair.provider))
    theirs, at = security_of(case.needed, pair.needed), _at(case, pair)
    if (ANYBODY in ours) != (ANYBODY in theirs):
        if ANYBODY in theirs:
            what = f"{case.operation} asks for {_said(ours)}; nothing is shown"
            case.add("api-security-anonymous-access-removed", what, at, old=[], new=_values(ours))
        else:
            what = f"{case.operation} lets everybody in"
            case.add("api-security-anonymous-access-added", what, at, old=_values(theirs), new=[])
        return
    if ANYBODY not in ours:
        _changed(case, at, ours, theirs)


def _at(case: Case, pair: Pair) -> Pair:
    """Where each side says who is let in."""
    roots = (case.judge.provider.root, case.judge.needed.root)
    ours, theirs = (
        node.get("security") or root.get("security") or node
        for node, root in zip((pair.provider, pair.needed), roots, strict=True)
    )
    return Pair(ours, theirs)


def _changed(case: Case, at: Pair, ours: tuple[Alternative, ...], theirs: tuple[Alternative, ...]) -> None:
    """Notes what was enough and is not, and what is enough now."""
    shut = [one for one in theirs if not any(mine.lets_in(one) for mine in ours)]
    new = [one for one in ours if one not in theirs]
    paired = set()
    for one in shut:
        same = [mine for mine in new if mine.names == one.names]
        if len(same) == 1 and sum(other.names == one.names for other in shut) == 1:
            _scopes_changed(case, at, same[0], one)
            paired.add(same[0])
        else:
            what = f"{case.operation} does not let in any more whoever shows {one}"
            case.add("api-security-removed", what, at, old=_values((one,)), new=_values(ours))
    for mine in (one for one in new if one not in paired):
        less = [one for one in theirs if one.names == mine.names and one not in ours and mine.lets_in(one)]
        for one in less[:1]:
            _scopes_changed(case, at, mine, one)
        if not less:
            what = f"{case.operation} lets in whoever shows {mine}"
            case.add("api-security-added", what, at, old=_values(theirs), new=_values((mine,)))


def _scopes_changed(case: Case, at: Pair, mine: Alternative, one: Alternative) -> None:
    before = dict(one.schemes)
    for name, scopes in mine.schemes:
        for scope in sorted(set(scopes) - set(before[name])):
            what = f"{case.operation} asks for the scope `{scope}` of `{name}` too"
            case.add("api-security-scope-added", what, at, old=before[name], new=scopes)
        for scope in sorted(set(before[name]) - set(scopes)):
            what = f"{case.operation} does not ask for the scope `{scope}` of `{name}` any more"
            case.add("api-security-scope-removed", what, at, old=before[name], new=scopes)


def _said(ways: tuple[Alternative, ...]) -> str:
    return ", or ".join(str(one) for one in ways)


def _values(ways: tuple[Alternative, ...]) -> list[dict[str, list[str]]]:
    return [{name: list(scopes) for name, scopes in one.schemes} for one in ways]
