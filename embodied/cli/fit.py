"""Tables that fit the terminal without losing a character.

A table that is too wide has its texts folded. Where that is not enough, it comes in parts below each other, each of
which begins with the first column.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import RenderableType
from rich.table import Column, Table
from rich.text import Text

GAP = 2
"""Blanks between two columns."""
NARROW = 24
"""Cells up to this width are not folded where it can be helped."""
_WORDS = re.compile(r"\S+\s*")
_PIECES = re.compile(r"[^/_,.-]*[/_,.-]|[^/_,.-]+")
"""Where a word that is longer than a line may be broken: behind a slash, a comma, a dot, an underscore or a hyphen."""


def fitted(shown: Table, width: int) -> list[Table]:
    """The table as it is where it fits; else folded, or in parts.

    Args:
        shown: A table without a box whose cells are texts.
        width: Characters in a line.
    """
    wide = [_widest(column) for column in shown.columns]
    if not wide or _sum(wide) <= width:
        return [shown]
    least = [min(w, max(NARROW, _longest_word(column.header))) for w, column in zip(wide, shown.columns, strict=True)]
    headers = [_words(column) for column in shown.columns]
    least = [min(low, max(head, cells)) for low, (head, cells) in zip(least, headers, strict=True)]
    parts = _parts(least, width)
    return [_part(shown, part, _widths([wide[n] for n in part], [least[n] for n in part], width)) for part in parts]


def is_wider(shown: Table, width: int) -> bool:
    """Whether a table would have to be folded."""
    return bool(shown.columns) and _sum([_widest(column) for column in shown.columns]) > width


def _parts(least: Sequence[int], width: int) -> list[list[int]]:
    """Numbers of the columns of each part; every part begins with column 0."""
    parts: list[list[int]] = [[0]]
    for number in range(1, len(least)):
        if len(parts[-1]) > 1 and _sum([*(least[n] for n in parts[-1]), least[number]]) > width:
            parts.append([0])
        parts[-1].append(number)
    return parts


def _widths(wide: Sequence[int], least: Sequence[int], width: int) -> list[int]:
    """Widths of a part's columns: each gets the width that it needs at least, and then as much of the rest as it can
    use.
    """
    given = list(least)
    while _sum(given) > width and max(given) > 1:  # one column, or two, that are wider than the terminal
        given[given.index(max(given))] -= 1
    left = width - _sum(given)
    while left > 0 and (short := [n for n in range(len(given)) if given[n] < wide[n]]):
        for n in short[:left]:
            given[n] += 1
        left -= len(short[:left])
    return given


def _part(shown: Table, numbers: Sequence[int], widths: Sequence[int]) -> Table:
    made = Table(box=None, pad_edge=False, header_style=shown.header_style, show_header=shown.show_header)
    for n, width in zip(numbers, widths, strict=True):
        column = shown.columns[n]
        made.add_column(column.header, justify=column.justify, width=width, overflow="fold")
    cells = {n: [folded(c, width) for c in shown.columns[n].cells] for n, width in zip(numbers, widths, strict=True)}
    for row, about in enumerate(shown.rows):
        made.add_row(*(cells[n][row] for n in numbers), end_section=about.end_section)
    return made


def folded(cell: RenderableType, width: int) -> Text:
    """A cell in lines of at most `width` characters, none left out but blanks at which a line ends. Further lines are
    indented as the first is.
    """
    text = cell if isinstance(cell, Text) else Text(str(cell))
    lines = [part for line in text.plain.split("\n") for part in _folded(line, width)]
    return Text("\n".join(lines), style=text.style)


def _folded(line: str, width: int) -> list[str]:
    if cell_len(line) <= width:
        return [line]
    words = line.lstrip()
    indent = line[: min(len(line) - len(words), width // 2)]
    room = width - cell_len(indent)
    lines = [""]
    for word in _WORDS.findall(words):
        for piece in [word] if cell_len(word.rstrip()) <= room else _broken(word, room):
            if lines[-1] and cell_len((lines[-1] + piece).rstrip()) > room:
                lines.append("")
            lines[-1] += piece
    return [indent + part.rstrip() for part in lines]


def _broken(word: str, room: int) -> list[str]:
    """A long word in pieces that fit."""
    pieces = []
    for piece in _PIECES.findall(word):
        while cell_len(piece.rstrip()) > room:
            most = next((n for n in range(len(piece), 1, -1) if cell_len(piece[:n]) <= room), 1)
            pieces.append(piece[:most])
            piece = piece[most:]
        pieces.append(piece)
    return pieces


def _sum(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _lines(cell: RenderableType) -> list[str]:
    return (cell.plain if isinstance(cell, Text) else str(cell)).split("\n")


def _widest(column: Column) -> int:
    """Characters of the longest line in a column."""
    return max(cell_len(line) for cell in (column.header, *column.cells) for line in _lines(cell))


def _longest_word(cell: RenderableType) -> int:
    return max((cell_len(word) for line in _lines(cell) for word in line.split()), default=0)


def _words(column: Column) -> tuple[int, int]:
    """Characters of the longest word of the header, and of the longest line of the cells."""
    return _longest_word(column.header), max((cell_len(line) for c in column.cells for line in _lines(c)), default=0)
