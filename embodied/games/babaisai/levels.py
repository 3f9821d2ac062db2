"""The 40 tasks: two kinds of level, tables of what differs, and the draws that fill them.

A task's name says what to do (`two_room-break_stop-make_win`) and what distracts (`-distr_obj_rule`). Levels are drawn
from NumPy's legacy stream in the order of the original generator (nacloos/baba-is-ai, baba/envs.py), so the seed of a
BALROG record gives the level of that record. Cells are (column, row); (0, 0) is a corner of the border.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from embodied.games.babaisai.engine import State
from embodied.games.babaisai.pieces import BITS, BORDER, COLORS, EMPTY, IS, NOUN, OBJECT, PROPERTY

Cell = tuple[int, int]


class Area(NamedTuple):
    """A rectangle; what sticks out of the board is cut off. A draw from it takes any empty cell."""

    left: int
    top: int
    columns: int
    rows: int


Spots = tuple[Cell, ...]
"""A few cells. A draw from them takes one, empty or not."""


@dataclass(frozen=True)
class Distractors:
    """What is on the board besides what the task needs. Three objects are drawn; the first is the one that wins."""

    object: bool = False
    """The second object lies around."""
    noun: int | None = None
    """A noun block lies around: of the second (1) or of the third object (2)."""
    win_rule: bool = False
    """One more rule makes the third object WIN, which is not there."""


@dataclass(frozen=True)
class OneRoom:
    """8 x 8 cells."""

    plan: str
    """The intended solution, in BALROG's notation; {0} is the first object, {1} the second."""
    loose_win: Area | None = None
    """Where the noun of "<first object> is win" lies; None where the rule is whole."""


_MIDDLE_LEFT, _MIDDLE_RIGHT = Area(2, 3, 4, 3), Area(7, 3, 4, 3)
"""Cells of either of two rooms from where a block can be pushed every way."""


@dataclass(frozen=True)
class TwoRooms:
    """13 x 9 cells: two rooms side by side, `wall` objects between them."""

    plan: str
    """As in `OneRoom`."""
    objects: Area
    """Where the objects are put."""
    stop_broken: bool = False
    """A block of "wall is stop" lies apart, so the way to the right room is open."""
    loose_win: Area | Spots | None = None
    """As in `OneRoom`."""
    loose_noun: Area | None = None
    """Where the distracting noun is put; None for where it does no harm."""
    you_at: Cell = (1, 7)
    """Leftmost block of "baba is you"."""
    stop_at: Cell = (1, 2)
    """Leftmost block of "wall is stop"."""
    start: Area = _MIDDLE_LEFT
    """Where Baba is put, and the loose block of "wall is stop"."""


_ROOM = Area(1, 2, 8, 8)
"""The one room without its first row."""
_EDGE: Spots = (*((x, y) for y in (6, 1) for x in (4, 5, 6)), *((6, y) for y in range(1, 7)))
"""Cells of the one room at its walls, from where a block cannot be brought to the win rule. (6, 1) and (6, 6) count
twice.
"""
_LEFT, _RIGHT, _ANYWHERE = Area(1, 1, 4, 7), Area(7, 2, 4, 7), Area(1, 2, 11, 7)
"""Parts of two rooms in which objects lie."""
_RIM: Spots = (*((11, y) for y in range(2, 7)), *((x, 7) for x in range(11, 7, -1)))
"""Cells of the right room at its walls."""
_SMALL_LEFT, _SMALL_RIGHT = Area(2, 3, 3, 3), Area(8, 3, 3, 3)
"""What the last three tasks have for `_MIDDLE_LEFT` and `_MIDDLE_RIGHT`."""

_BASES: dict[str, OneRoom | TwoRooms] = {
    "goto_win": OneRoom("goto[{0}]"),
    "make_win": OneRoom("make[{0} is win], goto[{0}]", Area(2, 2, 4, 4)),
    "two_room-goto_win": TwoRooms("goto[{0}]", _LEFT, stop_broken=True),
    "two_room-break_stop-goto_win": TwoRooms("break[wall is stop], goto[{0}]", _RIGHT),
    "two_room-maybe_break_stop-goto_win": TwoRooms("break[wall is stop], goto[{0}]", _ANYWHERE),
    "two_room-make_win": TwoRooms("make[{0} is win], goto[{0}]", _LEFT, stop_broken=True, loose_win=_MIDDLE_RIGHT),
    "two_room-break_stop-make_win": TwoRooms(
        "break[wall is stop], make[{0} is win], goto[{0}]", _RIGHT, loose_win=_MIDDLE_RIGHT
    ),
}
_DISTRACTORS = {
    "": Distractors(),
    "-distr_obj_rule": Distractors(object=True, noun=1),
    "-distr_obj": Distractors(object=True),
    "-distr_rule": Distractors(noun=1),
    "-distr_obj-irrelevant_rule": Distractors(object=True, noun=2),
}
_WIN_RULE = Distractors(object=True, noun=1, win_rule=True)
_make_you = partial(TwoRooms, objects=_RIGHT, you_at=(1, 6), stop_at=(1, 1), start=_SMALL_LEFT, loose_noun=_SMALL_LEFT)

