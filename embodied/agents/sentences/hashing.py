"""hashing: texts as counts of their words and of pieces of words. It finds the same words in another form or order
("going forwards", "go forward"). It knows no meaning: "advance" and "go forward" have nothing in common for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from zlib import crc32

import numpy as np

from embodied.agents.sentences import Vectors

_WORD = re.compile(r"\w+")
_PIECE = 3
"""Characters of a piece of a word; blanks around the word count."""


class Hashing:
    """Needs nothing beyond NumPy. Each word, and each of its pieces, adds or takes 1 at a place that its CRC-32 says
    (feature hashing, Weinberger et al. 2009). Pieces of a word weigh together as much as the word.
    """

    name = "hashing"
    version = "hashing-1"
    size = 1024

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.embed`."""
        table = np.zeros((len(texts), self.size), np.float32)
        for row, text in zip(table, texts, strict=True):
            for feature, weight in _features(text):
                hashed = crc32(feature.encode("utf-8", "surrogatepass"))
                row[hashed % self.size] += weight if hashed & 1 << 31 else -weight
            if (length := float(np.linalg.norm(row))) > 0:
                row /= length
        return table


def _features(text: str) -> Iterator[tuple[str, float]]:
    for word in _WORD.findall(text.casefold()):
        yield word, 1.0
        padded = f" {word} "
        pieces = [padded[i : i + _PIECE] for i in range(len(padded) - _PIECE + 1)]
        yield from ((piece, len(pieces) ** -0.5) for piece in pieces)
