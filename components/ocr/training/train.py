"""Trains one version of the ocr weights: `PYTHONPATH=components/ocr/src python components/ocr/training/train.py 1`
(or 2), from the repository's root.

Pages are rendered, cut by the component's own layout code, and each segment labelled with the characters whose
middle it holds. Writes out/<version>/ocr.npz and metrics of pages that training never saw: other words, and
fonts held out as well.
"""

from __future__ import annotations

import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from ocr.cutting import candidate_cuts
from ocr.layout import COLUMNS, GEOMETRY, ROWS, Line, find_lines, glyph_features, ink_of
from ocr.reader import REJECT, Reader, load
from pages import CHARACTERS, FONTS, WORDS, Page, Print, make_page

HERE = Path(__file__).parent
SPLIT = int(len(WORDS) * 0.8)
ORDER = np.random.default_rng(0).permutation(len(WORDS))
TRAIN_WORDS, TEST_WORDS = ([WORDS[i] for i in part] for part in (ORDER[:SPLIT], ORDER[SPLIT:]))


def labelled(
    rng: np.random.Generator, page: Page, ink: np.ndarray
) -> tuple[np.ndarray, list[str], np.ndarray, np.ndarray]:
    """Features and label of each segment and of pieces of some, and gap features with whether each gap holds a
    space.
    """
    lines, labels, gaps, spaces = [], [], [], []
    for line in find_lines(ink):
        printed = _print_of(page, line)
        if printed is not None:
            own, spaced = _labels(line, printed)
            parts, part_labels = _pieces(rng, ink, line, printed, own)
            lines += [line, *parts]
            labels += own + part_labels
            gaps.append(line.gaps)
            spaces.append(spaced[1:])
    return glyph_features(ink, lines), labels, np.concatenate(gaps), np.concatenate(spaces)


def _pieces(
    rng: np.random.Generator, ink: np.ndarray, line: Line, printed: Print, labels: list[str]
) -> tuple[list[Line], list[str]]:
    """Touching characters cut where their ink is least, each with its label; and single ones cut wrongly, to be
    rejected.
    """
    ranges, found, middles = [], [], printed.centres()
    for i, label in enumerate(labels):
        left, right = int(line.left[i]), int(line.right[i])
        inside = [at for _, at in middles if left <= at <= right]
        if len(label) > 1 and len(inside) == len(label):
            profile = ink[line.rows, left:right].sum(axis=0, dtype=np.int32)
            edges = [left]
            for a, b in pairwise(inside):
                low, high = int(a - left) + 1, max(int(b - left), int(a - left) + 2)
                edges.append(left + low + int(profile[low:high].argmin()))
            cuts = [*edges, right]
            ranges += list(pairwise(cuts))
            found += list(label)
        elif len(label) == 1 and rng.random() < 0.25 and (cuts := candidate_cuts(ink, line, i)):
            at = int(rng.choice(cuts))
            ranges += [(left, at), (at, right)]
            found += [REJECT, REJECT]
    good = [(r, label) for r, label in zip(ranges, found, strict=True) if r[0] < r[1]]
    if not good:
        return [], []
    edges_of = np.array([r for r, _ in good], np.int64)
    return [line.with_segments(edges_of[:, 0], edges_of[:, 1], np.zeros(len(good), bool))], [label for _, label in good]


def _print_of(page: Page, line: Line) -> Print | None:
    found = [p for p in page.prints if p.y <= line.baseline <= p.y + 1.25 * p.font.size]
    return found[0] if len(found) == 1 else None


def _labels(line: Line, printed: Print) -> tuple[list[str], np.ndarray]:
    """Each segment's characters in order, and whether a space is printed before the segment."""
    labels, spaced = [""] * len(line.left), np.zeros(len(line.left), bool)
    middles, last, seen = (line.left + line.right) / 2, 0, 0
    for character, at in printed.centres():
        inside = np.flatnonzero((line.left - 0.5 <= at) & (at <= line.right + 0.5))
        i = int(inside[0]) if len(inside) else int(np.abs(middles - at).argmin())
        position = printed.text.index(character, seen)
        if " " in printed.text[seen:position] and i > last:
            spaced[last + 1 : i + 1][np.argmax(line.left[last + 1 : i + 1] - line.right[last:i])] = True
        labels[i] += character
        last, seen = i, position + 1
    return labels, spaced


def dataset(rng: np.random.Generator, settings: dict[str, Any]) -> tuple[np.ndarray, list[str], np.ndarray, np.ndarray]:
    """Everything labelled on the training pages."""
    parts = []
    for _ in range(settings["pages"]):
        page = make_page(rng, settings["fonts"], TRAIN_WORDS, noisy=settings["noisy"])
        parts.append(labelled(rng, page, ink_of(page.image)))
    features, labels, gaps, spaces = zip(*parts, strict=True)
    return np.concatenate(features), [s for part in labels for s in part], np.concatenate(gaps), np.concatenate(spaces)


