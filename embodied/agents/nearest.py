"""The phrase of a list that is nearest in meaning to some words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from embodied.agents.resolving import Resolution
from embodied.agents.sentences import Vectors, embedder


@dataclass(frozen=True)
class Bar:
    """How near is near enough."""

    least: float
    """Cosine to the nearest phrase."""
    ahead: float
    """Its lead over the second."""


BARS = {"hashing": Bar(0.55, 0.1), "minilm": Bar(0.6, 0.1)}
"""Embedder -> its bar, chosen on one half of `benchmarks/resolving_sentences.tsv` (`benchmarks/resolving.py`)."""
METHODS = {"hashing": "hashing", "minilm": "sentence"}
"""Embedder -> what the record says of a correction that it resolved."""
_OFFERED = 5
"""Phrases that are offered where none is near enough."""


class Nearest:
    """Compares words with the middle of a phrase, its gloss, and both in one line. Phrases of one character have no
    meaning and are left out.

    Args:
        name: An embedder (`embodied.agents.sentences`).
    """

    def __init__(self, name: str, bar: Bar | None = None):
        self.name = name
        self.bar = bar or BARS[name]

    def __call__(self, words: str, actions: Mapping[str, str]) -> Resolution:
        """The nearest phrase if it reaches the bar; else the nearest ones, to choose from."""
        ranked = self.ranked(words, actions)
        if not ranked:
            return Resolution()
        (action, score), second = ranked[0], ranked[1][1] if len(ranked) > 1 else 0.0
        if score >= self.bar.least and score - second >= self.bar.ahead:
            return Resolution(action, METHODS[self.name], round(min(score, 1.0), 3))
        return Resolution(several=tuple(phrase for phrase, _ in ranked[:_OFFERED]))

    def ranked(self, words: str, actions: Mapping[str, str]) -> list[tuple[str, float]]:
        """Each phrase with its cosine to `words`, the nearest first; of equally near ones in the order of the list."""
        listed = tuple((phrase, gloss) for phrase, gloss in actions.items() if len(phrase.strip()) > 1)
        if not listed:
            return []
        said = embedder(self.name).embed([words])[0]
        scores = [float(score) for score in _table(self.name, listed) @ said]
        return sorted(zip((phrase for phrase, _ in listed), scores, strict=True), key=lambda pair: -pair[1])


@lru_cache(maxsize=32)
def _table(name: str, listed: tuple[tuple[str, str], ...]) -> Vectors:
    """A row of length 1 for each phrase, made once for all episodes with the same list."""
    forms = [[phrase, gloss or phrase, f"{phrase}: {gloss}" if gloss else phrase] for phrase, gloss in listed]
    table = embedder(name).embed([form for three in forms for form in three])
    middle: Vectors = table.reshape(len(listed), 3, -1).sum(axis=1)
    lengths = np.linalg.norm(middle, axis=1, keepdims=True)
    rows: Vectors = middle / np.maximum(lengths, 1e-9)
    return rows
