"""A memory on the disk: a folder that is a part of an `AgentVersion`. Nothing in it changes.

    memories.jsonl        one record a line
    vectors.safetensors   one matrix a facet, in the order of the records; they can be made again
    pictures.safetensors  the records' PNG files under their digests; only where there are some
    memory.json           the embedding, the dimensions, the weights, the count, the hash of each file

A memory that is being built is another folder, with `memories.jsonl` alone: `embodied.agents.memory.building`.
"""

from __future__ import annotations

import hashlib
import math
import re
import secrets
import shutil
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np

from embodied.agents.memory.embedding import FACETS, Embedding, Matrix, Query, embedding_named
from embodied.agents.memory.record import Memory, checked, decode_memory
from embodied.agents.memory.retrieval import WEIGHTS, Among, Backend, Exact, Hit, Retrieval, in_order, search
from embodied.agents.memory.tensors import Array, damaged, read_tensors, write_tensors
from embodied.blobs import Blobs, MemoryBlobs
from embodied.errors import StoreError, UsageError
from embodied.store.checks import is_digest, open_plain, read_plain, whole_lines
from embodied.store.codec import encode
from embodied.store.disk import disk, write_whole
from embodied.terminal import line

FORMAT = 1
RECORDS, VECTORS, PICTURES, ABOUT = "memories.jsonl", "vectors.safetensors", "pictures.safetensors", "memory.json"
MOST = 1_000_000
"""Memories in a folder."""
_LONGEST_ABOUT = 1 << 20


