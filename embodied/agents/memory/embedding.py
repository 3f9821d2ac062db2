"""Vectors of memories and of queries: one for each facet, so that the weights of the facets may be chosen later.

made = embedding("minilm")
vectors = made.of_memories(records, blobs)
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from embodied.agents.memory.layout import Layout
from embodied.agents.memory.record import Memory
from embodied.agents.sentences import EMBEDDERS, Embedder, embedder
from embodied.blobs import Blobs, decode_png
from embodied.errors import StoreError, UsageError
from embodied.registry import unknown
from embodied.store.codec import encode

Vector = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float32]
Frame = npt.NDArray[np.uint8]
TEXTS = ("task", "observation", "state")
FACETS = (*TEXTS, "picture")
"""task: the goal. observation: the text seen at the beginning. state: its abstraction. picture: the first picture."""


@dataclass(frozen=True)
class Query:
    """What is looked for. A facet that is empty here counts for nothing."""

    env: str
    """Only memories of this environment are found; empty: of any."""
    goal: str
    task: str = ""
    """Counts only with `Retrieval.same_task`."""
    observation: str = ""
    state: str = ""
    picture: Frame | None = None
    """Shape (H, W, 3), uint8."""


class PictureEmbedder(Protocol):
    """Makes vectors of pictures."""

    name: str
    version: str
    """Names what makes the vectors, down to the weights. Vectors of different versions cannot be compared."""
    size: int
    """Numbers in a vector."""

    def embed(self, frames: Sequence[Frame]) -> Matrix:
        """One row for each frame of shape (H, W, 3), uint8: shape (frames, size), float32, of length 1 or zero. A row
        depends on its own frame alone.
        """
        ...


class Embedding:
    """What makes the vectors of a memory: a text embedder for three facets, a picture embedder for the fourth."""

    def __init__(self, text: Embedder, picture: PictureEmbedder) -> None:
        self._text, self._picture = text, picture
        self.name = f"{text.name}+{picture.name}"
        """`hashing+layout`."""
        self.dimensions: Mapping[str, int] = {**dict.fromkeys(TEXTS, text.size), "picture": picture.size}
        """Facet -> numbers in a vector."""
        identity = [text.name, text.version, text.size, picture.name, picture.version, picture.size]
        self.sha256 = hashlib.sha256(encode(identity)).hexdigest()
        """Of the versions and sizes. Vectors of embeddings with different ones cannot be compared."""

    def of_memories(self, memories: Sequence[Memory], pictures: Blobs | None = None) -> dict[str, Matrix]:
        """Facet -> one row for each memory, of length 1, or zero where it has nothing of the kind. A facet of which no
        memory has anything is left out.

        Args:
            memories: Of a picture only the first one counts.
            pictures: Where their bytes are.

        Raises:
            UsageError: There are pictures, and `pictures` is None.
            StoreError: A picture is missing or damaged.
        """
        texts = {"task": [m.goal for m in memories], "observation": [m.observation for m in memories]}
        texts["state"] = [m.state for m in memories]
        found = {facet: self._texts(given) for facet, given in texts.items() if any(given)}
        if any(m.pictures for m in memories):
            found["picture"] = self._pictures(memories, pictures)
        return found

    def of_query(self, query: Query) -> dict[str, Vector]:
        """Facet -> vector of length 1. A facet that is empty in the query is left out."""
        texts = {"task": query.goal, "observation": query.observation, "state": query.state}
        given = {facet: text for facet, text in texts.items() if text}
        found = dict(zip(given, self._texts(list(given.values())), strict=True))
        if query.picture is not None:
            found["picture"] = self._picture.embed([query.picture])[0]
        return found

    def _texts(self, texts: Sequence[str]) -> Matrix:
        """Embeds each different text once."""
        different = list(dict.fromkeys(texts))
        numbers = {text: number for number, text in enumerate(different)}
        return self._text.embed(different)[[numbers[text] for text in texts]]

    def _pictures(self, memories: Sequence[Memory], blobs: Blobs | None) -> Matrix:
        if blobs is None:
            raise UsageError("The memories have pictures: say where their bytes are (the `blobs` of their run).")
        table = np.zeros((len(memories), self._picture.size), np.float32)
        rows: dict[str, list[int]] = {}
        for row, memory in enumerate(memories):
            if memory.pictures:
                rows.setdefault(memory.pictures[0].digest, []).append(row)
        for digest, places in rows.items():
            image = memories[places[0]].pictures[0]
            table[places] = self._picture.embed([decode_png(blobs.get(digest), digest[:12], image)])[0]
        return table


def embedding(text: str = "hashing", picture: str | Path = "layout") -> Embedding:
    """The embedding of these names. It is chosen by name, never by what is installed: two machines that play the same
    memory must find the same examples.

    Args:
        text: `hashing` (compares spelling, knows no meaning, in every install) or `minilm` (a small language model,
            the extra `sentences`).
        picture: `layout` (`embodied.agents.memory.layout`), or the folder of a vision tower in the format of
            transformers (`embodied.agents.memory.tower`, the extra `local`).

    Raises:
        UnknownName: There is no such text embedder.
        MissingExtra: What it needs is not installed.
        UsageError: Its weights are not the ones that they should be, or there is no such folder.
    """
    if text not in EMBEDDERS:
        raise unknown("text embedding of a memory", text, EMBEDDERS, "embodied list options")
    if picture == "layout":
        return Embedding(embedder(text), Layout())
    from embodied.agents.memory.tower import Tower

    return Embedding(embedder(text), Tower(Path(picture)))


def embedding_named(name: str, where: Path) -> Embedding:
    """The embedding of a name that a memory recorded. Raises `StoreError` for one that only the user can make."""
    text, _, picture = name.partition("+")
    if text not in EMBEDDERS or picture != "layout":
        raise StoreError(
            f"{where} was made with the embedding {name[:80]!r}, which is not one of this install. Give the same"
            " embedding when you open it, or make the vectors again with another one (`recompute`)."
        )
    return embedding(text)
