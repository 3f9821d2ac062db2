"""expert: plays what the environment's own expert (a bot, a walkthrough, a search) would do. It
records demonstrations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from embodied.agents.listening import Listening
from embodied.errors import UsageError
from embodied.types import Decision, Mission, Observation, Outcome, Step

if TYPE_CHECKING:
    import numpy as np

    from embodied.agents import Kit


class ExpertAgent(Listening):
    """Plays `observation.expert`, which environments with an expert give when made with `expert=True` or with an
    expert's name. An expert that knows no way to win says nothing: then the default action is played.
    """

    def __init__(self, kit: Kit):
        super().__init__()
        self._env = kit.spec.task.env if kit.spec else "the environment"
        self._has_expert = bool(kit.spec and kit.spec.task.kwargs.get("expert"))

    def begin(self, mission: Mission, rng: np.random.Generator) -> None:
        self.listen(mission)
        self._default_action = mission.default_action

    async def act(self, observation: Observation) -> Decision:
        if advice := self.advice():
            return Decision(advice)
        if not observation.expert and not self._has_expert:
            raise UsageError(
                f"{self._env} gives no expert action. Make it with env.expert=true; `embodied list envs` says which"
                " have one."
            )
        return Decision(observation.expert or self._default_action)

    def recall(self, step: Step) -> None:
        self.advice()  # it counted for that step

    def end(self, outcome: Outcome) -> None:
        """Nothing to do."""
