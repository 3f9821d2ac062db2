"""`corrector.when=asked`: a corrector that reviews only the decisions with which the agent asks for help."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from embodied.agents.asking.asking import asks
from embodied.agents.obedient import played
from embodied.types import Correction, Decision, Observation, Review

if TYPE_CHECKING:
    from embodied.correctors.base import Corrector


class OnlyAsked:
    """A corrector around another one. The inner one takes in every other step as one that it has just reviewed."""

    def __init__(self, corrector: Corrector):
        self._corrector = corrector

    def __getattr__(self, name: str) -> Any:
        """All that is not `review`: of the inner one."""
        return getattr(self._corrector, name)

    async def review(self, observation: Observation, decision: Decision) -> Correction | Review | None:
        if asks(decision):
            return await self._corrector.review(observation, decision)
        if hasattr(self._corrector, "recall"):
            self._corrector.recall(played(observation, decision))
        return None
