"""Finds the memories that are most like a query, exactly, and says why each was found.

score = weights["task"] * cosine of the goals + ... (one for each facet) + usefulness * how often it helped

Two backends give the same ranking: `Exact` (NumPy, here) and `LanceBackend`. A backend proposes more rows than are
asked for; `search` computes their scores again in float64, ranks them, and keeps one memory an episode.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeVar, get_args

import numpy as np
import numpy.typing as npt

from embodied.agents.memory.embedding import FACETS, Vector
from embodied.agents.memory.record import Memory, Stats, Status
from embodied.errors import UsageError
from embodied.seeding import generator

T = TypeVar("T")
Matrix = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float64]
Control = Literal["", "random", "shuffled"]
"""random: any memories that the filter lets through, whatever the query. shuffled: each memory is found by the vectors
of another one. An agent that gains as much with a control as without one does not use what is in its memories."""
WEIGHTS: Mapping[str, float] = {"task": 0.5, "observation": 0.2, "state": 0.2, "picture": 0.1}
"""Where nobody chose others on held-out seeds. The goal counts most, as in ICAL's own settings (0.8 to 1.0 in TEACh,
0.9 in VisualWebArena); the rest tells apart the many episodes with one goal."""
_PROPOSED = 16
"""Rows that a backend proposes at first, for each memory that is asked for."""
_DIGITS = 9
"""Of a score. Two equal rows may differ behind them, by the order in which a processor adds."""
_ERROR = 1e-4
"""More than a float32 score can be wrong by."""


@dataclass(frozen=True)
class Retrieval:
    """How memories are found. Raises `UsageError` for values that make no sense."""

    k: int = 5
    """Memories at most; fewer where the filter lets fewer through, or where they are of fewer episodes."""
    weights: Mapping[str, float] = field(default_factory=lambda: dict(WEIGHTS))
    """Facet -> weight, 0 or more. A facet that is not named has the weight 0."""
    usefulness: float = 0.0
    """Weight of `usefulness`. By default 0: an easy task makes every memory look useful, so that success after a
    retrieval says little of the memory, and a ranking that depends on the past is hard to repeat.
    """
    statuses: tuple[Status, ...] = ("verified",)
    same_task: bool = False
    """Only memories of the query's task."""
    control: Control = ""
    seed: int = 0
    """Of the controls: the episode's seed."""

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UsageError(f"A retrieval of {self.k} memories finds none: ask for one at least.")
        for name, weight in self.weights.items():
            if name not in FACETS:
                raise UsageError(f"There is no facet {name!r} of a memory; the facets are {', '.join(FACETS)}.")
            _check_weight(name, weight)
        _check_weight("usefulness", self.usefulness)
        if self.control not in get_args(Control):
            raise UsageError(f"There is no control {self.control!r} of a retrieval: take 'random' or 'shuffled'.")
        if unknown := set(self.statuses) - set(get_args(Status)):
            raise UsageError(f"There is no status {min(unknown)!r} of a memory: take of {', '.join(get_args(Status))}.")


@dataclass(frozen=True)
class Hit:
    """A memory that was found, and why."""

    memory: Memory
    score: float
    parts: Mapping[str, float]
    """Facet -> cosine, and `usefulness` where it has a weight: before the weights. With `random` the score that the
    memory has, which did not decide. With `shuffled` the score of the other memory, which did.
    """


@dataclass(frozen=True)
class Among:
    """Which memories may be found."""

    env: str
    """Empty: of any environment."""
    task: str
    """Empty: of any task."""
    statuses: tuple[Status, ...]


@dataclass(frozen=True)
class Rows:
    """What `search` needs of some memories, in the order in which it named them."""

    episodes: Sequence[str]
    usefulness: Scores
    vectors: Mapping[str, Matrix]


