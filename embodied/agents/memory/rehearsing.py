"""rehearsal: plays an example on the training episode that it comes from, to see whether it works there.

The part `episodes` holds actions for seeds of training episodes. In any other episode, and once somebody corrected it,
it plays on by its memory, or by chance where it has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from embodied.agents.memory.recalling import PART as MEMORY
from embodied.agents.memory.template import TemplateAgent
from embodied.agents.random import RandomAgent
from embodied.errors import StoreError, UsageError
from embodied.store.checks import read_plain
from embodied.store.codec import decode, encode
from embodied.types import Decision, EpisodeSpec, Mission, Observation, Outcome, Step

if TYPE_CHECKING:
    import numpy as np

    from embodied.agents import Kit

PART = "rehearsals"
_LONGEST = 64 << 20


class RehearsalAgent:
    """Plays the actions that its part names for the episode.

    Raises:
        UsageError: There is no such part, or no episode.
        StoreError: The part is damaged.
    """

    def __init__(self, kit: Kit):
        if PART not in kit.parts or kit.spec is None:
            raise UsageError("The agent rehearsal plays versions that the learner memory makes while it learns.")
        self._actions = unpacked(kit.parts[PART]).get(episode_key(kit.spec), ())
        self._after = TemplateAgent(kit) if MEMORY in kit.parts else RandomAgent(kit)
        self._left = False

    def begin(self, mission: Mission, rng: np.random.Generator) -> None:
        self._after.begin(mission, rng)

    async def act(self, observation: Observation) -> Decision:
        planned = self._planned(observation)
        decision = await self._after.act(observation)
        return decision if planned is None else Decision(planned)

    def hear(self, correction: str) -> None:
        self._left = True
        self._after.hear(correction)

    def follow(self, action: str) -> None:
        """Takes in the action that a correction names, for the next decision."""
        self._left = True
        self._after.follow(action)

    def recall(self, step: Step) -> None:
        self._after.recall(step)

    def end(self, outcome: Outcome) -> None:
        self._after.end(outcome)

    def _planned(self, observation: Observation) -> str | None:
        """The example's action; None once it has left the example, or after its end."""
        if self._left or observation.step >= len(self._actions):
            return None
        return self._actions[observation.step]


def episode_key(spec: EpisodeSpec) -> str:
    """What the part calls an episode."""
    return f"{spec.task.env} {spec.task.task} {spec.seed}"


def packed(actions: Mapping[str, tuple[str, ...]]) -> bytes:
    """The part's bytes: a JSON file, episode -> actions."""
    return msgspec.json.format(encode(dict(sorted(actions.items()))), indent=1) + b"\n"


def unpacked(path: Path) -> dict[str, tuple[str, ...]]:
    """Raises `StoreError` where the part is missing or damaged."""
    data = read_plain(path, _LONGEST)
    if data is None:
        raise StoreError(f"{path} is missing.")
    found: dict[str, tuple[str, ...]] = decode(data, dict[str, tuple[str, ...]], str(path))
    return found
