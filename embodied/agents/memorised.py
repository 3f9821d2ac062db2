"""memorised: plays back what was played in an episode that began alike, and chance elsewhere. The control of every
learner: what it earns on new episodes was there to be copied.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec

from embodied.agents.random import RandomAgent
from embodied.blobs import pictures_of
from embodied.errors import StoreError, UsageError
from embodied.store.checks import read_plain
from embodied.store.codec import decode, encode
from embodied.types import Decision, Mission, Observation

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from embodied.agents import Kit

PART = "episodes"
"""The part of a version that holds what was memorised: a JSON file, beginning -> actions."""
_LONGEST = 64 << 20


def beginning(goal: str, first: Observation) -> str:
    """A name for an episode's goal and first observation, as the agent sees them: 16 hexadecimal digits."""
    seen = [goal, first.text, first.status, *(image.digest for image in pictures_of(first))]
    return hashlib.sha256(encode(seen)).hexdigest()[:16]


class MemorisedAgent(RandomAgent):
    """Plays the actions of its part `episodes` where it knows the beginning. Then, and elsewhere, it plays by chance.

    Raises:
        UsageError: There is no such part.
        StoreError: The part is damaged.
    """

    def __init__(self, kit: Kit):
        super().__init__(kit)
        if PART not in kit.parts:
            raise UsageError("The agent memorised plays a version that the learner memorise made: --agent FOLDER.")
        self._known = _read(kit.parts[PART])
        self._playing: list[str] = []

    def begin(self, mission: Mission, rng: np.random.Generator) -> None:
        super().begin(mission, rng)
        self._goal = mission.goal

    async def act(self, observation: Observation) -> Decision:
        return Decision(self.advice() or self._next(observation))

    def _draw(self, observation: Observation) -> str:
        return self._next(observation)

    def _next(self, observation: Observation) -> str:
        if observation.step == 0:
            self._playing = self._known.get(beginning(self._goal, observation), [])
        step = observation.step
        return self._playing[step] if step < len(self._playing) else super()._draw(observation)


def _read(path: Path) -> dict[str, list[str]]:
    data = read_plain(path, _LONGEST)
    if data is None:
        raise StoreError(f"{path} is missing.")
    found: dict[str, list[str]] = decode(data, dict[str, list[str]], str(path))
    return found


def pack(known: dict[str, list[str]]) -> bytes:
    """The part's bytes."""
    return msgspec.json.format(encode(dict(sorted(known.items()))), indent=1) + b"\n"
