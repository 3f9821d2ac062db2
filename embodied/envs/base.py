"""LanguageEnv: the contract that every environment here keeps.

An environment is a `gymnasium.Env` whose observation is a Dict of `text` (and `status`, `image` where it has them),
whose action is a phrase, and whose info always holds `progress`, `success` and `valid`. It knows nothing of models or
prompts.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

import embodied.envs.vector  # noqa: F401  registers our spaces with vector environments
from embodied.arrays import Pixels
from embodied.envs.spaces import Choice, FreeText, Phrases
from embodied.envs.truth import Sight
from embodied.errors import UsageError
from embodied.types import Mission

RawObservation = dict[str, Any]
"""What Gymnasium is given; `types.Observation` is the record that agents see."""


@dataclass(frozen=True)
class Snapshot:
    """A point in an episode, stored as the reset and the phrases given since. Restoring replays them."""

    seed: int
    options: dict[str, Any] | None
    actions: tuple[str, ...]
    interrupts: tuple[tuple[int, int], ...] = ()
    """(number of the action, number of the frame) of every step that was interrupted."""


@dataclass(frozen=True)
class Frame:
    """A moment between two decisions, for those who watch."""

    seconds: float
    """How long it lasts, in the environment's time; above 0."""
    draw: Callable[[], Pixels]
    """Draws the present state, (H, W, 3) uint8, a fresh array. It is called at once or never, and changes nothing."""


@dataclass
class Transition:
    """What a simulator answers to one action, before the base class adds what all environments share."""

    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    progress: float | None = 0.0
    """In [0, 1]; None at the end of an episode that cannot be scored (an answer to a question without a reference)."""
    success: bool | None = None
    """None while undecided. At the end of an episode of an environment that can succeed (`LanguageEnv.can_succeed`),
    None becomes False.
    """
    info: dict[str, Any] = field(default_factory=dict)
    """Plain JSON. `metrics` (dict of floats) holds the environment's own metrics, `end_reason` (str) why it ended."""


Frames = Generator[Frame, bool | None, Transition]
"""What `_step` is where there are frames. The value of `yield` is true where the step is interrupted: the generator
then returns its Transition without another frame.
"""
MOST_FRAMES = 100_000
"""Of one step. A generator that yields more does not end."""
Watch = Callable[[Frame], None]
Asked = Callable[[], bool]


