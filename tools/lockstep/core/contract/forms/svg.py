"""A picture of a call graph (SVG): who calls whom, and whether the two ends of each call fit.

Colors are attributes for a light page; one style turns them for a dark one. No state is told by its color alone: what
does not fit is dashed or thick and has a mark with its number, and is told in words below.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from lockstep.core.contract.edges import EdgeState
from lockstep.core.contract.forms.calls import UNASKED, CallGraph, ToldCall
from lockstep.core.contract.forms.graph import HEIGHT, WIDTH, Layout, Point, layout
from lockstep.core.contract.forms.xml import xml_text

_MARGIN, _TOP, _LINE = 28, 76, 22
_LEAST = 820  # pixels, so that there is room for words
_LETTER = 7  # pixels of a letter of 13
_STYLES = {  # state -> color on a light page, on a dark one, width and dash of the line
    EdgeState.FITS: ("#2f7d4f", "#56c288", "1.5", ""),
    EdgeState.MAY_NOT_FIT: ("#8a5a00", "#e8b84a", "2", "7 4"),
    EdgeState.DOES_NOT_FIT: ("#c02626", "#ff8080", "3", ""),
    UNASKED: ("#6b7683", "#93a1b0", "2", "2 4"),
}
_INK, _QUIET, _PAPER, _FILL, _EDGE = ("ink", "quiet", "paper", "fill", "edge")
_COLORS = {
    _INK: ("#1f2933", "#e6edf3"),
    _QUIET: ("#55606c", "#a9b6c3"),
    _PAPER: ("#ffffff", "#12171d"),
    _FILL: ("#eef3f8", "#202b36"),
    _EDGE: ("#7b8794", "#71829a"),
}


def calls_svg(graph: CallGraph) -> str:
    """The picture; the same graph gives the same bytes."""
    calls = graph.calls
    where = layout(graph.components, [(call.caller, call.callee) for call in calls])
    wrong = [call for call in calls if call.state != EdgeState.FITS]
    width = max(where.width + 2 * _MARGIN, _LEAST)
    list_top = _TOP + where.height + 44
    height = list_top + _LINE * len(wrong) + (20 if wrong else 0) + 30
    marks = _marks(where, wrong)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'role="img" aria-labelledby="lockstep-calls-title lockstep-calls-desc" '
        'font-family="system-ui, sans-serif" font-size="14">',
        f'<title id="lockstep-calls-title">{xml_text(graph.title)}</title>',
        f'<desc id="lockstep-calls-desc">{xml_text(_described(graph))}</desc>',
        _style(),
        f'<rect width="{width}" height="{height}" {_paint(_PAPER)}/>',
        _text((_MARGIN, 36), graph.title, "size-18 bold"),
        _text((_MARGIN, 56), graph.summary, "size-13 quiet"),
        f'<g transform="translate({_MARGIN} {_TOP})">',
        *(_call(call, where.ways[call.caller, call.callee]) for call in sorted(calls, key=_weight)),
        *(_box(name, corner, is_entry=name == graph.entry) for name, corner in sorted(where.boxes.items())),
        *(_mark(call, marks[call.caller, call.callee]) for call in wrong),
        "</g>",
        *(_row(call, list_top + _LINE * index, width) for index, call in enumerate(sorted(wrong, key=_heaviest))),
        *_legend(calls, height - 20),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _weight(call: ToldCall) -> tuple[int, str, str]:
    """What fits is drawn first, so that what does not lies upon it."""
    return list(_STYLES).index(call.state), call.caller, call.callee


def _heaviest(call: ToldCall) -> tuple[int, str, str]:
    order = (EdgeState.DOES_NOT_FIT, UNASKED, EdgeState.MAY_NOT_FIT, EdgeState.FITS)
    return order.index(call.state), call.caller, call.callee


def _described(graph: CallGraph) -> str:
    """The picture in words."""
    alone = sorted(set(graph.components) - {name for call in graph.calls for name in (call.caller, call.callee)})
    parts = [call.said for call in graph.calls] + [f"{name} calls nobody and nobody calls it" for name in alone]
    return ". ".join(parts) + "." if parts else "There is no component."


def _style() -> str:
    """What a dark page changes; a reader that knows no styles shows the light picture."""
    rules = [f".lc-{name}{{fill:{dark}}}.lc-{name}-line{{stroke:{dark}}}" for name, (_, dark) in _COLORS.items()]
    rules += [
        f".lc-{_class(state)}{{fill:{style[1]}}}.lc-{_class(state)}-line{{stroke:{style[1]}}}"
        for state, style in _STYLES.items()
    ]
    return f"<style>@media (prefers-color-scheme: dark){{{''.join(rules)}}}</style>"


def _class(state: str) -> str:
    return state.replace(" ", "-")


def _paint(name: str) -> str:
    return f'class="lc-{name}" fill="{_COLORS[name][0]}"'


def _call(call: ToldCall, way: tuple[Point, ...]) -> str:
    x, y = way[-1]
    ends = (*way[:-1], (x - 8, y))
    bends = []
    for (x1, y1), (x2, y2) in pairwise(ends):
        half = (x2 - x1) // 2
        bends.append(f"C{x1 + half} {y1} {x2 - half} {y2} {x2} {y2}")
    path = f"M{way[0][0]} {way[0][1]} {' '.join(bends)}"
    head = f'd="M{x - 10} {y - 5} L{x} {y} L{x - 10} {y + 5} Z" class="lc-{_class(call.state)}"'
    return (
        f"<g><title>{xml_text(call.said)}</title>{_line(path, call.state)}"
        f'<path {head} fill="{_STYLES[call.state][0]}"/></g>'
    )


def _line(points: str, state: str) -> str:
    color, _, width, dash = _STYLES[state]
    form = f'fill="none" stroke="{color}" stroke-width="{width}"' + (f' stroke-dasharray="{dash}"' if dash else "")
    return f'<path d="{points}" class="lc-{_class(state)}-line" {form}/>'


def _box(name: str, corner: Point, *, is_entry: bool) -> str:
    x, y = corner
    line = "2.5" if is_entry else "1.5"
    below = _text((x + 14, y + 35), "entry", "size-11 quiet") if is_entry else ""
    return (
        f"<g><title>{xml_text(name)}</title>"
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="8" class="lc-fill lc-edge-line" '
        f'fill="{_COLORS[_FILL][0]}" stroke="{_COLORS[_EDGE][0]}" stroke-width="{line}"/>'
        f"{_text((x + 14, y + (21 if is_entry else 27)), _cut(name, 22), 'size-14 bold')}{below}</g>"
    )


def _marks(where: Layout, calls: Sequence[ToldCall]) -> dict[tuple[str, str], Point]:
    """Where each mark is: on its line, and not upon another mark."""
    found: dict[tuple[str, str], Point] = {}
    for call in calls:
        way = where.ways[call.caller, call.callee]
        places = [_on(way[:2], part) for part in (50, 38, 62, 28, 72, 20, 80)]
        free = [one for one in places if all(abs(one[0] - x) + abs(one[1] - y) > 26 for x, y in found.values())]
        found[call.caller, call.callee] = (free or places)[0]
    return found


def _on(ends: tuple[Point, ...], part: int) -> Point:
    """The point of the curve between two points, in hundredths of it: x and y of a cubic whose ends are level."""
    (x1, y1), (x2, y2) = ends
    t = part / 100
    ease = 3 * t**2 - 2 * t**3
    half = (x2 - x1) // 2
    x = (1 - t) ** 3 * x1 + 3 * (1 - t) ** 2 * t * (x1 + half) + 3 * (1 - t) * t**2 * (x2 - half) + t**3 * x2
    return round(x), round(y1 + (y2 - y1) * ease)


def _mark(call: ToldCall, place: Point) -> str:
    color = _STYLES[call.state][0]
    x, y = place
    said = str(call.number) if call.number else "?"
    half = 11 + 3 * (len(said) - 1)
    return (
        f"<g><title>{xml_text(call.said)}</title>"
        f'<rect x="{x - half}" y="{y - 11}" width="{2 * half}" height="22" rx="11" class="lc-{_class(call.state)} '
        f'lc-paper-line" fill="{color}" stroke="{_COLORS[_PAPER][0]}" stroke-width="2"/>'
        f"{_text((x, y + 4), said, 'size-12 bold paper middle')}</g>"
    )


def _row(call: ToldCall, y: int, width: int) -> str:
    """What a mark stands for, in words."""
    name = f"{call.caller} → {call.callee}"
    room = (width - 2 * _MARGIN - 60) // _LETTER
    head = _cut(name, room // 2)
    words = _cut(call.words, max(20, room - len(head) - 6))  # bold letters are wider
    said = (
        f'<tspan font-weight="600">{xml_text(head)}</tspan>'
        f'<tspan dx="10" class="lc-quiet" fill="{_COLORS[_QUIET][0]}">{xml_text(words)}</tspan>'
    )
    text = f'<text x="{_MARGIN + 36}" y="{y + 4}" font-size="13" {_paint(_INK)}>{said}</text>'
    return f"<g><title>{xml_text(call.said)}</title>{_mark(call, (_MARGIN + 12, y))}{text}</g>"


def _legend(calls: Sequence[ToldCall], y: int) -> list[str]:
    parts, x = [], _MARGIN
    for state in (one for one in _STYLES if one in {call.state for call in calls}):
        parts += [_line(f"M{x} {y - 4} h30", state), _text((x + 38, y), state, "size-12 quiet")]
        x += 70 + _LETTER * len(state)
    return parts


def _text(place: Point, text: str, form: str) -> str:
    """Words; their form is a size, and if they are bold, quiet, on paper's color, or around the middle."""
    words = form.split()
    size = words[0].removeprefix("size-")
    color = next((word for word in words if word in {_QUIET, _PAPER}), _INK)
    bold = ' font-weight="600"' if "bold" in words else ""
    middle = ' text-anchor="middle"' if "middle" in words else ""
    return (
        f'<text x="{place[0]}" y="{place[1]}" font-size="{size}"{bold}{middle} {_paint(color)}>{xml_text(text)}</text>'
    )


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: max(1, most - 1)] + "…"
