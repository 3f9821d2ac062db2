"""Overlap of words with a reference text: what papers also print. Secondary: it rewards the reference's wording, not the facts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from embodied.driving.grounded.text import SENTENCE_ENDS, normalise, tokens

_MOST = 1000
"""Words compared: the table of the longest common subsequence grows with their square."""


def _words(text: str) -> list[str]:
    return [w for w in tokens(normalise(text)) if w not in SENTENCE_ENDS and w not in ",:"]


def rouge_l(answer: str, reference: str) -> float:
    """ROUGE-L (Lin 2004, section 3.1): F measure of the longest common subsequence of words, precision and recall counting alike; in [0, 1]."""
    a, b = _words(answer)[:_MOST], _words(reference)[:_MOST]
    row = [0] * (len(b) + 1)
    for word in a:
        diagonal = 0
        for j, other in enumerate(b, 1):
            diagonal, row[j] = row[j], diagonal + 1 if word == other else max(row[j], row[j - 1])
    common = row[-1]
    return 2 * common / (len(a) + len(b)) if common else 0.0


def tfidf_cosine(answers: Sequence[str], references: Sequence[str]) -> list[float]:
    """Cosine of TF-IDF vectors, pair by pair; in [0, 1]. Weights tf * (ln((1 + n) / (1 + df)) + 1), document frequencies from the n references."""
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
