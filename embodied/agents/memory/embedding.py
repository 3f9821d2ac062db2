"""Vectors of memories and of queries: one for each facet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embodied.agents.memory.record import Memory
from embodied.blobs import Blobs

Matrix = npt.NDArray[np.float32]
Frame = npt.NDArray[np.uint8]
FACETS = ("task", "observation", "state", "picture")
"""task: the goal. observation: the text seen at the beginning. state: its abstraction. picture: the first picture."""


@dataclass(frozen=True)
class Query:
    """What is looked for. A facet that is empty here counts for nothing."""

    env: str
    goal: str
    task: str = ""
    observation: str = ""
    state: str = ""
    picture: Frame | None = None
    """Shape (H, W, 3), uint8."""


class Embedding:
    """What makes the vectors of a memory: `embedding(name)` makes it."""

    name: str
    """`hashing+layout`: the text embedder and the picture embedder."""
    sha256: str
    """Of their versions and sizes. Vectors of different ones cannot be compared."""
    dimensions: Mapping[str, int]
    """Facet -> numbers in a vector."""

    def of_memories(self, memories: Sequence[Memory], pictures: Blobs | None = None) -> dict[str, Matrix]:
        """Facet -> one row for each memory, of length 1, or zero where it has nothing of the kind."""
        raise NotImplementedError

    def of_query(self, query: Query) -> dict[str, Matrix]:
        """Facet -> vector of length 1, or zero."""
        raise NotImplementedError


def embedding(text: str = "hashing", picture: str = "layout") -> Embedding:
    """The embedding of these names: `hashing` or `minilm` (an extra) for text; `layout`, or the folder of a vision
    tower, for pictures.
    """
    raise NotImplementedError
