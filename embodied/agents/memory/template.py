"""template: does what the most similar examples did, with the slots filled by the new goal. It asks no model, so it
shows what a memory is worth by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from embodied.agents.memory.recalling import Recalling, ballot
from embodied.agents.memory.slots import open_slots
from embodied.agents.memory.states import seen
from embodied.agents.memory.usage import retrieval_note
from embodied.agents.random import RandomAgent
from embodied.agents.vocabulary import present
from embodied.types import Decision, Mission, Note, Observation, Step

if TYPE_CHECKING:
    import numpy as np

    from embodied.agents import Kit

_TRIES = 2
"""How often the same action is tried at the same sight before the next one is."""


class TemplateAgent(RandomAgent):
    """Plays by its memory, and by `agent.memory.fallback` where no example can be executed.

    With the unit `step` the examples that are like this moment vote in every step. With the unit `episode` the actions
    of the most similar one are played in order.

    Raises:
        UsageError: The version has no memory.
        StoreError: The memory is damaged.
    """

    def __init__(self, kit: Kit):
        super().__init__(kit)
        self._config = kit.config.memory
        self._recalling = Recalling(kit)

    def begin(self, mission: Mission, rng: np.random.Generator) -> None:
        super().begin(mission, rng)
        self._recalling.begin(mission)
        self._tried: dict[tuple[str, str], int] = {}
        self._plan: list[str] = []
        self._made: tuple[int, Decision] | None = None

    async def act(self, observation: Observation) -> Decision:
        advice = self.advice()
        return Decision(advice) if advice else self._decided(observation)

    def recall(self, step: Step) -> None:
        if not self.advice():
            self._decided(step.observation)

    def _decided(self, observation: Observation) -> Decision:
        """Once for each step: what it is asked again for the same moment is the same."""
        if self._made is None or self._made[0] != observation.step:
            self._made = observation.step, self._decide(observation)
        return self._made[1]

    def _decide(self, observation: Observation) -> Decision:
        sight = seen(observation)
        actions, notes = self._candidates(observation)
        for action in actions:
            if self._tried.get((sight, action), 0) < _TRIES and self._can(action, observation):
                self._tried[sight, action] = self._tried.get((sight, action), 0) + 1
                return Decision(action, notes=notes)
        drawn = self._draw(observation)
        return Decision(drawn if self._config.fallback == "random" else self._mission.default_action, notes=notes)

    def _candidates(self, observation: Observation) -> tuple[list[str], tuple[Note, ...]]:
        """The actions that the memory proposes, best first."""
        if self._config.unit == "episode" and observation.step > 0:
            return self._plan[observation.step : observation.step + 1], ()
        slots, hits = self._recalling.search(observation)
        note = (retrieval_note(hits),)
        if self._config.unit == "episode":
            self._plan = [slots.closed(action) for action in hits[0].memory.actions] if hits else []
            return self._plan[:1], note
        proposed = [(slots.closed(hit.memory.actions[0]), hit.score) for hit in hits if hit.memory.actions]
        return ballot([action for action, _ in proposed], [score for _, score in proposed]), note

    def _can(self, action: str, observation: Observation) -> bool:
        """Whether an action makes sense here: it is in the vocabulary, and every slot is filled."""
        mission = present(self._mission, observation)
        return not open_slots(action) and (mission.free_text or action in mission.actions)
