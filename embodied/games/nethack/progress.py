"""How far a hero got: BALROG's progression, and the numbers of the last live screen."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib import resources

import numpy as np
import numpy.typing as npt
from nle import nethack

_STATS = np.array([getattr(nethack, f"NLE_BL_{name}") for name in ("SCORE", "DEPTH", "GOLD", "XP", "TIME")])


@functools.cache
def win_rates() -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The share of recorded human games won among those that reached a depth (1 to 50), and an experience level (1 to
    30).

    Source: BALROG, balrog/environments/nle/achievements.json.
    """
    table = json.loads(resources.files(__package__).joinpath("data/win_rates.json").read_text())
    return tuple(table["depth"]), tuple(table["experience_level"])


@dataclass
class Progress:
    """What one episode achieved; `update` it with every live screen."""

    progression: float = 0.0
    """In [0, 1]: the highest win rate of any depth and experience level reached so far."""
    highest: str = ""
    """What gave it, such as `Dlvl:3` or `Xp:2`."""
    score: int = 0
    """This and the numbers below: of the last live screen."""
    depth: int = 1
    gold: int = 0
    experience_level: int = 1
    time: int = 1
    """Turns of the game."""
    max_depth: int = 1
    max_experience_level: int = 1

    def update(self, blstats: npt.NDArray[np.int64]) -> None:
        """Takes the status numbers of a live screen, (27,) int64."""
        self.score, self.depth, self.gold, self.experience_level, self.time = blstats[_STATS].tolist()
        if self.depth > self.max_depth:
            self.max_depth = self.depth
            self._reach("Dlvl", self.depth, win_rates()[0])
        if self.experience_level > self.max_experience_level:
            self.max_experience_level = self.experience_level
            self._reach("Xp", self.experience_level, win_rates()[1])

    def _reach(self, name: str, level: int, rates: tuple[float, ...]) -> None:
        if level <= len(rates) and rates[level - 1] > self.progression:
            self.progression, self.highest = rates[level - 1], f"{name}:{level}"

    def ascend(self) -> None:
        """The hero became a demigod: nothing is left to achieve."""
        self.progression, self.highest = 1.0, "ascended"

    def metrics(self) -> dict[str, float]:
        """The numbers by name."""
        names = ("score", "depth", "gold", "experience_level", "time", "max_depth", "max_experience_level")
        return {name: float(getattr(self, name)) for name in names}
