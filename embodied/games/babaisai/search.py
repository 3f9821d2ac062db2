"""The expert: a best-first search for a short solution.

Plain breadth-first search is too slow when a rule must be made in two rooms: with a dozen blocks to push, 100,000
positions are not enough for most of those levels. The estimate below counts what a win needs, blocks in a row and a
walk. With it, some hundred or thousand positions are enough. It is sometimes wrong by a step or two, so solutions are
short, but not always the shortest.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache
from itertools import count, product

from embodied.games.babaisai.engine import DIRECTIONS, State, focus, step
from embodied.games.babaisai.pieces import BORDER, IS, NOUN, PIECES, PROPERTY, TOP

_UNKNOWN = 50
"""Estimate for positions where no win is in sight. They are looked at last."""


def solve(state: State, *, original: bool = False, limit: int = 50_000) -> list[str] | None:
    """Searches for actions that win: first carefully; if that takes too long, greedily.

    Args:
        state: Where to start.
        original: Which engine to search with (see `engine.step`).
        limit: Positions to try either way before giving up; 50,000 cost some 7 seconds of CPU.

    Returns:
        Keys of `DIRECTIONS`, in order; None if none were found. There may still be a solution.
    """
    careful = _search(state, original, limit, weight=1)
    return _search(state, original, limit, weight=3) if careful is None else careful


def _search(state: State, original: bool, limit: int, weight: int) -> list[str] | None:
    """A*; a `weight` above 1 trusts the estimate more than what was paid already, and finds longer solutions sooner."""
    parents: dict[tuple[int, ...], tuple[tuple[int, ...], str]] = {}
    depths = {state.cells: 0}
    order = count()
    frontier = [(0, 0, next(order), state)]
    tried: set[tuple[int, ...]] = set()
    while frontier and len(tried) < limit:
        *_, here = heapq.heappop(frontier)
        if here.cells in tried:
            continue
        tried.add(here.cells)
        depth = depths[here.cells] + 1
        for action in DIRECTIONS:
            after, outcome = step(here, action, original=original)
            if outcome == "won":
                return [*_trace(parents, here.cells), action]
            if outcome or depths.get(after.cells, depth + 1) <= depth or focus(after, original=original) is None:
                continue
            parents[after.cells], depths[after.cells] = (here.cells, action), depth
            # Among equals the deeper goes first, then the earlier: the order never depends on how states compare.
            heapq.heappush(frontier, (depth + weight * estimate(after), -depth, next(order), after))
    return None


def estimate(state: State) -> int:
    """About how many turns a win takes at least.

    Where something is WIN: the way there. Else, over every rule "X is win" that could be spelt with an X on the board:
    the way to one of its blocks, the pushes that bring them into a row or a column, and the way from there to an X.
    """
    cells: dict[int, list[int]] = defaultdict(list)
    objects: dict[str, list[int]] = defaultdict(list)
    for at, cell in enumerate(state.cells):
        if cell > BORDER:
            piece = cell & TOP
            cells[piece].append(at)
            if PIECES[piece].kind == "object":
                objects[PIECES[piece].word].append(at)
    away = _distances(state.width, len(state.cells))
    if goals := [at for piece, places in cells.items() if state.rules.win >> piece & 1 for at in places]:
        return min(away[you][goal] for you in state.you for goal in goals)
    best = _UNKNOWN
    for word, places in objects.items():
        for blocks in product(cells[NOUN[word]], cells[IS], cells[PROPERTY["win"]]):
            turns = _pushes(blocks, state.width)
            if turns < best:
                turns += max(min(away[you][block] for you in state.you for block in blocks) - 2, 0)
                turns += max(min(away[blocks[1]][place] for place in places) - 3, 0)
                best = min(best, turns)
    return best


@lru_cache(maxsize=1 << 16)
def _pushes(blocks: tuple[int, ...], width: int) -> int:
    """The least number of pushes that bring three blocks into a row, or into a column, in this order.

    Shift each block by its place in the order: then all three must meet. A push moves one block by a cell, or a whole
    line the same way. So it reduces their distance across, or down, by at most one.
    """
    across = [at % width for at in blocks]
    down = [at // width for at in blocks]
    in_row = _spread(x - i for i, x in enumerate(across)) + _spread(down)
    in_column = _spread(across) + _spread(y - i for i, y in enumerate(down))
    return min(in_row, in_column)


def _spread(numbers: Iterable[int]) -> int:
    numbers = tuple(numbers)
    return max(numbers) - min(numbers)


@lru_cache(maxsize=8)
def _distances(width: int, cells: int) -> list[list[int]]:
    """Steps between any two cells of an empty board."""
    places = [(at % width, at // width) for at in range(cells)]
    return [[abs(x - a) + abs(y - b) for a, b in places] for x, y in places]


def _trace(parents: dict[tuple[int, ...], tuple[tuple[int, ...], str]], cells: tuple[int, ...]) -> list[str]:
    actions = []
    while cells in parents:
        cells, action = parents[cells]
        actions.append(action)
    return actions[::-1]
