"""The environment's side of the loop: turns Gymnasium's arrays into records, and a simulator's exceptions into one kind
of error.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import gymnasium
import msgspec
import numpy as np

from embodied import envs
from embodied.blobs import Blobs, MemoryBlobs, put_frame
from embodied.envs.base import Asked, LanguageEnv, Watch
from embodied.envs.spaces import FreeText
from embodied.errors import EmbodiedError, EnvironmentFailure
from embodied.rollout.worlds.controlled import Controlled, by_frames, controlled
from embodied.rollout.worlds.observed import frames, observation_hash
from embodied.store.codec import without_surrogates
from embodied.types import Json, Mission, Observation, TaskSpec

SEPARATE = ("progress", "success", "valid", "executed")
"""Info keys that have fields of their own in the record."""


@dataclass(frozen=True)
class Start:
    """What the environment answered to `reset`."""

    observation: Observation
    hash: str
    mission: Mission
    info: Json
    """What the seed chose."""


@dataclass(frozen=True)
class Answer:
    """What the environment answered to one action."""

    observation: Observation
    hash: str
    reward: float
    terminated: bool
    truncated: bool
    progress: float | None
    success: bool | None
    executed: str
    valid: bool
    info: Json
    seconds: float
    frames: int = 0
    """Frames between the action and this answer; an interruption behind frame k leaves k + 1."""
    cut: int | None = None
    """Number of the frame behind which the step was interrupted; None where it was not."""


class LocalEnvironment:
    """An environment in this process: what a worker hosts (`embodied.rollout.worlds.host`), and what films are drawn
    with.
    """

    def __init__(self, task: TaskSpec, blobs: Blobs, render: bool = False):
        """Makes the environment. Raises `EnvironmentFailure` when the simulator fails."""
        self._task = task
        self._blobs = blobs
        options = {**task.kwargs, "render_mode": "rgb_array"} if render else task.kwargs
        with self._boundary("its making"):
            self._env = controlled(task, lambda: envs.make(task.env, task.task or None, **options))
        self._step = 0

    def reset(self, seed: int) -> Start:
        """Starts the episode."""
        with self._boundary("reset"):
            raw, info = self._env.reset(seed=seed)
            mission = self._env.mission
        self._step = 0
        self._phrases = tuple(mission.actions)
        return Start(
            self._observation(raw), self._hash(raw), mission, {k: v for k, v in info.items() if k not in SEPARATE}
        )

    def step(
        self,
        action: str,
        *,
        watch: Watch | None = None,
        interrupt_at: int | None = None,
        broken_off: Asked | None = None,
    ) -> Answer:
        """Executes a phrase. `LanguageEnv.step` says what the keywords mean.

        Raises:
            EnvironmentFailure: The simulator fails, or gives a reward or progress that is not a number.
        """
        asked = {
            "watch": watch,
            "interrupt_at": interrupt_at,
            "broken_off": broken_off if by_frames(self._env) else None,
        }
        more: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
        start = time.perf_counter()
        with self._boundary(f"step {self._step}"):
            raw, reward, terminated, truncated, info = self._env.step(action, **more)
        seconds = time.perf_counter() - start
        for what, value in (("reward", reward), ("progress", info["progress"])):
            # no mean could be made with it, and JSON has no word for it
            if value is not None and not math.isfinite(value):
                raise EnvironmentFailure(
                    f"{self._task.env} {self._task.task} gave in step {self._step} a {what} that is not a number:"
                    f" {value}."
                )
        self._step += 1
        return Answer(
            observation=self._observation(raw, info, float(reward)),
            hash=self._hash(raw),
            reward=float(reward),
            terminated=terminated,
            truncated=truncated,
            progress=info["progress"],
            success=info["success"],
            executed=info["executed"],
            valid=info["valid"],
            info={k: v for k, v in info.items() if k not in SEPARATE},
            seconds=seconds,
            frames=self._env.frames if isinstance(self._env, LanguageEnv | Controlled) else 0,
            cut=self._env.cut if isinstance(self._env, LanguageEnv | Controlled) else None,
        )

    def frame(self) -> np.ndarray | None:
        """The picture of the present state, (H, W, 3) uint8; None for an environment without one.
        Needs `render=True`.
        """
        picture: np.ndarray | None = self._env.render()
        return picture

    def close(self) -> None:
        self._env.close()

    def check(self) -> None:
        """Raises `NoControl` where the task's control says nothing about it."""
        if isinstance(self._env, Controlled):
            with self._boundary("reset"):
                self._env.check()

    def closed(self) -> bool:
        """Closes it. Returns whether it took any phrase. Raises `EnvironmentFailure` where closing fails."""
        with self._boundary("its closing"):
            self._env.close()
        return isinstance(self._env.action_space, FreeText)

    def _observation(self, raw: dict[str, Any], info: dict[str, Any] | None = None, reward: float = 0.0) -> Observation:
        pictures = [put_frame(self._blobs, frame) for frame in frames(raw)]
        return Observation(
            text=without_surrogates(raw["text"]),
            status=without_surrogates(raw.get("status", "")),
            image=pictures[0] if pictures else None,
            more_images=tuple(pictures[1:]),
            expert=raw.get("expert", ""),
            step=self._step,
            executed=info["executed"] if info else None,
            valid=info["valid"] if info else True,
            reward=reward,
            actions=self._changed(raw),
        )

    def _changed(self, raw: dict[str, Any]) -> tuple[str, ...] | msgspec.UnsetType:
        """The actions of this step where they are not the mission's."""
        actions = raw.get("actions", self._phrases)
        if not isinstance(actions, tuple) or not all(isinstance(phrase, str) for phrase in actions):
            name = f"{self._task.env} {self._task.task}".strip()
            raise EnvironmentFailure(
                f"{name} gave at step {self._step} actions that are not a tuple of phrases: {repr(actions)[:200]}."
                " `embodied check` says what else is wrong."
            )
        return msgspec.UNSET if actions == self._phrases else tuple(without_surrogates(actions))

    def _hash(self, raw: dict[str, Any]) -> str:
        """The hash of an observation. Actions count only where they are not the mission's."""
        changed = raw.get("actions", self._phrases) != self._phrases
        return observation_hash(raw if changed else {k: v for k, v in raw.items() if k != "actions"})

    @contextmanager
    def _boundary(self, what: str) -> Iterator[None]:
        """An exception of any type from a simulator is data: the episode ends as `infra_failure`, and the run
        continues.
        """
        try:
            yield
        except (EmbodiedError, gymnasium.error.ResetNeeded):
            raise
        except Exception as error:
            raise EnvironmentFailure(
                f"{f'{self._task.env} {self._task.task}'.strip()} failed in {what}: {type(error).__name__}: {error}"
            ) from error


def check_environment(task: TaskSpec) -> bool:
    """Makes an environment for a moment.

    Returns:
        Whether it takes any phrase, and not one of a list.

    Raises:
        UsageError: An option is unknown, or has a value that the environment does not take.
        NoControl: The task's control says nothing about it.
        MissingExtra: Its simulator is not installed.
        EnvironmentFailure: Its constructor fails.
    """
    if task.env in envs.ENTRIES:
        envs.check_options(envs.entry(task.env), task.kwargs)
    environment = LocalEnvironment(task, MemoryBlobs())
    environment.check()
    return environment.closed()
