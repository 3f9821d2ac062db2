"""What can lie in a cell. A piece is a number below 32; a cell is an int that holds a stack of pieces, five bits each,
the top one lowest.

`cell & TOP` is the piece on top (0 where the cell is empty), `cell >> BITS` the cell without it, `cell << BITS | piece`
the cell with one more. So a board is a flat sequence of small ints, copied, compared and hashed at C speed. A set of
pieces is an int too: bit `p` stands for piece `p`.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

BITS = 5
TOP = (1 << BITS) - 1

NOUNS = ("baba", "wall", "ball", "key", "door")
PROPERTIES = ("you", "win", "stop", "push", "lose")
COLORS = ("red", "blue", "green")
"""Colors of balls, keys and doors, in the order of the generator's draws (nacloos/baba-is-ai, baba/envs.py)."""


class Piece(NamedTuple):
    """What a piece is."""

    kind: Literal["empty", "border", "object", "noun", "is", "property"]
    word: str = ""
    """Name of an object, word on a rule block."""
    color: str = ""
    """Only of objects. Rules and text do not see it; it shows in the picture."""


PIECES: tuple[Piece, ...] = (
    Piece("empty"),
    Piece("border", "border", "grey"),
    Piece("object", "baba", "white"),
    Piece("object", "wall", "grey"),
    *(Piece("object", word, color) for word in ("ball", "key", "door") for color in COLORS),
    Piece("is", "is"),
    *(Piece("noun", word) for word in NOUNS),
    *(Piece("property", word) for word in PROPERTIES),
)
"""Piece number -> what it is."""

EMPTY, BORDER = 0, 1
IS = PIECES.index(Piece("is", "is"))
NOUN = {p.word: i for i, p in enumerate(PIECES) if p.kind == "noun"}
PROPERTY = {p.word: i for i, p in enumerate(PIECES) if p.kind == "property"}
OBJECT = {(p.word, p.color): i for i, p in enumerate(PIECES) if p.kind == "object"}
DEFAULT = {
    "baba": OBJECT["baba", "white"],
    "wall": OBJECT["wall", "grey"],
    "ball": OBJECT["ball", "green"],
    "key": OBJECT["key", "blue"],
    "door": OBJECT["door", "red"],
}
"""What an object becomes when a rule turns it into another (baba/world_object.py, default colors)."""


def set_of(*kinds: str, word: str | None = None) -> int:
    """The set of all pieces of these kinds; with a word, only of those that bear it."""
    return sum(1 << i for i, p in enumerate(PIECES) if p.kind in kinds and word in (None, p.word))


BLOCKS = set_of("noun", "is", "property")
OBJECTS = set_of("object")
