"""What NetHack's picture shows, one word a place: for teachers and judges (`LanguageEnv.truth`)."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from nle import nethack

from embodied.envs.truth import Sight

_CMAP = nethack.GLYPH_CMAP_OFF
BOULDER: int = nethack.GLYPH_OBJ_OFF + next(
    i for i in range(nethack.NUM_OBJECTS) if nethack.OBJ_NAME(nethack.objclass(i)) == "boulder"
)
"""The glyph of a boulder."""
HERO = "you"


def _words() -> npt.NDArray[np.str_]:
    """The word of each glyph; empty where there is none."""
    words = np.full(nethack.MAX_GLYPH + 1, "", "U12")
    words[: nethack.GLYPH_BODY_OFF] = "monsters"
    words[nethack.GLYPH_RIDDEN_OFF : nethack.GLYPH_OBJ_OFF] = "monsters"
    words[nethack.GLYPH_OBJ_OFF : _CMAP] = "things"
    words[BOULDER] = "boulders"
    named = {"doors": (12, 13, 14, 15, 16), "upstairs": (23, 25), "stairs": (24, 26), "fountains": (31,), "lava": (34,)}
    for word, symbols in named.items():
        words[[_CMAP + symbol for symbol in symbols]] = word
    return words


_WORDS = _words()
WORDS = (HERO, *sorted(set(_WORDS.tolist()) - {""}))
"""All words that a place can have."""


def sights(
    glyphs: npt.NDArray[np.int16],
    hero: tuple[int, int],
    box: Callable[[int, int], tuple[int, int, int, int] | None],
    goal: str,
) -> tuple[Sight, ...]:
    """What is on the map and in the picture, in reading order.

    Args:
        glyphs: (21, 79) int16, the map.
        hero: Row and column of the hero.
        box: Where the picture shows a row and column of the map; None where it does not.
        goal: Words of it are `named`.
    """
    spoken = set(re.findall("[a-z]+", goal.lower()))
    words = _WORDS[glyphs]
    words[hero] = HERO
    found = []
    for row, column in np.argwhere(words != "").tolist():
        word = str(words[row, column])
        if (place := box(row, column)) is not None:
            found.append(Sight(place, (word,), word != HERO and word in spoken))
    return tuple(found)
