"""Boxoban solved: a best-first search over pushes."""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field
from itertools import count

from embodied.games.minihack.boxoban import CELLS, DIRECTIONS, SIZE, push_distances

LIMIT = 30_000
"""Positions that a search looks at before it gives up; a second or two of CPU time."""
_WEIGHT = 2
"""How much the pushes still needed count against the steps taken: above 1, solutions are found sooner, and longer."""
_NAMES = {step: name for name, step in DIRECTIONS.items()}
_SQUARE = 1 | 1 << 1 | 1 << SIZE | 1 << (SIZE + 1)
"""Four cells around a point, at the origin."""

Place = tuple[tuple[int, ...], int]
"""The boxes in order, and the player."""


@dataclass
class Pusher:
    """Says what solves a level, from any state of play.

    What was said once for a state stays. A state that play leads to without it is solved anew. Where the search finds
    no solution, the pusher gives up for good: then most often a box is stuck.
    """

    floor: int
    """The cells without a wall, as bits."""
    goals: tuple[int, ...]
    limit: int = LIMIT
    _advice: dict[Place, str] = field(default_factory=dict)
    _lost: bool = False

    def __post_init__(self) -> None:
        self._distances = [push_distances(self.floor, goal) for goal in self.goals]
        self._on_goals = sum(1 << goal for goal in self.goals)
        self._needed: dict[tuple[int, ...], int] = {}

    def advise(self, boxes: tuple[int, ...], player: int) -> str | None:
        """The next direction; None where it has given up. `boxes` are in order."""
        place = boxes, player
        if place not in self._advice and not self._lost:
            self._learn(boxes, player)
        return self._advice.get(place)

    def _learn(self, boxes: tuple[int, ...], player: int) -> None:
        """Searches, and keeps what to do in each state on the way to the goal."""
        moves = self.solve(boxes, player)
        self._lost = moves is None
        for step in moves or ():
            self._advice.setdefault((boxes, player), _NAMES[step])
            player += step
            if player in boxes:
                boxes = _pushed(boxes, player, step)

    def solve(self, boxes: tuple[int, ...], player: int) -> list[int] | None:
        """The steps of a solution, which may not be the shortest; None when no solution was found."""
        start = boxes, player
        came: dict[Place, tuple[Place, list[int]]] = {}
        paid = {start: 0}
        order = count()
        frontier = [(0, next(order), start)]
        done: set[Place] = set()
        while frontier and len(done) < self.limit:
            *_, here = heapq.heappop(frontier)
            if here in done:
                continue
            done.add(here)
            if set(here[0]) == set(self.goals):
                return _trace(came, here)
            for walk, step, after in self._pushes(*here):
                cost = paid[here] + len(walk) + 1
                if after in done or paid.get(after, cost + 1) <= cost:
                    continue
                needed = self._bound(after[0])
                if needed < CELLS:
                    paid[after], came[after] = cost, (here, [*walk, step])
                    heapq.heappush(frontier, (cost + _WEIGHT * needed, next(order), after))
        return None

    def _pushes(self, boxes: tuple[int, ...], player: int) -> list[tuple[list[int], int, Place]]:
        """Every push that the player can walk to: the walk, the push, and the result."""
        taken = 0
        for box in boxes:
            taken |= 1 << box
        free = self.floor & ~taken
        walks: dict[int, list[int]] = {player: []}
        found = []
        for cell in (queue := [player]):
            for step in _NAMES:
                ahead = cell + step
                if free >> ahead & 1:
                    if ahead not in walks:
                        walks[ahead] = [*walks[cell], step]
                        queue.append(ahead)
                elif taken >> ahead & 1 and free >> (ahead + step) & 1 and not self._stuck(taken, ahead, step):
                    found.append((walks[cell], step, (_pushed(boxes, ahead, step), ahead)))
        return found

    def _stuck(self, taken: int, box: int, step: int) -> bool:
        """Whether the push makes a square of boxes and walls with a box off its goal: nothing moves that again."""
        to = box + step
        taken = taken & ~(1 << box) | 1 << to
        solid = taken | ~self.floor
        for corner in (to, to - 1, to - SIZE, to - SIZE - 1):
            square = _SQUARE << corner
            if solid & square == square and taken & square & ~self._on_goals:
                return True
        return False

    def _bound(self, boxes: tuple[int, ...]) -> int:
        """Pushes that are needed at least: each box goes to a goal of its own, as if it were alone. `CELLS` or more
        where a box cannot get to any.
        """
        if boxes not in self._needed:
            self._needed[boxes] = min(
                sum(distances[box] for distances, box in zip(self._distances, order, strict=True))
                for order in itertools.permutations(boxes)
            )
        return self._needed[boxes]


def _pushed(boxes: tuple[int, ...], box: int, step: int) -> tuple[int, ...]:
    return tuple(sorted(b + step if b == box else b for b in boxes))


def _trace(came: dict[Place, tuple[Place, list[int]]], here: Place) -> list[int]:
    steps: list[list[int]] = []
    while here in came:
        here, taken = came[here]
        steps.append(taken)
    return [step for taken in reversed(steps) for step in taken]
