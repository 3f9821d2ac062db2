"""What the dungeon level really is, read from the memory of a running NetHack: for experts, never for observations.

NetHack keeps the level in the global `level` of its library; `struct rm` of NetHack 3.6 (include/rm.h) says what a
place holds. Reading it changes nothing: no key, no game turn, no random number.
"""

from __future__ import annotations

import _ctypes
import ctypes
import os
from dataclasses import dataclass

import numpy as np

from embodied.arrays import Bools, Ints
from embodied.errors import EnvironmentFailure
from embodied.games.nethack.raw import NetHack

_COLUMNS, _ROWS = 80, 21  # COLNO, ROWNO; NetHack does not use column 0, and the buffers do not have it
_PLACE = np.dtype([("glyph", "<i4"), ("kind", "i1"), ("seen", "u1"), ("bits", "<u2")])
_FLAGS = 31  # the lowest five of the bits

SECRET_DOOR, SECRET_CORRIDOR, WATER, LAVA, DOOR, CORRIDOR, STAIRS, LADDER = 14, 15, 18, 20, 22, 23, 25, 26
"""Kinds of places. From `DOOR` on, one can stand on them, except `AIR` and `CLOUD`."""
LAST = 33
"""The last kind that one can stand on, a lowered drawbridge."""
OPEN, CLOSED, LOCKED = 2, 4, 8
"""Flags of a door; 0 and 1 are a doorway without a door and a broken door."""
DOWN = 2
"""Flag of stairs and ladders that lead down."""


@dataclass(frozen=True)
class Ground:
    """The present level, each array (21, 79) as the buffers of `NetHack`."""

    kind: Ints
    flags: Ints
    """Of doors: none, open, closed, locked; of stairs: up or down."""
    seen: Bools
    """Places that the player has seen from somewhere."""

    def stairs_down(self) -> list[tuple[int, int]]:
        """(row, column) of the stairs and ladders that lead down."""
        found = ((self.kind == STAIRS) | (self.kind == LADDER)) & (self.flags == DOWN)
        return [(int(row), int(column)) for row, column in np.argwhere(found)]


def look(game: NetHack) -> Ground:
    """Reads the level.

    Raises:
        EnvironmentFailure: This build of NetHack keeps it elsewhere, or in another form.
    """
    places = np.frombuffer(_memory(game.library), _PLACE).reshape(_COLUMNS, _ROWS).T[:, 1:]
    # The form is right if the places remember what the screen shows; monsters and the hero stand on few of them.
    if np.count_nonzero(places["glyph"] == game.glyphs) * 10 < game.glyphs.size * 9:
        raise _unreadable()
    flags = (places["bits"] & _FLAGS).astype(np.intp)
    return Ground(places["kind"].astype(np.intp), flags, places["seen"] != 0)


def _memory(library: str) -> bytes:
    """The bytes of `level.locations` of the game that plays with this copy of the library."""
    try:
        loaded = ctypes.CDLL(library, mode=os.RTLD_NOLOAD | os.RTLD_NOW)
    except OSError as error:
        raise _unreadable() from error
    try:
        start = ctypes.addressof(ctypes.c_char.in_dll(loaded, "level"))
        return ctypes.string_at(start, _COLUMNS * _ROWS * _PLACE.itemsize)
    except ValueError as error:
        raise _unreadable() from error
    finally:
        _ctypes.dlclose(loaded._handle)  # else NetHack refuses to load this copy for the next game


def _unreadable() -> EnvironmentFailure:
    return EnvironmentFailure(
        "The expert `solver` cannot read the level from this build of NetHack: ask for expert=explorer."
    )