class About(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`memory.json`."""

    format: int
    count: int
    embedding: str
    """Its name."""
    embedding_sha256: str
    dimensions: dict[str, int]
    weights: dict[str, float]
    """Of the facets, for who opens it without others."""
    files: dict[str, str]
    """File name -> SHA-256."""


class Memories:
    """A memory that was opened: nothing in it changes."""

    def __init__(
        self,
        folder: Path,
        records: tuple[Memory, ...],
        vectors: Mapping[str, Matrix],
        embedding: Embedding,
        weights: Mapping[str, float],
        pictures: Blobs,
    ) -> None:
        self.folder = folder
        self.records = records
        """In the order of environment, task and id."""
        self.vectors = vectors
        """Facet -> one row for each record. A facet of which no record has anything is left out."""
        self.embedding = embedding
        self.weights = weights
        """Of the facets, as they were chosen for this memory."""
        self.pictures = pictures
        """The bytes of the records' pictures."""

    def search(self, query: Query, how: Retrieval | None = None, backend: Backend | None = None) -> list[Hit]:
        """The memories that are most like the query, best first.

        Args:
            query: What is looked for.
            how: By default five verified memories of the query's environment, with this memory's weights.
            backend: By default exact search with NumPy; else one that was filled with these records.
        """
        how = Retrieval(weights=self.weights) if how is None else how
        task = query.task if how.same_task and query.env else ""
        among = Among(query.env, task, how.statuses)
        return search(backend or self._exact, self.embedding.of_query(query), among, how)

    @cached_property
    def _exact(self) -> Exact:
        return Exact(self.records, self.vectors)


# --------------------------------------------------------------------------- writing


def write_memories(
    folder: Path,
    records: Iterable[Memory],
    embedding: Embedding,
    pictures: Blobs | None = None,
    weights: Mapping[str, float] | None = None,
) -> Memories:
    """Writes a memory into a new folder, whole or not at all. Equal records give equal bytes.

    Args:
        folder: Must not exist; the folder above it must.
        records: In any order; of two with one id the later one holds.
        embedding: Makes the vectors.
        pictures: Where the bytes of the records' pictures are; may be None where no record has one.
        weights: Of the facets; `WEIGHTS` by default.

    Raises:
        UsageError: `folder` exists, there are pictures without their bytes, or a weight is not one.
        StoreError: A record is out of range, a picture is missing, or the disk refuses.
    """
    if folder.exists():
        raise UsageError(f"{folder} exists already, and a memory never changes: name a new folder.")
    ordered = in_order(checked(record) for record in records)
    if len(ordered) > MOST:
        raise UsageError(f"A memory holds at most {MOST:,} records, and these are {len(ordered):,}: retire some.")
    chosen = dict(Retrieval(weights=dict(WEIGHTS if weights is None else weights)).weights)
    vectors = embedding.of_memories(ordered, pictures)
    kept = _kept_pictures(ordered, pictures)
    temporary = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.tmp")
    with disk(f"write the memory {folder}"):
        temporary.mkdir()
        try:
            write_whole(temporary / RECORDS, b"".join(encode(record) + b"\n" for record in ordered))
            write_tensors(temporary / VECTORS, vectors)
            if kept:
                write_tensors(temporary / PICTURES, kept)
            about = About(
                format=FORMAT,
                count=len(ordered),
                embedding=embedding.name,
                embedding_sha256=embedding.sha256,
                dimensions=dict(embedding.dimensions),
                weights={facet: float(chosen[facet]) for facet in FACETS if facet in chosen},
                files={path.name: _hash(path) for path in sorted(temporary.iterdir())},
            )
            write_whole(temporary / ABOUT, msgspec.json.format(encode(about), indent=1) + b"\n")
            temporary.rename(folder)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    return Memories(folder, ordered, vectors, embedding, about.weights, _as_blobs(kept))


def _kept_pictures(records: Sequence[Memory], pictures: Blobs | None) -> dict[str, Array]:
    """Digest -> bytes of every picture of the records."""
    digests = sorted({image.digest for record in records for image in record.pictures})
    if pictures is None:
        return {}
    return {digest: np.frombuffer(pictures.get(digest), np.uint8) for digest in digests}


def _as_blobs(pictures: Mapping[str, Array]) -> MemoryBlobs:
    blobs = MemoryBlobs()
    for data in pictures.values():
        blobs.put(data.tobytes())
    return blobs


# --------------------------------------------------------------------------- reading


def open_memories(folder: Path, embedding: Embedding | None = None, *, recompute: bool = False) -> Memories:
    """Opens a memory and checks every byte of it.

    Args:
        folder: As `write_memories` left it.
        embedding: By default the one that the memory names, where this install has it.
        recompute: Makes the vectors again where they are missing, damaged, or of another embedding. Nothing is
            written.

    Raises:
        UsageError: `folder` is not a memory, or is one that is still being built.
        StoreError: It is damaged, of a later format, or of another embedding.
        MissingExtra: The embedding that it names is not installed.
    """
    about = read_about(folder)
    records = _records(folder, about)
    pictures = _pictures(folder, about)
    made = embedding or embedding_named(about.embedding, folder / ABOUT)
    same = made.sha256 == about.embedding_sha256
    if not same and not recompute:
        raise StoreError(
            f"{folder} has vectors of the embedding {_name(about)}, which cannot be compared with those of"
            f" {made.name} ({made.sha256[:12]}). Open it with its own embedding, or make its vectors again"
            " (`recompute`)."
        )
    try:
        vectors = _vectors(folder, about) if same else made.of_memories(records, pictures)
    except StoreError:
        if not (same and recompute):
            raise
        vectors = made.of_memories(records, pictures)
    return Memories(folder, records, vectors, made, about.weights, pictures)


def read_about(folder: Path) -> About:
    """`memory.json` alone: to list memories. Raises as `open_memories`."""
    path = folder / ABOUT
    data = read_plain(path, _LONGEST_ABOUT)
    if data is None and (folder / RECORDS).exists():
        raise UsageError(
            f"{folder} is a memory that is still being built: it has no {ABOUT}. `write_memories` ends it."
        )
    if data is None:
        raise UsageError(f"{folder} is not a memory: it has no {ABOUT}.")
    try:
        raw = msgspec.json.decode(data)
        found = raw.get("format") if isinstance(raw, dict) else None
        if isinstance(found, int) and found > FORMAT:
            raise StoreError(
                f"{path} has format {found}, and this version of embodied reads formats up to {FORMAT}: upgrade it with"
                " `pip install --upgrade embodied-suite`."
            )
        about = msgspec.convert(raw, About)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise damaged(path, line(str(error))) from error
    if not 0 <= about.count <= MOST or not re.fullmatch(r"[a-z0-9_+]{1,80}", about.embedding):
        raise damaged(path, "its count or the name of its embedding is out of range")
    if set(about.dimensions) != set(FACETS) or not set(about.weights) <= set(FACETS):
        raise damaged(path, "it does not name the facets of a memory")
    if not all(math.isfinite(weight) and weight >= 0 for weight in about.weights.values()):
        raise damaged(path, "a weight is less than 0")
    if not {RECORDS, VECTORS} <= set(about.files) <= {RECORDS, VECTORS, PICTURES}:
        raise damaged(path, "it does not name the files of a memory")
    return about


def _records(folder: Path, about: About) -> tuple[Memory, ...]:
    path = folder / RECORDS
    _check_file(path, about)
    file = open_plain(path)
    if file is None:
        raise damaged(path, "it is missing")
    with file:
        lines = whole_lines(file, str(path))
        found = tuple(decode_memory(text, f"{path}, line {number}") for number, text in enumerate(lines, 1))
    if len(found) != about.count or found != in_order(found):
        raise damaged(path, f"it must hold {about.count} records, each once and in order")
    return found


def _pictures(folder: Path, about: About) -> Blobs:
    if PICTURES not in about.files:
        return MemoryBlobs()
    path = folder / PICTURES
    _check_file(path, about)
    found = read_tensors(path)
    for name, data in found.items():
        if not is_digest(name) or hashlib.sha256(data.tobytes()).hexdigest() != name:
            raise damaged(path, "a picture is not the one that its name says")
    return _as_blobs(found)


def _vectors(folder: Path, about: About) -> dict[str, Matrix]:
    """The matrices, each with a row for every record, of finite numbers, of length 1 or zero."""
    path = folder / VECTORS
    _check_file(path, about)
    found = read_tensors(path)
    for facet, matrix in found.items():
        if facet not in FACETS or matrix.dtype != np.float32 or matrix.shape != (about.count, about.dimensions[facet]):
            raise damaged(path, "it does not hold one vector of each facet for each record")
        squares = np.einsum("ij,ij->i", matrix, matrix)
        if not np.all((squares == 0) | (abs(squares - 1) < 1e-3)):
            raise damaged(path, f"a vector of the facet {facet} has not the length 1")
    return found


def _check_file(path: Path, about: About) -> None:
    """Raises `StoreError` where a file is not the one that `memory.json` names."""
    if _hash(path) != about.files[path.name]:
        raise StoreError(
            f"{path} was changed since {path.parent / ABOUT} was written. Take another copy of the memory."
        )


def _hash(path: Path) -> str:
    file = open_plain(path)
    if file is None:
        raise damaged(path, "it is missing")
    digest = hashlib.sha256()
    with file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _name(about: About) -> str:
    return f"{about.embedding} ({line(about.embedding_sha256)[:12]})"
