"""Any registered Gymnasium environment as a LanguageEnv: `--env gym:ID`."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import itertools
import math
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from typing import Any, cast

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec, load_env_creator

from embodied.arrays import Pixels
from embodied.envs import names
from embodied.envs.base import LanguageEnv, Transition, check_limit
from embodied.envs.describe import LARGEST, describe, from_terminal, plain, size
from embodied.envs.spaces import Choice, FreeText
from embodied.errors import UsageError
from embodied.registry import unknown
from embodied.types import Mission

MOST_ACTIONS = 512
"""Phrases in the largest vocabulary made for numbered actions."""
_INTRO = 1500
"""Characters of an environment's own description that a mission repeats at most."""
_OWN_KEYS = ("progress", "success", "valid", "executed")


def open_gym(id: str, **kwargs: Any) -> LanguageEnv:
    """Makes `gym:ID`: an environment that is a `LanguageEnv` already as it is, any other one inside a `GenericEnv`."""
    spec = resolve(id)
    with _said_plainly(spec, kwargs):
        entry = spec.entry_point
        creator: Any = load_env_creator(entry) if isinstance(entry, str) else entry
    if isinstance(creator, type) and issubclass(creator, LanguageEnv):
        if kwargs.get("ansi") is True and "ansi" not in inspect.signature(creator).parameters:
            del kwargs["ansi"]  # the default of `embodied eval --env gym:ID`, which means something to GenericEnv alone
        return cast(LanguageEnv, _make(spec, **kwargs).unwrapped)
    return GenericEnv(id, **kwargs)


def resolve(id: str) -> EnvSpec:
    """The registered environment that `id` names: `CartPole-v1`, or `module:Env-v0` for one that a module of yours
    registers.

    Raises:
        UnknownName: Nothing of that name is registered.
        UsageError: The module is not installed.
    """
    _hush_pygame()
    module, _, name = id.rpartition(":")
    if not module and name not in gymnasium.registry:
        module = names.MODULES.get(re.split(r"[-/]", name)[0], "")
    if module and importlib.util.find_spec(module.partition(".")[0]) is None:
        raise UsageError(f"gym:{id} is registered by the Python module {module!r}, which is not installed.")
    if module:
        try:
            importlib.import_module(module)
        except ImportError as error:
            raise UsageError(f"gym:{id}: the Python module {module!r} cannot be imported ({error}).") from error
    if name not in gymnasium.registry:
        raise unknown(
            "Gymnasium environment",
            name,
            list(gymnasium.registry),
            "python -c 'import gymnasium; gymnasium.pprint_registry()'",
            cutoff=0.7,
        )
    return gymnasium.registry[name]


