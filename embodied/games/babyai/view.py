"""What the agent sees: the 7x7 cells in front of it, as words and as a picture, computed from minigrid's grid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from minigrid.core.constants import DIR_TO_VEC
from minigrid.core.grid import Grid
from minigrid.core.world_object import Door, Wall, WorldObj
from minigrid.minigrid_env import MiniGridEnv

from embodied.arrays import Pixels
from embodied.envs.words import side
from embodied.quantities import counted

SIZE = 7
"""Cells along the side of the view; minigrid's default, and BALROG's."""
TILE = 16
"""Pixels along the side of a cell in the picture; BALROG's choice."""
_CENTER = SIZE // 2
_AGENT = (SIZE - 1) * SIZE + _CENTER
_MARGIN = SIZE - 1
_OUTSIDE = Wall()

_FACING_UP = 3
_AXES = (
    ("forward", tuple(range(_AGENT - SIZE, -1, -SIZE))),
    ("left", tuple(range(_AGENT - 1, _AGENT - _CENTER - 1, -1))),
    ("right", tuple(range(_AGENT + 1, _AGENT + _CENTER + 1))),
)
"""The cells in a straight line from the agent, nearest first."""
_BY_COLUMN = tuple(j * SIZE + i for i in range(SIZE) for j in range(SIZE) if j * SIZE + i != _AGENT)


@dataclass(frozen=True)
class View:
    """The agent's view, row by row from the far left; the agent is in the middle of the last row, facing the first."""

    cells: tuple[WorldObj | None, ...]
    """(49,) what is in each cell; None where it is empty or hidden."""
    seen: tuple[int, ...]
    """(7,) a bit mask a row: bit i for column i."""
    carrying: WorldObj | None


def look(level: MiniGridEnv) -> View:
    """Computes the view from `level`'s present state.

    Light spreads as in minigrid (`Grid.process_vis`): row by row away from the agent, from a seen cell that does not
    block the view to its neighbours in the row and to the cells in front of those.
    """
    stride = level.width + 2 * _MARGIN
    x, y = level.agent_pos
    start = (int(y) + _MARGIN) * stride + int(x) + _MARGIN
    world = _padded(level.grid)
    around = [world[start + offset] for offset in _offsets(int(level.agent_dir), stride)]
    seen = [0] * SIZE
    lit = 1 << _CENTER
    for row in range(SIZE - 1, -1, -1):
        first = row * SIZE
        clear = 0
        for i in range(SIZE):
            cell = around[first + i]
            if cell is None or cell.see_behind():
                clear |= 1 << i
        seen[row], lit = _spread(lit, clear)
        for i in range(SIZE):
            if not seen[row] >> i & 1:
                around[first + i] = None
    return View(tuple(around), tuple(seen), level.carrying)


def describe(view: View, *, articles: bool = True) -> str:
    """BALROG's text: the object carried, the nearest wall straight ahead, left and right, then things column by column.

    Args:
        view: What to describe.
        articles: Say "an open door", and say so when nothing is in sight. False gives BALROG's text: "a open door", and
            an empty text when nothing is in sight.
    """
    cells = view.cells
    lines = [f"You carry a {view.carrying.color} {view.carrying.type}"] if view.carrying else []
    for direction, path in _AXES:
        for distance, index in enumerate(path, start=1):
            if (cell := cells[index]) is not None:
                if cell.type == "wall":
                    lines.append(f"a wall {counted(distance, 'step')} {direction}")
                break
    for index in _BY_COLUMN:
        if (cell := cells[index]) is not None and cell.type != "wall":
            lines.append(f"{_name(cell, articles)} {_place(index)}")
    return "\n".join(lines) if lines or not articles else "nothing in sight"


def draw(view: View) -> Pixels:
    """The picture BALROG shows, (112, 112, 3) uint8: the view from above with the agent at the bottom, cells in sight
    lighter.
    """
    picture = np.empty((SIZE * TILE, SIZE * TILE, 3), np.uint8)
    for index in range(SIZE * SIZE):
        row, column = divmod(index, SIZE)
        here = index == _AGENT
        tile = Grid.render_tile(
            view.carrying if here else view.cells[index],
            agent_dir=_FACING_UP if here else None,
            highlight=bool(view.seen[row] >> column & 1),
            tile_size=TILE,
        )
        picture[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE] = tile
    return picture


def things(view: View) -> Iterator[tuple[WorldObj, tuple[int, int, int, int]]]:
    """Everything that `draw` shows but the agent, with its box in the picture; what is carried lies on the agent."""
    for index, cell in enumerate(view.cells):
        thing = view.carrying if index == _AGENT else cell
        if thing is not None:
            row, column = divmod(index, SIZE)
            yield thing, (column * TILE, row * TILE, (column + 1) * TILE, (row + 1) * TILE)


def _padded(grid: Grid) -> list[WorldObj | None]:
    """The grid's cells, row by row, with a margin of walls as wide as the view reaches."""
    width, cells = grid.width, grid.grid
    side: list[WorldObj | None] = [_OUTSIDE] * _MARGIN
    band: list[WorldObj | None] = [_OUTSIDE] * (_MARGIN * (width + 2 * _MARGIN))
    world = list(band)
    for start in range(0, len(cells), width):
        world += side
        world += cells[start : start + width]
        world += side
    return world + band


@lru_cache(maxsize=64)
def _offsets(direction: int, stride: int) -> tuple[int, ...]:
    """For each cell of the view, how far it is from the agent's cell in a flat grid `stride` wide."""
    dx, dy = (int(v) for v in DIR_TO_VEC[direction])
    ahead, right = dx + dy * stride, -dy + dx * stride
    return tuple((SIZE - 1 - j) * ahead + (i - _CENTER) * right for j in range(SIZE) for i in range(SIZE))


@lru_cache(maxsize=1 << 2 * SIZE)
def _spread(lit: int, clear: int) -> tuple[int, int]:
    """One row: from the bits lit by the row below and those that do not block, the bits seen and the bits lit in the
    row above.
    """
    seen, above = lit, 0
    for i in range(SIZE - 1):
        if seen & clear & 1 << i:
            seen |= 2 << i
            above |= 3 << i
    for i in range(SIZE - 1, 0, -1):
        if seen & clear & 1 << i:
            seen |= 1 << i - 1
            above |= 3 << i - 1
    return seen, above


def _name(thing: WorldObj, articles: bool) -> str:
    if not isinstance(thing, Door):
        return f"a {thing.color} {thing.type}"
    if thing.is_open:
        return f"{'an' if articles else 'a'} open {thing.color} door"
    return f"a {'locked' if thing.is_locked else 'closed'} {thing.color} door"


@lru_cache(maxsize=SIZE * SIZE)
def _place(index: int) -> str:
    row, column = divmod(index, SIZE)
    right, ahead = column - _CENTER, SIZE - 1 - row
    parts = [f"{counted(abs(right), 'step')} {side(right)}"] if right else []
    return " and ".join([*parts, f"{counted(ahead, 'step')} forward"] if ahead else parts)
