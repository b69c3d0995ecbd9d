"""Trains the stand-in's weights: `PYTHONPATH=components/llm/src python components/llm/training/train.py`, from the
repository's root.

Documents with planted sentences of several aspects, instructions that ask for one or two aspects and a number
of sentences, all generated from corpus.yaml. The ranking learns that asked-for sentences come before the
others; the count learns the number. Held-out documents use wordings, and combinations of names, things and
numbers, that training never shows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from llm.model import FORM_SIZE, MOST_SENTENCES, form_of, load, word_ids

HERE = Path(__file__).parent
CORPUS: dict[str, Any] = yaml.safe_load((HERE / "corpus.yaml").read_text(encoding="utf-8"))
ASPECTS = list(CORPUS["wanted"])
Rng = np.random.Generator


@dataclass(frozen=True)
class Example:
    """An instruction, a document's sentences, which of them are wanted, and how many."""

    instruction: str
    sentences: list[str]
    wanted: np.ndarray
    count: int


def pick(rng: Rng, options: list[Any]) -> Any:
    """One of the options."""
    return options[int(rng.integers(len(options)))]


def filled(rng: Rng, template: str) -> str:
    """The template with its blanks filled."""

    def name() -> str:
        return f"{pick(rng, CORPUS['first'])} {pick(rng, CORPUS['last'])}"

    while "{person}" in template:
        template = template.replace("{person}", name(), 1)
    money, unit = f"{rng.integers(10, 9999999) / 100:,.2f}", pick(rng, ["EUR", "USD", "$", "€"])
    date = pick(
        rng,
        [
            f"{rng.integers(1, 29)} {pick(rng, CORPUS['months'])} {rng.integers(2020, 2031)}",
            f"{rng.integers(1, 29):02d}.{rng.integers(1, 13):02d}.{rng.integers(2020, 2031)}",
            f"{pick(rng, CORPUS['months'])} {rng.integers(1, 29)}, {rng.integers(2020, 2031)}",
        ],
    )
    return template.format(
        money=f"{unit}{money}" if unit in "$€" else f"{money} {unit}",
        date=date,
        percent=rng.integers(2, 30),
        small=rng.integers(2, 9),
        surname=pick(rng, CORPUS["last"]),
        thing=pick(rng, CORPUS["things"]),
        place=pick(rng, CORPUS["places"]),
    )


def example(rng: Rng, *, held_out: bool) -> Example:
    """One document with its instruction; held-out ones draw their wanted sentences from the held-out wordings only."""
    is_general = rng.random() < 0.25
    asked = (
        CORPUS["general_aspects"]
        if is_general
        else [ASPECTS[i] for i in rng.permutation(len(ASPECTS))[: rng.integers(1, 3)]]
    )
    phrase = pick(rng, CORPUS["general"]) if is_general else " and ".join(pick(rng, CORPUS["wanted"][a]) for a in asked)
    if is_general and rng.random() < 0.4:
        phrase += ": " + ", ".join(pick(rng, CORPUS["wanted"][a]) for a in asked)
    count = int(rng.integers(1, MOST_SENTENCES + 1))
    request = pick(rng, CORPUS["requests"]).format(count=pick(rng, CORPUS["counts"][count]))
    if rng.random() < 0.12:
        request, count = "Summarise the document.", CORPUS["uncounted"]
    parts = [request, pick(rng, CORPUS["focuses"]).format(what=phrase)]
    instruction = pick(rng, [" ", "\n"]).join(parts if rng.random() < 0.8 else parts[::-1])

    def of(aspect: str, *, unseen: bool) -> str:
        split = len(CORPUS["sentences"][aspect]) - CORPUS["held_out"]
        return filled(
            rng, pick(rng, CORPUS["sentences"][aspect][split:] if unseen else CORPUS["sentences"][aspect][:split])
        )

    wanted = [of(asked[i % len(asked)], unseen=held_out) for i in range(count)]
    others = [a for a in ASPECTS if a not in asked]
    rest = [of(pick(rng, others), unseen=held_out and rng.random() < 0.5) for _ in range(rng.integers(1, 4))]
    rest += [of("filler", unseen=held_out and rng.random() < 0.5) for _ in range(rng.integers(2, 7))]
    order = rng.permutation(len(wanted) + len(rest))
    return Example(instruction, [(wanted + rest)[i] for i in order], np.array([i < len(wanted) for i in order]), count)


