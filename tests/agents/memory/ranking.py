"""The property that every backend must have: its ranking is the definition, whatever is remembered and asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from embodied.agents.memory.embedding import Query
from embodied.agents.memory.record import Memory
from embodied.agents.memory.retrieval import Retrieval, episode_of, usefulness
from embodied.agents.memory.store import Memories
from embodied.seeding import generator
from tests.agents.memory.examples import COLOURS, KINDS, TASKS, many


@dataclass(frozen=True)
class Drawn:
    """What one seed gives."""

    records: list[Memory]
    asked: list[tuple[Query, Retrieval]]


def draw(seed: int) -> Drawn:
    """Few episodes or many, few ties or many, every filter and weight."""
    rng = generator(seed, "property")
    count = int(rng.choice([1, 7, 60, 300]))
    records = many(count, seed, int(rng.choice([2, 10, count])))
    pick: Any = lambda values: values[rng.integers(len(values))]  # noqa: E731
    asked = []
    for _ in range(4):
        env = pick(["babyai", "textworld", "", "nethack"])
        task = pick([*TASKS.get(env, ()), "", "it's"])
        goal, seen = (f"go to the {pick(COLOURS)} {pick(KINDS)}" for _ in range(2))
        query = Query(env, pick([goal, ""]), task, pick([seen, ""]), pick(["room 1", ""]))
        how = Retrieval(
            k=int(rng.choice([1, 5, 40])),
            weights={facet: float(rng.choice([0.0, 0.3, 1.0])) for facet in ("task", "observation", "state")},
            usefulness=float(rng.choice([0.0, 0.0, 0.4])),
            statuses=pick([("verified",), ("candidate", "verified"), ("retired",), ()]),
            same_task=bool(rng.integers(2)),
        )
        asked.append((query, how))
    return Drawn(records, asked)


def by_hand(memories: Memories, query: Query, how: Retrieval) -> list[tuple[float, str]]:
    """The definition: every record, one after the other, in float64."""
    wanted = memories.embedding.of_query(query)
    scored = []
    for row, memory in enumerate(memories.records):
        if query.env not in ("", memory.env) or memory.status not in how.statuses:
            continue
        if how.same_task and query.env and query.task not in ("", memory.task):
            continue
        parts = {
            f: float(v.astype(float) @ memories.vectors[f][row].astype(float))
            for f, v in wanted.items()
            if f in memories.vectors
        }
        score = sum(how.weights.get(f, 0) * p for f, p in parts.items()) + how.usefulness * usefulness(memory.stats)
        scored.append((-round(score, 9), memory.id, episode_of(memory)))
    best: dict[str, tuple[float, str]] = {}
    for negative, id, episode in sorted(scored):
        best.setdefault(episode, (-negative, id))
    return list(best.values())[: how.k]
