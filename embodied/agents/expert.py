"""expert: plays what the environment's own expert (a bot, a walkthrough, a search) would do. It
records demonstrations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from embodied.errors import UsageError
from embodied.types import Decision, Mission, Observation, Outcome, Step

if TYPE_CHECKING:
    import numpy as np

    from embodied.agents import Kit


class ExpertAgent:
    """Plays `observation.expert`, which environments with an expert give when made with `expert=True` or with an
    expert's name.
    """

    def __init__(self, kit: Kit):
        self._env = kit.spec.task.env if kit.spec else "the environment"

    def begin(self, mission: Mission, rng: np.random.Generator) -> None:
        """Nothing to do: the expert sees the simulator's state."""

    async def act(self, observation: Observation) -> Decision:
        if not observation.expert:
            raise UsageError(
                f"{self._env} gives no expert action. Make it with env.expert=true; `embodied list envs` says which"
                " have one."
            )
        return Decision(observation.expert)

    def recall(self, step: Step) -> None:
        """Nothing to do: the next advice comes with the next observation."""

    def hear(self, correction: str) -> None:
        """An expert does not listen."""

    def end(self, outcome: Outcome) -> None:
        """Nothing to do."""
