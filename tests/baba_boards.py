"""Boards of Baba Is AI, drawn by hand."""

from __future__ import annotations

from embodied.games.babaisai.engine import State
from embodied.games.babaisai.pieces import BITS, BORDER, DEFAULT, IS, NOUN, PROPERTY, TOP

BLOCKS = {"IS": IS, **{word.upper(): piece for word, piece in {**NOUN, **PROPERTY}.items()}}


def board(drawing: str) -> State:
    """A state as drawn: `.` empty, `baba` an object, `BABA` a block, `ball+baba` a stack, the top last. The border is
    added.
    """
    rows = [line.split() for line in drawing.strip().splitlines()]
    width = len(rows[0]) + 2
    cells = [BORDER] * width
    for row in rows:
        cells += [BORDER, *(_cell(word) for word in row), BORDER]
    return State.of([*cells, *[BORDER] * width], width)


def _cell(words: str) -> int:
    cell = 0
    for word in words.split("+"):
        if word != ".":
            cell = cell << BITS | (BLOCKS.get(word) or DEFAULT[word])
    return cell


def drawn(state: State) -> str:
    """What `board` reads, of any state."""
    names = {piece: name for name, piece in {**BLOCKS, **DEFAULT}.items()}
    rows = []
    for start in range(state.width, len(state.cells) - state.width, state.width):
        stacks = [stack(cell) for cell in state.cells[start + 1 : start + state.width - 1]]
        rows.append(" ".join("+".join(names[piece] for piece in stack) or "." for stack in stacks))
    return "\n".join(rows)


def stack(cell: int) -> list[int]:
    pieces = []
    while cell:
        pieces.append(cell & TOP)
        cell >>= BITS
    return pieces[::-1]
