"""Weights of the facets, chosen on the memory itself: those with which the examples of other episodes vote most often
for what an example did. No episode is played for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from embodied.agents.memory.embedding import Embedding
from embodied.agents.memory.recalling import ballot
from embodied.agents.memory.record import Memory
from embodied.agents.memory.retrieval import WEIGHTS, episode_of
from embodied.seeding import generator

GRID: tuple[Mapping[str, float], ...] = tuple(
    {"task": task, "observation": observation, "state": state, "picture": 0.0}
    for task, observation, state in (
        *((0.45, 0.1, 0.45), (0.4, 0.2, 0.4), (0.3, 0.1, 0.6), (0.6, 0.1, 0.3)),
        *((0.5, 0.5, 0.0), (0.2, 0.8, 0.0), (0.2, 0.4, 0.4)),
    )
)
_MOST = 300
"""Examples that are asked about."""


def tuned(records: Sequence[Memory], made: Embedding, k: int, seed: int) -> tuple[Mapping[str, float], float]:
    """The weights of `GRID` that agree most with the examples, and the share of agreement in [0, 1].

    Args:
        records: Examples of one step each. Examples of one episode do not vote for each other.
        made: Makes the vectors.
        k: Examples that vote.
        seed: Of the choice of examples that are asked about.
    """
    asked = generator(seed, "tuning").permutation(len(records))[:_MOST]
    if len({episode_of(memory) for memory in records}) < 2:
        return WEIGHTS, 0.0
    vectors = made.of_memories([_textual(memory) for memory in records])
    cosines = {facet: matrix[asked] @ matrix.T for facet, matrix in vectors.items()}
    episodes = [episode_of(memory) for memory in records]
    best: tuple[float, Mapping[str, float]] = (-1.0, WEIGHTS)
    for weights in GRID:
        scores = sum((weights[facet] * table for facet, table in cosines.items()), np.zeros((len(asked), len(records))))
        right = sum(_agrees(records, episodes, int(one), row, k) for one, row in zip(asked, scores, strict=True))
        if right / len(asked) > best[0]:
            best = right / len(asked), weights
    return best[1], best[0]


def _agrees(records: Sequence[Memory], episodes: Sequence[str], one: int, scores: np.ndarray, k: int) -> bool:
    """Whether the nearest examples of other episodes, one of each, vote for what `one` did."""
    voters: dict[str, int] = {}
    for other in np.argsort(-scores, kind="stable"):
        if episodes[other] != episodes[one]:
            voters.setdefault(episodes[other], int(other))
        if len(voters) == k:
            break
    rows = list(voters.values())
    voted = ballot([records[row].actions[0] for row in rows], [float(scores[row]) for row in rows])
    return bool(voted) and voted[0] == records[one].actions[0]


def _textual(memory: Memory) -> Memory:
    import msgspec

    return msgspec.structs.replace(memory, pictures=())
