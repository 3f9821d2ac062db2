"""`agent.follow=true`: an agent that does what a correction names. It asks its model only where nobody said what to do.

It is for models that were never taught to read corrections. The model does not decide in such a step, and it is not
asked. Words that name no action reach the model as they are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from embodied.agents.base import Agent
from embodied.types import Call, Decision, Mission, Observation, Outcome, Step

if TYPE_CHECKING:
    import numpy as np


class Obedient:
    """An agent around another one. It is a `Follower`."""

    def __init__(self, agent: Agent):
        self._agent = agent
        self._told = ""

    def begin(self, mission: Mission, rng: np.random.Generator) -> None:
        self._agent.begin(mission, rng)

    async def act(self, observation: Observation) -> Decision:
        told, self._told = self._told, ""
        if not told:
            return await self._agent.act(observation)
        decision = Decision(told)
        self._agent.recall(played(observation, decision))
        return decision

    def hear(self, correction: str) -> None:
        self._told = ""
        self._agent.hear(correction)

    def follow(self, action: str) -> None:
        """Takes in the action that a correction names, for the next decision."""
        self._told = action

    def recall(self, step: Step) -> None:
        self._told = ""
        self._agent.recall(step)

    @property
    def weighs(self) -> bool:
        """As `ModelAgent.weighs`, of the agent inside."""
        return bool(getattr(self._agent, "weighs", False))

    async def weigh(self, decision: Decision) -> dict[str, float] | None:
        """As `ModelAgent.weigh`. Call it where `weighs` is true."""
        ask: Callable[[Decision], Awaitable[dict[str, float] | None]] = self._agent.weigh  # type: ignore[attr-defined]  # not every agent has it
        return await ask(decision)

    def unfinished(self) -> tuple[Call, ...]:
        """The model calls of a decision that was interrupted."""
        calls: Callable[[], tuple[Call, ...]] = getattr(self._agent, "unfinished", tuple)
        return calls()

    def end(self, outcome: Outcome) -> None:
        self._agent.end(outcome)


def played(observation: Observation, decision: Decision) -> Step:
    """A decision as the agent is told of one that it did not make. What the environment answers is not known yet; the
    next observation tells it.
    """
    return Step(
        index=observation.step,
        observation=observation,
        decision=decision,
        executed=decision.action,
        valid=True,
        reward=0.0,
        terminated=False,
        truncated=False,
        progress=None,
        info={},
        next_hash="",
        agent_seconds=0.0,
        env_seconds=0.0,
    )
