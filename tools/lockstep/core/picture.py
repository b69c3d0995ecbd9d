"""A picture of an environment (SVG): its roots, what they call, what they share, and where the front points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from lockstep.core.environment import Environment
from lockstep.core.names import InstanceId

_WIDTH, _HEIGHT, _GAP_X, _GAP_Y = 216, 50, 84, 22
_LEFT, _TOP = 190, 70
_INK, _QUIET, _LINE = "#1f2933", "#5b6773", "#9aa5b1"
_FILL = {"serving": "#d6eaff", "previous": "#eceff2", "both": "#e0f4e4", "other": "#fff3d6"}
_EDGE = {"serving": "#1769aa", "previous": "#7b8794", "both": "#2f855a", "other": "#b7791f"}
_SAID = {
    "serving": "serves now",
    "previous": "kept warm: one revert away",
    "both": "shared by both",
    "other": "staged or kept",
}


@dataclass(frozen=True)
class Box:
    """An instance and where it is drawn: left, top in pixels, and the colour's name."""

    name: InstanceId
    x: int
    y: int
    role: str


def picture(environment: Environment, versions: Mapping[InstanceId, str], previous: InstanceId | None) -> str:
    """The SVG of an environment. The same environment gives the same bytes.

    Args:
        environment: What is drawn.
        versions: The releases that each root has been, as text.
        previous: The root that served before; None if there was none.
    """
    boxes = _boxes(environment, previous)
    width = max((box.x for box in boxes.values()), default=_LEFT) + _WIDTH + 30
    height = max((box.y for box in boxes.values()), default=_TOP) + _HEIGHT + 70
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="system-ui, sans-serif" font-size="14" fill="{_INK}">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        _text(24, 36, f"environment {environment.name}", size=18, weight=600),
        *(
            _arrow(boxes, caller, callee)
            for caller in boxes
            for callee in environment.instances[caller].callees
            if callee in boxes
        ),
        *_front(environment, boxes, previous),
        *(_box(box, versions.get(box.name, "")) for box in boxes.values()),
        *_legend({box.role for box in boxes.values()}, height - 26),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _boxes(environment: Environment, previous: InstanceId | None) -> dict[InstanceId, Box]:
    """Callers left of what they call; in a column by component, what serves first."""
    depth = _depths(environment)
    serving = set(environment.closure(environment.front.root)) if environment.front else set()
    before = set(environment.closure(previous)) if previous else set()
    boxes: dict[InstanceId, Box] = {}
    for column in sorted(set(depth.values())):
        names = [name for name in depth if depth[name] == column]
        names.sort(key=lambda name: (name.component, name not in serving, name))
        for row, name in enumerate(names):
            x, y = _LEFT + column * (_WIDTH + _GAP_X), _TOP + row * (_HEIGHT + _GAP_Y)
            boxes[name] = Box(name, x, y, _role(name, serving, before))
    return boxes


def _depths(environment: Environment) -> dict[InstanceId, int]:
    depth = dict.fromkeys(sorted(environment.instances), 0)
    for _ in depth:
        for name, item in environment.instances.items():
            for callee in item.callees:
                if callee in depth:
                    depth[callee] = max(depth[callee], depth[name] + 1)
    return depth


def _role(name: InstanceId, serving: set[InstanceId], before: set[InstanceId]) -> str:
    if name in serving:
        return "both" if name in before else "serving"
    return "previous" if name in before else "other"


def _box(box: Box, version: str) -> str:
    label = f"{box.name.component}" + (f" · release {version}" if version else "")
    return (
        f'<rect x="{box.x}" y="{box.y}" width="{_WIDTH}" height="{_HEIGHT}" rx="8" fill="{_FILL[box.role]}" '
        f'stroke="{_EDGE[box.role]}" stroke-width="1.5"/>'
        + _text(box.x + 14, box.y + 21, label, weight=600)
        + _text(box.x + 14, box.y + 39, box.name, size=12, colour=_QUIET)
    )


def _arrow(boxes: Mapping[InstanceId, Box], caller: InstanceId, callee: InstanceId) -> str:
    start, end = boxes[caller], boxes[callee]
    x1, y1, x2, y2 = start.x + _WIDTH, start.y + _HEIGHT // 2, end.x, end.y + _HEIGHT // 2
    return _curve((x1, y1), (x2, y2), _EDGE[start.role] if start.role != "both" else _LINE)


def _curve(start: tuple[int, int], end: tuple[int, int], colour: str, dash: str = "") -> str:
    (x1, y1), (x2, y2) = start, end
    bend = (x2 - x1) // 2
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<path d="M{x1} {y1} C{x1 + bend} {y1} {x2 - bend} {y2} {x2 - 6} {y2}" fill="none" stroke="{colour}" '
        f'stroke-width="1.5"{dashed}/><path d="M{x2 - 8} {y2 - 4} L{x2} {y2} L{x2 - 8} {y2 + 4} Z" fill="{colour}"/>'
    )


def _front(environment: Environment, boxes: Mapping[InstanceId, Box], previous: InstanceId | None) -> list[str]:
    if environment.front is None or environment.front.root not in boxes:
        return []
    y = boxes[environment.front.root].y
    middle = y + _HEIGHT // 2
    parts = [
        f'<rect x="24" y="{y}" width="104" height="{_HEIGHT}" rx="{_HEIGHT // 2}" fill="{_INK}"/>',
        _text(56, middle + 5, "front", colour="#ffffff", weight=600),
        _curve((128, middle), (_LEFT, middle), _INK),
    ]
    if previous is not None and previous in boxes:
        parts.append(_curve((110, middle + 20), (_LEFT, boxes[previous].y + _HEIGHT // 2), _LINE, "5 4"))
    return parts


def _legend(roles: set[str], y: int) -> list[str]:
    parts, x = [], 24
    for role in (name for name in _SAID if name in roles):
        parts.append(
            f'<rect x="{x}" y="{y - 11}" width="14" height="14" rx="3" fill="{_FILL[role]}" stroke="{_EDGE[role]}"/>'
        )
        parts.append(_text(x + 21, y + 1, _SAID[role], size=13, colour=_QUIET))
        x += 50 + 7 * len(_SAID[role])
    return parts


def _text(x: int, y: int, text: str, *, size: int = 14, weight: int = 400, colour: str = _INK) -> str:
    return f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{colour}">{escape(text)}</text>'