class GenericEnv(LanguageEnv):
    """Any Gymnasium environment with few actions, played in words.

    ## Description
    `--env gym:CartPole-v1`, or `--env gym:my_module:MyEnv-v0` for an environment that a module of yours registers. The
    actions become phrases, and the observations become lines of text.

    ## Action Space
    - `Discrete`: `Choice` with one phrase for each number. The phrases are `action_names`; else what the environment's
      `get_action_meanings()` says (in lower case); else the names of its `actions` enumeration (as in minigrid); else,
      for Gymnasium's own environments, the words of its documentation; else `action 0`, `action 1`, ...
    - `MultiDiscrete` and `MultiBinary` of at most 512 combinations: `Choice` of `action_names`, one phrase for each
      combination, with the last number changing fastest; else `action 0 0`, `action 0 1`, ...
    - `Text` and `Choice`: unchanged.

    Other spaces raise `UsageError`. The default action is `default_action`, else the first phrase that means doing
    nothing (`noop`, `idle`, `wait`, ...), else the first phrase.

    ## Observation Space
    - `text`: one line for each number or array, `label: value`, numbers in four significant digits, arrays row by row.
      If the environment has the render mode `ansi` (and `ansi=True`), its drawing in characters follows, with colored
      parts as `[X color]`. The space may hold text, numbers, arrays of at most 512 numbers, and Dicts and Tuples of
      these.
    - `image` (with `image=True`): (H, W, 3) uint8, what the environment's render mode `rgb_array` draws. With it,
      larger arrays are allowed too; the text then says only their shape.

    ## Starting State
    The wrapped environment's, by its own seeding.

    ## Rewards
    The wrapped environment's.

    ## Progress
    `info["progress"]` if the environment gives it. Else 1 when `info["success"]` or `info["is_success"]` is true. Else
    the return divided by the reward threshold, cut to [0, 1]. If the threshold is 0 or less, progress is 1 if the
    return reaches it at the end, and 0 otherwise. An environment with none of these always has progress 0: give a
    `reward_threshold`.

    ## Episode End
    The wrapped environment's, with its registered step limit.

    ## Info
    The wrapped environment's as plain JSON, and `metrics` with the `return` so far. `success` is its `success` or
    `is_success`. Without these, at the end of an episode with a reward threshold, it says whether the return reached
    the threshold.

    ## Arguments
    - `id`: a registered id, or `module:id`.
    - `image`: observations have an `image`.
    - `max_steps`: None (default) for the registered limit.
    - `action_names`, `observation_names`: words for the numbers, in order. The latter for a number, an array, or a
      tuple of numbers.
    - `default_action`: the phrase that replaces an invalid one.
    - `goal`: the mission's goal; default: the environment's own `mission`, else "Get the highest total reward ...".
    - `reward_threshold`: the return that counts as success; default: the registered one.
    - `ansi`: append the drawing in characters; default True.
    - `render_mode`: None or `rgb_array`.
    - anything else goes to the environment's constructor.

    ## Version History
    - v0: first version.
    """

    def __init__(
        self,
        id: str,
        *,
        image: bool = False,
        max_steps: int | None = None,
        action_names: Sequence[str] | None = None,
        observation_names: Sequence[str] | None = None,
        default_action: str | None = None,
        goal: str | None = None,
        reward_threshold: float | None = None,
        ansi: bool = True,
        render_mode: str | None = None,
        **kwargs: Any,
    ):
        check_limit(max_steps, "the registered limit")
        spec = resolve(id)
        options: dict[str, Any] = {**kwargs, **({"max_episode_steps": max_steps} if max_steps else {})}
        self.id = id
        self._env: gymnasium.Env[Any, Any] = _make(spec, **options)
        modes = self._env.metadata.get("render_modes", [])
        self._drawn = ansi and "ansi" in modes
        self._camera = (
            _make(spec, render_mode="rgb_array", **options) if "rgb_array" in modes and (image or render_mode) else None
        )
        if self._drawn:
            self._env = _make(spec, render_mode="ansi", **options)
        elif self._camera is not None:
            self._env = self._camera
        if image and self._camera is None:
            raise UsageError(f"gym:{id} cannot draw a picture (it has no render mode rgb_array); leave out image=True.")
        _check_observation(id, self._env.observation_space, image)
        _check_names(id, self._env.observation_space, observation_names)
        phrases, self._raw = _vocabulary(id, self._env, spec.name, action_names)
        super().__init__(
            action_space=phrases,
            default_action=_default_action(id, phrases, default_action),
            max_steps=max_steps or (self._env.spec or spec).max_episode_steps,
            image_shape=self._picture_shape() if image else None,
            render_mode=render_mode,
        )
        self._names = tuple(observation_names or names.OBSERVATIONS.get(spec.name, ()))
        self._threshold = spec.reward_threshold if reward_threshold is None else reward_threshold
        self.can_succeed = self._threshold is not None
        self._goal = goal
        self._value: Any = None
        self._return = 0.0

    @property
    def mission(self) -> Mission:
        told = getattr(self._env.unwrapped, "mission", None)
        own = told if isinstance(told, str) and told else f"Get the highest total reward you can in {self.id}"
        actions = dict.fromkeys(self.action_space, "") if isinstance(self.action_space, Choice) else {}
        return Mission(
            goal=self._goal or f"{own[:1].upper()}{own[1:]}.",
            actions=actions,
            intro=_description(self._env.unwrapped),
            default_action=self.default_action,
            free_text=isinstance(self.action_space, FreeText),
            max_steps=self.max_steps,
        )

    def render(self) -> Pixels | None:  # type: ignore[override]  # Gymnasium: of an unbound type variable
        """The picture of the present state, (H, W, 3) uint8; None without `render_mode`, or where the environment draws
        none.
        """
        return self._image() if self.render_mode == "rgb_array" and self._camera is not None else None

    def close(self) -> None:
        self._env.close()
        if self._camera is not None:
            self._camera.close()

    def _reset(self, seed: int, options: dict[str, Any]) -> dict[str, Any]:
        self._value, info = self._env.reset(seed=seed, options=options or None)
        if self._camera is not None and self._camera is not self._env:
            self._camera.reset(seed=seed, options=options or None)
        self._return = 0.0
        self.can_succeed = self._threshold is not None
        return _extra(info)

    def _step(self, action: str) -> Transition:
        raw = action if self._raw is None else self._raw[action]
        self._value, reward, terminated, truncated, info = self._env.step(raw)
        if self._camera is not None and self._camera is not self._env:
            self._camera.step(raw)  # an environment has one render mode: a second instance, in step, draws the pictures
        self._return += float(reward)
        over = bool(terminated or truncated)
        self.can_succeed |= any(key in info for key in ("success", "is_success"))
        success = self._success(info, over)
        extra = {**_extra(info), "metrics": {"return": self._return}}
        return Transition(
            float(reward), bool(terminated), bool(truncated), self._progress(info, success, over), success, extra
        )

    def _text(self) -> str:
        text = describe(self._env.observation_space, self._value, self._names)
        return f"{text}\n\n{from_terminal(str(self._env.render()))}" if self._drawn else text

    def _image(self) -> Pixels:
        return np.array(self._render(), np.uint8)

    def _success(self, info: dict[str, Any], over: bool) -> bool | None:
        for key in ("success", "is_success"):
            if isinstance(info.get(key), bool | np.bool_ | int | float):
                return bool(info[key])
        return self._return >= self._threshold if over and self._threshold is not None else None

    def _progress(self, info: dict[str, Any], success: bool | None, over: bool) -> float:
        if isinstance(info.get("progress"), int | float | np.number):
            said = float(info["progress"])
            return min(1.0, max(0.0, said)) if math.isfinite(said) else said  # NaN and infinity stay as they are
        if any(key in info for key in ("success", "is_success")):
            return float(success or False)
        if self._threshold is None:
            return 0.0
        if self._threshold > 0:
            return min(1.0, max(0.0, self._return / self._threshold))
        return float(over and self._return >= self._threshold)

    def _picture_shape(self) -> tuple[int, int]:
        if self._camera is not None:
            self._camera.reset(seed=0)
        try:
            picture = self._render()
        except gymnasium.error.DependencyNotInstalled as error:
            raise UsageError(f"gym:{self.id} cannot draw a picture: {error}") from error
        if not isinstance(picture, np.ndarray) or picture.ndim != 3 or picture.shape[2] != 3:
            raise UsageError(f"gym:{self.id} does not draw one (H, W, 3) picture a step; leave out image=True.")
        return picture.shape[0], picture.shape[1]

    def _render(self) -> Any:
        """What the environment draws, of any type; None if it has no camera."""
        return None if self._camera is None else self._camera.render()


