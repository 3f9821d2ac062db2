"""Environments under a control (`embodied.controls`): the episode is the same, and the agent is shown something else.

What an episode shows depends on its seed alone: not on workers, and not on other episodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np

from embodied.arrays import Pixels
from embodied.controls import BLACK, OTHER_GOAL, TWIN, check_control, in_words
from embodied.envs.base import LanguageEnv, RawObservation
from embodied.envs.spaces import Choice, FreeText
from embodied.errors import EnvironmentFailure, NoControl
from embodied.rollout.worlds.observed import observation_hash, pictured
from embodied.splits import another_seed, item_of
from embodied.types import Json, Mission, TaskSpec

TRIES = 32
"""Other seeds that are tried until an episode differs from the agent's own. Where two goals are equally likely, one
episode in 4 billion finds none.
"""
Make = Callable[[], LanguageEnv]
"""Makes one more environment of the same task and options."""
Answer = tuple[RawObservation, float, bool, bool, dict[str, Any]]


def by_frames(env: object) -> bool:
    """Whether a step of `env` can be interrupted: one with a `step` of its own may take the action alone."""
    return (
        type(env).step is LanguageEnv.step if isinstance(env, LanguageEnv) else getattr(env, "steps_by_frames", False)
    )


class Controlled:
    """An environment whose agent is shown something else. It has what `LocalEnvironment` uses of an environment.

    Args:
        task: The task.
        make: See `Make`.
    """

    def __init__(self, task: TaskSpec, make: Make):
        self._task = task
        self._make = make
        self._own = make()

    # ----------------------------------------------------------------- what a control changes

    def _begin(self, seed: int, raw: RawObservation, info: dict[str, Any]) -> Json | None:
        """Prepares the control of an episode. Returns what is recorded of it; None where there is nothing to exchange
        in it.
        """
        raise NotImplementedError

    def _shown(self, raw: RawObservation) -> RawObservation:
        """What the agent is shown in place of `raw`."""
        return raw

    def _after(self, executed: str) -> None:
        """Hears which action was executed."""

    # ----------------------------------------------------------------- what an environment has

    @property
    def mission(self) -> Mission:
        """The task in words; valid after `reset`."""
        return self._own.mission

    @property
    def action_space(self) -> Choice | FreeText:
        """That of the environment."""
        return self._own.action_space

    def reset(self, *, seed: int) -> tuple[RawObservation, dict[str, Any]]:
        """Starts an episode. `info["control"]` says what the agent is shown.

        Raises:
            EnvironmentFailure: There is nothing to exchange in this episode.
        """
        raw, info = self._own.reset(seed=seed)
        about = self._begin(seed, raw, info)
        if about is None:
            raise EnvironmentFailure(self._nothing())
        return self._shown(raw), {**info, "control": {"name": self._task.control, **about}}

    @property
    def frames(self) -> int:
        """Frames of the last step."""
        return self._own.frames

    @property
    def cut(self) -> int | None:
        """The frame behind which the last step was interrupted."""
        return self._own.cut

    @property
    def steps_by_frames(self) -> bool:
        """Whether a step can be interrupted."""
        return by_frames(self._own)

    def step(self, action: str, **more: Any) -> Answer:
        """As the environment's own step. Who watches sees what really happens."""
        raw, reward, terminated, truncated, info = self._own.step(action, **more)
        self._after(info["executed"])
        return self._shown(raw), reward, terminated, truncated, info

    def render(self) -> Pixels | None:
        """The picture of what really happens."""
        return self._own.render()

    def close(self) -> None:
        """Frees what it holds."""
        self._own.close()

    def check(self) -> None:
        """Raises `NoControl` where the control says nothing about this task."""
        raw, info = self._own.reset(seed=0)
        if self._begin(0, raw, info) is None:
            raise NoControl(self._nothing())

    # ----------------------------------------------------------------- for subclasses

    def _nothing(self) -> str:
        name, control = f"{self._task.env} {self._task.task}".strip(), str(self._task.control)
        what = "instruction" if control == OTHER_GOAL else "beginning"
        return f"{in_words(control)} says nothing about {name}: {TRIES} other episodes have the same {what}."

    def _others(self, seed: int) -> Iterator[int]:
        """Seeds of other episodes of the same split."""
        return (
            another_seed(seed, "control", str(self._task.control), self._task.env, self._task.task, attempt)
            for attempt in range(TRIES)
        )


class BlackPicture(Controlled):
    """Shows pictures of the same size in which every pixel is 0."""

    def _begin(self, seed: int, raw: RawObservation, info: dict[str, Any]) -> Json:
        return {}

    def check(self) -> None:
        """It says something about every task with pictures."""

    def _shown(self, raw: RawObservation) -> RawObservation:
        return {**raw, **{key: np.zeros_like(raw[key]) for key in pictured(raw)}}


class ShuffledPicture(Controlled):
    """Shows the pictures of a twin: an environment with the same task and options in another episode, in which the same
    actions are executed. After the twin's episode has ended, its last pictures stay.
    """

    def __init__(self, task: TaskSpec, make: Make):
        super().__init__(task, make)
        self._twin = make()

    def _begin(self, seed: int, raw: RawObservation, info: dict[str, Any]) -> Json | None:
        own = self._item(self._own, raw, info)
        for other in self._others(seed):
            twin, about = self._twin.reset(seed=other)
            if self._item(self._twin, twin, about) != own:
                self._seen, self._over = twin, False
                return {"seed": other}
        return None

    def _item(self, env: LanguageEnv, raw: RawObservation, info: dict[str, Any]) -> str:
        return item_of(self._task.env, info, env.mission.goal, observation_hash(raw))

    def _shown(self, raw: RawObservation) -> RawObservation:
        return {**raw, **{key: self._seen[key] for key in pictured(raw)}}

    def _after(self, executed: str) -> None:
        if not self._over:
            self._seen, _, terminated, truncated, _ = self._twin.step(executed)
            self._over = terminated or truncated

    def close(self) -> None:
        self._twin.close()
        super().close()


class ShuffledInstruction(Controlled):
    """Gives the goal of another episode, with another text than the episode's own goal."""

    def _begin(self, seed: int, raw: RawObservation, info: dict[str, Any]) -> Json | None:
        own = self._own.mission.goal
        with closing(self._make()) as env:
            for other in self._others(seed):
                env.reset(seed=other)
                if env.mission.goal != own:
                    self._goal = env.mission.goal
                    return {"seed": other, "own_goal": own}
        return None

    @property
    def mission(self) -> Mission:
        return replace(super().mission, goal=self._goal)


_KINDS: dict[str, type[Controlled]] = {BLACK: BlackPicture, TWIN: ShuffledPicture, OTHER_GOAL: ShuffledInstruction}


def controlled(task: TaskSpec, make: Make) -> LanguageEnv | Controlled:
    """The environment of a task, under its control if it names one.

    Raises:
        UsageError: There is no such control.
    """
    if not isinstance(task.control, str):
        return make()
    check_control(task.control)
    return _KINDS[task.control](task, make)
