"""Cuts segments that hold several touching characters, where the classifier is surer of the pieces than of the
whole.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ocr.layout import Bytes, Floats, Ints, Line, glyph_features

MOST_CUTS = 5
MOST_DOUBTFUL = 1000  # segments of a page that are cut; a page with more is not text that this reader can read
WIDE = 0.3  # of the line's height: narrower segments are one character
SURE = -0.1  # a log probability; a whole this sure is never cut
PIECE_COST = 0.35  # what a piece must gain, so that one good whole beats two good halves

Scores = Callable[[Floats], Floats]


def candidate_cuts(ink: Bytes, line: Line, i: int) -> list[int]:
    """Columns inside segment `i` where its ink is locally least: the MOST_CUTS thinnest, from left to right."""
    left, right = int(line.left[i]), int(line.right[i])
    if right - left < 6:
        return []
    profile = ink[line.rows, left:right].sum(axis=0, dtype=np.int32)
    inner = profile[2:-2]
    is_least = (inner <= profile[1:-3]) & (inner < profile[3:-1]) | (inner < profile[1:-3]) & (inner <= profile[3:-1])
    places = np.flatnonzero(is_least)
    thinnest = places[np.argsort(inner[places], kind="stable")[:MOST_CUTS]]
    return sorted((thinnest + 2 + left).tolist())


def cut(ink: Bytes, lines: list[Line], scores: Floats, score: Scores) -> tuple[list[Line], Floats]:
    """The lines with their doubtful wide segments cut, and the scores of the segments there are now."""
    counts = [len(line.left) for line in lines]
    is_doubtful = np.concatenate([(line.right - line.left) > WIDE * line.height for line in lines]) & (
        scores.max(axis=1) < SURE
    )
    bounds: list[list[int]] = []
    owners = [(n, i) for n, count in enumerate(counts) for i in range(count)]
    places = np.flatnonzero(is_doubtful)[:MOST_DOUBTFUL].tolist()
    for place in places:
        n, i = owners[place]
        bounds.append([int(lines[n].left[i]), *candidate_cuts(ink, lines[n], i), int(lines[n].right[i])])
    pieces = [[(a, b) for j, a in enumerate(own) for b in own[j + 1 :]] for own in bounds]
    if not any(len(own) > 1 for own in pieces):
        return lines, scores
    piece_scores = _score_pieces(ink, lines, [owners[p][0] for p in places], pieces, score)
    chosen, at = {}, 0
    for place, own, ranges in zip(places, bounds, pieces, strict=True):
        found = {piece: at + j for j, piece in enumerate(ranges)}
        chosen[place] = [(a, b, found[a, b]) for a, b in _best(own, found, piece_scores.max(axis=1))]
        at += len(ranges)
    return _rebuild(lines, scores, chosen, piece_scores)


def _score_pieces(
    ink: Bytes, lines: list[Line], owners: list[int], pieces: list[list[tuple[int, int]]], score: Scores
) -> Floats:
    """The scores of all pieces of all doubtful segments, in one pass."""
    by_line: dict[int, list[tuple[int, int]]] = {}
    for n, ranges in zip(owners, pieces, strict=True):
        by_line.setdefault(n, []).extend(ranges)
    cut_lines = []
    for n, ranges in by_line.items():
        edges = np.array(ranges, np.int64)
        cut_lines.append(lines[n].with_segments(edges[:, 0], edges[:, 1], np.zeros(len(edges), bool)))
    return score(glyph_features(ink, cut_lines))


def _best(bounds: list[int], found: dict[tuple[int, int], int], sure: Floats) -> list[tuple[int, int]]:
    """The chain of pieces from the first bound to the last with the best sum of log probabilities."""
    best: list[tuple[float, int]] = [(0.0, 0)]
    for end in range(1, len(bounds)):
        best.append(
            max(
                (best[start][0] + float(sure[found[bounds[start], bounds[end]]]) - PIECE_COST, start)
                for start in range(end)
            )
        )
    chain, end = [], len(bounds) - 1
    while end:
        start = best[end][1]
        chain.append((bounds[start], bounds[end]))
        end = start
    return chain[::-1]


def _rebuild(
    lines: list[Line], scores: Floats, chosen: dict[int, list[tuple[int, int, int]]], piece_scores: Floats
) -> tuple[list[Line], Floats]:
    """The lines and scores with each cut segment replaced by its pieces."""
    result, rows, place = [], [], 0
    for line in lines:
        left: list[int] = []
        right: list[int] = []
        is_joined: list[bool] = []
        for a, b in zip(line.left.tolist(), line.right.tolist(), strict=True):
            for j, (start, end, at) in enumerate(chosen.get(place, [(a, b, -1)])):
                left.append(start)
                right.append(end)
                is_joined.append(j > 0)
                rows.append(piece_scores[at] if at >= 0 else scores[place])
            place += 1
        is_same = len(left) == len(line.left)
        result.append(line if is_same else line.with_segments(_ints(left), _ints(right), np.array(is_joined)))
    return result, np.stack(rows)


def _ints(values: list[int]) -> Ints:
    return np.array(values, np.int64)