class _Within(FreeText):
    """The strings of another space."""

    def __init__(self, space: spaces.Space[Any]):
        super().__init__()
        self._space = space

    def contains(self, x: Any) -> bool:
        return isinstance(x, str) and bool(self._space.contains(x))

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        self._space.seed(int(self.np_random.integers(2**31)))
        return str(self._space.sample())


def _make(spec: EnvSpec, **options: Any) -> gymnasium.Env[Any, Any]:
    with _said_plainly(spec, options):
        return gymnasium.make(spec, disable_env_checker=True, **options)


@contextmanager
def _said_plainly(spec: EnvSpec, options: dict[str, Any]) -> Iterator[None]:
    try:
        yield
    except (gymnasium.error.Error, TypeError, ImportError) as error:
        given = f" with {options}" if options else ""
        raise UsageError(f"gym:{spec.id} cannot be made{given}: {' '.join(str(error).split())}") from error


def _hush_pygame() -> None:
    """Pictures need no sound and no screen. Without these settings pygame prints long complaints about missing ones."""
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    os.environ.setdefault("SDL_AUDIODRIVER", "dummy")
    if not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
        os.environ.setdefault("SDL_VIDEODRIVER", "dummy")


def _check_names(id: str, space: spaces.Space[Any], given: Sequence[str] | None) -> None:
    expected = len(space) if isinstance(space, spaces.Tuple) else 0 if isinstance(space, spaces.Dict) else size(space)
    if given and len(given) != expected:
        raise UsageError(f"gym:{id} observes {space}; observation_names needs {expected} names, not {len(given)}.")


