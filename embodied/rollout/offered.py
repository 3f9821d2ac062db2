"""What can be chosen at an observation, and which action a person's words mean there."""

from __future__ import annotations

import msgspec

from embodied.agents.vocabulary import Commands, Vocabulary, accepted, present
from embodied.types import Mission, Observation

_LONGEST = 300
"""Characters of the actions that a sentence names."""


class Offered:
    """The actions of a mission, and of the steps that have others. They are worked out when somebody asks.

    Args:
        mission: What the environment accepts where an observation names no actions of its own.
    """

    def __init__(self, mission: Mission):
        self._mission = mission
        self._actions: tuple[str, ...] | msgspec.UnsetType | None = None
        self._accepted: Vocabulary | Commands = Vocabulary({})

    def at(self, observation: Observation) -> Vocabulary | Commands:
        """What the environment accepts at `observation`."""
        if observation.actions != self._actions:
            self._actions = observation.actions
            self._accepted = accepted(present(self._mission, observation))
        return self._accepted

    def phrase(self, text: str, observation: Observation) -> str | None:
        """The action that `text` is: exactly, or apart from case, gaps and quotes. None where it is none, or could be
        several.
        """
        accepted = self.at(observation)
        if (exact := accepted.exact(text)) is not None or isinstance(accepted, Commands):
            return exact
        found = accepted.whole(text.strip())
        return found[0] if len(found) == 1 else None

    def choices(self, observation: Observation) -> str:
        """What a person can choose, as the end of a sentence."""
        accepted = self.at(observation)
        names = [name for name, _ in accepted.lines()]
        shown, used = 0, 0
        while shown < len(names) and used + len(names[shown]) <= _LONGEST:
            used += len(names[shown]) + 2
            shown += 1
        listed = ", ".join(names[:shown]) + (f", ... ({len(names)} in all)" if shown < len(names) else "")
        if not isinstance(accepted, Commands):
            return f"choose one of: {listed}"
        return f"type one line{f', such as {listed}' if listed else ''}"
