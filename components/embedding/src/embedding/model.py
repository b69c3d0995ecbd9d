"""Text to a vector: hashed words and character trigrams, summed through a trained projection."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
WORD = re.compile(r"[a-z0-9]+")


def features(text: str, buckets: int) -> Counter[int]:
    """Bucket -> weight of the text's words (1) and of their character trigrams (together as much as one word)."""
    counts: Counter[int] = Counter()
    for word, times in Counter(WORD.findall(text.lower())).items():
        weight = 1.0 + np.log(times)
        counts[crc32(word.encode()) % buckets] += weight
        padded = f"<{word}>"
        grams = [padded[i : i + 3] for i in range(len(padded) - 2)]
        for gram in grams:
            counts[crc32(f"#{gram}".encode()) % buckets] += weight / len(grams)
    return counts


class Model:
    """A projection of `buckets` hashed features to `dimension` numbers."""

    def __init__(self, projection: Floats) -> None:
        self.projection = projection
        self.buckets, self.dimension = projection.shape

    def embed(self, text: str) -> Floats:
        """The unit vector of the text; zeros where it has neither letters nor digits."""
        counts = features(text, self.buckets)
        if not counts:
            return np.zeros(self.dimension, np.float32)
        vector = np.fromiter(counts.values(), np.float32, len(counts)) @ self.projection[list(counts)]
        return np.asarray(vector / (np.linalg.norm(vector) or 1.0), np.float32)


def load(path: Path) -> Model:
    """The model of a weight file."""
    with np.load(path, allow_pickle=False) as arrays:
        return Model(arrays["projection"].astype(np.float32))
