"""The picture: the whole board, border included, 32 x 32 pixels a cell, the top piece of each.

Tiles are drawn with rectangles, disks and a small font of our own, in whole pixels, so a picture is the same on every
machine.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from embodied.arrays import Bools, Pixels
from embodied.games.babaisai.engine import State
from embodied.games.babaisai.pieces import PIECES, TOP, Piece

TILE = 32
"""Pixels a cell is wide and high, as in BALROG."""

_FLOOR, _LINE, _INK = (22, 24, 33), (42, 45, 58), (22, 24, 33)
_COLORS = {
    "white": (240, 240, 240),
    "grey": (150, 152, 160),
    "red": (235, 70, 70),
    "green": (80, 200, 90),
    "blue": (85, 140, 255),
}
_CARDS = {
    "noun": (238, 236, 226),
    "is": (238, 236, 226),
    "you": (255, 140, 200),
    "win": (255, 215, 70),
    "stop": (240, 110, 90),
    "push": (190, 150, 110),
    "lose": (170, 130, 230),
}
"""Color of a word block by its kind or, for a property, by its word."""

_LETTERS = {
    "a": ".###. #...# #...# ##### #...# #...# #...#",
    "b": "####. #...# #...# ####. #...# #...# ####.",
    "d": "####. #...# #...# #...# #...# #...# ####.",
    "e": "##### #.... #.... ####. #.... #.... #####",
    "h": "#...# #...# #...# ##### #...# #...# #...#",
    "i": "##### ..#.. ..#.. ..#.. ..#.. ..#.. #####",
    "k": "#...# #..#. #.#.. ##... #.#.. #..#. #...#",
    "l": "#.... #.... #.... #.... #.... #.... #####",
    "n": "#...# ##..# ##..# #.#.# #..## #..## #...#",
    "o": ".###. #...# #...# #...# #...# #...# .###.",
    "p": "####. #...# #...# ####. #.... #.... #....",
    "r": "####. #...# #...# ####. #.#.. #..#. #...#",
    "s": ".#### #.... #.... .###. ....# ....# ####.",
    "t": "##### ..#.. ..#.. ..#.. ..#.. ..#.. ..#..",
    "u": "#...# #...# #...# #...# #...# #...# .###.",
    "w": "#...# #...# #...# #.#.# #.#.# ##.## #...#",
    "y": "#...# #...# .#.#. ..#.. ..#.. ..#.. ..#..",
}
"""The letters of the words on blocks, as capitals of 5 x 7 dots."""


def paint(state: State) -> Pixels:
    """The picture of a state, (32 * rows, 32 * columns, 3) uint8, a fresh array."""
    tiles = _tiles()[[cell & TOP for cell in state.cells]]
    rows = len(state.cells) // state.width
    return tiles.reshape(rows, state.width, TILE, TILE, 3).swapaxes(1, 2).reshape(rows * TILE, state.width * TILE, 3)


@lru_cache(maxsize=1)
def _tiles() -> Pixels:
    """(pieces, 32, 32, 3) uint8."""
    return np.stack([_tile(piece) for piece in PIECES])


def _tile(piece: Piece) -> Pixels:
    tile = np.full((TILE, TILE, 3), _FLOOR, np.uint8)
    tile[0], tile[:, 0] = _LINE, _LINE
    if piece.kind == "object":
        {"baba": _baba, "wall": _wall, "ball": _ball, "key": _key, "door": _door}[piece.word](
            tile, np.array(_COLORS[piece.color])
        )
    elif piece.kind == "border":
        tile[:] = (96, 100, 114)
        tile[_box(0, 0, 32, 2) | _box(0, 0, 2, 32)] = (120, 124, 138)
        tile[_box(0, 30, 32, 32) | _box(30, 0, 32, 32)] = (70, 73, 86)
    elif piece.kind != "empty":
        _card(tile, piece)
    return tile


def _card(tile: Pixels, piece: Piece) -> None:
    """A word block: the word, twice as high as its dots, on a light card."""
    tile[_box(2, 3, 31, 30) | _box(3, 2, 30, 31)] = _CARDS[piece.word if piece.kind == "property" else piece.kind]
    word = np.concatenate([_letter(c) for c in piece.word], axis=1)[:, :-1].repeat(2, axis=0)
    top, left = (33 - word.shape[0]) // 2, (33 - word.shape[1]) // 2
    tile[top : top + word.shape[0], left : left + word.shape[1]][word] = _INK


def _letter(letter: str) -> Pixels:
    """(7, 6) bool: the letter and an empty column."""
    return np.array([[dot == "#" for dot in f"{row}."] for row in _LETTERS[letter].split()])


def _baba(tile: Pixels, color: Pixels) -> None:
    tile[_box(8, 3, 11, 9) | _box(21, 3, 24, 9)] = color  # ears
    tile[_disk(16, 12, 9)] = color
    tile[_disk(16, 19, 10)] = color
    tile[_box(8, 25, 12, 30) | _box(20, 25, 24, 30)] = color  # legs
    tile[_box(11, 11, 14, 15) | _box(19, 11, 22, 15)] = _INK  # eyes
    tile[_box(14, 18, 19, 20)] = (235, 150, 160)  # mouth


def _wall(tile: Pixels, color: Pixels) -> None:
    tile[_box(2, 2, 31, 31)] = color // 2
    for row, top in enumerate((3, 10, 17, 24)):
        for left in range(3 - 7 * (row % 2), 31, 14):
            tile[top : top + 6, max(left, 3) : min(left + 13, 30)] = color


def _ball(tile: Pixels, color: Pixels) -> None:
    tile[_disk(16, 16, 12)] = color * 6 // 10
    tile[_disk(15, 15, 10)] = color
    tile[_disk(12, 11, 3)] = (color + 510) // 3


def _key(tile: Pixels, color: Pixels) -> None:
    tile[_disk(10, 16, 8)] = color
    tile[_disk(10, 16, 4)] = _FLOOR
    tile[_box(17, 14, 30, 18) | _box(22, 18, 25, 24) | _box(27, 18, 30, 24)] = color


def _door(tile: Pixels, color: Pixels) -> None:
    tile[_box(6, 2, 27, 31)] = color * 6 // 10
    tile[_box(8, 4, 25, 31)] = color
    tile[_box(11, 7, 22, 15) | _box(11, 19, 22, 28)] = color * 8 // 10
    tile[_disk(22, 17, 2)] = (250, 230, 120)


def _box(left: int, top: int, right: int, bottom: int) -> Bools:
    """(32, 32) bool: columns from `left` and rows from `top`, up to but without `right` and `bottom`."""
    mask = np.zeros((TILE, TILE), bool)
    mask[top:bottom, left:right] = True
    return mask


def _disk(x: int, y: int, radius: int) -> Bools:
    """(32, 32) bool: pixels whose centers are within `radius` and a half of that of pixel (x, y)."""
    rows, columns = np.mgrid[:TILE, :TILE]
    inside: Bools = (columns - x) ** 2 + (rows - y) ** 2 <= (radius + 0.5) ** 2
    return inside
