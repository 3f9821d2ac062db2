"""MiniHack's registered levels, played by us: what an id needs, when it ends, which rewards it gives.

The minihack package describes a level by a subclass of NLE's Gymnasium environment. We use that class, but without the
environment: `load` derives a class from it in which NLE is replaced, with the method resolution order

    Referee, <the level's class>, ..., MiniHack, ..., _InPlaceOfNLE, NLE

All that MiniHack decides (options, actions, level description, rewards, ends, the key macro of KeyRoom) runs as written
there; all that NLE did (the game, its keys, its screens) is ours.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt
from nle.env.base import FULL_ACTIONS, NLE

with warnings.catch_warnings():
    # minihack imports pkg_resources, whose deprecation warning does not help a player
    warnings.simplefilter("ignore", UserWarning)
    from minihack import LevelGenerator, MiniHack
    from minihack.base import PATH_DAT_DIR
    from minihack.base import gym as gym_of_minihack  # gymnasium, or gym in minihack 0.1
    from minihack.envs.boxohack import MOVE_ACTIONS, BoxoHack

from embodied.errors import EnvironmentFailure
from embodied.games.nethack.raw import BUFFERS, NetHack
from embodied.registry import unknown
from embodied.seeding import derive

DESCRIPTIONS = "screen_descriptions"
"""What each place on the map is, in words, (21, 79, 80) uint8. MiniHack always asks for it, so every level has it,
needed or not. To find the words, NLE looks at each thing that is drawn, as the farlook command does. After a look from
a neighbouring place, NetHack counts the thing as seen up close (`dknown`, `object_from_map` in pager.c). Corpses seen
and unseen do not stack. For a thing that is remembered where there is none, the look makes one, which takes a number
and, of a corpse, draws random numbers."""

RUNNING, DEATH, SUCCESS, ABORTED = 0, 1, 2, -1
"""MiniHack's end status."""

_BOULDER, _FOUNTAIN = ord("`"), ord("{")


def known() -> list[str]:
    """All registered MiniHack ids that name a level."""
    specs = gym_of_minihack.envs.registration.registry
    return sorted(
        i for i in getattr(specs, "env_specs", specs) if i.startswith("MiniHack-") and not i.endswith("-Custom-v0")
    )


def load(task: str, **kwargs: Any) -> Referee:
    """Makes the referee of a registered level.

    Args:
        task: A registered id, such as `MiniHack-River-v0`.
        kwargs: Keyword arguments of the level's class (`character`, `penalty_step`, ...).

    Raises:
        UnknownName: There is no such id.
        EnvironmentFailure: The installed packages do not fit each other for this level.
    """
    if task not in known():
        raise unknown("task of minihack", task, known(), "embodied list tasks --env minihack")
    spec = gym_of_minihack.spec(task)
    module, _, name = spec.entry_point.partition(":")
    cls = getattr(import_module(module), name)
    boxes = (_Boxes,) if issubclass(cls, BoxoHack) else ()
    try:
        with _global_randomness_untouched():
            kind = type(f"Referee of {task}", (Referee, cls, *boxes, _InPlaceOfNLE), {})
            referee: Referee = kind(**{**spec.kwargs, **kwargs})
    except AssertionError as error:
        raise EnvironmentFailure(
            f"The minihack package cannot make {task} with the minigrid that is installed: choose another level."
        ) from error
    return referee


if TYPE_CHECKING:

    class _Level:
        """What a referee has from the level's class, and from `_InPlaceOfNLE`."""

        plain: bool
        reward_manager: Any
        subset: str
        placed: int

        def get_env_desc(self) -> str: ...
        def describe(self, level: str) -> str: ...
        def started(self) -> None: ...
        def step(self, action: int) -> tuple[Any, ...]: ...
        def _get_time_penalty(self, last_observation: Any, observation: Any) -> float: ...

else:
    _Level = object


