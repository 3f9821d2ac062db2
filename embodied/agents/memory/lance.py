"""LanceDB as a backend: for memories that do not fit into RAM, or that grow while they are searched.

    with LanceBackend.open(folder, made, write=True) as lance:
        lance.add(memories.records, memories.vectors)
        memories.search(query, backend=lance)

The facets of a record lie behind each other in one vector. A query's facets are multiplied by their weights, so that
one dot product is the weighted sum of the cosines, whatever the weights. The folder is a working copy: what an agent's
version holds is always `memories.jsonl` and what lies beside it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from embodied.agents.memory.embedding import FACETS, Embedding, Matrix, Vector
from embodied.agents.memory.record import Memory, decode_memory
from embodied.agents.memory.retrieval import Among, Retrieval, Rows, episode_of, usefulness
from embodied.errors import MissingExtra, StoreError, UsageError
from embodied.store.codec import encode
from embodied.store.disk import lock

FORMAT = 1
INSTALL = "pip install lancedb==0.40.0"
"""The release that was tested. With its dependencies it has 350 MB; `requirements/lancedb.txt` names them all."""
_TABLE = "memories"
_COMMITS = 50
"""Additions after which the table is compacted: each one leaves a fragment and a version behind."""
_PARTITION = 1_500
"""Rows in a partition of the index."""
_AT_ONCE = 1_000
"""Ids in one condition."""


class LanceBackend:
    """Implements `Backend` with a LanceDB table. `open` makes it.

    Exact as it is: every row that the filter lets through is compared. With `probes` and an index only the rows of the
    nearest partitions are compared, which is faster, and may miss some.
    """

    def __init__(self, table: Any, embedding: Embedding, writer: int | None, probes: int | None) -> None:
        self._table, self._writer, self._probes = table, writer, probes
        self._dimensions = embedding.dimensions
        self._commits = 0
        self._seen: dict[str, dict[str, Any]] = {}

    @classmethod
    def open(
        cls, folder: Path, embedding: Embedding, *, write: bool = False, probes: int | None = None
    ) -> LanceBackend:
        """Opens a table, or makes an empty one.

        Args:
            folder: Of the table alone.
            embedding: Of the vectors that are, or will be, in it.
            write: One process at a time may write. Many may read.
            probes: Partitions of the index that a search looks at; None compares every row.

        Raises:
            MissingExtra: LanceDB is not installed.
            StoreError: Another process writes, or the table is of another embedding or format, or cannot be read.
            UsageError: There is no table, and `write` is false.
        """
        lancedb = _lancedb()
        if not write and not folder.is_dir():
            raise UsageError(f"{folder} holds no table of memories: open it with write=True, and add some.")
        folder.mkdir(parents=True, exist_ok=True)
        writer = _claim(folder) if write else None
        try:
            table = _table(lancedb, folder, embedding, write)
        except BaseException:
            if writer is not None:
                os.close(writer)
            raise
        return cls(table, embedding, writer, probes)

    def __enter__(self) -> LanceBackend:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Lets another process write."""
        if self._writer is not None:
            os.close(self._writer)
            self._writer = None

    # ----------------------------------------------------------------------- writing

    def add(self, records: Sequence[Memory], vectors: Mapping[str, Matrix]) -> None:
        """Adds records in one commit; one with the id of an earlier one takes its place.

        Args:
            records: No two with one id.
            vectors: As `Embedding.of_memories` gives them.

        Raises:
            UsageError: It was not opened to write.
        """
        import pyarrow as pa

        if self._writer is None:
            raise UsageError("This table of memories was opened to read: open it with write=True to add some.")
        if not records:
            return
        joined = self._joined(records, vectors)
        flat = pa.FixedSizeListArray.from_arrays(pa.array(joined.ravel()), joined.shape[1])
        columns = {
            "id": [m.id for m in records],
            "env": [m.env for m in records],
            "task": [m.task for m in records],
            "status": [m.status for m in records],
            "episode": [episode_of(m) for m in records],
            "usefulness": [usefulness(m.stats) for m in records],
            "record": [encode(m) for m in records],
        }
        rows = pa.table([*map(pa.array, columns.values()), flat], schema=self._table.schema)
        self._seen.clear()
        if self._table.count_rows():
            self._table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all().execute(rows)
        else:
            self._table.add(rows)
        self._commits += 1
        if self._commits % _COMMITS == 0:
            self._table.optimize()

    def index(self) -> None:
        """Builds the indexes: partitions for the vectors (IVF_FLAT), bitmaps for the filter, a tree for the ids."""
        from lancedb.index import Bitmap, BTree, IvfFlat

        self._table.optimize()
        count = self._table.count_rows()
        if count >= 2 * _PARTITION:
            partitions = count // _PARTITION
            self._table.create_index("vector", config=IvfFlat(distance_type="dot", num_partitions=partitions))
        for column in ("env", "status"):
            self._table.create_index(column, config=Bitmap())
        self._table.create_index("id", config=BTree())

    # ----------------------------------------------------------------------- reading

    def ids(self, among: Among) -> list[str]:
        """See `Backend.ids`."""
        found = self._table.search().where(_condition(among)).select(["id"]).limit(self._table.count_rows() or 1)
        return sorted(found.to_arrow()["id"].to_pylist())

    def nearest(
        self, query: Mapping[str, Vector], how: Retrieval, among: Among, limit: int
    ) -> tuple[Sequence[str], float]:
        """See `Backend.nearest`."""
        weighted = [
            np.float32(how.weights.get(facet, 0.0)) * query.get(facet, np.zeros(self._dimensions[facet], np.float32))
            for facet in FACETS
        ]
        whole = np.concatenate([*weighted, np.array([how.usefulness], np.float32)])
        found = self._table.search(whole, vector_column_name="vector").distance_type("dot")
        found = found.where(_condition(among), prefilter=True).limit(limit)
        found = found.bypass_vector_index() if self._probes is None else found.nprobes(self._probes)
        rows = found.select(["id", "episode", "usefulness", "vector", "_distance"]).to_arrow()
        self._seen = {row["id"]: row for row in _rows(rows)}
        lowest = 1 - max(rows["_distance"].to_pylist(), default=1.0)  # LanceDB's distance is 1 - dot product
        return list(self._seen), lowest

    def rows(self, ids: Sequence[str]) -> Rows:
        """See `Backend.rows`."""
        seen = self._seen
        if missing := [id for id in ids if id not in seen]:
            seen = {row["id"]: row for row in self._fetched(missing, ["id", "episode", "usefulness", "vector"])} | seen
        size = sum(self._dimensions.values()) + 1
        joined = np.array([seen[id]["vector"] for id in ids], np.float32).reshape(len(ids), size)
        ends = np.cumsum([self._dimensions[facet] for facet in FACETS])
        vectors = dict(zip(FACETS, np.split(joined, ends, axis=1), strict=False))
        kept = {facet: matrix for facet, matrix in vectors.items() if matrix.any()}
        return Rows([seen[id]["episode"] for id in ids], np.array([seen[id]["usefulness"] for id in ids]), kept)

    def memories(self, ids: Sequence[str]) -> list[Memory]:
        """See `Backend.memories`."""
        found = {row["id"]: row["record"] for row in self._fetched(list(ids), ["id", "record"])}
        return [decode_memory(found[id], f"The table of memories, {id}") for id in ids]

    def _fetched(self, ids: Sequence[str], columns: list[str]) -> Iterable[dict[str, Any]]:
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            condition = f"id IN ({', '.join(map(_quoted, some))})"
            yield from _rows(self._table.search().where(condition).select(columns).limit(len(some)).to_arrow())

    def _joined(self, records: Sequence[Memory], vectors: Mapping[str, Matrix]) -> Matrix:
        """The vectors of all facets behind each other, and the usefulness: so its weight can be part of a query."""
        parts = [vectors.get(facet, np.zeros((len(records), self._dimensions[facet]), np.float32)) for facet in FACETS]
        useful = np.array([[usefulness(memory.stats)] for memory in records], np.float32)
        return np.concatenate([*parts, useful], axis=1)


