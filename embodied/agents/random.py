"""random: the baseline that knows the vocabulary and nothing else."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from embodied.agents.listening import Listening
from embodied.agents.vocabulary import present
from embodied.types import Decision, Mission, Observation, Outcome, Step

if TYPE_CHECKING:
    import numpy as np

    from embodied.agents import Kit

_BLANK = re.compile(r"<[^<>]*>|\{[^{}]*\}|\.\.\.")
"""A place in a command pattern that a word goes into: `take <object>`, `take {object}` or `take ...`."""
_WORD = re.compile(r"[^\W\d_]{3,}")
_DIRECTIONS = ("north", "east", "south", "west")


class RandomAgent(Listening):
    """Chooses uniformly from the vocabulary of the step, and follows a correction that names an action.

    Where any text is an action, it chooses a command pattern of the mission uniformly and fills each blank with a word
    of at least three letters from the current observation, or a compass direction where the blank asks for one.
    """

    def __init__(self, kit: Kit):
        """Needs nothing of `kit`."""
        super().__init__()

    def begin(self, mission: Mission, rng: np.random.Generator) -> None:
        self._mission = mission
        self._rng = rng
        self.listen(mission)

    async def act(self, observation: Observation) -> Decision:
        return Decision(self.advice() or self._draw(observation))

    def recall(self, step: Step) -> None:
        if not self.advice():
            self._draw(step.observation)  # so that the stream continues where it was

    def _draw(self, observation: Observation) -> str:
        return draw(self._rng, present(self._mission, observation), observation)

    def end(self, outcome: Outcome) -> None:
        """Nothing to do."""


def draw(rng: np.random.Generator, mission: Mission, observation: Observation) -> str:
    """A phrase at random: see `RandomAgent`."""

    def pick(options: list[str] | tuple[str, ...]) -> str:
        return options[int(rng.integers(len(options)))]

    phrase = pick(list(mission.actions) or [mission.default_action])
    if mission.free_text:
        words = sorted(set(_WORD.findall(observation.text.lower()))) or ["it"]
        phrase = _BLANK.sub(lambda blank: pick(_DIRECTIONS if "dir" in blank[0].lower() else words), phrase)
    return phrase
