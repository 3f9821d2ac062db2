"""constant: always the same phrase. The best phrase gives a floor: the score of an agent that ignores the
environment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from embodied.agents.listening import Listening
from embodied.errors import UsageError
from embodied.types import Decision, Mission, Observation, Outcome, Step

if TYPE_CHECKING:
    import numpy as np

    from embodied.agents import Kit


class ConstantAgent(Listening):
    """Gives the one phrase of `agent.script` at every step, unchecked."""

    def __init__(self, kit: Kit):
        super().__init__()
        if len(kit.config.script) != 1:
            raise UsageError("The agent `constant` needs its one phrase: agent.script=['go forward'].")
        self._phrase = kit.config.script[0]

    def begin(self, mission: Mission, rng: np.random.Generator) -> None:
        self.listen(mission)

    async def act(self, observation: Observation) -> Decision:
        return Decision(self.advice() or self._phrase)

    def recall(self, step: Step) -> None:
        self.advice()  # it counted for that step

    def end(self, outcome: Outcome) -> None:
        """Nothing to do."""