class LanguageEnv(gymnasium.Env[RawObservation, str]):
    """Base class of environments. A subclass calls `super().__init__` with its spaces and implements the hooks below.

    Observation space: `Dict` of
        - `text`: FreeText, the part that stays in the agent's history.
        - `status`: FreeText, the part that matters only in this step; present with `status=True`.
        - `image`: Box (H, W, 3) uint8; present when an image was asked for. Nothing is drawn otherwise.
        - `image_2`, `image_3`, ...: further pictures of the same moment, if the environment shows several.
        - `expert`: FreeText, the phrase the environment's own expert (bot, walkthrough, search) would choose; present
          with `expert=True`.
        - `actions`: Phrases, those that can be chosen now; present with `changing=True`.
    Action space: `Choice` of phrases, or `FreeText`.
    Info:
        - `progress`: float in [0, 1]; None at the end of an episode that cannot be scored.
        - `success`: bool; None before the end, and in environments where nothing can succeed. An episode that runs out
          of steps has failed.
        - `valid`: bool, false when the phrase was outside the action space, or could not be chosen in this step.
        - `executed`: str, the phrase that was executed (the default action when the phrase was not valid).

    A phrase outside the action space never raises: the environment executes `default_action`, and `valid` is false.
    The same holds for a phrase that cannot be chosen now, where actions change (`_available`).

    Args:
        action_space: `Choice` or `FreeText`.
        default_action: Executed in place of an invalid phrase; must be in `action_space`.
        max_steps: Steps after which `truncated` is true; None for no limit.
        image_shape: (H, W) of the image when one was asked for, else None.
        more_images: (H, W) of every further picture, when images were asked for.
        status: Whether observations have a `status`.
        expert: Whether observations have an `expert`, for recording demonstrations. If there are several, the name of
            one; True is the first.
        render_mode: None or `"rgb_array"`.
        changing: Whether the actions that can be chosen change from step to step: then `_available` says which, and
            observations have `actions`.
    """

    action_space: Choice | FreeText
    observation_space: spaces.Dict
    can_succeed: bool = True
    """False for environments that have progress but no success: then `success` is always None."""
    metadata: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 8}  # noqa: RUF012 (so in Gymnasium)

    def __init__(
        self,
        *,
        action_space: Choice | FreeText,
        default_action: str,
        max_steps: int | None,
        image_shape: tuple[int, int] | None = None,
        more_images: Sequence[tuple[int, int]] = (),
        status: bool = False,
        expert: bool | str = False,
        render_mode: str | None = None,
        changing: bool = False,
    ):
        check_limit(max_steps)
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode is None or 'rgb_array', not {render_mode!r}.")
        if not action_space.contains(default_action):
            raise ValueError(f"The default action {default_action!r} is not in the action space.")
        self.action_space = action_space
        self.default_action = default_action
        self.max_steps = max_steps
        self.render_mode = render_mode
        self._pictures = [] if image_shape is None else [image_shape, *more_images]
        self._has_status = status
        self._has_expert = bool(expert)
        self._changing = changing
        self._now: tuple[str, ...] | None = None
        parts: dict[str, spaces.Space[Any]] = {"text": FreeText()}
        if status:
            parts["status"] = FreeText()
        if expert:
            parts["expert"] = FreeText()
        if changing:
            parts["actions"] = Phrases(action_space)
        for key, shape in zip(picture_keys(), self._pictures, strict=False):
            parts[key] = spaces.Box(0, 255, (*shape, 3), np.uint8)
        self.observation_space = spaces.Dict(parts)
        self._seed: int | None = None
        self._options: dict[str, Any] | None = None
        self._actions: list[str] = []
        self._interrupts: list[tuple[int, int]] = []
        self.frames = 0
        """Frames of the last step."""
        self.cut: int | None = None
        """Number of the frame behind which the last step was interrupted; None where it was not."""
        self._done = True

    # ----------------------------------------------------------------- hooks

    @property
    @abstractmethod
    def mission(self) -> Mission:
        """The task in words; valid after `reset` (it may name this episode's goal)."""

    @abstractmethod
    def _reset(self, seed: int, options: dict[str, Any]) -> dict[str, Any]:
        """Starts the episode that `seed` (in [0, 2**32)) decides wholly. Returns extra info: what the seed chose."""

    @abstractmethod
    def _step(self, action: str) -> Transition | Frames:
        """Executes `action`, which is in the action space. In an environment with a time of its own it may be a
        generator that yields frames and returns the Transition.
        """

    @abstractmethod
    def _text(self) -> str:
        """The observation's text, for the present state."""

    def _status(self) -> str:
        """The observation's status, for the present state."""
        return ""

    def _available(self) -> tuple[str, ...] | None:
        """The phrases that can be chosen in the present state, the default action among them; None for all of the
        mission. Where any text is an action, they are the command patterns to show, and forbid nothing. Only with
        `changing=True`, and not asked at the end.
        """
        return None

    def _expert(self) -> str:
        """The phrase the environment's own expert would choose now; empty, or the default action, where it knows no way
        to win. Override it where there is one.
        """
        raise NotImplementedError(f"{type(self).__name__} has no expert.")

    def _image(self) -> Pixels:
        """The picture of the present state, (H, W, 3) uint8, a fresh array."""
        raise NotImplementedError(f"{type(self).__name__} has no picture.")

    def _images(self) -> list[Pixels]:
        """All pictures of the present state, one for each in the observation space. Override it
        where there are several.
        """
        return [self._image()]

    def truth(self) -> tuple[Sight, ...]:
        """What is in the picture of the present state. For teachers and judges: it is never a part of an observation.

        Raises:
            NotImplementedError: The environment does not say.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say what its pictures show.")

    # ----------------------------------------------------------------- gymnasium

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[RawObservation, dict[str, Any]]:
        """Starts an episode. Without a seed, one is drawn from the environment's own stream, as
        Gymnasium prescribes.
        """
        super().reset(seed=seed)
        self._seed = int(self.np_random.integers(2**31)) if seed is None else seed
        self._options = options
        self._actions = []
        self._interrupts, self.frames, self.cut = [], 0, None
        self._done = False
        info = self._reset(self._seed, options or {})
        return self._observe(), {"progress": 0.0, "success": None, "valid": True, **info}

    def step(
        self,
        action: str,
        *,
        watch: Watch | None = None,
        interrupt_at: int | None = None,
        broken_off: Asked | None = None,
    ) -> tuple[RawObservation, float, bool, bool, dict[str, Any]]:
        """Executes a phrase. Raises `gymnasium.error.ResetNeeded` before the first reset and after the end.

        Args:
            action: The phrase.
            watch: Called with each frame, while the step waits. It changes nothing.
            interrupt_at: Number of the frame, from 0, behind which the step is interrupted; without an effect if there
                are not so many.
            broken_off: Asked behind each frame; where it says yes, the step is interrupted there. `cut` is then what to
                give as `interrupt_at` to repeat it.
        """
        if self._done:
            raise gymnasium.error.ResetNeeded("Call reset() first: the episode is over or never began.")
        valid = self.action_space.contains(action) and self._may(action)
        executed = action if valid else self.default_action
        self._actions.append(action)
        t = self._through(self._step(executed), watch, interrupt_at, broken_off)
        truncated = t.truncated or (
            not t.terminated and self.max_steps is not None and len(self._actions) >= self.max_steps
        )
        self._done = t.terminated or truncated
        info = {
            **t.info,
            "progress": None if t.progress is None else float(t.progress),
            "success": (
                False if self._done and t.success is None and t.progress is not None and self.can_succeed else t.success
            ),
            "valid": valid and t.info.get("valid", True),
            "executed": t.info.get("executed", executed),
        }
        return self._observe(), float(t.reward), bool(t.terminated), bool(truncated), info

    def render(self) -> Pixels | None:  # type: ignore[override]  # Gymnasium: of an unbound type variable
        """The picture of the present state, (H, W, 3) uint8, or None without `render_mode`."""
        return self._image() if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        """Frees what the environment holds. A second call does nothing."""

    # ----------------------------------------------------------------- snapshots

    def snapshot(self) -> Snapshot:
        """The present point of the episode. It can be restored in this environment or in another one built
        with the same options.
        """
        if self._seed is None:
            raise gymnasium.error.ResetNeeded("Call reset() first: there is no episode to take a snapshot of.")
        return Snapshot(self._seed, self._options, tuple(self._actions), tuple(self._interrupts))

    def restore(self, snapshot: Snapshot) -> RawObservation:
        """Goes to the point of `snapshot` by replaying all steps that led there."""
        observation, _ = self.reset(seed=snapshot.seed, options=snapshot.options)
        interrupts = dict(snapshot.interrupts)
        for number, action in enumerate(snapshot.actions):
            # an environment without frames may have a `step` of its own that takes the action alone
            more: dict[str, Any] = {"interrupt_at": interrupts[number]} if number in interrupts else {}
            observation, *_ = self.step(action, **more)
        return observation

    def _through(
        self, answer: Transition | Frames, watch: Watch | None, interrupt_at: int | None, broken_off: Asked | None
    ) -> Transition:
        """The end of a step, after its frames."""
        self.frames, self.cut = 0, None
        if not isinstance(answer, Generator):
            return _transition(answer)
        stop = False
        while True:
            if self.frames == MOST_FRAMES:
                raise RuntimeError(f"_step has yielded {MOST_FRAMES:,} frames in one step; it must end.")
            try:
                frame = answer.send(stop if self.frames else None)
            except StopIteration as end:
                return _transition(end.value)
            if watch is not None:
                watch(frame)
            stop = self.frames == interrupt_at or (broken_off is not None and broken_off())
            if stop:
                self.cut = self.frames
                self._interrupts.append((len(self._actions) - 1, self.frames))
            self.frames += 1

    def _may(self, action: str) -> bool:
        """Whether `action` can be chosen in the present state."""
        return self._now is None or action in self._now or self.mission.free_text

    def _observe(self) -> RawObservation:
        observation: RawObservation = {"text": self._text()}
        if self._changing:
            self._now = None if self._done else self._available()
            observation["actions"] = tuple(self.mission.actions) if self._now is None else self._now
        if self._has_status:
            observation["status"] = self._status()
        if self._has_expert:
            observation["expert"] = self.default_action if self._done else self._expert()
        if self._pictures:
            observation |= dict(zip(picture_keys(), self._images(), strict=False))
        return observation


def _transition(answer: object) -> Transition:
    """The answer of `_step`, if it is one."""
    if not isinstance(answer, Transition):
        raise TypeError(f"_step returned {answer!r}; it must return a Transition.")
    return answer


def check_limit(max_steps: int | None, none: str = "no limit") -> None:
    """Checks a step limit.

    Args:
        max_steps: What an environment was given.
        none: What None means there.

    Raises:
        UsageError: It is below 1.
    """
    if max_steps is not None and max_steps < 1:
        raise UsageError(f"max_steps is at least 1, or None for {none}, not {max_steps!r}.")


def picture_keys() -> Iterator[str]:
    """The keys of an observation's pictures: image, image_2, image_3, ..."""
    yield "image"
    yield from (f"image_{number}" for number in count(2))