class Backend(Protocol):
    """Where memories and their vectors lie."""

    def ids(self, among: Among) -> list[str]:
        """The ids of all that may be found, sorted."""
        ...

    def nearest(
        self, query: Mapping[str, Vector], how: Retrieval, among: Among, limit: int
    ) -> tuple[Sequence[str], float]:
        """The ids of the `limit` memories with the highest scores, or of all if there are fewer, in any order; and the
        lowest score among them. Scores may be wrong by `_ERROR`.
        """
        ...

    def rows(self, ids: Sequence[str]) -> Rows:
        """What is needed to rank them."""
        ...

    def memories(self, ids: Sequence[str]) -> list[Memory]:
        """The memories of these ids, in this order."""
        ...


def usefulness(stats: Stats) -> float:
    """In (0, 1): the mean of the Beta distribution of the chance that an episode that uses the memory succeeds, from a
    uniform prior. 0.5 without any use.
    """
    return (1 + stats.in_success) / (2 + stats.in_success + stats.in_failure)


def episode_of(memory: Memory) -> str:
    """What at most one retrieved memory may come from; a memory without an episode stands for itself."""
    source = memory.provenance
    return f"{source.run}/{source.episode}" if source.episode else f"/{memory.id}"


def search(backend: Backend, query: Mapping[str, Vector], among: Among, how: Retrieval) -> list[Hit]:
    """The best `how.k` memories, best first; of equal ones the one with the smaller id.

    Args:
        backend: Where they lie.
        query: Facet -> vector (`Embedding.of_query`).
        among: The filter.
        how: The settings.
    """
    if how.control == "random":
        return _hits(backend, _drawn(backend, among, how), query, how, {})
    others = _others(backend.ids(among), how.seed) if how.control == "shuffled" else {}
    limit = _PROPOSED * how.k
    while True:
        ids, lowest = backend.nearest(query, how, among, limit)
        rows = backend.rows(ids)
        scores, _ = _scored(rows, query, how)
        order = sorted(range(len(ids)), key=lambda row: (-scores[row], ids[row]))
        episodes = backend.rows([others[id] for id in ids]).episodes if others else rows.episodes
        best = _one_an_episode(order, [episodes[row] for row in order], how.k)
        enough = len(best) == how.k and lowest < scores[best[-1]] - _ERROR
        if enough or len(ids) < limit:
            return _hits(backend, [ids[row] for row in best], query, how, others)
        limit *= 4


def _drawn(backend: Backend, among: Among, how: Retrieval) -> list[str]:
    """Ids by chance, at most one an episode."""
    order = generator(how.seed, "memory", "random").permutation(np.array(backend.ids(among), object))
    count = how.k
    while True:
        ids = list(order[:count])
        best = _one_an_episode(ids, backend.rows(ids).episodes, how.k)
        if len(best) == how.k or count >= len(order):
            return best
        count *= 4


def _one_an_episode(order: Iterable[T], episodes: Iterable[str], k: int) -> list[T]:
    """The first `k` of `order` that are of different episodes."""
    kept: dict[str, T] = {}
    for item, episode in zip(order, episodes, strict=True):
        kept.setdefault(episode, item)
        if len(kept) == k:
            break
    return list(kept.values())


def _hits(
    backend: Backend, ids: Sequence[str], query: Mapping[str, Vector], how: Retrieval, others: Mapping[str, str]
) -> list[Hit]:
    """The memories of `ids`, or those that `others` puts in their place, with the scores of `ids`."""
    scores, parts = _scored(backend.rows(ids), query, how)
    memories = backend.memories([others.get(id, id) for id in ids])
    return [
        Hit(memory, float(scores[row]), {name: float(values[row]) for name, values in parts.items()})
        for row, memory in enumerate(memories)
    ]


def _scored(rows: Rows, query: Mapping[str, Vector], how: Retrieval) -> tuple[Scores, dict[str, Scores]]:
    """The score of each row, and its parts."""
    total = np.zeros(len(rows.episodes))
    parts: dict[str, Scores] = {}
    for facet, vector in query.items():
        matrix = rows.vectors.get(facet, np.zeros((len(total), len(vector)), np.float32))
        parts[facet] = np.einsum("ij,j->i", matrix.astype(np.float64), vector.astype(np.float64))
        total += how.weights.get(facet, 0.0) * parts[facet]
    if how.usefulness:
        parts["usefulness"] = rows.usefulness
        total += how.usefulness * rows.usefulness
    return np.round(total, _DIGITS), {name: np.round(values, _DIGITS) for name, values in parts.items()}


