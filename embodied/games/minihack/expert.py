"""MiniHack's experts: `solver` knows the level, `explorer` only what the player has seen."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Protocol

import numpy as np
from nle import nethack

from embodied.errors import UsageError
from embodied.games.minihack.boxoban import SIZE
from embodied.games.minihack.exploring import Explorer
from embodied.games.minihack.fighting import creatures, fight
from embodied.games.minihack.pushing import Pusher
from embodied.games.minihack.questing import Quester
from embodied.games.minihack.walking import Place, Terrain, known, step_name, way
from embodied.games.nethack.ground import look
from embodied.registry import unknown

if TYPE_CHECKING:
    from embodied.games.nethack.raw import NetHack

_QUESTION = 1  # index in NetHack's internal: it asks for a key
_BOULDER = ord("`")


class Expert(Protocol):
    """Says what to do now."""

    def advise(self, message: str) -> str | None:
        """A phrase; None where there is nothing to advise. Called once for every state of an episode, in order.

        Args:
            message: What the game says, all its pages.
        """


NAMES = ("solver", "explorer")
"""The first is the default."""
TASKS = (
    *("Boxoban", "MazeWalk", "Corridor", "CorridorBattle", "Quest-Easy", "Quest-Medium"),
    *("MultiRoom", "Room"),
)
"""Kinds of levels that an expert is made for."""


def check_expert(task: str, name: bool | str, rules: str) -> str:
    """The name of the expert that is asked for; empty for none.

    Raises:
        UsageError: The task has no expert, or none under these rules.
        UnknownName: There is no expert of this name.
    """
    if not name:
        return ""
    if not any(f"-{kind}-" in task for kind in TASKS):
        raise UsageError(
            f"{task} has no expert; tasks of {', '.join(TASKS)} have one. You can play it yourself: `embodied play"
            f" minihack --task {task}`."
        )
    if "Quest" in task and rules == "balrog":
        raise UsageError("The expert cannot play Quest with rules=balrog, which have no words to choose an item.")
    if name is not True and name not in NAMES:
        raise unknown("expert of minihack", name, list(NAMES), "embodied show minihack")
    return NAMES[0] if name is True else str(name)


def advisor(name: str, task: str, game: NetHack, phrases: Collection[str], boxoban: str | None) -> Expert:
    """The expert of that name for the episode that has just begun.

    Args:
        name: One of `NAMES`.
        task: One that has experts.
        game: At its first screen.
        phrases: What the player may say.
        boxoban: The level, if it is one of Boxoban.
    """
    if boxoban is not None:
        return Boxes(game, boxoban)
    if "Quest" in task:
        return Quester(game)
    kind = Solver if name == "solver" else Finder
    return kind(game, phrases, battle="Battle" in task)


class Boxes:
    """Pushes boulders onto fountains. `level` is the text of the level, on the screen somewhere around the middle."""

    def __init__(self, game: NetHack, level: str):
        cells = level.replace("\n", "")
        self._game = game
        row, column = _hero(game)
        at = cells.index("@")
        self._corner = row - at // SIZE, column - at % SIZE
        floor = sum(1 << i for i, sign in enumerate(cells) if sign != "#")
        self._pusher = Pusher(floor, tuple(i for i, sign in enumerate(cells) if sign == "."))

    def advise(self, message: str) -> str | None:
        top, left = self._corner
        row, column = _hero(self._game)
        part = self._game.chars[top : top + SIZE, left : left + SIZE]
        boxes = tuple(np.flatnonzero(part == _BOULDER).tolist())
        return self._pusher.advise(boxes, (row - top) * SIZE + column - left)


class Solver:
    """Goes the shortest way to the stairs down, through whatever is in the way."""

    def __init__(self, game: NetHack, phrases: Collection[str], *, battle: bool = False):
        self._game, self._battle = game, battle
        self._can_kick, self._can_search = "kick" in phrases, "search" in phrases

    def advise(self, message: str) -> str | None:
        ground = look(self._game)
        terrain = known(ground, self._game.glyphs, kick=self._can_kick, search=self._can_search)
        goals = set(ground.stairs_down())
        here = _hero(self._game)
        if self._battle and (there := fight(terrain, creatures(self._game.glyphs, here), here, lit=False)):
            return _act(self._game, message, terrain, here, there)
        steps = way(terrain, here, goals.__contains__)
        return _act(self._game, message, terrain, here, steps[0]) if steps else None


class Finder:
    """Explores as a player must, until the stairs down are in sight."""

    def __init__(self, game: NetHack, phrases: Collection[str], *, battle: bool = False):
        self._game, self._battle = game, battle
        self._explorer = Explorer(kick="kick" in phrases, search="search" in phrases)
        self._searching: tuple[Place, int] | None = None
        """Where and at which turn the last advice was to search."""

    def advise(self, message: str) -> str | None:
        game, explorer = self._game, self._explorer
        here, turn = _hero(game), int(game.blstats[nethack.NLE_BL_TIME])
        if self._searching is not None and self._searching[0] == here and self._searching[1] < turn:
            explorer.searched(here)
        explorer.remember(game.glyphs, here, message)
        terrain = explorer.terrain()
        if self._battle and (there := fight(terrain, creatures(game.glyphs, here), here, lit=False)):
            self._searching = None
            return _act(game, message, terrain, here, there)
        steps = explorer.plan(terrain, here)
        self._searching = (here, turn) if steps == [] else None
        if steps:
            return _act(game, message, terrain, here, steps[0])
        return None if steps is None or game.internal[_QUESTION] else "search"


def _act(game: NetHack, message: str, terrain: Terrain, here: Place, there: Place) -> str:
    """The phrase that brings the hero nearer to a place beside it."""
    toward = step_name(here, there)
    if game.internal[_QUESTION]:
        return toward  # "In what direction?"
    if terrain.locked[there]:
        return "search" if "no shape for kicking" in message else "kick"  # a leg heals while the hero waits
    return "search" if terrain.secret[there] else toward


def _hero(game: NetHack) -> Place:
    column, row = game.blstats[:2].tolist()
    return row, column