def fit(
    rng: np.random.Generator, x: np.ndarray, y: np.ndarray, classes: int, settings: dict[str, Any]
) -> dict[str, np.ndarray]:
    """A two-layer network by Adam with a falling step; deterministic for one seed and one BLAS thread."""
    width = settings["hidden"]
    w = {
        "hidden": rng.normal(0, np.sqrt(2 / x.shape[1]), (x.shape[1], width)),
        "hidden_bias": np.zeros(width),
        "output": rng.normal(0, np.sqrt(1 / width), (width, classes)),
        "output_bias": np.zeros(classes),
    }
    w = {k: v.astype(np.float32) for k, v in w.items()}
    first, second = ({k: np.zeros_like(v) for k, v in w.items()} for _ in range(2))
    batch, step, steps = 512, 0, settings["epochs"] * (len(x) // 512)
    for _ in range(settings["epochs"]):
        order = rng.permutation(len(x))
        for start in range(0, len(x) - batch + 1, batch):
            rows, step = order[start : start + batch], step + 1
            gradient = _gradient(w, x[rows], y[rows])
            rate = 3e-3 * (1 - step / (steps + 1)) + 1e-5
            for k, g in gradient.items():
                first[k] += 0.1 * (g - first[k])
                second[k] += 0.01 * (g * g - second[k])
                w[k] -= rate * (first[k] / (1 - 0.9**step)) / (np.sqrt(second[k] / (1 - 0.99**step)) + 1e-7)
    return w


def _gradient(w: dict[str, np.ndarray], x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """The gradient of the mean cross entropy."""
    inner = np.maximum(x @ w["hidden"] + w["hidden_bias"], 0)
    logits = inner @ w["output"] + w["output_bias"]
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(y)), y] -= 1
    p /= len(y)
    back = (p @ w["output"].T) * (inner > 0)
    return {"hidden": x.T @ back, "hidden_bias": back.sum(0), "output": inner.T @ p, "output_bias": p.sum(0)}


def fit_spaces(gaps: np.ndarray, spaces: np.ndarray) -> np.ndarray:
    """A logistic rule on gap features, bias last, by Newton's method."""
    x, w = np.column_stack([gaps, np.ones(len(gaps))]).astype(np.float64), np.zeros(gaps.shape[1] + 1)
    for _ in range(25):
        p = 1 / (1 + np.exp(-np.clip(x @ w, -30, 30)))
        hessian = (x * (p * (1 - p))[:, None]).T @ x + 1e-3 * np.eye(len(w))
        w += np.linalg.solve(hessian, x.T @ (spaces - p) - 1e-3 * w)
    return w


def pairs(texts: list[str]) -> np.ndarray:
    """log P(next character | character) with add-one-tenth smoothing; lines start and end with a space."""
    place, counts = {c: i for i, c in enumerate(CHARACTERS)}, np.full((len(CHARACTERS),) * 2, 0.1)
    for text in texts:
        codes = [place[c] for c in f" {text} "]
        np.add.at(counts, (codes[:-1], codes[1:]), 1)
    return np.log(counts / counts.sum(axis=1, keepdims=True))


def distance(a: str, b: str) -> int:
    """The edit distance of two texts."""
    row = np.arange(len(b) + 1)
    other = np.array([ord(c) for c in b])
    for i, c in enumerate(a, 1):
        best = np.concatenate(([i], np.minimum(row[1:] + 1, row[:-1] + (other != ord(c)))))
        row = np.minimum.accumulate(best - np.arange(len(best))) + np.arange(len(best))
    return int(row[-1])


def error_rate(reader: Reader, fonts: list[str], seed: int, *, noisy: bool) -> float:
    """Character errors per printed character on 30 pages of words that training never saw."""
    rng, wrong, total = np.random.default_rng(seed), 0, 0
    for _ in range(30):
        page = make_page(rng, fonts, TEST_WORDS, noisy=noisy)
        text = reader.read(ink_of(page.image)).replace("\n\n", "\n")
        wrong, total = wrong + distance(text, page.text), total + len(page.text)
    return round(wrong / total, 4)


def main(version: str) -> None:
    """Trains, writes the weights, measures the written file."""
    all_settings = yaml.safe_load((HERE / "params.yaml").read_text(encoding="utf-8"))
    settings = all_settings[f"version-{version}"]
    rng = np.random.default_rng(settings["seed"])
    x, texts, gaps, spaces = dataset(rng, settings)
    labels = [
        *CHARACTERS[1:],
        "",
        REJECT,
    ]  # "" is half of a character; touching characters are to be rejected, so that they are cut
    known = {s: i for i, s in enumerate(labels)}
    weights = fit(rng, x, np.array([known.get(s, len(labels) - 1) for s in texts]), len(labels), settings)
    lines = [p.text for _ in range(100) for p in make_page(rng, ["aileron"], TRAIN_WORDS, noisy=False).prints]
    path = HERE / "out" / version / "ocr.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    halves = {k: v.astype(np.float16) for k, v in (weights | {"pairs": pairs(lines)}).items()}
    np.savez(
        path,
        **halves,
        labels=np.array(labels),
        characters=np.array(CHARACTERS),
        space=fit_spaces(gaps, spaces),
        pair_weight=np.array(settings["pair_weight"]),
    )
    reader, trained = Reader(load(path)), settings["fonts"]
    others = [f for f in FONTS if f not in all_settings["version-2"]["fonts"]]
    metrics = {
        "measured": "character error rate: edit distance / printed characters, 30 rendered 800x500 pages per row; "
        "their words are the fifth that no training page has; seed 1000",
        "version": int(version),
        "segments": len(texts),
        "touching": sum(len(s) > 1 for s in texts),
        "labels": len(labels),
        "features": ROWS * COLUMNS + GEOMETRY,
        "bytes": path.stat().st_size,
        "character_error_rate": {
            "clean_pages_trained_fonts": error_rate(reader, trained, 1000, noisy=False),
            "clean_pages_all_fonts_of_version_2": error_rate(
                reader, all_settings["version-2"]["fonts"], 1000, noisy=False
            ),
            "scanned_pages_all_fonts_of_version_2": error_rate(
                reader, all_settings["version-2"]["fonts"], 1000, noisy=True
            ),
            "clean_pages_fonts_of_no_version": error_rate(reader, others, 1000, noisy=False),
        },
        "fonts_of_no_version": others,
    }
    name = "metrics.json" if version == "1" else f"versions/{version}/metrics.json"
    (HERE / name).parent.mkdir(parents=True, exist_ok=True)
    (HERE / name).write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