def _check_observation(id: str, space: spaces.Space[Any], image: bool) -> None:
    numbers = size(space)
    if numbers is None:
        raise UsageError(
            f"gym:{id} observes {space}, which cannot be put into words; write a LanguageEnv with words of your own."
        )
    if numbers > LARGEST and not image:
        raise UsageError(
            f"gym:{id} observes an array of {numbers} numbers, more than the {LARGEST} that are spelt out; ask for its"
            " picture with image=True."
        )


def _vocabulary(
    id: str, env: gymnasium.Env[Any, Any], name: str, given: Sequence[str] | None
) -> tuple[Choice | FreeText, dict[str, Any] | None]:
    """The action space in words, and the action each phrase stands for (None where a phrase is the action)."""
    space = env.action_space
    if isinstance(space, Choice):
        return space, None
    if isinstance(space, spaces.Text | FreeText):
        return _Within(space), None
    sizes = _sizes(space)
    if sizes is None or np.prod(sizes, dtype=float) > MOST_ACTIONS:
        raise UsageError(
            f"gym:{id} acts by {space}; in words there are only text and Discrete, MultiDiscrete and MultiBinary spaces"
            f" of at most {MOST_ACTIONS} actions."
        )
    if isinstance(space, spaces.Discrete):
        actions: list[Any] = [int(space.start) + i for i in range(int(space.n))]
        phrases = given or _own_names(env, actions) or names.ACTIONS.get(name) or [f"action {a}" for a in actions]
    else:
        starts = np.asarray(getattr(space, "start", 0)).ravel() + np.zeros(len(sizes), int)
        combinations = [
            tuple(int(s) + c for s, c in zip(starts, combination, strict=True))
            for combination in itertools.product(*map(range, sizes))
        ]
        actions = [np.array(c, space.dtype).reshape(space.shape) for c in combinations]
        phrases = given or [f"action {' '.join(map(str, c))}" for c in combinations]
    if len(phrases) != len(actions) or len(set(phrases)) != len(phrases):
        raise UsageError(
            f"gym:{id} has {len(actions)} actions; action_names needs as many different phrases, not {list(phrases)}."
        )
    return Choice(phrases), dict(zip(phrases, actions, strict=True))


def _sizes(space: spaces.Space[Any]) -> list[int] | None:
    if isinstance(space, spaces.Discrete):
        return [int(space.n)]
    if isinstance(space, spaces.MultiDiscrete):
        return [int(n) for n in space.nvec.ravel()]
    if isinstance(space, spaces.MultiBinary):
        return [2] * int(np.prod(space.shape))
    return None


def _own_names(env: gymnasium.Env[Any, Any], actions: list[int]) -> list[str] | None:
    """The environment's own words for `actions`, by Atari's convention or minigrid's; None where it has none that are
    distinct.
    """
    meanings = getattr(env.unwrapped, "get_action_meanings", None)
    kinds = getattr(env.unwrapped, "actions", None)
    words: list[str] = []
    if callable(meanings):
        words = [str(word) for word in meanings()]
    elif isinstance(kinds, type) and issubclass(kinds, Enum):
        by_value = {kind.value: kind.name for kind in kinds}
        words = [by_value[a] for a in actions if a in by_value]
    words = [word.lower().replace("_", " ") for word in words]
    return words if len(set(words)) == len(actions) else None


def _default_action(id: str, phrases: Choice | FreeText, given: str | None) -> str:
    if given is not None:
        if not phrases.contains(given):
            raise UsageError(f"default_action {given!r} is not an action of gym:{id}.")
        return given
    if isinstance(phrases, FreeText):
        phrases.seed(0)
        return "" if phrases.contains("") else phrases.sample()
    return next((phrase for phrase in names.IDLE if phrases.contains(phrase)), phrases.phrases[0])


def _description(env: gymnasium.Env[Any, Any]) -> str:
    """What the environment's documentation says of it: its section "Description", or the first paragraph."""
    text = inspect.getdoc(type(env)) or ""
    section = re.search(r"^#+ *Description *\n(.*?)(?=^#|\Z)", text, re.DOTALL | re.MULTILINE)
    text = section[1] if section else text.partition("\n\n")[0]
    text = re.sub(r"<[^>]+>|\[([^\]]+)\]\([^)]*\)", r"\1", text)  # the words of links, without their addresses
    words = " ".join(text.split())
    return words if len(words) <= _INTRO else words[:_INTRO].rpartition(". ")[0] + "."


def _extra(info: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in plain(info).items() if key not in _OWN_KEYS}