class Referee(_Level):
    """What the environment sees of a level. Built by `load`, then given a game with `attach`.

    Attributes:
        des: The level description; see `description` for levels that are new in each episode.
        options, character, wizard, spawn_monsters: How the game must be started.
        actions: The keys that an action index stands for, in order: the level's own, until the environment sets others.
        asks: Whether the game's questions are the player's to answer.
        buffers: What the game must fill for this referee.
        status: RUNNING, DEATH, SUCCESS or ABORTED, after the last action.
        reward: Of the last action; `penalty` is the part of it for an action without a game turn.
    """

    des: str
    options: tuple[str, ...]
    character: str
    wizard: bool
    spawn_monsters: bool
    actions: tuple[int, ...]
    asks: bool
    buffers: tuple[str, ...]
    status: int = RUNNING
    reward: float = 0.0
    penalty: float = 0.0

    def attach(self, game: NetHack, press: Callable[[int], None]) -> None:
        """Refers this game from now on; `press` presses a key and passes the screens that are not the player's."""
        self.game, self.press = game, press
        self.last_observation = tuple(getattr(game, name) for name in self.buffers)
        self.nethack = _Keyboard(game, self.last_observation)
        # The screen before an action: copies, of which a plain level needs the status numbers only.
        self.before = tuple(b.copy() if not self.plain or b is game.blstats else b for b in self.last_observation)
        self.kept = [(copy, b) for copy, b in zip(self.before, self.last_observation, strict=True) if copy is not b]

    def description(self, seed: int) -> str | None:
        """The description of the level of the episode `seed`, or None when it is always `des`."""
        maze = getattr(self, "minigrid_env", None)
        if maze is None:
            return None
        maze.reset(seed=derive(seed, "minihack", "minigrid", bits=32))
        return self.get_env_desc()  # the next maze of the stream just seeded

    def begin(self) -> None:
        """The game has been started."""
        self.status, self.reward, self.penalty = RUNNING, 0.0, 0.0
        self._frozen_steps = 0
        if self.reward_manager is not None:
            self.reward_manager.reset()
            self.reward_manager.current_event_idx = 0  # SequentialRewardManager forgets to
        self.started()

    def act(self, index: int, *, aborting: bool = False) -> None:
        """Presses action `index` and judges what came of it. `aborting`: MiniHack ends the episode with this action."""
        self.aborting = aborting
        self.nethack.presses = 0
        if self.plain:
            _InPlaceOfNLE.step(cast(Any, self), index)
        else:
            self.step(index)

    def goals(self) -> list[str]:
        """What the level's reward manager rewards, in words; empty if the stairs are the goal."""
        if getattr(self.reward_manager, "custom_reward_functions", ()):
            return []  # in the package's levels, such a function rewards reaching the stairs
        return [
            words
            for event in getattr(self.reward_manager, "events", ())
            if event.reward > 0 and (words := _event(event))
        ]

    def _get_time_penalty(self, last_observation: Any, observation: Any) -> float:
        self.penalty = float(super()._get_time_penalty(last_observation, observation))
        return self.penalty

    def _patch_nhdat(self, des_file: str) -> None:
        """MiniHack hands over its level: a text, or the name of a file (its own are known without their folder)."""
        if des_file.endswith(".des"):
            path = Path(des_file) if Path(des_file).exists() else Path(PATH_DAT_DIR) / des_file
            des_file = path.read_text(encoding="ascii")
        self.des = des_file


class _InPlaceOfNLE(NLE):  # type: ignore[misc]  # nle has no types
    """The part of NLE that MiniHack's classes build on, without a game of its own."""

    def __init__(
        self,
        *,
        options: tuple[str, ...],
        character: str = "mon-hum-neu-mal",
        actions: tuple[int, ...] = tuple(FULL_ACTIONS),
        wizard: bool = False,
        spawn_monsters: bool = True,
        allow_all_yn_questions: bool = False,
        **_: Any,  # recordings, step limit, rendering: not NetHack's business here
    ):
        self.options, self.character, self.wizard, self.spawn_monsters = (
            tuple(options),
            character,
            wizard,
            spawn_monsters,
        )
        self.actions = tuple(int(a) for a in actions)
        self.asks = allow_all_yn_questions
        # A plain level ends on the stairs and pays 1 for it. It needs no copies of the screen.
        same = all(
            getattr(type(self), name) is getattr(MiniHack, name) for name in ("step", "_is_episode_end", "_reward_fn")
        )
        self.plain = isinstance(self, _Boxes) or (same and self.reward_manager is None)
        self.buffers = (*BUFFERS, DESCRIPTIONS)
        self._observation_keys = self._original_observation_keys = list(self.buffers)
        for name in ("glyph", "blstats", "message", "program_state", "internal"):
            setattr(self, f"_{name}_index", self._observation_keys.index("glyphs" if name == "glyph" else name))

    def started(self) -> None:
        """For levels that take note of where things are at the start."""

    def step(self, action: int) -> tuple[Any, ...]:
        """NLE's step: a key, the screens after it, how the episode stands, what that is worth."""
        now = self.last_observation
        before = self.before
        for copy, buffer in self.kept:
            np.copyto(copy, buffer)
        self.press(self.actions[action])
        status = ABORTED if self.aborting else int(self._is_episode_end(now))
        if self.game.done:
            status = DEATH
        self.status, self.penalty = status, 0.0
        self.reward = float(self._reward_fn(before, action, now, status))
        over = status != RUNNING
        return (
            (None, self.reward, over, {}) if gym_of_minihack.__name__ == "gym" else (None, self.reward, over, False, {})
        )


