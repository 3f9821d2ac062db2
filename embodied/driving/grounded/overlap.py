"""Overlap of words with a reference text: what papers also print. Secondary: it rewards the reference's wording, not
the facts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from embodied.driving.grounded.text import SENTENCE_ENDS, normalise, tokens


def _words(text: str) -> list[str]:
    return [w for w in tokens(normalise(text)) if w not in SENTENCE_ENDS and w not in ",:"]


def rouge_l(answer: str, reference: str) -> float:
    """ROUGE-L (Lin 2004, section 3.1): F measure of the longest common subsequence of words, precision and recall
    counting alike; in [0, 1].

    The subsequence is found in the bits of one integer, a word of the answer at a time (Hyyrö 2004).
    """
    a, b = _words(answer), _words(reference)
    places: dict[str, int] = {}
    for i, word in enumerate(b):
        places[word] = places.get(word, 0) | 1 << i
    every = row = (1 << len(b)) - 1
    for word in a:
        met = row & places.get(word, 0)
        row = ((row + met) | (row - met)) & every
    common = len(b) - row.bit_count()
    return 2 * common / (len(a) + len(b)) if common else 0.0


def tfidf_cosine(answers: Sequence[str], references: Sequence[str]) -> list[float]:
    """Cosine of TF-IDF vectors, pair by pair; in [0, 1]. Weights tf * (ln((1 + n) / (1 + df)) + 1), document
    frequencies from the n references.
    """
    counted = [Counter(_words(r)) for r in references]
    frequency = Counter(word for c in counted for word in c)

    def vector(words: Counter[str]) -> dict[str, float]:
        return {w: n * (math.log((1 + len(counted)) / (1 + frequency[w])) + 1) for w, n in words.items()}

    found = []
    for answer, reference in zip(answers, counted, strict=True):
        a, b = vector(Counter(_words(answer))), vector(reference)
        size = math.sqrt(sum(v * v for v in a.values()) * sum(v * v for v in b.values()))
        found.append(sum(v * b.get(w, 0.0) for w, v in a.items()) / size if size else 0.0)
    return found
