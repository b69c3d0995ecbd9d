"""The extractive stand-in for a language model: it ranks a document's sentences under an instruction, with trained
weights.

It writes no words of its own. Instruction and sentence are both turned into hashed words plus a few properties
of form; a trained bilinear form scores each sentence under the instruction, and a trained classifier reads from
the instruction how many sentences are wanted. There are no rules about particular words: another instruction
changes the answer through the weights.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
TOKEN = re.compile(r"[A-Za-z]+|\d+|[$€£%]")
SENTENCE_END = re.compile(
    r"(?<=[.!?])(?<!\b[A-Z]\.)(?<!Mr\.)(?<!Ms\.)(?<!Dr\.)(?<!No\.)(?<!Mrs\.)\s+(?=[A-Z0-9\"'(€$])"
)
FORM = (
    re.compile(r"\d"),
    re.compile(r"[$€£]|\b(?:EUR|USD|GBP)\b"),
    re.compile(r"\d+[.,]\d\d\b"),
    re.compile(r"%|percent"),
    re.compile(r"\b(?:19|20)\d\d\b"),
    re.compile(r"\b(?:January|February|March|April|May|June|July|August|September|October|November|December)\b"),
    re.compile(r"\b\d{1,2}[./]\d{1,2}[./]\d{2,4}\b"),
    re.compile(r"(?<=[a-z,] )[A-Z][a-z]+ [A-Z][a-z]+|^(?:Mr|Ms|Dr)\b"),
    re.compile(r"\?"),
    re.compile(r":"),
)
MOST_SENTENCES = 6


def sentences(text: str) -> list[str]:
    """The text's sentences in order. Wrapped lines are joined; an empty line, or a line well short of the longest,
    ends a sentence.
    """
    lines = [line.strip() for line in text.splitlines()]
    longest = max((len(line) for line in lines), default=0)
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line:
            blocks[-1].append(line)
        if not line or len(line) < 0.6 * longest:
            blocks.append([])
    joined = (" ".join(block) for block in blocks if block)
    return [s.strip() for block in joined for s in SENTENCE_END.split(block) if re.search(r"\w", s)]


def word_ids(text: str, buckets: int) -> list[int]:
    """Hashed words and word pairs; numbers of two digits and more are all one word, so that no particular one can
    matter.
    """
    words = ["0" if t.isdigit() and len(t) > 1 else t.lower() for t in TOKEN.findall(text)]
    return [crc32(w.encode()) % buckets for w in words + [f"{a} {b}" for a, b in pairwise(words)]]


def form_of(sentence: str, place: float) -> list[float]:
    """Properties of form: numbers, money, dates, names, length, place in the document (0 first, 1 last)."""
    found = [1.0 if pattern.search(sentence) else 0.0 for pattern in FORM]
    words = sentence.split()
    capitals = sum(w[:1].isupper() for w in words[1:]) / max(len(words), 1)
    return [*found, capitals, min(len(words), 30) / 30, float(len(words) < 4), place, 1.0 - place, 1.0]


FORM_SIZE = len(FORM) + 6


@dataclass(frozen=True)
class Model:
    """The trained weights; the hash tables have one row per bucket."""

    instruction: Floats  # buckets x width
    sentence: Floats  # buckets x width
    form: Floats  # FORM_SIZE x width
    form_bias: Floats  # FORM_SIZE
    count: Floats  # buckets x MOST_SENTENCES
    count_bias: Floats

    def read_instruction(self, text: str) -> tuple[Floats, int]:
        """The instruction as a direction of interest, and how many sentences it asks for."""
        ids = word_ids(text, len(self.instruction))
        scale = 1 / np.sqrt(max(len(ids), 1))
        wanted = self.count[ids].sum(axis=0) + self.count_bias
        return np.asarray(self.instruction[ids].sum(axis=0) * scale, np.float32), int(wanted.argmax()) + 1

    def scores(self, interest: Floats, document: list[str]) -> Floats:
        """The score of each sentence under an interest."""
        last = max(len(document) - 1, 1)
        form = np.array([form_of(s, i / last) for i, s in enumerate(document)], np.float32)
        words = np.stack([self._sum(s) for s in document])
        return np.asarray((words + form @ self.form) @ interest + form @ self.form_bias, np.float32)

    def _sum(self, sentence: str) -> Floats:
        ids = word_ids(sentence, len(self.sentence))
        return np.asarray(self.sentence[ids].sum(axis=0) / np.sqrt(max(len(ids), 1)), np.float32)

    def answer(self, instruction: str, document: str, most_words: int) -> tuple[str, bool]:
        """The chosen sentences in the document's order, and whether `most_words` cut some off."""
        found = sentences(document)
        if not found:
            return "", False
        interest, count = self.read_instruction(instruction)
        ranked = np.argsort(-self.scores(interest, found), kind="stable")[:count].tolist()
        kept: list[int] = []
        for i in ranked:
            words = sum(len(found[k].split()) for k in [*kept, i])
            if words > most_words:
                return " ".join(found[k] for k in sorted(kept)) or " ".join(found[i].split()[:most_words]), True
            kept.append(i)
        return " ".join(found[k] for k in sorted(kept)), False


def load(path: Path) -> Model:
    """The model of a weight file."""
    with np.load(path, allow_pickle=False) as arrays:
        return Model(**{name: arrays[name].astype(np.float32) for name in arrays.files})
