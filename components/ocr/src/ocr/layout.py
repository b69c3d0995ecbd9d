"""From a page to glyph boxes: ink, lines, segments. No learned part; the trained classifier sees what this finds.

A segment is a run of columns with ink within one line: mostly one character, sometimes two that touch,
sometimes half of one. The classifier's labels are strings, learned from segments found by this same code, so
touching pairs are labels like any other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]

ROWS, COLUMNS = 16, 12  # a glyph is resampled to this grid
MASK = 90  # of 255: less ink than this is paper; low enough to keep thin strokes, high enough to part neighbours
GEOMETRY = 6
# A dense A4 page has some 6,000 characters in 80 lines. A page of dots could have millions, each with features to hold.
MOST_MARKS = 15_000
MOST_LINES = 400
AT_ONCE = 4096  # glyphs resampled in one go: bounds the memory


class NotTextError(ValueError):
    """The page has more marks or lines than a page of text can have."""


@dataclass(frozen=True)
class Line:
    """One line of print: the boxes of its segments from left to right, and the two measures that make them
    comparable.
    """

    left: Ints
    right: Ints
    top: Ints
    bottom: Ints
    baseline: float
    height: float  # from the baseline to the top of the tallest letters, in pixels
    rows: slice  # the page's rows that the line takes
    first: Ints  # for each column of the page: the line's first row with ink, and the one after its last
    last: Ints
    is_joined: NDArray[np.bool_]  # segments cut off the one before them: no space can be there

    def with_segments(self, left: Ints, right: Ints, is_joined: NDArray[np.bool_]) -> Line:
        """The same line, cut into these column ranges."""
        top, bottom = extents(self.first, self.last, left, right)
        return replace(self, left=left, right=right, top=top, bottom=bottom, is_joined=is_joined)

    @property
    def gaps(self) -> Floats:
        """The paper before each segment but the first, in line heights, beside the line's typical gap."""
        gaps = (self.left[1:] - self.right[:-1]) / self.height
        typical = np.full_like(gaps, np.median(gaps) if len(gaps) else 0.0)
        return np.stack([gaps, typical, np.minimum(gaps, 1.0) ** 2], axis=1).astype(np.float32)


def ink_of(image: Image.Image) -> Bytes:
    """The page as ink, 0 (paper) to 255 (darkest print), whatever the paper's shade; dark pages are inverted."""
    grey = image.convert("L")
    histogram = np.asarray(grey.histogram())
    paper = int(histogram.argmax())
    low, high = (
        int(i) for i in np.searchsorted(np.cumsum(histogram), [histogram.sum() * 0.002, histogram.sum() * 0.998])
    )
    darkest = low if paper >= 128 else high
    reach = darkest - paper
    if abs(reach) < 40:  # nothing on this page contrasts with its paper
        return np.zeros((grey.height, grey.width), np.uint8)
    shades = (np.arange(256) - paper) / reach
    return np.asarray(grey.point([int(v) for v in np.clip(shades * 255, 0, 255)]), np.uint8)


def find_lines(ink: Bytes) -> list[Line]:
    """The page's lines from top to bottom; NotTextError where it has too many to be text."""
    mask = ink > MASK
    lines, marks = [], 0
    for top, bottom in _bands(mask):
        line = _line(mask[top:bottom], top)
        if line is not None:
            lines.append(line)
            marks += len(line.left)
        if marks > MOST_MARKS or len(lines) > MOST_LINES:
            raise NotTextError(f"the page has over {MOST_MARKS} marks or {MOST_LINES} lines")
    return lines


