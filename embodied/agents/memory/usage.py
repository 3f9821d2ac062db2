"""Which memories an agent used, in the record: one note a step, written by the agent and read after the run.

Retrieved 2 memories: 28f8b110875e8ec2 0.7124 (task 0.9310, state 0.5207), 9c0d... 0.6 (task 0.8).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from embodied.agents.memory.record import Memory, Stats
from embodied.agents.memory.retrieval import Hit
from embodied.agents.notes import RETRIEVED
from embodied.store.run import Run
from embodied.types import Note, Step

_ONE = re.compile(r"([\w.-]{1,180}) -?\d+\.\d+ \(")


@dataclass(frozen=True)
class Use:
    """The memories that an episode used, and how it ended."""

    ids: frozenset[str]
    success: bool | None
    """None where the environment does not say."""


def retrieval_note(hits: Sequence[Hit]) -> Note:
    """The note of a step for which `hits` were found."""
    if not hits:
        return Note(RETRIEVED, "Retrieved 0 memories.")
    found = (f"{hit.memory.id} {hit.score:.4f} ({_parts(hit)})" for hit in hits)
    return Note(RETRIEVED, f"Retrieved {len(hits)} memories: {', '.join(found)}.")


def retrieved(step: Step) -> list[str]:
    """The ids of the memories that were found for a step, best first."""
    texts = [note.text for note in step.decision.notes if note.kind == RETRIEVED]
    return [match[1] for text in texts for match in _ONE.finditer(text)]


def uses_of(run: Run) -> list[Use]:
    """What the scored episodes of a run used. Branches do not count."""
    scored = (episode for episode in run.episodes() if episode.outcome in ("finished", "limit"))
    return [
        Use(frozenset(id for step in run.steps(episode.spec.id) for id in retrieved(step)), episode.success)
        for episode in scored
    ]


def counted(records: Iterable[Memory], uses: Iterable[Use]) -> tuple[Memory, ...]:
    """The records with their statistics raised by `uses`, in the order given. Ids that no record has are left out: they
    are of another memory.
    """
    totals: dict[str, list[int]] = {}
    for use in uses:
        for id in use.ids:
            total = totals.setdefault(id, [0, 0, 0])
            total[0] += 1
            total[1] += use.success is True
            total[2] += use.success is False
    return tuple(_raised(memory, totals.get(memory.id)) for memory in records)


def _raised(memory: Memory, more: list[int] | None) -> Memory:
    if more is None:
        return memory
    old = memory.stats
    stats = Stats(
        retrieved=old.retrieved + more[0], in_success=old.in_success + more[1], in_failure=old.in_failure + more[2]
    )
    return msgspec.structs.replace(memory, stats=stats)


def _parts(hit: Hit) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in hit.parts.items())
