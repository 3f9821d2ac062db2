"""The way through a level: over floor, through doors, past boulders, to the stairs down."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import numpy as np
import numpy.typing as npt
from nle import nethack

from embodied.arrays import Bools, Ints
from embodied.games.nethack.ground import CLOSED, DOOR, LAST, LOCKED, OPEN, SECRET_CORRIDOR, SECRET_DOOR, Ground
from embodied.games.nethack.sight import BOULDER

Place = tuple[int, int]
"""Row and column of the map."""

DIRECTIONS: dict[Place, str] = {
    (-1, 0): "north",
    (0, 1): "east",
    (1, 0): "south",
    (0, -1): "west",
    (-1, 1): "northeast",
    (1, 1): "southeast",
    (1, -1): "southwest",
    (-1, -1): "northwest",
}
"""Straight steps first: of two ways of the same length, the one that begins with the earlier step is taken."""

# What a step onto a place costs, in steps: a door is opened first; a kick or a search often fails.
STEP, DETOUR, BREAK, SEARCH = 1, 4, 10, 10

_CMAP = nethack.GLYPH_CMAP_OFF
_TRAPS = slice(42, 65)  # trap symbols of NetHack 3.6, in the order of defsym.h


@dataclass
class Terrain:
    """What a walker knows of the level, each array (21, 79)."""

    cost: Ints
    """Of a step onto a place; 0 where there is no way."""
    straight: Bools
    """Doors: no diagonal step leads onto them or off them."""
    boulders: Bools
    locked: Bools
    secret: Bools


def known(ground: Ground, glyphs: npt.NDArray[np.integer], *, kick: bool, search: bool) -> Terrain:
    """The terrain as it is. `kick` and `search` say whether the hero may kick locked doors and search for secrets."""
    kind, flags = ground.kind, ground.flags
    door = kind == DOOR
    locked = door & (flags & LOCKED > 0)
    secret = (kind == SECRET_DOOR) | (kind == SECRET_CORRIDOR)
    cost = np.where((kind >= DOOR) & (kind <= LAST), STEP, 0)
    cost[door & (flags & CLOSED > 0)] = STEP + 1
    cost[locked] = BREAK if kick else 0
    cost[secret] = SEARCH if search else 0
    cost[is_trap(glyphs)] = DETOUR
    straight = (door & (flags & (OPEN | CLOSED | LOCKED) > 0)) | (kind == SECRET_DOOR)
    return Terrain(cost, straight, glyphs == BOULDER, locked, secret)


def is_trap(glyphs: npt.NDArray[np.integer]) -> Bools:
    """Where traps are known."""
    found: Bools = (glyphs >= _CMAP + _TRAPS.start) & (glyphs < _CMAP + _TRAPS.stop)
    return found


def way(terrain: Terrain, start: Place, found: Callable[[Place], bool]) -> list[Place]:
    """The cheapest way from `start` to a place that is `found`, without the start; empty if there is none."""
    came: dict[Place, Place] = {}
    paid = {start: 0}
    order = count()
    frontier = [(0, next(order), start)]
    done: set[Place] = set()
    while frontier:
        cost, _, here = heapq.heappop(frontier)
        if here in done:
            continue
        done.add(here)
        if here != start and found(here):
            return _trace(came, here)
        for step in DIRECTIONS:
            there = here[0] + step[0], here[1] + step[1]
            if there in done or not _passes(terrain, here, there, step):
                continue
            total = cost + int(terrain.cost[there])
            if total < paid.get(there, total + 1):
                paid[there], came[there] = total, here
                heapq.heappush(frontier, (total, next(order), there))
    return []


def _passes(terrain: Terrain, here: Place, there: Place, step: Place) -> bool:
    """Whether a step can be made: onto ground, not diagonally through a door, and pushing a boulder that yields."""
    if not inside(there) or not terrain.cost[there]:
        return False
    if step[0] and step[1] and (terrain.straight[here] or terrain.straight[there]):
        return False
    if not terrain.boulders[there]:
        return True
    behind = there[0] + step[0], there[1] + step[1]
    return bool(
        inside(behind)
        and terrain.cost[behind]
        and not (terrain.boulders[behind] or terrain.locked[behind] or terrain.secret[behind])
        and not (step[0] and step[1] and terrain.straight[behind])
    )


def inside(place: Place) -> bool:
    """Whether there is such a place."""
    rows, columns = nethack.DUNGEON_SHAPE
    return bool(0 <= place[0] < rows and 0 <= place[1] < columns)


def _trace(came: dict[Place, Place], here: Place) -> list[Place]:
    steps = []
    while here in came:
        steps.append(here)
        here = came[here]
    return steps[::-1]


def around(here: Place, far: int = 1) -> tuple[slice, slice]:
    """An index: the places at most `far` steps away on an empty map."""
    row, column = here
    return slice(max(row - far, 0), row + far + 1), slice(max(column - far, 0), column + far + 1)


def count_around(places: Bools) -> Ints:
    """How many of the place and the eight around it are among `places`."""
    rows, columns = places.shape
    wide = np.zeros((rows + 2, columns + 2), np.intp)
    wide[1:-1, 1:-1] = places
    found: Ints = np.zeros(places.shape, np.intp)
    for down in range(3):
        for right in range(3):
            found += wide[down : down + rows, right : right + columns]
    return found


def step_name(here: Place, there: Place) -> str:
    """The direction of the place beside `here`."""
    return DIRECTIONS[there[0] - here[0], there[1] - here[1]]
