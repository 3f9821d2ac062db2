"""An environment with a time of its own: `gym:tests.envs.timed:Kettle-v0`."""

from __future__ import annotations

import time
from pathlib import Path

import gymnasium
import numpy as np

from embodied.envs.base import Frame, LanguageEnv, Transition
from embodied.envs.spaces import Choice
from embodied.types import Mission

ACTIONS = {"heat": "heat the water for four seconds", "rest": "let it cool for four seconds"}
LASTS = 4
"""Seconds, and ticks, of a decision."""


class Kettle(LanguageEnv):
    """Heat water to 20 degrees above what the seed gives. Each second but the last of a decision is a frame.

    Args:
        drawn: A file that gets a byte whenever a frame is drawn.
        takes: Seconds of this machine that a frame takes.
        render_mode: None or `rgb_array`.
    """

    def __init__(self, drawn: str = "", takes: float = 0.0, render_mode: str | None = None):
        super().__init__(action_space=Choice(ACTIONS), default_action="rest", max_steps=30, render_mode=render_mode)
        self._drawn, self._takes = drawn, takes

    @property
    def mission(self):
        return Mission("Heat the water.", ACTIONS, default_action="rest", max_steps=self.max_steps)

    def _reset(self, seed, options):
        self.cold = self.degrees = 10 + seed % 7
        self.seconds = 0
        return {"cold": self.cold}

    def _step(self, action):
        for second in range(LASTS):
            if second and (yield Frame(1.0, self._draw)):
                break
            time.sleep(self._takes)
            self.seconds += 1
            self.degrees += 1 if action == "heat" else -1
        hot = self.degrees >= self.cold + 20
        return Transition(float(hot), hot, success=hot or None)

    def _draw(self):
        if self._drawn:
            with Path(self._drawn).open("ab") as file:
                file.write(b".")
        return np.full((4, 6, 3), self.degrees % 256, np.uint8)

    def _image(self):
        return self._draw()

    def _text(self):
        return f"{self.degrees} degrees after {self.seconds} seconds."


gymnasium.register("Kettle-v0", entry_point=Kettle)