def _lancedb() -> Any:
    try:
        import lancedb
    except ModuleNotFoundError as error:
        raise NoLanceDB() from error
    return lancedb


class NoLanceDB(MissingExtra):
    """LanceDB is not installed; the message is the pip line that installs it."""

    def __init__(self) -> None:
        Exception.__init__(self, f"This memory needs LanceDB, which is not installed. Install it with: {INSTALL}")
        self.what, self.extra = "This memory", "lancedb"

    def __reduce__(self) -> tuple[type, tuple[str, ...]]:
        return type(self), ()


def _claim(folder: Path) -> int:
    """The open descriptor that holds the writer's lock. Raises `StoreError`: another process has it."""
    descriptor = os.open(folder, os.O_RDONLY)
    if not lock(descriptor):
        os.close(descriptor)
        raise StoreError(f"Another process writes to {folder}. Wait for it, or open the table to read.")
    return descriptor


def _table(lancedb: Any, folder: Path, embedding: Embedding, write: bool) -> Any:
    import pyarrow as pa

    size = sum(embedding.dimensions.values()) + 1
    about = {"format": str(FORMAT), "embedding": embedding.sha256}
    texts = [pa.field(name, pa.string()) for name in ("id", "env", "task", "status", "episode")]
    rest = [("usefulness", pa.float64()), ("record", pa.binary()), ("vector", pa.list_(pa.float32(), size))]
    schema = pa.schema([*texts, *(pa.field(*field) for field in rest)], metadata=about)
    try:
        database = lancedb.connect(folder)
        if _TABLE not in database.list_tables().tables:
            if not write:
                raise UsageError(f"{folder} holds no table of memories: open it with write=True, and add some.")
            return database.create_table(_TABLE, schema=schema)
        table = database.open_table(_TABLE)
    except (OSError, ValueError, RuntimeError) as error:
        raise StoreError(f"LanceDB cannot read {folder}: {error}. Make the table again from its memory.") from error
    found = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    if found.get("format") != about["format"] or table.schema.names != schema.names:
        raise StoreError(f"{folder} holds a table of another format. Make it again from its memory.")
    if found.get("embedding") != embedding.sha256:
        raise StoreError(
            f"{folder} holds vectors of another embedding than {embedding.name}. Open it with its own, or"
            " make the table again."
        )
    return table


def _condition(among: Among) -> str:
    parts = [f"status IN ({', '.join(map(_quoted, among.statuses))})"] if among.statuses else ["false"]
    parts += [f"{column} = {_quoted(value)}" for column, value in (("env", among.env), ("task", among.task)) if value]
    return " AND ".join(parts)


def _quoted(text: str) -> str:
    """A text in an SQL condition."""
    return "'" + text.replace("'", "''") + "'"


def _rows(table: Any) -> list[dict[str, Any]]:
    """The rows of an Arrow table; vectors stay arrays."""
    columns = {name: table[name].to_pylist() for name in table.column_names if name != "vector"}
    if "vector" in table.column_names:
        column = table["vector"].combine_chunks()
        size = column.type.list_size
        flat = column.flatten() if len(column) else None
        columns["vector"] = [] if flat is None else list(flat.to_numpy().reshape(-1, size))
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
