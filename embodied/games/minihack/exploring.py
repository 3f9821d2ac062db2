"""Exploration: by what the player has seen, to the stairs, or to the nearest place from which more can be seen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from nle import nethack

from embodied.arrays import Bools, Ints
from embodied.games.minihack.walking import BOULDER, BREAK, DETOUR, STEP, Place, Terrain, is_trap, way

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
        there = ~_is_creature(glyphs)
        self._map[there] = glyphs[there]
        hidden = ~there & np.isin(self._map, _BLOCKED)
        self._map[hidden] = _FLOOR  # what stands there does not stand in rock
        around = _around(here)
        self._near[around] = True
        if "door is locked" in message:
            self._locked[around] |= np.isin(self._map[around], _CLOSED_DOORS)

    def searched(self, here: Place) -> None:
        """The hero has searched from here."""
        self._searched[_around(here)] += 1

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
        ends = (terrain.cost > 0) & (_count(terrain.cost > 0) <= 2)  # itself and the way back
        for least in range(_THOROUGH, _THOROUGH * (rounds + 1), _THOROUGH):
            fresh = _count(solid & (self._searched < least))
            for goals in (ends & (fresh > 0), fresh > 2, fresh > 0):
                if goals[here]:
                    return []
                if goals.any() and (steps := way(terrain, here, goals.__getitem__)):
                    return steps
        return None


def _is_creature(glyphs: npt.NDArray[np.integer]) -> Bools:
    """Monsters, pets, the hero, and marks for what is felt or warned of."""
    n = nethack
    bodies = (glyphs >= n.GLYPH_BODY_OFF) & (glyphs < n.GLYPH_RIDDEN_OFF)
    return ((glyphs < n.GLYPH_OBJ_OFF) & ~bodies) | (
        (glyphs >= n.GLYPH_EXPLODE_OFF) & (glyphs < n.GLYPH_STATUE_OFF)
    )


def _around(here: Place) -> tuple[slice, slice]:
    row, column = here
    return slice(max(row - 1, 0), row + 2), slice(max(column - 1, 0), column + 2)


def _count(places: Bools) -> Ints:
    """How many of the place and the eight around it are among `places`."""
    rows, columns = places.shape
    wide = np.zeros((rows + 2, columns + 2), np.intp)
    wide[1:-1, 1:-1] = places
    return sum(  # type: ignore[return-value]  # sum() of arrays is an array
        (wide[down : down + rows, right : right + columns] for down in range(3) for right in range(3)),
        np.zeros(places.shape, np.intp),
    )


def _grown(places: Bools) -> Bools:
    """`places` and all beside them."""
    return _count(places) > 0
