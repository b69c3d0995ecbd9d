"""Page to text: layout, a trained two-layer classifier of segments, and a best path under learned character pairs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ocr.layout import Bytes, Floats, Ints, Line, find_lines, glyph_features

CANDIDATES = 4  # labels per segment that the best path chooses from


@dataclass(frozen=True)
class Weights:
    """The trained numbers. `labels` are strings of zero to three characters; `pairs[a, b]` is log P(b follows a)."""

    hidden: Floats
    hidden_bias: Floats
    output: Floats
    output_bias: Floats
    labels: tuple[str, ...]
    characters: str  # the alphabet of `pairs`; its first is the space
    pairs: Floats
    pair_weight: float
    space: Floats  # a logistic rule on Line.gaps, bias last

    def scores(self, features: Floats) -> Floats:
        """Log probabilities of each label for each segment."""
        inner = np.maximum(features @ self.hidden + self.hidden_bias, 0)
        logits = inner @ self.output + self.output_bias
        logits -= logits.max(axis=1, keepdims=True)
        return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)), np.float32)


def load(path: Path) -> Weights:
    """The weights of a file; stored as half floats, used as floats."""
    with np.load(path, allow_pickle=False) as arrays:
        numbers = {name: arrays[name].astype(np.float32) for name in arrays.files if arrays[name].dtype.kind == "f"}
        return Weights(
            hidden=numbers["hidden"], hidden_bias=numbers["hidden_bias"], output=numbers["output"],
            output_bias=numbers["output_bias"], labels=tuple(str(s) for s in arrays["labels"]),
            characters=str(arrays["characters"]), pairs=numbers["pairs"], pair_weight=float(numbers["pair_weight"]),
            space=numbers["space"],
        )


class Reader:
    """Reads pages with one set of weights."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        place = {c: i for i, c in enumerate(weights.characters)}
        self._first = np.array([place[s[0]] if s else -1 for s in weights.labels])
        self._last = np.array([place[s[-1]] if s else -1 for s in weights.labels])

    def read(self, ink: Bytes) -> str:
        """The page's text, one line per printed line, an empty line where the page leaves a wide gap."""
        lines = find_lines(ink)
        if not lines:
            return ""
        scores = self.weights.scores(glyph_features(ink, lines))
        ends = np.cumsum([len(line.left) for line in lines])
        spaces = [self._spaces(line) for line in lines]
        chosen = self._best_paths(scores, ends, spaces)
        texts = [self._text(labels, space) for labels, space in zip(np.split(chosen, ends[:-1]), spaces, strict=True)]
        return "\n".join(_with_gaps(lines, texts))

    def _spaces(self, line: Line) -> np.ndarray:
        """For each segment, whether a space comes before it."""
        before = line.gaps @ self.weights.space[:-1] + self.weights.space[-1] > 0
        return np.concatenate(([False], before))

    def _text(self, labels: Ints, spaces: np.ndarray) -> str:
        parts = [(" " if space else "") + self.weights.labels[i] for i, space in zip(labels, spaces, strict=True)]
        return "".join(parts).replace("''", '"').strip()

    def _best_paths(self, scores: Floats, ends: Ints, spaces: list[np.ndarray]) -> Ints:
        """The label of each segment: the most probable path of each line, all lines stepping together."""
        if self.weights.pair_weight == 0:
            return scores.argmax(axis=1)
        order = np.argpartition(-scores, CANDIDATES, axis=1)[:, :CANDIDATES]
        value = np.take_along_axis(scores, order, axis=1)
        starts = np.concatenate(([0], ends[:-1]))
        lengths = ends - starts
        by_length = np.argsort(-lengths, kind="stable")  # longest first: the lines still running are always a prefix
        space = np.concatenate(spaces)
        back = np.zeros((len(scores), CANDIDATES), np.int64)
        total = value.copy()
        for step in range(int(lengths.max())):
            running = by_length[: int((lengths > step).sum())]
            here = starts[running] + step
            pair = self._pair_scores(None if step == 0 else order[here - 1], order[here], space[here])
            reached = pair if step == 0 else total[here - 1][:, :, None] + pair
            back[here] = reached.argmax(axis=1)
            total[here] += reached.max(axis=1)
        return _follow(back, total, order, starts, ends)

    def _pair_scores(self, before: Ints | None, after: Ints, space: np.ndarray) -> Floats:
        """Weighted log P(first of after | last of before), shape (lines, before, after); half a glyph ("") costs nothing."""
        first = self._first[after]
        last = np.zeros((len(after), 1), np.int64) if before is None else self._last[before]
        last = np.where(space[:, None], 0, last)
        pair = self.weights.pairs[last[:, :, None], first[:, None, :]]
        known = (last[:, :, None] >= 0) & (first[:, None, :] >= 0)
        return np.asarray(np.where(known, pair, -3.0) * self.weights.pair_weight, np.float32)


def _follow(back: Ints, total: Floats, order: Ints, starts: Ints, ends: Ints) -> Ints:
    """The labels along the best path of each line, walked from its end."""
    chosen = np.empty(len(back), np.int64)
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        at = int(total[end - 1].argmax())
        for i in range(end - 1, start - 1, -1):
            chosen[i] = order[i, at]
            at = int(back[i, at])
    return chosen


def _with_gaps(lines: list[Line], texts: list[str]) -> list[str]:
    """The texts, with an empty one where the distance of two baselines is well over what their letters need."""
    result: list[str] = []
    for i, (line, text) in enumerate(zip(lines, texts, strict=True)):
        if i and line.baseline - lines[i - 1].baseline > 3.0 * max(line.height, lines[i - 1].height):
            result.append("")
        if text:
            result.append(text)
    return result
