"""How agents without a model listen: they follow a correction that names an action, and are deaf to other words."""

from __future__ import annotations

from embodied.agents.resolving import resolve
from embodied.agents.vocabulary import Commands, Vocabulary, accepted
from embodied.types import Mission


class Ears:
    """The corrections that count for the next decision."""

    def __init__(self) -> None:
        self._accepted: Vocabulary | Commands = Vocabulary({})
        self._heard: list[str] = []

    def begin(self, mission: Mission) -> None:
        """Takes in what the environment accepts."""
        self._accepted = accepted(mission)

    def hear(self, correction: str) -> None:
        """Takes in a correction for the next decision."""
        self._heard.append(correction)

    def advice(self) -> str:
        """The action that the newest correction names; empty without one. The next decision hears nothing of it."""
        heard, self._heard = self._heard, []
        return resolve(heard[-1], self._accepted).action if heard else ""
