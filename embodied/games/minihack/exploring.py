"""Exploration: by what the player has seen, to the stairs, or to the nearest place from which more can be seen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from nle import nethack

from embodied.arrays import Bools, Ints
from embodied.games.minihack.fighting import creatures
from embodied.games.minihack.walking import (
    BREAK,
    DETOUR,
    STEP,
    Place,
    Terrain,
    around,
    count_around,
    is_trap,
    way,
)
from embodied.games.nethack.sight import BOULDER

_CMAP = nethack.GLYPH_CMAP_OFF
_STONE, _FLOOR = _CMAP, _CMAP + 19
_WALLS = [*range(_CMAP + 1, _CMAP + 12)]
_BLOCKED = [_STONE, *_WALLS, *(_CMAP + i for i in (17, 18, 32, 34, 37, 38, 41))]
"""Also iron bars, trees, water, lava and raised drawbridges."""
_OPEN_DOORS, _CLOSED_DOORS = [_CMAP + 13, _CMAP + 14], [_CMAP + 15, _CMAP + 16]
_DOWN = [_CMAP + 24, _CMAP + 26]
"""Stairs and a ladder."""
_THOROUGH = 12
"""Searches beside a wall, one after the other, before the next wall has its turn: one finds a door in 7."""


class Explorer:
    """Remembers what the screen showed, and says where to go by that."""

    def __init__(self, *, kick: bool, search: bool):
        self._can_kick, self._can_search = kick, search
        self._map: Ints = np.full(nethack.DUNGEON_SHAPE, _STONE, np.intp)
        self._near: Bools = np.zeros(nethack.DUNGEON_SHAPE, np.bool_)
        """Places beside one where the hero stood: if they look like nothing, they are rock."""
        self._locked: Bools = np.zeros(nethack.DUNGEON_SHAPE, np.bool_)
        self._searched: Ints = np.zeros(nethack.DUNGEON_SHAPE, np.intp)

    def remember(self, glyphs: npt.NDArray[np.integer], here: Place, message: str) -> None:
        """Takes in a screen: the map, where the hero stands, and what the game says."""
        there = ~creatures(glyphs, here)
        there[here] = False
        self._map[there] = glyphs[there]
        hidden = ~there & np.isin(self._map, _BLOCKED)
        self._map[hidden] = _FLOOR  # what stands there does not stand in rock
        beside = around(here)
        self._near[beside] = True
        if "door is locked" in message:
            self._locked[beside] |= np.isin(self._map[beside], _CLOSED_DOORS)

    def searched(self, here: Place) -> None:
        """The hero has searched from here."""
        self._searched[around(here)] += 1

    def terrain(self) -> Terrain:
        """What is known. Where nothing has been seen, there is no way."""
        closed = np.isin(self._map, _CLOSED_DOORS)
        locked = closed & self._locked
        cost = np.where(np.isin(self._map, _BLOCKED), 0, STEP)
        cost[is_trap(self._map)] = DETOUR
        cost[closed] = STEP + 1
        cost[locked] = BREAK if self._can_kick else 0
        straight = closed | np.isin(self._map, _OPEN_DOORS)
        return Terrain(cost, straight, self._map == BOULDER, locked, np.zeros_like(locked))

    def plan(self, terrain: Terrain, here: Place) -> list[Place] | None:
        """The way to go; empty if the hero must search here, None if there is nothing left to do."""
        stairs = np.isin(self._map, _DOWN)
        unknown = (self._map == _STONE) & ~self._near
        for goals in (stairs, _grown(unknown)):
            if goals.any() and (steps := way(terrain, here, goals.__getitem__)):
                return steps
        return self._to_search(terrain, here) if self._can_search else None

    def _to_search(self, terrain: Terrain, here: Place) -> list[Place] | None:
        """The way to the nearest place where a search may find something: ends of corridors first."""
        solid = np.isin(self._map, [_STONE, *_WALLS])
        rounds = int(self._searched.max()) // _THOROUGH + 1
        ends = (terrain.cost > 0) & (count_around(terrain.cost > 0) <= 2)  # itself and the way back
        for least in range(_THOROUGH, _THOROUGH * (rounds + 1), _THOROUGH):
            fresh = count_around(solid & (self._searched < least))
            for goals in (ends & (fresh > 0), fresh > 2, fresh > 0):
                if goals[here]:
                    return []
                if goals.any() and (steps := way(terrain, here, goals.__getitem__)):
                    return steps
        return None


def _grown(places: Bools) -> Bools:
    """`places` and all beside them."""
    return count_around(places) > 0
