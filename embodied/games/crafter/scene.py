"""What the expert knows of a state: the 9 x 7 cells in view, what is carried, and the ways through the view."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from crafter import constants

from embodied.games.crafter.game import Game
from embodied.games.crafter.view import MIDDLE, names_in_view
from embodied.games.crafter.world import VIEW

MOVES = {"Move West": (-1, 0), "Move East": (1, 0), "Move North": (0, -1), "Move South": (0, 1)}
"""Phrase -> where it leads."""
HERE = MIDDLE[0] * VIEW[1] + MIDDLE[1]
"""The player's cell; cells are numbered column by column from the north-west."""
OUTSIDE = -1
FREE = frozenset(constants.walkable)
"""What one can walk on and live."""
_MINERALS = ("stone", "coal", "iron", "diamond")
_CELLS = range(VIEW[0] * VIEW[1])
_OFFSETS = tuple((cell // VIEW[1] - MIDDLE[0], cell % VIEW[1] - MIDDLE[1]) for cell in _CELLS)


def _beside(cell: int, step: tuple[int, int]) -> int:
    x, y = cell // VIEW[1] + step[0], cell % VIEW[1] + step[1]
    return x * VIEW[1] + y if 0 <= x < VIEW[0] and 0 <= y < VIEW[1] else OUTSIDE


NEXT = {move: tuple(_beside(cell, step) for cell in _CELLS) for move, step in MOVES.items()}
"""For each move and each cell: the cell that it leads to, or OUTSIDE the view."""
_NEAR = tuple(cell for cell in _CELLS if max(map(abs, _OFFSETS[cell])) <= 1)
"""The 3 x 3 cells in which a table or a furnace can be used (`Player._make`)."""
_HALF = {
    move: tuple(cell for cell in _CELLS if _OFFSETS[cell][0] * step[0] + _OFFSETS[cell][1] * step[1] > 0)
    for move, step in MOVES.items()
}
"""The cells of the view that lie in a direction."""


@dataclass(frozen=True)
class Scene:
    """A state as the expert sees it."""

    cells: tuple[str, ...]
    """(63,) what each cell shows: a material, a creature, `plant` or `ripe plant`; empty outside the world."""
    facing: str
    """The move in whose direction the player looks."""
    inventory: Mapping[str, int]
    sleeping: bool
    light: float
    """Daylight in [0, 1]."""
    clock: int
    """Steps played."""
    toward: Callable[[str], str | None]
    """The move towards the closest thing of a kind in the whole world; None for an expert that knows only its view."""

    @property
    def front(self) -> str:
        """What the player faces."""
        return self.beside(self.facing)

    def cell(self, move: str, steps: int = 1) -> int:
        """The cell so many steps away, 1 to 3."""
        cell = HERE
        for _ in range(steps):
            cell = NEXT[move][cell]
        return cell

    def beside(self, move: str, steps: int = 1) -> str:
        """What that cell shows."""
        return self.cells[self.cell(move, steps)]

    def has(self, needs: Mapping[str, int]) -> bool:
        """Whether the player carries as much."""
        return all(self.inventory[name] >= amount for name, amount in needs.items())

    def near(self, station: str) -> bool:
        """Whether a table or a furnace is close enough to be used."""
        return any(self.cells[cell] == station for cell in _NEAR)

    def sees(self, *names: str, within: int = sum(VIEW)) -> list[int]:
        """The cells that show one of `names`, at most `within` steps away."""
        return [
            cell for cell, name in enumerate(self.cells) if name in names and sum(map(abs, _OFFSETS[cell])) <= within
        ]

    def count(self, move: str, names: Collection[str]) -> int:
        """How many cells in a direction show one of `names`."""
        return sum(self.cells[cell] in names for cell in _HALF[move])

    @cached_property
    def diggable(self) -> frozenset[str]:
        """The materials that `Do` turns into ground with the tools at hand."""
        return frozenset(name for name in _MINERALS if self.has(constants.collect[name]["require"]))

    def approach(self, targets: Collection[int], act: str = "Do", *, dig: bool = True) -> str | None:
        """The next action on the cheapest way through the view to one of `targets`.

        Args:
            targets: Cells that one cannot walk on.
            act: What to do as soon as the player faces one.
            dig: Whether the way may lead through rock.

        Returns:
            None if there is no way.
        """
        move = self._first_move(frozenset(targets), dig) if targets else None
        if move is None:
            return None
        if self.cell(move) in targets:
            return act if self.facing == move else move
        return self.go(move)

    def go(self, move: str) -> str | None:
        """How to advance one cell: walks, or digs what is in the way; None if the way is blocked."""
        ahead = self.beside(move)
        if ahead in FREE:
            return move
        if ahead in self.diggable:
            return "Do" if self.facing == move else move
        return None

    def _first_move(self, targets: frozenset[int], dig: bool) -> str | None:
        """Dijkstra's search: a step costs 1, through rock 2."""
        best = {HERE: 0}
        queue: list[tuple[int, int, str]] = [(0, HERE, "")]
        while queue:
            cost, cell, first = heapq.heappop(queue)
            if cell in targets:
                return first
            if cost > best[cell]:
                continue
            for move in MOVES:
                to = NEXT[move][cell]
                if to == OUTSIDE:
                    continue
                if to in targets or self.cells[to] in FREE:
                    price = cost + 1
                elif dig and self.cells[to] in self.diggable:
                    price = cost + 2
                else:
                    continue
                if price < best.get(to, len(_CELLS) * 2):
                    best[to] = price
                    heapq.heappush(queue, (price, to, first or move))
        return None


def scene_of(game: Game, *, surveys: bool = False) -> Scene:
    """The scene of a game's present state.

    Args:
        game: Any state of it.
        surveys: Whether the expert knows the whole world.
    """
    player, world = game.player, game.world
    facing = next(move for move, step in MOVES.items() if step == tuple(player.facing))
    toward: Callable[[str], str | None] = (lambda kind: _toward(game, kind)) if surveys else (lambda kind: None)
    cells = tuple(names_in_view(world, player))
    return Scene(cells, facing, player.inventory, player.sleeping, float(world.daylight), game.steps, toward)


def _toward(game: Game, kind: str) -> str | None:
    """The move along the longer way to the closest thing of a kind in the world; None if there is none."""
    x, y = game.player.pos.tolist()
    offsets = [(there[0] - x, there[1] - y) for there in game.world.places(kind)]
    if not offsets:
        return None
    dx, dy = min(offsets, key=lambda offset: abs(offset[0]) + abs(offset[1]))
    if abs(dx) > abs(dy):
        return "Move East" if dx > 0 else "Move West"
    return "Move South" if dy > 0 else "Move North"
