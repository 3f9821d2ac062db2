"""Rules: read off the blocks on the board, and what they make of every piece."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from embodied.games.babaisai.pieces import BLOCKS, BORDER, DEFAULT, IS, PIECES, PROPERTIES, TOP, set_of

Rule = tuple[str, str]
"""Subject and predicate: `("baba", "you")`, or `("ball", "key")` for "ball is key"."""


@dataclass(frozen=True)
class Rules:
    """The active rules and, for each property, the set of pieces that have it."""

    listed: tuple[Rule, ...]
    """In reading order of their `is` blocks, a horizontal rule before a vertical one. A rule spelt twice is listed
    twice.
    """
    you: int
    win: int
    lose: int
    push: int
    """Rule blocks always are."""
    solid: int
    """Pieces no other can enter: the border, rule blocks, what is STOP, and what is PUSH and could not be pushed away.
    """
    turns: tuple[tuple[int, int], ...]
    """"X is Y": the set of pieces that turn, the piece they turn into. "X is X" turns nothing."""


def read(cells: Sequence[int], width: int) -> Rules:
    """The rules that blocks spell, three in a row or in a column; only the top piece of a cell counts.

    Args:
        cells: The board, row by row; its outermost cells hold no `is` block.
        width: Cells in a row.
    """
    listed = []
    for middle, cell in enumerate(cells):
        if cell & TOP == IS:
            for step in (1, width):
                subject, predicate = PIECES[cells[middle - step] & TOP], PIECES[cells[middle + step] & TOP]
                if subject.kind == "noun" and predicate.kind in ("noun", "property"):
                    listed.append((subject.word, predicate.word))
    return compile_rules(tuple(listed))


@lru_cache(maxsize=4096)
def compile_rules(listed: tuple[Rule, ...]) -> Rules:
    """What `listed` makes of every piece."""
    has = dict.fromkeys(PROPERTIES, 0)
    turns = []
    for subject, predicate in listed:
        objects = set_of("object", word=subject)
        if predicate in has:
            has[predicate] |= objects
        elif subject != predicate:
            turns.append((objects, DEFAULT[predicate]))
    push = BLOCKS | has["push"]
    return Rules(listed, has["you"], has["win"], has["lose"], push, push | has["stop"] | 1 << BORDER, tuple(turns))
