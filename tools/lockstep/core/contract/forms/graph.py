"""Who calls whom, and where each component is drawn: columns from the entry to what calls nobody.

The layout is Sugiyama's: 1. columns by the longest way from a root; 2. a call that passes a column gets a point in it;
3. each column is sorted by the mean place of its neighbours, and the order with the fewest crossings is kept;
4. each column moves towards its neighbours.
Source: Sugiyama, Tagawa, Toda: Methods for Visual Understanding of Hierarchical System Structures, 1981.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import itemgetter

Point = tuple[int, int]
Knot = tuple[str, str, int]  # a component (name, "", column), or where a call passes a column (caller, callee, column)
WIDTH, HEIGHT, GAP_X, GAP_Y = 200, 44, 120, 26
_NARROW = 14  # height of a passing call
_SWEEPS = 12


@dataclass(frozen=True)
class Layout:
    """Where everything is.

    Args:
        boxes: Left top corner of each component.
        ways: The points that each call passes, from the right side of its caller to the left side of its callee.
        width: Of everything, in pixels.
        height: Likewise.
    """

    boxes: Mapping[str, Point]
    ways: Mapping[tuple[str, str], tuple[Point, ...]]
    width: int
    height: int


def layout(names: Sequence[str], calls: Sequence[tuple[str, str]]) -> Layout:
    """Where components and calls are drawn; the same graph gives the same numbers. The left top corner is 0, 0.

    Args:
        names: Every component.
        calls: Caller and callee; both are among the names.
    """
    depth = _depths(names, calls)
    columns: list[list[Knot]] = [[] for _ in range(max(depth.values(), default=0) + 1)]
    for name in sorted(names):
        columns[depth[name]].append((name, "", depth[name]))
    chains = {}
    for caller, callee in sorted(calls):
        passed: list[Knot] = [(caller, callee, column) for column in range(depth[caller] + 1, depth[callee])]
        for knot in passed:
            columns[knot[2]].append(knot)
        chains[caller, callee] = ((caller, "", depth[caller]), *passed, (callee, "", depth[callee]))
    links = [link for chain in chains.values() for link in pairwise(chain)]
    near = _neighbours(links)
    middle = _middles(_sorted(columns, links, near), near)
    top = min((y - _height(knot) // 2 for knot, y in middle.items()), default=0)
    middle = {knot: y - top for knot, y in middle.items()}
    boxes = {knot[0]: (_left(knot), middle[knot] - HEIGHT // 2) for knot in middle if not knot[1]}
    ports = _ports(chains, middle)
    ways = {call: _way(chain, middle, ports) for call, chain in chains.items()}
    bottom = max((y + _height(knot) // 2 for knot, y in middle.items()), default=0)
    return Layout(boxes, ways, (len(columns) - 1) * (WIDTH + GAP_X) + WIDTH, bottom)


def _depths(names: Sequence[str], calls: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The longest way to each; a ring, which a bundle must not have, ends after as many rounds as there are names."""
    depth = dict.fromkeys(names, 0)
    for _ in names:
        for caller, callee in calls:
            depth[callee] = min(max(depth[callee], depth[caller] + 1), len(depth) - 1)
    return depth


def _neighbours(links: Sequence[tuple[Knot, Knot]]) -> dict[Knot, list[Knot]]:
    near: dict[Knot, list[Knot]] = {}
    for left, right in links:
        near.setdefault(left, []).append(right)
        near.setdefault(right, []).append(left)
    return near


def _sorted(
    columns: list[list[Knot]], links: Sequence[tuple[Knot, Knot]], near: Mapping[Knot, list[Knot]]
) -> list[list[Knot]]:
    """The columns in the best order that some sweeps to and fro find."""
    best, fewest = columns, _crossings(columns, links)
    place = _places(columns)
    for sweep in range(_SWEEPS):
        step = 1 if sweep % 2 == 0 else -1
        swept: list[list[Knot]] = []
        for column in columns[::step]:
            side = {knot: [place[one] for one in near.get(knot, ()) if one[2] == knot[2] - step] for knot in column}
            swept.append(sorted(column, key=lambda knot: (_mean(side[knot], place[knot]), place[knot])))
            place |= {knot: row for row, knot in enumerate(swept[-1])}
        columns = swept[::step]
        if (crossings := _crossings(columns, links)) < fewest:
            best, fewest = columns, crossings
    return best


