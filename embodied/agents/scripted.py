"""scripted: plays a list of phrases, then the default action. For tests, demonstrations and exact replays by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embodied.agents.listening import Listening
from embodied.types import Decision, Mission, Observation, Outcome, Step

if TYPE_CHECKING:
    import numpy as np

    from embodied.agents import Kit


class ScriptedAgent(Listening):
    """Plays `agent.script`, phrase by phrase and unchecked, then always the mission's default action."""

    def __init__(self, kit: Kit):
        super().__init__()
        self._script = tuple(kit.config.script)

    def begin(self, mission: Mission, rng: np.random.Generator) -> None:
        self._default = mission.default_action
        self.listen(mission)

    async def act(self, observation: Observation) -> Decision:
        if advice := self.advice():
            return Decision(advice)
        return Decision(self._script[observation.step] if observation.step < len(self._script) else self._default)

    def recall(self, step: Step) -> None:
        self.advice()  # it counted for that step; the script is read by the number of the step

    def end(self, outcome: Outcome) -> None:
        """Nothing to do."""
