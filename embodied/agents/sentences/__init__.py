"""Sentences as vectors, so that texts can be compared by meaning: the one door for all that embeds text.

    table = embedder("hashing").embed(["turn left", "turn right"])

An embedder is chosen by name, never by what is installed: two machines that play the same configuration must play the
same episodes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Protocol

import numpy as np
import numpy.typing as npt

from embodied.registry import load, unknown

Vectors = npt.NDArray[np.float32]
EMBEDDERS = {
    "hashing": "embodied.agents.sentences.hashing:Hashing",
    "minilm": "embodied.agents.sentences.minilm:MiniLM",
}
"""hashing: compares spelling, knows no meaning, in every install. minilm: a small language model, an extra."""


class Embedder(Protocol):
    """Makes vectors of texts."""

    name: str
    """Its name in `EMBEDDERS`."""
    version: str
    """Names what makes the vectors, down to the weights. Vectors of different versions cannot be compared."""
    size: int
    """Numbers in a vector."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row for each text, shape (texts, size), float32, of length 1: a product of two rows is their cosine. The
        row of a text without words is zero. A row depends on its own text alone.
        """
        ...


@cache
def embedder(name: str) -> Embedder:
    """The embedder of that name; one in each process.

    Raises:
        UnknownName: There is no such embedder.
        MissingExtra: What it needs is not installed.
        UsageError: Its weights are not the ones that they should be.
    """
    if name not in EMBEDDERS:
        raise unknown("sentence embedder", name, EMBEDDERS, "embodied list options")
    made: Embedder = load(EMBEDDERS[name])()
    return made
