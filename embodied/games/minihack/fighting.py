"""Battles: the hero goes back to a corridor, where one monster at a time can reach it, and fights there."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from nle import nethack

from embodied.arrays import Bools
from embodied.games.minihack.walking import DIRECTIONS, Place, Terrain, around, count_around, way

_NEAR = 3
"""The hero fights monsters that are at most so many steps away."""


def creatures(glyphs: npt.NDArray[np.integer], here: Place) -> Bools:
    """Where monsters are, or are felt; the hero, at `here`, does not count."""
    n = nethack
    bodies = (glyphs >= n.GLYPH_BODY_OFF) & (glyphs < n.GLYPH_RIDDEN_OFF)
    effects = (glyphs >= n.GLYPH_EXPLODE_OFF) & (glyphs < n.GLYPH_STATUE_OFF)
    found: Bools = ((glyphs < n.GLYPH_OBJ_OFF) & ~bodies) | effects
    found[here] = False
    return found


def fight(terrain: Terrain, monsters: Bools, here: Place, *, lit: bool) -> Place | None:
    """The place to step to, or to attack, because of monsters nearby; None if there is no reason to fight.

    Args:
        terrain: Where the hero can go.
        monsters: Where they are seen.
        here: Where the hero is.
        lit: Whether the hero sees monsters from afar. Then a single one is not worth a retreat.
    """
    if not monsters[around(here, _NEAR)].any():
        return None
    narrow = (terrain.cost > 0) & (count_around(terrain.cost > 0) <= 3)  # itself and two more
    if not narrow[here] and not (lit and np.count_nonzero(monsters) == 1):
        back = way(terrain, here, lambda place: bool(narrow[place]))
        if back and not any(monsters[place] for place in back):
            return back[0]
    beside = [(here[0] + down, here[1] + right) for down, right in DIRECTIONS]
    return next((place for place in beside if monsters[place]), None)
