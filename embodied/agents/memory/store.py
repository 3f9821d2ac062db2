"""A memory on the disk: a folder that is a part of an `AgentVersion`, or one that is being built.

    memories.jsonl        one record a line
    vectors.safetensors   one matrix a facet, in the order of the records
    pictures.safetensors  the records' pictures, under their digests; only where there are some
    memory.json           the embedding, the dimensions, the weights, the count

While it is built there is `memories.jsonl` alone, which only grows: `Building`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from embodied.agents.memory.embedding import Embedding, Matrix, Query
from embodied.agents.memory.record import Memory
from embodied.agents.memory.retrieval import Hit, Retrieval
from embodied.blobs import Blobs


@dataclass(frozen=True)
class Memories:
    """A memory that was opened: nothing in it changes."""

    folder: Path
    records: tuple[Memory, ...]
    """In the order of their ids."""
    vectors: Mapping[str, Matrix]
    embedding: Embedding
    weights: Mapping[str, float]
    """Of the facets, as they were chosen for this memory."""
    pictures: Blobs

    def search(self, query: Query, how: Retrieval | None = None) -> list[Hit]:
        """The memories that are most like the query, best first. `how` is by default with this memory's weights."""
        raise NotImplementedError


def open_memories(folder: Path, embedding: Embedding | None = None, *, recompute: bool = False) -> Memories:
    """Opens a finished memory. Raises `UsageError` or `StoreError` with one sentence."""
    raise NotImplementedError


def write_memories(
    folder: Path,
    records: Iterable[Memory],
    embedding: Embedding,
    pictures: Blobs | None = None,
    weights: Mapping[str, float] | None = None,
) -> Memories:
    """Writes a finished memory into a new folder: equal records give equal bytes."""
    raise NotImplementedError


class Building:
    """`memories.jsonl` while it grows. One process at a time may have it open. A memory with the id of an earlier one
    takes its place: so a candidate becomes verified.
    """

    mended: str
    """One sentence where a kill had torn the last line, which was cut off; else empty."""

    def __init__(self, folder: Path) -> None:
        raise NotImplementedError

    @property
    def records(self) -> tuple[Memory, ...]:
        """All that was added, in the order of their ids."""
        raise NotImplementedError

    def add(self, memories: Sequence[Memory]) -> None:
        """Appends them. They are on the disk when this returns: nothing that was added is lost by a kill."""
        raise NotImplementedError

    def close(self) -> None:
        """Lets another process have it."""
        raise NotImplementedError

    def __enter__(self) -> Building:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