TASKS: dict[str, tuple[OneRoom | TwoRooms, Distractors]] = {
    **{
        f"env/{name}{suffix}": (base, distractors)
        for name, base in _BASES.items()
        for suffix, distractors in _DISTRACTORS.items()
    },
    **{f"env/{name}-distr_win_rule": (_BASES[name], _WIN_RULE) for name in ("two_room-goto_win", "two_room-make_win")},
    "env/two_room-make_you": (_make_you("make[{1} is you], goto[{0}]"), _DISTRACTORS["-distr_obj_rule"]),
    "env/two_room-make_you-make_win": (
        _make_you("make[{1} is you], make[{0} is win], goto[{0}]", loose_win=_SMALL_RIGHT),
        _DISTRACTORS["-distr_obj_rule"],
    ),
    "env/two_room-make_wall_win": (
        TwoRooms(
            "break[wall is stop], make[wall is win], goto[wall]",
            _RIGHT,
            loose_win=_RIM,
            loose_noun=_SMALL_RIGHT,
            stop_at=(2, 2),
            start=_SMALL_LEFT,
        ),
        _DISTRACTORS["-distr_obj-irrelevant_rule"],
    ),
}
"""BALROG's task name -> the level and what distracts in it."""


def size(task: str) -> tuple[int, int]:
    """Columns and rows of a task's board, the border included."""
    return (8, 8) if isinstance(TASKS[task][0], OneRoom) else (13, 9)


def draw(task: str, random: np.random.RandomState) -> tuple[State, str]:
    """Draws a level of `task`, advancing `random`.

    Returns:
        The state at the start, and the plan, which is the intended solution (`make[ball is win], goto[ball]`).
    """
    level, distractors = TASKS[task]
    draft = _Draft(*size(task), random)
    if isinstance(level, OneRoom):
        return _fill_one_room(draft, level, distractors)
    return _fill_two_rooms(draft, level, distractors)


class _Draft:
    """A board under construction. Methods that draw say so. The order of their calls decides what a seed gives."""

    def __init__(self, width: int, height: int, random: np.random.RandomState):
        inside = [BORDER, *[EMPTY] * (width - 2), BORDER]
        self.cells = [*[BORDER] * width, *inside * (height - 2), *[BORDER] * width]
        self.width, self.height = width, height
        self.random = random

    def put(self, piece: int, cell: Cell) -> None:
        """Lays a piece on top of what is already there."""
        at = self._index(cell)
        self.cells[at] = self.cells[at] << BITS | piece

    def put_rule(self, noun: str, predicate: str, cell: Cell) -> None:
        """Lays "noun is predicate" to the right from `cell`."""
        for i, block in enumerate((NOUN[noun], IS, PROPERTY[predicate])):
            self.put(block, (cell[0] + i, cell[1]))

    def draw_objects(self) -> list[tuple[str, str]]:
        """Draws three objects, all of another kind: (name, color)."""
        names = self.random.choice(3, size=3, replace=False)
        colors = self.random.choice(3, size=3, replace=True)
        return [(("ball", "key", "door")[n], COLORS[c]) for n, c in zip(names, colors, strict=True)]

    def draw_cell(self, where: Area | Spots) -> Cell:
        """Draws a cell, again and again until it is empty where `where` is an area."""
        if not isinstance(where, Area):
            return where[self.random.choice(len(where))]
        right, bottom = min(where.left + where.columns, self.width), min(where.top + where.rows, self.height)
        while True:
            cell = int(self.random.randint(where.left, right)), int(self.random.randint(where.top, bottom))
            if self.cells[self._index(cell)] == EMPTY:
                return cell

    def move(self, start: Cell, goal: Cell) -> None:
        """Moves the top piece of a cell."""
        at = self._index(start)
        self.put(self.cells[at] & (1 << BITS) - 1, goal)
        self.cells[at] >>= BITS

    def _index(self, cell: Cell) -> int:
        return cell[1] * self.width + cell[0]


def _fill_one_room(draft: _Draft, level: OneRoom, distractors: Distractors) -> tuple[State, str]:
    objects = draft.draw_objects()
    names = [name for name, _ in objects]
    draft.put_rule("baba", "you", (1, 6))
    draft.put_rule(names[0], "win", (1, 1))
    if level.loose_win:
        draft.move((1, 1), draft.draw_cell(level.loose_win))
    if distractors.noun:
        draft.put(NOUN[names[distractors.noun]], draft.draw_cell(_EDGE))
    for thing in (("baba", "white"), *objects[: 1 + distractors.object]):
        draft.put(OBJECT[thing], draft.draw_cell(_ROOM))
    return State.of(draft.cells, draft.width), level.plan.format(*names)


def _fill_two_rooms(draft: _Draft, level: TwoRooms, distractors: Distractors) -> tuple[State, str]:
    middle = draft.width // 2
    for row in range(1, draft.height - 1):
        draft.put(OBJECT["wall", "grey"], (middle, row))
    objects = draft.draw_objects()
    names = [name for name, _ in objects]
    draft.put_rule("baba", "you", level.you_at)
    draft.put_rule("wall", "stop", level.stop_at)
    draft.put_rule(names[0], "win", (9, 1))
    if distractors.noun:
        # Where the second object lies around, its noun must not come to the win rule.
        harmless = _RIM if distractors.object and distractors.noun == 1 else _MIDDLE_RIGHT
        draft.put(NOUN[names[distractors.noun]], draft.draw_cell(level.loose_noun or harmless))
    if level.stop_broken:
        goal = draft.draw_cell(level.start)
        block = (1, 2)[draft.random.choice(2)]
        draft.move((level.stop_at[0] + block, level.stop_at[1]), goal)
    if level.loose_win:
        draft.move((9, 1), draft.draw_cell(level.loose_win))
    areas = (level.start, level.objects, level.objects)
    cells = []
    for thing, area in zip((("baba", "white"), *objects[: 1 + distractors.object]), areas, strict=False):
        cells.append(draft.draw_cell(area))
        draft.put(OBJECT[thing], cells[-1])
    if distractors.win_rule:
        draft.put_rule(names[2], "win", (9, 4))
    plan = level.plan.format(*names)
    if cells[1][0] < middle:  # the object is on Baba's side: nothing to break
        plan = plan.removeprefix("break[wall is stop], ")
    return State.of(draft.cells, draft.width), plan
