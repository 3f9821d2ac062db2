"""How agents without a model listen: they follow a correction that names an action, and are deaf to other words."""

from __future__ import annotations

from embodied.agents.resolving import resolve
from embodied.agents.vocabulary import Commands, Vocabulary, accepted
from embodied.types import Mission


class Listening:
    """What agents that follow corrections have in common. They call `advice` before each decision of their own."""

    def __init__(self) -> None:
        self._accepted: Vocabulary | Commands = Vocabulary({})
        self._heard = ""

    def listen(self, mission: Mission) -> None:
        """Takes in what the environment accepts."""
        self._accepted = accepted(mission)

    def hear(self, correction: str) -> None:
        """Takes in words for the next decision. Those that name no action are nothing to it."""
        self._heard = resolve(correction, self._accepted).action

    def follow(self, action: str) -> None:
        """Takes in the action that a correction names, for the next decision."""
        self._heard = action

    def advice(self) -> str:
        """The action that the newest correction names; empty without one. The next decision hears nothing of it."""
        heard, self._heard = self._heard, ""
        return heard
