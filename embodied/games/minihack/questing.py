"""Quests: take the wand, freeze the lava that is in the way, fight from corridors, reach the stairs.

What to do follows from the screen and the level alone: what the game asks, what the hero carries, where it stands.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from nle import nethack

from embodied.games.minihack.fighting import creatures, fight
from embodied.games.minihack.walking import Place, Terrain, inside, known, step_name, way
from embodied.games.nethack.ground import LAVA, look

if TYPE_CHECKING:
    from embodied.arrays import Bools
    from embodied.games.nethack.raw import NetHack

_QUESTION, _LINE, _PAGE = 1, 2, 3  # indices in NetHack's internal: asked for a key, a line of text, a space
_ITEM = re.compile("(?P<letter>[a-zA-Z]) (?P<mark>[-+]) .* wand")
"""A wand in a menu; `+` if it is chosen."""
_THINGS = [
    nethack.GLYPH_OBJ_OFF + i
    for i in range(nethack.NUM_OBJECTS)
    if ord(nethack.objclass(i).oc_class) in (nethack.WAND_CLASS, nethack.TOOL_CLASS)
]
_NEAR, _REACH = 4, 7
"""Steps to the lava from which it is frozen; places that a ray passes at least."""
_BRIDGE = 2
"""What a step onto lava costs: it has to be frozen first."""


class Quester:
    """An expert that reads the level from the game's memory, as `Solver` does."""

    def __init__(self, game: NetHack):
        self._game = game

    def advise(self, message: str) -> str | None:
        game = self._game
        if game.internal[_PAGE]:
            return self._choose()
        if game.internal[_LINE]:
            return "esc"
        column, row = game.blstats[:2].tolist()
        here: Place = row, column
        ground = look(game)
        terrain = known(ground, game.glyphs, kick=True, search=True)
        monsters = creatures(game.glyphs, here)
        lava = ground.kind == LAVA
        there = fight(terrain, monsters, here, lit=True)
        terrain.cost[lava], terrain.straight[lava] = _BRIDGE, True  # a ray that comes back diagonally could hit
        goals = set(ground.stairs_down())
        steps = way(terrain, here, goals.__contains__)
        if not steps:
            return None
        wand = self._wand()
        freeze = there is None and bool(wand) and _lava_ahead(lava, here, steps)
        there = there or steps[0]
        toward = step_name(here, there)
        if game.internal[_QUESTION]:
            return toward if "direction" in message else _answer(message, wand)
        if not wand and any(lava[place] for place in steps):
            return self._fetch(terrain, here)
        enough = 1 if game.blstats[nethack.NLE_BL_HP] * 2 <= game.blstats[nethack.NLE_BL_HPMAX] else 2
        kill = bool(wand) and monsters[there] and _met(monsters, terrain.cost > 0, here, there) >= enough
        return "zap" if freeze or kill else toward

    def _choose(self) -> str:
        """On a page: takes the wand if it is a menu of what lies here, then confirms."""
        lines = [line.tobytes().decode("latin-1") for line in self._game.tty_chars]
        if not any("Pick up what?" in line for line in lines):
            return "esc"
        found = next((match for line in lines if (match := _ITEM.search(line))), None)
        if found is None:
            return "esc"
        return "more" if found["mark"] == "+" else found["letter"]

    def _wand(self) -> str:
        """The letter of a wand that may be one of cold; empty if the hero carries none."""
        for letter, name in zip(self._game.inv_letters, self._game.inv_strs, strict=True):
            words = name.tobytes().rstrip(b"\0").decode("latin-1")
            if " wand" in words and (" wand of " not in words or " wand of cold" in words):
                return chr(letter)
        return ""

    def _fetch(self, terrain: Terrain, here: Place) -> str | None:
        """To the things that lie around, and picks them up."""
        things = np.isin(self._game.glyphs, _THINGS)
        steps = way(terrain, here, things.__getitem__) if things.any() else []
        return step_name(here, steps[0]) if steps else "pickup"


def _lava_ahead(lava: Bools, here: Place, steps: list[Place]) -> bool:
    """Whether the way leads straight to lava nearby: a ray from some steps away does not come back to the hero."""
    down, right = steps[0][0] - here[0], steps[0][1] - here[1]
    ahead = [(here[0] + down * i, here[1] + right * i) for i in range(1, _NEAR + 1)]
    for step, straight in zip(steps, ahead, strict=False):
        if step != straight:
            return False
        if lava[step]:
            return True
    return False


def _met(monsters: Bools, free: Bools, here: Place, there: Place) -> int:
    """How many monsters a ray through `there` meets; 0 where a wall would throw it back to the hero."""
    down, right = there[0] - here[0], there[1] - here[1]
    line = [(here[0] + down * i, here[1] + right * i) for i in range(1, _REACH + 1)]
    return sum(bool(monsters[place]) for place in line) if all(inside(p) and free[p] for p in line) else 0


def _answer(question: str, wand: str) -> str:
    if "attack" in question:
        return "y"  # a peaceful monster that stands in the way
    return wand if wand and "zap" in question else "esc"
