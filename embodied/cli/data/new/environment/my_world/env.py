"""MyWorld: a corridor with a door at one end."""

from embodied.envs.base import LanguageEnv, Transition
from embodied.envs.spaces import Choice
from embodied.errors import UsageError
from embodied.types import Mission

ACTIONS = {"go left": "one step to the left", "go right": "one step to the right"}


class MyWorld(LanguageEnv):
    """A corridor with a door at one end.

    Args:
        task: At which end the door is, `right` or `left`.
        length: Places in the corridor; at least 3.
        max_steps: Steps after which an episode ends.
        expert: Whether observations hold what the expert would do.
        render_mode: None; there is no picture.
    """

    def __init__(self, task="right", *, length=7, max_steps=30, expert=False, render_mode=None):
        if length < 3:
            raise UsageError(f"length={length}: the corridor needs at least 3 places.")
        super().__init__(
            action_space=Choice(ACTIONS),
            default_action="go left",
            max_steps=max_steps,
            expert=expert,
            render_mode=render_mode,
        )
        self.task, self.length = task, length
        self._place = 0

    @property
    def mission(self):
        goal = f"Find the door at the {self.task} end of the corridor."
        return Mission(goal, ACTIONS, default_action=self.default_action, max_steps=self.max_steps)

    def _reset(self, seed, options):
        self._place = self._start = 1 + seed % (self.length - 2)
        return {"start": self._start}

    def _step(self, action):
        self._place += 1 if action == "go right" else -1
        self._place = min(max(self._place, 0), self.length - 1)
        left = self._distance(self._place)
        progress = max(0.0, 1 - left / self._distance(self._start))
        return Transition(float(left == 0), left == 0, progress=progress, success=left == 0 or None)

    def _text(self):
        return f"You are at place {self._place} of 0 to {self.length - 1}."

    def _expert(self):
        return f"go {self.task}"

    def _distance(self, place):
        return place if self.task == "left" else self.length - 1 - place
