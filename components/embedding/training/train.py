"""Trains the embedding weights: `PYTHONPATH=components/embedding/src python
components/embedding/training/train.py`, from the repository's root.

Pairs of texts that say the same in other words are generated from concepts.yaml; the projection is trained so
that a text finds its paraphrase among the others of a batch (a contrastive loss). Rows of words that training
never sees stay random, so unknown words still compare by identity. Held out: documents of other concept
combinations, and wordings: see `measure`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from embedding.model import Model, features, load

HERE = Path(__file__).parent
CONCEPTS: dict[str, list[list[str]]] = yaml.safe_load((HERE / "concepts.yaml").read_text(encoding="utf-8"))
ORDERS = (
    "{who} {did} {what} {when} {where} {why}.",
    "{when}, {who} {did} {what} {where} {why}.",
    "{why}, {who} {did} {what} {where} {when}.",
    "{where}, {who} {did} {what} {why} {when}.",
)
OPENINGS = ("", "", "We write to inform you that ", "Please note: ", "As discussed, ", "For the record: ")


Event = dict[str, int]  # role -> which of its concepts


def event(rng: np.random.Generator) -> Event:
    """A random event."""
    return {role: int(rng.integers(len(concepts))) for role, concepts in CONCEPTS.items()}


def say(rng: np.random.Generator, events: list[Event], way: np.ndarray) -> str:
    """The events in words; `way` picks the wording of each role, modulo how many there are."""
    texts = []
    for n, one in enumerate(events):
        words = {
            role: CONCEPTS[role][i][int(way[n, k]) % len(CONCEPTS[role][i])] for k, (role, i) in enumerate(one.items())
        }
        texts.append(str(rng.choice(OPENINGS)) + str(rng.choice(ORDERS)).format(**words))
    return " ".join(texts)


def pair(rng: np.random.Generator, events: list[Event] | None = None) -> tuple[str, str]:
    """A two-event document and its paraphrase, which uses another wording of every concept."""
    events = events or [event(rng), event(rng)]
    way = rng.integers(0, 3, (len(events), len(CONCEPTS)))
    return say(rng, events, way), say(rng, events, way + rng.integers(1, 3, way.shape))


def rows(texts: list[str], buckets: int) -> np.ndarray:
    """Dense feature rows of the texts."""
    x = np.zeros((len(texts), buckets), np.float32)
    for i, text in enumerate(texts):
        counts = features(text, buckets)
        x[i, list(counts)] = list(counts.values())
    return x


def unit(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows at unit length, and the lengths they had."""
    length = np.linalg.norm(z, axis=1, keepdims=True)
    return z / length, length


def gradient(w: np.ndarray, a: np.ndarray, b: np.ndarray, temperature: float) -> np.ndarray:
    """The gradient of the symmetric contrastive loss of one batch."""
    (za, la), (zb, lb) = unit(a @ w), unit(b @ w)
    scores = za @ zb.T / temperature
    both = np.zeros_like(scores)
    for axis in (0, 1):
        p = np.exp(scores - scores.max(axis=axis, keepdims=True))
        both += p / p.sum(axis=axis, keepdims=True)
    both = (both - 2 * np.eye(len(a), dtype=np.float32)) / (2 * len(a) * temperature)
    ga, gb = both @ zb, both.T @ za
    ga, gb = ((g - z * (g * z).sum(1, keepdims=True)) / n for g, z, n in ((ga, za, la), (gb, zb, lb)))
    return a.T @ ga + b.T @ gb


def fit(settings: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """The random start and the trained projection, by Adam."""
    rng = np.random.default_rng(settings["seed"])
    start = rng.normal(0, 1 / np.sqrt(settings["dimension"]), (settings["buckets"], settings["dimension"])).astype(
        np.float32
    )
    w, first, second = start.copy(), np.zeros_like(start), np.zeros_like(start)
    pairs = [pair(rng) for _ in range(6000)]
    a, b = (rows([p[side] for p in pairs], settings["buckets"]) for side in (0, 1))
    for step in range(1, settings["steps"] + 1):
        chosen = rng.choice(len(a), settings["batch"], replace=False)
        g = gradient(w, a[chosen], b[chosen], settings["temperature"])
        first += 0.1 * (g - first)
        second += 0.01 * (g * g - second)
        rate = settings["rate"] * (1 - step / (settings["steps"] + 1))
        w -= rate * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.99**step)) + 1e-8)
    return start, w


def recall(model: Model, seed: int) -> dict[str, float]:
    """How often a text's nearest of 500 is its own paraphrase (recall@1), and one of its five nearest (recall@5)."""
    rng = np.random.default_rng(seed)
    pairs = [pair(rng) for _ in range(500)]
    a, b = (np.stack([model.embed(p[side]) for p in pairs]) for side in (0, 1))
    scores = a @ b.T
    rank = (scores > np.diag(scores)[:, None]).sum(axis=1)
    return {"recall_at_1": round(float((rank < 1).mean()), 4), "recall_at_5": round(float((rank < 5).mean()), 4)}


def near_recall(model: Model, seed: int) -> float:
    """How often a text is nearer to its paraphrase than to 20 documents that differ from it in one concept of
    twelve.
    """
    rng, right = np.random.default_rng(seed), 0
    for _ in range(200):
        events = [event(rng), event(rng)]
        text, paraphrase = pair(rng, events)
        others = []
        for _ in range(20):
            changed = [dict(one) for one in events]
            role = str(rng.choice(list(CONCEPTS)))
            n = int(rng.integers(2))
            changed[n][role] = (changed[n][role] + int(rng.integers(1, len(CONCEPTS[role])))) % len(CONCEPTS[role])
            others.append(pair(rng, changed)[1])
        scores = np.stack([model.embed(t) for t in [paraphrase, *others]]) @ model.embed(text)
        right += int(scores.argmax() == 0)
    return right / 200


def main() -> None:
    """Trains, writes the weights, measures the written file beside untrained ones."""
    settings = yaml.safe_load((HERE / "params.yaml").read_text(encoding="utf-8"))["embedding"]
    start, w = fit(settings)
    path = HERE / "out" / "embedding.npz"
    path.parent.mkdir(exist_ok=True)
    np.savez(path, projection=w.astype(np.float16))
    metrics = {
        "measured": "500 generated pairs of concept combinations that training did not draw (seed 2000); "
        "every concept is worded differently on the two sides; the wordings themselves occur in training",
        "bytes": path.stat().st_size,
        "trained": recall(load(path), 2000),
        "trained_recall_at_1_among_20_that_differ_in_one_of_12_concepts": near_recall(load(path), 2001),
        "same_features_random_projection": recall(Model(start), 2000),
        "same_features_no_projection": recall(Model(np.eye(settings["buckets"], dtype=np.float32)), 2000),
    }
    (HERE / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