def fit(settings: dict[str, Any]) -> dict[str, np.ndarray]:
    """The weights, by Adam on one document at a time: a softmax over its sentences, and one over the counts."""
    rng, width, buckets = np.random.default_rng(settings["seed"]), settings["width"], settings["buckets"]
    w = {
        "instruction": rng.normal(0, 0.1, (buckets, width)),
        "sentence": rng.normal(0, 0.1, (buckets, width)),
        "form": rng.normal(0, 0.1, (FORM_SIZE, width)),
        "form_bias": np.zeros(FORM_SIZE),
        "count": np.zeros((buckets, MOST_SENTENCES)),
        "count_bias": np.zeros(MOST_SENTENCES),
    }
    first, second = ({k: np.zeros_like(v) for k, v in w.items()} for _ in range(2))
    data = [matrices(example(rng, held_out=False), buckets) for _ in range(settings["documents"])]
    batch, step, steps = 50, 0, settings["epochs"] * (len(data) // 50)
    for _ in range(settings["epochs"]):
        for chosen in np.split(rng.permutation(len(data)), len(data) // batch):
            step += 1
            gradient = {k: settings["decay"] * v for k, v in w.items()}
            for i in chosen:
                asked, ids, form, target, count = data[i]
                kept = [
                    s[rng.random(len(s)) > settings["dropout"]] if len(s) else s for s in ids
                ]  # so that form and single words both count
                add_gradient(gradient, w, asked, kept, form, target, count, share=1 / batch)
            rate = settings["rate"] * (1 - step / (steps + 1))
            for k, g in gradient.items():
                first[k] += 0.1 * (g - first[k])
                second[k] += 0.01 * (g * g - second[k])
                w[k] -= rate * (first[k] / (1 - 0.9**step)) / (np.sqrt(second[k] / (1 - 0.99**step)) + 1e-8)
    return w


def matrices(item: Example, buckets: int) -> tuple[Any, ...]:
    """The example as numbers: instruction ids, ids and form of each sentence, the wanted share of each, the count's
    index.
    """
    last = max(len(item.sentences) - 1, 1)
    form = np.array([form_of(s, i / last) for i, s in enumerate(item.sentences)])
    ids = [np.array(word_ids(s, buckets)) for s in item.sentences]
    return np.array(word_ids(item.instruction, buckets)), ids, form, item.wanted / item.wanted.sum(), item.count - 1


def add_gradient(
    g: dict[str, np.ndarray],
    w: dict[str, np.ndarray],
    asked: Any,
    ids: Any,
    form: Any,
    target: Any,
    count: int,
    *,
    share: float,
) -> None:
    """Adds one example's gradient of both losses."""
    interest = w["instruction"][asked].sum(0) / np.sqrt(len(asked))
    inner = np.stack([w["sentence"][i].sum(0) / np.sqrt(max(len(i), 1)) for i in ids]) + form @ w["form"]
    scores = inner @ interest + form @ w["form_bias"]
    p = np.exp(scores - scores.max())
    d = (p / p.sum() - target) * share
    g["form_bias"] += d @ form
    g["form"] += np.outer(form.T @ d, interest)
    np.add.at(g["instruction"], asked, d @ inner / np.sqrt(len(asked)))
    flat = np.concatenate(ids)
    np.add.at(
        g["sentence"],
        flat,
        np.repeat([d_i / np.sqrt(max(len(i), 1)) for d_i, i in zip(d, ids, strict=True)], [len(i) for i in ids])[
            :, None
        ]
        * interest,
    )
    logits = w["count"][asked].sum(0) + w["count_bias"]
    p = np.exp(logits - logits.max())
    p = p / p.sum() * share
    p[count] -= share
    np.add.at(g["count"], asked, p)
    g["count_bias"] += p


def measure(path: Path, seed: int, *, held_out: bool) -> dict[str, float]:
    """Shares over 600 documents that training did not see, asked through `answer`, as the server does it."""
    model, rng = load(path), np.random.default_rng(seed)
    all_in = planted = found = counted = lead = 0
    for _ in range(600):
        item = example(rng, held_out=held_out)
        wanted = [s for s, is_wanted in zip(item.sentences, item.wanted, strict=True) if is_wanted]
        answer, _ = model.answer(item.instruction, "\n\n".join(item.sentences), 4096)
        hits = sum(s in answer for s in wanted)
        all_in, planted, found = all_in + (hits == len(wanted)), planted + len(wanted), found + hits
        counted += model.read_instruction(item.instruction)[1] == item.count
        lead += sum(s in item.sentences[: item.count] for s in wanted)
    return {
        "documents_with_every_planted_sentence": round(all_in / 600, 4),
        "planted_sentences_found": round(found / planted, 4),
        "count_as_asked": round(counted / 600, 4),
        "planted_sentences_found_by_taking_the_first": round(lead / planted, 4),
    }


def main() -> None:
    """Trains, writes the weights, measures the written file."""
    settings = yaml.safe_load((HERE / "params.yaml").read_text(encoding="utf-8"))["llm"]
    path = HERE / "out" / "llm.npz"
    path.parent.mkdir(exist_ok=True)
    np.savez(path, **{k: v.astype(np.float16) for k, v in fit(settings).items()})
    metrics = {
        "measured": "600 generated documents per row (seed 3000), of 3 to 15 sentences, 1 to 6 of them "
        "planted; other names, numbers, things and combinations than in training; "
        "instructions are put together from words that occur in training",
        "bytes": path.stat().st_size,
        "wordings_of_training": measure(path, 3000, held_out=False),
        "wordings_that_training_never_saw": measure(path, 3000, held_out=True),
    }
    (HERE / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