class _Boxes(BoxoHack):  # type: ignore[misc]  # minihack has no types
    """Boxoban with levels from outside, and with the boxes on the goals counted where the goals are."""

    def __init__(
        self,
        *args: Any,
        level_set: str,
        level_mode: str,
        flags: tuple[str, ...] = (),
        penalty_time: float = 0.0,
        reward_shaping_coefficient: float = 0.0,
        **kwargs: Any,
    ):
        self.subset = "/".join(part for part in (level_set, level_mode) if part)
        """Folder of the published levels."""
        self._flags, self._time_penalty, self._shaping = (
            (*flags, "noteleport", "premapped"),
            penalty_time,
            reward_shaping_coefficient,
        )
        kwargs.setdefault("actions", MOVE_ACTIONS)
        # BoxoHack's own constructor wants the published levels
        super(BoxoHack, self).__init__(*args, des_file="", **kwargs)

    def describe(self, level: str) -> str:
        """The description of a Boxoban level: iron bars for walls, boulders for boxes, fountains for goals."""
        rows = level.split("\n")
        places = [(sign, (column, row)) for row, line in enumerate(rows) for column, sign in enumerate(line)]
        floor = str.maketrans({" ": ".", "#": "F", "$": ".", "@": "."})
        generator = LevelGenerator(map=level.translate(floor), lit=True, flags=self._flags, solidfill=" ")
        for at in (at for sign, at in places if sign == "$"):
            generator.add_boulder(at)
        for at in (at for sign, at in places if sign == "."):
            generator.add_fountain(at)
        generator.set_start_pos(next(at for sign, at in places if sign == "@"))
        return str(generator.get_des())

    def started(self) -> None:
        """Every fountain is a goal."""
        self._goals = np.flatnonzero(self.game.chars == _FOUNTAIN)
        self.placed, self.total, self._gained = 0, len(self._goals), 0

    def _is_episode_end(self, observation: Any) -> int:
        before, self.placed = self.placed, self.game.chars.take(self._goals).tolist().count(_BOULDER)
        self._gained = self.placed - before
        return SUCCESS if self.placed == self.total else RUNNING

    def _reward_fn(self, last_observation: Any, action: int, observation: Any, end_status: int) -> float:
        if end_status != RUNNING:
            return float(end_status == SUCCESS)
        return self._time_penalty + self._gained * self._shaping


class _Keyboard:
    """`nethack.Nethack` as far as a level's key macro uses it."""

    LIMIT = 200

    def __init__(self, game: NetHack, buffers: tuple[npt.NDArray[Any], ...]):
        self._game, self._buffers, self.presses = game, buffers, 0

    def step(self, key: int) -> tuple[tuple[npt.NDArray[Any], ...], bool]:
        """Presses a key. Raises `EnvironmentFailure` when a macro does not end."""
        self.presses += 1
        if self.presses > self.LIMIT:
            raise EnvironmentFailure("The level's own key macro (minihack) does not end; play another seed.")
        return self._buffers, self._game.done or self._game.press(int(key))


def _event(event: Any) -> str:
    """What a MiniHack reward event waits for."""
    if messages := getattr(event, "messages", None):
        return "the game says " + " or ".join(f'"{m}"' for m in messages)
    if action := getattr(event, "action", None):
        return f"{action.name.lower()} at the {event.loc}, and confirm"
    if place := getattr(event, "loc", None):
        return f"stand on the {place}"
    if at := getattr(event, "coordinates", None):
        return f"stand at column {at[0]}, row {at[1]}"
    return ""


@contextmanager
def _global_randomness_untouched() -> Iterator[None]:
    """Levels may draw from the global generators while they are described: the same each time, and without a trace."""
    python, numpy = random.getstate(), np.random.get_state()
    random.seed(0)
    np.random.seed(0)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
