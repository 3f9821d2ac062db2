"""Agent: turns observations into decisions. There is one instance for each episode. It does not know processes or
files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from embodied.types import Decision, Mission, Observation, Outcome, Step

if TYPE_CHECKING:
    import numpy as np


class Agent(Protocol):
    """The protocol of all agents."""

    def begin(self, mission: Mission, rng: np.random.Generator) -> None:
        """Called once, after the environment's reset. `rng` is the episode's own stream: the agent's only source of
        randomness.
        """
        ...

    async def act(self, observation: Observation) -> Decision:
        """Decides on an action for `observation`, which also says what the previous decision led to.

        Raises:
            ModelFailure: The model failed for good; the episode ends as `model_failure`.
        """
        ...

    def recall(self, step: Step) -> None:
        """Takes in a step that it played before the run was interrupted, as if it had just acted: in order, after
        `begin`, without asking a model. An agent that has no such method plays an interrupted episode from its
        beginning."""
        ...

    def hear(self, correction: str) -> None:
        """A correction in words, which counts for the next `act`. One that counts for several steps is said before
        each of them. Where it is about a decision that was not executed yet, `act` follows with the same observation
        once more, and its decision takes the place of the earlier one. Agents that cannot use it may ignore it.
        """
        ...

    def end(self, outcome: Outcome) -> None:
        """Called once when the episode is over."""
        ...


@runtime_checkable
class Follower(Protocol):
    """An agent that understands no sentences, and can only do what a correction names (random, expert, scripted and
    constant). Where the words name no action, their speaker is asked (`embodied.correctors.base.Clarifies`).
    """

    def follow(self, action: str) -> None:
        """As `Agent.hear`, for a correction that names `action`."""
        ...