def _others(ids: Sequence[str], seed: int) -> dict[str, str]:
    """Each id -> another one, each once: one circle through all (Sattolo 1986). A single memory has no other."""
    circle = generator(seed, "memory", "shuffled").permutation(np.array(ids, object))
    return dict(zip(circle, np.roll(circle, 1), strict=True))


def _check_weight(name: str, weight: float) -> None:
    if not (math.isfinite(weight) and weight >= 0):
        raise UsageError(f"The weight of {name} is {weight}, and a weight is 0 or more.")


class Exact:
    """Implements `Backend` with NumPy. Reads every row that the environment lets through. It multiplies by `einsum`, in
    the thread that asks: BLAS wakes a thread for each core, which spin after it, 25 times what a search itself takes.

    Args:
        records: In the order of environment, task and id (`in_order`): so those of an environment are one piece.
        vectors: Facet -> one row for each.
    """

    def __init__(self, records: Sequence[Memory], vectors: Mapping[str, Matrix]) -> None:
        self._records, self._vectors = records, vectors
        self._numbers = {memory.id: row for row, memory in enumerate(records)}
        self._usefulness = np.array([usefulness(memory.stats) for memory in records])
        self._status = np.array([_STATUSES.index(memory.status) for memory in records], np.int8)
        self._parts: dict[tuple[str, str], slice] = {("", ""): slice(0, len(records))}
        for row, memory in enumerate(records):
            for key in ((memory.env, ""), (memory.env, memory.task)):
                self._parts[key] = slice(self._parts[key].start if key in self._parts else row, row + 1)

    def ids(self, among: Among) -> list[str]:
        """See `Backend.ids`."""
        part, allowed = self._filter(among)
        return sorted(self._records[part.start + row].id for row in np.flatnonzero(allowed))

    def nearest(
        self, query: Mapping[str, Vector], how: Retrieval, among: Among, limit: int
    ) -> tuple[Sequence[str], float]:
        """See `Backend.nearest`."""
        part, allowed = self._filter(among)
        scores = np.zeros(len(allowed), np.float32)
        for facet, vector in query.items():
            weight = how.weights.get(facet, 0.0)
            if weight and facet in self._vectors:
                scores += np.einsum("ij,j->i", self._vectors[facet][part], np.float32(weight) * vector)
        if how.usefulness:
            scores += (how.usefulness * self._usefulness[part]).astype(np.float32)
        chosen = np.flatnonzero(allowed)
        if len(chosen) > limit:
            chosen = chosen[np.argpartition(scores[chosen], len(chosen) - limit)[-limit:]]
        lowest = float(scores[chosen].min()) if len(chosen) else 0.0
        return [self._records[part.start + row].id for row in chosen], lowest

    def rows(self, ids: Sequence[str]) -> Rows:
        """See `Backend.rows`."""
        rows = [self._numbers[id] for id in ids]
        vectors = {facet: matrix[rows] for facet, matrix in self._vectors.items()}
        return Rows([episode_of(self._records[row]) for row in rows], self._usefulness[rows], vectors)

    def memories(self, ids: Sequence[str]) -> list[Memory]:
        """See `Backend.memories`."""
        return [self._records[self._numbers[id]] for id in ids]

    def _filter(self, among: Among) -> tuple[slice, npt.NDArray[np.bool_]]:
        """The piece that the environment and the task leave, and which of its rows have a status that counts."""
        part = self._parts.get((among.env, among.task), slice(0, 0))
        return part, np.isin(self._status[part], [_STATUSES.index(status) for status in among.statuses])


_STATUSES = get_args(Status)


def in_order(memories: Iterable[Memory]) -> tuple[Memory, ...]:
    """Sorted by environment, task and id; of two with one id the later one holds."""
    latest = {memory.id: memory for memory in memories}
    return tuple(sorted(latest.values(), key=lambda memory: (memory.env, memory.task, memory.id)))