def _runs(flags: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Starts and ends of the runs of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return edges[::2], edges[1::2]


def _bands(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Row ranges that hold ink; a thin band right above a taller one is its dots and accents."""
    bands: list[tuple[int, int]] = []
    for top, bottom in zip(*(edge.tolist() for edge in _runs(np.asarray(mask.any(axis=1)))), strict=True):
        if bands:
            above_top, above_bottom = bands[-1]
            if above_bottom - above_top < 0.4 * (bottom - top) and top - above_bottom < 0.35 * (bottom - top):
                bands[-1] = (above_top, bottom)
                continue
        bands.append((top, bottom))
    return [(top, bottom) for top, bottom in bands if bottom - top >= 5]


def _line(band: NDArray[np.bool_], offset: int) -> Line | None:
    """The segments of one band; None where it holds rules and specks only."""
    has_ink = np.asarray(band.any(axis=0))
    left, right = _runs(has_ink)
    first = np.where(has_ink, band.argmax(axis=0) + offset, offset + len(band))
    last = np.where(has_ink, offset + len(band) - band[::-1].argmax(axis=0), offset)
    top, bottom = extents(first, last, left, right)
    width, height = right - left, bottom - top
    is_glyph = (width * height >= 2) & (width <= 8 * len(band))  # neither a speck nor a rule
    if not is_glyph.any():
        return None
    left, right, top, bottom, height = (a[is_glyph] for a in (left, right, top, bottom, height))
    tall = height >= 0.45 * height.max()
    baseline = float(np.bincount(bottom[tall]).argmax())
    reach = max(baseline - float(top[tall].min()), 4.0)
    rows = slice(offset, offset + len(band))
    return Line(left, right, top, bottom, baseline, reach, rows, first, last, np.zeros(len(left), bool))


def extents(first: Ints, last: Ints, left: Ints, right: Ints) -> tuple[Ints, Ints]:
    """First row and end row of the ink in each column range."""
    edges = np.stack(
        [left, np.minimum(right, len(first) - 1)], axis=1
    ).ravel()  # reduceat wants each end to be an index
    tops, bottoms = np.minimum.reduceat(first, edges)[::2], np.maximum.reduceat(last, edges)[::2]
    at_end = right == len(first)
    tops = np.where(at_end, np.minimum(tops, first[-1]), tops)
    return tops, np.where(at_end, np.maximum(bottoms, last[-1]), bottoms)


def glyph_features(ink: Bytes, lines: list[Line]) -> Floats:
    """One row per segment of all lines: the glyph stretched to the grid, then its place and proportions in its line."""
    left, right, top, bottom = (
        np.concatenate([getattr(line, side) for line in lines]) for side in ("left", "right", "top", "bottom")
    )
    counts = [len(line.left) for line in lines]
    baseline = np.repeat([line.baseline for line in lines], counts)
    reach = np.repeat([line.height for line in lines], counts)
    parts = [slice(at, at + AT_ONCE) for at in range(0, len(left), AT_ONCE)]
    pixels = np.concatenate([_resample(ink, left[p], right[p], top[p], bottom[p]) for p in parts])
    width, height = (right - left) / reach, (bottom - top) / reach
    geometry = np.stack(
        [
            height,
            np.minimum(width, 3.0),
            (baseline - top) / reach,
            (baseline - bottom) / reach,
            np.clip(np.log((right - left) / (bottom - top)), -2, 2),
            pixels.mean(axis=1) / 255,
        ],
        axis=1,
    )
    return np.concatenate([pixels * np.float32(2 / 255) - 1, geometry * 2 - 1], axis=1, dtype=np.float32)


def _resample(ink: Bytes, left: Ints, right: Ints, top: Ints, bottom: Ints) -> Floats:
    """Bilinear samples of every box on the grid."""
    y0, y1, fy = _steps(top, bottom, ROWS, ink.shape[0])
    x0, x1, fx = _steps(left, right, COLUMNS, ink.shape[1])
    flat, stride = ink.ravel(), ink.shape[1]
    row0, row1 = (y0 * stride)[:, :, None], (y1 * stride)[:, :, None]
    x0, x1, fx, fy = x0[:, None, :], x1[:, None, :], fx[:, None, :], fy[:, :, None]
    upper = flat.take(row0 + x0) * (1 - fx) + flat.take(row0 + x1) * fx
    lower = flat.take(row1 + x0) * (1 - fx) + flat.take(row1 + x1) * fx
    return np.asarray(upper * (1 - fy) + lower * fy, np.float32).reshape(len(left), ROWS * COLUMNS)


def _steps(start: Ints, end: Ints, count: int, size: int) -> tuple[Ints, Ints, Floats]:
    """For each box: the lower and upper sample positions along one axis, and the share of the upper."""
    centres = (np.arange(count) + 0.5) / count
    at = np.clip(start[:, None] + (end - start)[:, None] * centres - 0.5, 0, size - 1)
    low = at.astype(np.int64)
    return low, np.minimum(low + 1, size - 1), (at - low).astype(np.float32)
