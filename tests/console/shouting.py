"""An environment in which everything that is said tries to become markup: `gym:tests.console.shouting:Shouting-v0`."""

from __future__ import annotations

import gymnasium

from embodied.envs.base import LanguageEnv, Transition
from embodied.envs.spaces import Choice
from embodied.types import Mission

SHOUT = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script><!--'
ACTIONS = {SHOUT: SHOUT, "wait": "do nothing"}


class Shouting(LanguageEnv):
    """Ends after 50 steps."""

    def __init__(self, render_mode: str | None = None):
        super().__init__(action_space=Choice(ACTIONS), default_action="wait", max_steps=50, render_mode=render_mode)

    @property
    def mission(self) -> Mission:
        return Mission(SHOUT, ACTIONS, default_action="wait", max_steps=self.max_steps)

    def _reset(self, seed, options):
        return {SHOUT: SHOUT}

    def _step(self, action):
        return Transition(0.0, False, info={SHOUT: SHOUT})

    def _text(self) -> str:
        return SHOUT


gymnasium.register("Shouting-v0", entry_point=Shouting)
