"""Page to text: layout, a trained two-layer classifier of segments, and a best path under learned character pairs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ocr.cutting import cut
from ocr.layout import Bytes, Floats, Ints, Line, find_lines, glyph_features

Doubles = NDArray[np.float64]
CANDIDATES = 4  # labels per segment that the best path chooses from
REJECT = "\ufffd"  # the label of badly cut pieces: learned, so that a cut through a letter scores low; never an answer
NO_SPACE = -30.0  # log odds: the first of a line, or a piece cut from the one before it
UNKNOWN_PAIR = -3.0


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
        logs = np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)), np.float32)
        if self.labels[-1] == REJECT:
            logs[:, -1] = -99
        return logs


def load(path: Path) -> Weights:
    """The weights of a file; stored as half floats, used as floats."""
    with np.load(path, allow_pickle=False) as arrays:
        numbers = {name: arrays[name].astype(np.float32) for name in arrays.files if arrays[name].dtype.kind == "f"}
        return Weights(
            hidden=numbers["hidden"],
            hidden_bias=numbers["hidden_bias"],
            output=numbers["output"],
            output_bias=numbers["output_bias"],
            labels=tuple(str(s) for s in arrays["labels"]),
            characters=str(arrays["characters"]),
            pairs=numbers["pairs"],
            pair_weight=float(numbers["pair_weight"]),
            space=numbers["space"],
        )


class Reader:
    """Reads pages with one set of weights."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        place = {c: i for i, c in enumerate(weights.characters)}
        self._first = np.array([place.get(s[:1], -1) for s in weights.labels])
        self._last = np.array([place.get(s[-1:], -1) for s in weights.labels])

    def read(self, ink: Bytes) -> str:
        """The page's text, one line per printed line, an empty line where the page leaves a wide gap."""
        lines = find_lines(ink)
        if not lines:
            return ""
        scores = self.weights.scores(glyph_features(ink, lines))
        lines, scores = cut(ink, lines, scores, self.weights.scores)
        ends = np.cumsum([len(line.left) for line in lines])
        gaps = np.concatenate([self._log_odds(line) for line in lines])
        chosen = self._best_paths(scores, ends, gaps)
        spaces = self._spaces(chosen, gaps)
        texts = [
            self._text(*part) for part in zip(np.split(chosen, ends[:-1]), np.split(spaces, ends[:-1]), strict=True)
        ]
        return "\n".join(_with_gaps(lines, texts))

    def _log_odds(self, line: Line) -> Floats:
        """For each segment, the log odds that a space is printed before it."""
        odds = line.gaps @ self.weights.space[:-1] + self.weights.space[-1]
        return np.concatenate(([NO_SPACE], np.where(line.is_joined[1:], NO_SPACE, odds))).astype(np.float32)

    def _spaces(self, chosen: Ints, gaps: Floats) -> NDArray[np.bool_]:
        """For each segment of the best path, whether a space comes before it: the gap's odds and the characters'
        together.
        """
        last = np.concatenate(([0], self._last[chosen[:-1]]))
        with_space, without = self._pair_scores(last, self._first[chosen], gaps)
        return with_space > without

    def _text(self, labels: Ints, spaces: NDArray[np.bool_]) -> str:
        parts = [(" " if space else "") + self.weights.labels[i] for i, space in zip(labels, spaces, strict=True)]
        return "".join(parts).replace("''", '"').strip()

    def _best_paths(self, scores: Floats, ends: Ints, gaps: Floats) -> Ints:
        """The label of each segment: the most probable path of each line, all lines stepping together."""
        if self.weights.pair_weight == 0:
            return np.asarray(scores.argmax(axis=1), np.int64)
        order = np.argpartition(-scores, CANDIDATES, axis=1)[:, :CANDIDATES]
        total = np.take_along_axis(scores, order, axis=1)
        first, last = self._first[order], self._last[order]
        starts = np.concatenate(([0], ends[:-1]))
        lengths = ends - starts
        by_length = np.argsort(-lengths, kind="stable")  # longest first: the lines still running are always a prefix
        back = np.zeros((len(scores), CANDIDATES), np.int64)
        total[starts] += self._pair_scores(0, first[starts], gaps[starts, None])[1]
        for step in range(1, int(lengths.max())):
            here = starts[by_length[: int((lengths > step).sum())]] + step
            pair = np.maximum(
                *self._pair_scores(last[here - 1][:, :, None], first[here][:, None, :], gaps[here, None, None])
            )
            reached = total[here - 1][:, :, None] + pair
            back[here] = reached.argmax(axis=1)
            total[here] += reached.max(axis=1)
        return _follow(back, total, order, starts, ends)

    def _pair_scores(self, last: Ints | int, first: Ints, gap: Floats) -> tuple[Doubles, Doubles]:
        """The score of `first` after `last`, with a space between and without; half a glyph (-1) is never known to
        follow.
        """
        weight, pairs = self.weights.pair_weight, self.weights.pairs
        is_known = (np.asarray(last) >= 0) & (first >= 0)
        with_space = np.where(is_known, pairs[last, 0] + pairs[0, first], UNKNOWN_PAIR)
        without = np.where(is_known, pairs[last, first], UNKNOWN_PAIR)
        no_space = -np.logaddexp(0, gap)
        return weight * with_space + no_space + gap, weight * without + no_space


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
        if i and line.baseline - lines[i - 1].baseline > 2.6 * max(line.height, lines[i - 1].height):
            result.append("")
        if text:
            result.append(text)
    return result