def _places(columns: list[list[Knot]]) -> dict[Knot, int]:
    return {knot: row for column in columns for row, knot in enumerate(column)}


def _mean(places: Sequence[int], other: float) -> float:
    return sum(places) / len(places) if places else other


def _crossings(columns: list[list[Knot]], links: Sequence[tuple[Knot, Knot]]) -> int:
    """How many lines cross: between two columns, pairs whose right ends stand the other way round than their left."""
    place = _places(columns)
    gaps: dict[int, list[tuple[int, int]]] = {}
    for left, right in links:
        gaps.setdefault(left[2], []).append((place[left], place[right]))
    total = 0
    for rows in gaps.values():
        above: list[int] = []
        for _, group in groupby(sorted(rows), key=itemgetter(0)):
            rights = [row for _, row in group]
            total += sum(len(above) - bisect_right(above, row) for row in rights)
            for row in rights:
                insort(above, row)
    return total


def _middles(columns: list[list[Knot]], near: Mapping[Knot, list[Knot]]) -> dict[Knot, int]:
    """The middle of each knot, from top to bottom."""
    middle: dict[Knot, int] = {}
    for column in columns:
        middle |= _stacked(column, [0] * len(column))
    for sweep in range(_SWEEPS):
        for column in columns[:: 1 if sweep % 2 == 0 else -1]:
            wanted = [int(_mean([middle[other] for other in near.get(knot, ())], middle[knot])) for knot in column]
            middle |= _stacked(column, wanted)
    return middle


def _stacked(column: list[Knot], wanted: list[int]) -> dict[Knot, int]:
    """A column in its order, nothing upon another, as near as that allows to where each wants to be."""
    found: list[int] = []
    for index, knot in enumerate(column):
        least = found[-1] + (_height(column[index - 1]) + _height(knot)) // 2 + GAP_Y if found else wanted[index]
        found.append(max(wanted[index], least))
    shift = sum(want - have for want, have in zip(wanted, found, strict=True)) // max(1, len(found))
    return {knot: have + shift for knot, have in zip(column, found, strict=True)}


def _height(knot: Knot) -> int:
    return _NARROW if knot[1] else HEIGHT


def _left(knot: Knot) -> int:
    return knot[2] * (WIDTH + GAP_X)


def _ports(
    chains: Mapping[tuple[str, str], tuple[Knot, ...]], middle: Mapping[Knot, int]
) -> dict[tuple[Knot, Knot], int]:
    """Where the line between a box and its next knot begins or ends, from the box's middle: in the order of where they
    lead, so that lines of one box do not cross.
    """
    sides: dict[tuple[Knot, bool], list[Knot]] = {}
    for chain in chains.values():
        sides.setdefault((chain[0], True), []).append(chain[1])
        sides.setdefault((chain[-1], False), []).append(chain[-2])
    return {
        (box, knot): HEIGHT * (row + 1) // (len(knots) + 1) - HEIGHT // 2
        for (box, _), knots in sides.items()
        for row, knot in enumerate(sorted(knots, key=lambda knot: (middle[knot], knot)))
    }


def _way(
    chain: tuple[Knot, ...], middle: Mapping[Knot, int], ports: Mapping[tuple[Knot, Knot], int]
) -> tuple[Point, ...]:
    first = (_left(chain[0]) + WIDTH, middle[chain[0]] + ports[chain[0], chain[1]])
    last = (_left(chain[-1]), middle[chain[-1]] + ports[chain[-1], chain[-2]])
    inner = [(_left(knot) + side, middle[knot]) for knot in chain[1:-1] for side in (0, WIDTH)]
    return (first, *inner, last)
