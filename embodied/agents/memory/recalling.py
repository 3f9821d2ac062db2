"""What a memory has to say about one moment of an episode: the query, and the actions that the examples vote for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from embodied.agents.config import MemoryConfig
from embodied.agents.memory.embedding import Query
from embodied.agents.memory.record import Memory
from embodied.agents.memory.retrieval import Hit, Retrieval
from embodied.agents.memory.slots import Slots
from embodied.agents.memory.states import seen, state_text
from embodied.agents.memory.store import ABOUT, Memories, open_memories
from embodied.errors import UsageError
from embodied.types import EpisodeSpec, Mission, Observation

if TYPE_CHECKING:
    from embodied.agents import Kit

PART = "memory"
"""The part of a version that holds its memory."""
SHARPNESS = 8.0
"""Power of a score as the weight of a vote: a likely example outvotes several unlikely ones."""


class Recalling:
    """The memory of an agent's version, asked during one episode. It never changes.

    Args:
        kit: Of the agent.

    Raises:
        UsageError: The version has no memory.
        StoreError: The memory is damaged.
    """

    def __init__(self, kit: Kit):
        if PART not in kit.parts:
            raise UsageError(
                "This agent reads a memory, and its version has none. `embodied improve --learner memory` makes one."
            )
        self.config = kit.config.memory
        self._spec = kit.spec
        self.memories = opened(kit.parts[PART])
        self._how = retrieval(self.config, self.memories, kit.spec)
        self._texts: list[str] = []

    def begin(self, mission: Mission) -> None:
        """The goal of the episode, read by the forms that the memory knows."""
        self._goal, self._texts = mission.goal, []
        self._bound = Slots.bound(mission.goal, (memory.goal for memory in self._of_env()))

    def search(self, observation: Observation) -> tuple[Slots, list[Hit]]:
        """The examples that are most like this moment, and what fills the slots of the goal.

        Call it once a step, in order: a slot is found where its words were seen.
        """
        text = seen(observation)
        if self._bound is None and text not in self._texts:
            self._texts.append(text)
        form, slots = self._bound or self._found()
        last = slots.opened(observation.executed or "")
        query = Query(
            env=self._env(), goal=form, observation=slots.opened(text), state=state_text(slots.opened(text), last)
        )
        return slots, self.memories.search(query, self._how)

    def _found(self) -> tuple[str, Slots]:
        slots = Slots.found(self._goal, self._texts)
        return slots.opened(self._goal), slots

    def _env(self) -> str:
        return "" if self.config.any_world or self._spec is None else self._spec.task.env

    def _of_env(self) -> Iterable[Memory]:
        env = self._env()
        return (memory for memory in self.memories.records if not env or memory.env == env)


def retrieval(config: MemoryConfig, memories: Memories, spec: EpisodeSpec | None) -> Retrieval:
    """How an agent's configuration finds memories. Raises `UsageError` for values that make no sense."""
    weights: Mapping[str, float] = dict(config.weights) or memories.weights
    how = Retrieval(k=config.k, weights=weights, usefulness=config.usefulness)
    if config.retrieval == "nearest":
        return how
    seed = 0 if spec is None else spec.seed
    return replace(how, control="random" if config.retrieval == "random" else "shuffled", seed=seed)


def ballot(actions: Sequence[str], scores: Sequence[float]) -> list[str]:
    """The actions by how much speaks for them, the most first; of equal ones the one that is nearest."""
    votes: dict[str, float] = {}
    for action, score in zip(actions, scores, strict=True):
        votes[action] = votes.get(action, 0.0) + max(score, 0.0) ** SHARPNESS
    return sorted(votes, key=lambda action: -votes[action])


def opened(folder: Path) -> Memories:
    """A memory, opened once for all episodes of a process."""
    place = folder.resolve()
    return _opened(place, (place / ABOUT).stat().st_mtime_ns if (place / ABOUT).exists() else 0)


@lru_cache(maxsize=4)
def _opened(place: Path, changed: int) -> Memories:
    return open_memories(place)
