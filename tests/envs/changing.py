"""An environment whose actions change: `gym:tests.envs.changing:Shelf-v0`."""

from __future__ import annotations

import gymnasium

from embodied.envs.base import LanguageEnv, Transition
from embodied.envs.spaces import Choice
from embodied.types import Mission

ACTIONS = {"wait": "do nothing", "take cup": "take the cup", "take lamp": "take the lamp"}


class Shelf(LanguageEnv):
    """Clear a shelf. What was taken can no longer be chosen; while all is there, the mission's actions hold."""

    def __init__(self):
        super().__init__(action_space=Choice(ACTIONS), default_action="wait", max_steps=9, expert=True, changing=True)

    @property
    def mission(self):
        return Mission("Clear the shelf.", ACTIONS, default_action="wait", max_steps=self.max_steps)

    def _reset(self, seed, options):
        self.left = ["cup", "lamp"][: 2 - seed % 2]
        return {"things": len(self.left)}

    def _available(self):
        return None if len(self.left) == 2 else ("wait", *(f"take {thing}" for thing in self.left))

    def _step(self, action):
        if action != "wait":
            self.left.remove(action.removeprefix("take "))
        return Transition(terminated=not self.left, success=not self.left or None)

    def _text(self):
        return f"On the shelf: {', '.join(self.left) or 'nothing'}."

    def _expert(self):
        return f"take {self.left[0]}"


gymnasium.register("Shelf-v0", entry_point=Shelf)
