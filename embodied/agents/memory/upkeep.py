"""Keeps a memory small and honest: each function takes the old records and gives the new ones. Nothing is deleted.

records = counted(memories.records, uses_of(run))
records = flagged(merged(retired(records), memories.vectors["task"]))
write_memories(new_folder, records, memories.embedding, memories.pictures)
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from itertools import groupby, permutations

import numpy as np
from msgspec.structs import replace

from embodied.agents.memory.embedding import Matrix
from embodied.agents.memory.record import MOST_ACTIONS, Links, Memory, Stats
from embodied.agents.memory.retrieval import usefulness
from embodied.errors import UsageError

USES = 10
"""Episodes with a known end before a memory can be retired for what they say."""
LEAST = 0.2
"""Usefulness below which a memory is retired. An easy or a hard task moves the usefulness of all its memories: choose
the limit for the task."""
SAME_GOAL, SAME_ACTIONS = 0.95, 0.9
"""Cosine of the goals, and share of the actions in common and in order, from which two memories teach the same."""
OPPOSITES = (
    *(("left", "right"), ("north", "south"), ("east", "west"), ("up", "down"), ("forward", "backward")),
    *(("forward", "back"), ("forwards", "backwards"), ("open", "close"), ("take", "put"), ("take", "drop")),
    *(("pick", "put"), ("pick", "drop"), ("lock", "unlock"), ("push", "pull"), ("faster", "slower")),
    *(("accelerate", "brake"), ("on", "off"), ("enter", "leave")),
)
"""Words that make two commands opposite if they differ in nothing else."""
_OPPOSITES = {frozenset(pair) for pair in OPPOSITES}


def retired(records: Iterable[Memory], least: float = LEAST, uses: int = USES) -> tuple[Memory, ...]:
    """Retires verified memories whose usefulness is below `least` after `uses` episodes at least."""
    return tuple(
        replace(memory, status="retired")
        if memory.status == "verified"
        and memory.stats.in_success + memory.stats.in_failure >= uses
        and usefulness(memory.stats) < least
        else memory
        for memory in records
    )


def merged(
    records: Sequence[Memory], goals: Matrix, same_goal: float = SAME_GOAL, same_actions: float = SAME_ACTIONS
) -> tuple[Memory, ...]:
    """Merges near duplicates: verified memories of one task that saw the same, with like goals and like actions. So
    examples of one step are never folded into one that holds elsewhere. The one with the highest usefulness stays (then
    the fewest actions, then the smaller id), with the statistics of all, and supersedes the others, which are retired.

    Args:
        records: Any.
        goals: Their vectors of the facet `task`, in the same order: shape (records, numbers).
        same_goal: Least cosine of two goals.
        same_actions: Least share of actions in common and in order (`difflib`), in [0, 1].

    Raises:
        UsageError: `goals` has another number of rows.
    """
    if len(goals) != len(records):
        raise UsageError(f"{len(records)} memories need as many vectors to be merged, and these are {len(goals)}.")
    found = list(records)
    open_ = [row for row, memory in enumerate(records) if memory.status == "verified"]
    place = lambda row: _place(records[row])  # noqa: E731 - the key of a group
    for _, group in groupby(sorted(open_, key=place), key=place):
        for kept, others in _alike(
            records, goals, sorted(group, key=lambda row: _rank(records[row])), same_goal, same_actions
        ):
            found[kept] = _pooled(records[kept], [records[row] for row in others])
            for row in others:
                found[row] = replace(records[row], status="retired")
    return tuple(found)


def _place(memory: Memory) -> tuple[str, str, str]:
    """The task, and what was seen there."""
    return memory.env, memory.task, " ".join(memory.observation.casefold().split())


def _alike(
    records: Sequence[Memory], goals: Matrix, rows: Sequence[int], same_goal: float, same_actions: float
) -> list[tuple[int, list[int]]]:
    """Row -> the later rows that are like it. Each row stands once: with the first that it is like."""
    left, found = list(rows), []
    while left:
        kept, *left = left
        near = np.flatnonzero(goals[left] @ goals[kept] >= same_goal)
        same = [left[at] for at in near if _share(records[left[at]].actions, records[kept].actions) >= same_actions]
        if same:
            found.append((kept, same))
            left = [row for row in left if row not in set(same)]
    return found


def _rank(memory: Memory) -> tuple[float, int, str]:
    return -usefulness(memory.stats), len(memory.actions), memory.id


def _share(a: Sequence[str], b: Sequence[str]) -> float:
    return 1.0 if a == b else difflib.SequenceMatcher(None, a, b, autojunk=False).ratio()


def _pooled(kept: Memory, others: Sequence[Memory]) -> Memory:
    """`kept` with the statistics of all. An episode that used two of them counts twice."""
    everyone = [memory.stats for memory in (kept, *others)]
    stats = Stats(
        retrieved=sum(s.retrieved for s in everyone),
        in_success=sum(s.in_success for s in everyone),
        in_failure=sum(s.in_failure for s in everyone),
    )
    ids = dict.fromkeys((*kept.links.supersedes, *(memory.id for memory in others)))
    return replace(kept, stats=stats, links=replace(kept.links, supersedes=tuple(ids)[:MOST_ACTIONS]))


def flagged(records: Sequence[Memory]) -> tuple[Memory, ...]:
    """Flags conflicts (`Links.conflicts`): two memories in use, of the same environment, task, goal and state, whose
    first actions are opposite. One of them may be wrong; or both lead there. A person or the replay check must say.

    The flags are made anew: one whose memory is retired goes.
    """
    where: dict[tuple[str, str, str, str], dict[str, list[str]]] = {}
    for memory in records:
        if memory.actions and memory.status in ("candidate", "verified"):
            seen = " ".join((memory.state or memory.observation).casefold().split())
            state = where.setdefault((memory.env, memory.task, memory.goal.casefold(), seen), {})
            state.setdefault(memory.actions[0], []).append(memory.id)
    against: dict[str, list[str]] = {}
    for by_action in where.values():
        for a, b in permutations(by_action, 2):
            if opposite(a, b):
                against |= {id: [*against.get(id, ()), *by_action[b]] for id in by_action[a]}
    return tuple(_against(memory, tuple(sorted(against.get(memory.id, ())))) for memory in records)


def opposite(a: str, b: str) -> bool:
    """Whether two commands differ in one word alone, and that word is the other's opposite (`OPPOSITES`)."""
    first, second = a.casefold().split(), b.casefold().split()
    if len(first) != len(second):
        return False
    different = [frozenset(pair) for pair in zip(first, second, strict=True) if pair[0] != pair[1]]
    return len(different) == 1 and different[0] in _OPPOSITES


def _against(memory: Memory, ids: tuple[str, ...]) -> Memory:
    if memory.links.conflicts == ids:
        return memory
    return replace(memory, links=Links(supersedes=memory.links.supersedes, conflicts=ids[:MOST_ACTIONS]))
