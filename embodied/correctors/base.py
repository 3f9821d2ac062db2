"""Corrector: reviews each decision of an agent before it is executed, and may speak. There is one for each episode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from embodied.types import Correction, Decision, Mission, Observation, Outcome, Review, Step

if TYPE_CHECKING:
    import numpy as np


class Orders(Protocol):
    """What a person can do with the episode besides speaking. Call it within `review`, and then return None at once.
    Each returns why it was refused, in one sentence; empty where it was not.
    """

    def act(self, phrase: str) -> str:
        """Executes an action in place of the decision that is reviewed."""
        ...

    def label(self, words: str) -> str:
        """Keeps words about the episode."""
        ...

    def branch(self, step: int) -> str:
        """Plays on from an earlier step in an episode of its own. This one goes on."""
        ...

    def back(self, step: int) -> str:
        """As `branch`, and this episode ends."""
        ...


class Corrector(Protocol):
    """The protocol of all correctors. One may also have `follows(decision)`, which is told the decision that its words
    led to, and `unfinished()`, which gives the model calls of a review that was broken off.
    """

    def begin(self, mission: Mission, rng: np.random.Generator) -> None:
        """Called once, after the environment's reset. `rng` is a stream of the episode's own: the corrector's only
        source of randomness. Draw from it here alone, and later by step number (`embodied.seeding.derive`): so a
        resumed episode is corrected as the uninterrupted one.
        """
        ...

    async def review(self, observation: Observation, decision: Decision) -> Correction | Review | None:
        """Judges a decision that was not executed yet. A correction needs only its words, how they came and by whom:
        the agent hears them and decides again, once. None, or a `Review` that holds model calls, for silence.
        """
        ...

    def recall(self, step: Step) -> None:
        """Takes in a step that was played before the run was interrupted, as if it had just reviewed it: in order,
        after `begin`. What it said is in `step.events`. A corrector that has no such method plays an interrupted
        episode from its beginning.
        """
        ...

    def end(self, outcome: Outcome) -> None:
        """Called once when the episode is over."""
        ...


class Clarifies(Protocol):
    """A corrector that can be asked what it means. Its method is optional: it is called once for a correction that
    names no action, or several, and only where the agent understands nothing else (`embodied.agents.base.Follower`).
    """

    async def clarify(self, question: str, options: tuple[str, ...]) -> str | None:
        """Says which action its last correction means. It makes no model calls.

        The record keeps the words of the correction. The answer becomes `resolved`, with the method `asked`. A resumed
        episode repeats it from the record and does not ask again.

        Args:
            question: One line, for a person.
            options: Actions to choose from, the likeliest first; where any text is an action, patterns of commands.

        Returns:
            The action, or words that name it. None, or words that name none, where it has nothing to say: the
            correction stays without an action.
        """
        ...
