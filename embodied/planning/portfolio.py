"""A portfolio of planners that propose paths from wherever the robot is: short, roomy, close to the walls, wandering,
and a tree's.

The first four go over one probabilistic roadmap (Kavraki et al. 1996) with different costs of edges. So a proposal
takes milliseconds, and many policies can be tried. The last is RRT-Connect.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embodied.arrays import Bools, Floats
from embodied.planning.geometry import Discs, Together
from embodied.planning.maps import Map
from embodied.planning.planners import DIGITS
from embodied.planning.planners.simplify import shorten, straighten
from embodied.planning.planners.space import GOAL, START, Space
from embodied.planning.planners.trees import rrt_connect
from embodied.registry import unknown

PLANNERS = ("short", "roomy", "close", "wander", "rrt_connect")
MARGIN = 0.25
"""Proposals keep so much farther away than the robot's radius: about what it strays from them."""
_NODES, _MOST = 500, 1000
"""Nodes of a roadmap at first, and at most where fewer do not join start and goal."""
_NEIGHBOURS = 12
_ROUNDS = 80
"""Of RRT-Connect, in which it finds a way unless it is very narrow."""
_LIKE = 0.75
"""Two proposals are the same when neither strays farther than this from the other."""


class Roadmap:
    """Free places of a map, joined where a disc can move straight from one to the other.

    Args:
        field: The map.
        radius: Of the disc, `MARGIN` included.
        rng: Draws the places.

    Attributes:
        joined: Whether the goal can be reached from the start over it.
    """

    def __init__(self, field: Map, radius: float, rng: np.random.Generator):
        self._space = Space(field.obstacles, radius)
        count = _NODES
        while True:
            self._build(count, rng)
            self.joined = bool(np.isfinite(self.costs(self.length)[1]))
            if self.joined or count >= _MOST:
                return
            count *= 2

    def _build(self, count: int, rng: np.random.Generator) -> None:
        places = self._space.sample(3 * count, rng).round(DIGITS)
        places = places[self._space.free(places)][: count - 2]
        self.nodes = np.concatenate([GOAL[None], START[None], places])
        x, y = (self.nodes[:, None, k] - self.nodes[None, :, k] for k in (0, 1))
        near = np.argsort(x * x + y * y, axis=1, kind="stable")[:, 1 : _NEIGHBOURS + 1]
        pairs = np.stack([np.repeat(np.arange(len(self.nodes)), near.shape[1]), near.ravel()], axis=1)
        pairs = np.unique(np.sort(pairs, axis=1), axis=0)
        self.edges = pairs[self._space.clear(self.nodes[pairs[:, 0]], self.nodes[pairs[:, 1]])]
        a, b = (self.nodes[self.edges[:, k]] for k in (0, 1))
        self.length: Floats = np.sqrt(((b - a) ** 2).sum(axis=1))
        self.clearance: Floats = self._space.obstacles.distance((a + b) / 2) - self._space.radius
        touching: list[list[tuple[int, int]]] = [[] for _ in self.nodes]
        for edge, (one, other) in enumerate(self.edges.tolist()):
            touching[one].append((other, edge))
            touching[other].append((one, edge))
        width = max(map(len, touching))
        # Node by node its neighbours and the edges to them; filled up with itself over an edge beyond the last, which
        # is always shut.
        table = np.array([row + [(node, len(self.edges))] * (width - len(row)) for node, row in enumerate(touching)])
        self._beside, self._through = table[..., 0], table[..., 1]

    def open(self, discs: Discs, radius: float) -> Bools:
        """Which edges pass clear of `discs`, (edges,) bool."""
        return discs.clear(self.nodes[self.edges[:, 0]], self.nodes[self.edges[:, 1]], radius)

    def costs(self, price: Floats) -> Floats:
        """What it costs to get to the goal from each node, (nodes,) float64, infinite where one cannot; edges of
        infinite `price` are shut.
        """
        padded = np.append(price, np.inf)[self._through]
        best = np.full(len(self.nodes), np.inf)
        best[0] = 0.0
        # every round all nodes look one edge farther (Bellman 1958): fewer rounds than there are edges on the longest
        # way
        while True:
            better = np.minimum(best, (best[self._beside] + padded).min(axis=1))
            if (better == best).all():
                return best
            best = better

    def path(self, place: Floats, price: Floats, space: Space) -> Floats | None:
        """From `place` (2,) to the goal by `price` (edges,), (n, 2); None when there is none."""
        costs = self.costs(price)
        gap = np.sqrt(((self.nodes - place) ** 2).sum(axis=1))
        near = np.argsort(gap, kind="stable")[: 3 * _NEIGHBOURS]
        near = near[np.isfinite(costs[near])]
        near = near[space.clear(np.broadcast_to(place, (len(near), 2)), self.nodes[near])]
        if not len(near):
            return None
        padded = np.append(price, np.inf)
        unit = float(np.median((price / self.length)[np.isfinite(price)]))
        at = int(near[np.argmin(costs[near] + unit * gap[near])])
        numbers = [at]
        while at:
            at = int(self._beside[at][np.argmin(costs[self._beside[at]] + padded[self._through[at]])])
            numbers.append(at)
        way: Floats = np.concatenate([place[None], self.nodes[numbers]])
        return way


def propose(
    field: Map,
    roadmap: Roadmap,
    radius: float,
    place: Floats,
    discs: Discs,
    *,
    count: int,
    planners: Sequence[str],
    rng: np.random.Generator,
) -> list[tuple[str, Floats]]:
    """Paths from `place` to the goal that differ.

    Args:
        field: The map.
        roadmap: Of that map, for `radius` + `MARGIN`.
        radius: Of the robot.
        place: (2,) where it is.
        discs: Obstacles beyond the map's that are known now.
        count: How many paths are wanted.
        planners: Which may propose; they do in an order that `rng` draws.
        rng: All that is random.

    Returns:
        At most `count` (planner, path (n, 2) rounded to `planners.DIGITS`); fewer where no more differ.
    """
    for planner in planners:
        if planner not in PLANNERS:
            raise unknown("planner of patheval_loop", planner, list(PLANNERS), "embodied show patheval_loop")
    obstacles = Together(field.obstacles, discs)
    # Having strayed, the robot may stand nearer to an obstacle than it plans to.
    room = float(obstacles.distance(place[None])[0]) - radius
    space = Space(obstacles, radius + (MARGIN if room > MARGIN else max(0.5 * room, 0.0)))
    shut = np.where(roadmap.open(discs, radius + MARGIN), 0.0, np.inf)
    found: list[tuple[str, Floats]] = []
    order = [planners[k] for k in rng.permutation(len(planners))]
    for planner in [*order, *(["wander"] * 2 if "wander" in planners else [])]:
        if len(found) == count:
            break
        path = _propose(planner, roadmap, place, shut, space, rng)
        if path is not None and all(_apart(path, other) > _LIKE for _, other in found):
            found.append((planner, path))
    return found


def _propose(
    planner: str, roadmap: Roadmap, place: Floats, shut: Floats, space: Space, rng: np.random.Generator
) -> Floats | None:
    if planner == "rrt_connect":
        path = rrt_connect(space, place, GOAL, rng, rounds=_ROUNDS)
        path = path if path is None else shorten(path, space, rng, rounds=6)
    else:
        path = roadmap.path(place, _price(planner, roadmap, rng) + shut, space)
        if path is not None and planner == "wander":
            path = shorten(path, space, rng, rounds=4)
        elif path is not None:
            path = straighten(path, space, jump={"short": None, "roomy": 3, "close": 2}[planner])
    return None if path is None else path.round(DIGITS)


def _price(planner: str, roadmap: Roadmap, rng: np.random.Generator) -> Floats:
    """What the edges cost a planner, (edges,)."""
    length, room = roadmap.length, np.maximum(roadmap.clearance, 0.0)
    if planner == "roomy":
        return np.asarray(length * (1 + 10 / (1 + room) ** 2))
    if planner == "close":
        return np.asarray(length * (0.25 + room))
    if planner == "wander":
        return np.asarray(length * rng.uniform(0.1, 1.0, len(room)) ** 3)
    return length


def _apart(one: Floats, other: Floats) -> float:
    """How far one of two paths strays from the other at most, measured at places 1 apart."""
    a, b = _places(one), _places(other)
    x, y = (a[:, None, k] - b[None, :, k] for k in (0, 1))
    squared = x * x + y * y
    return float(np.sqrt(max(squared.min(axis=0).max(), squared.min(axis=1).max())))


def _places(path: Floats) -> Floats:
    along = np.append(0.0, np.cumsum(np.sqrt((np.diff(path, axis=0) ** 2).sum(axis=1))))
    places = np.linspace(0, along[-1], int(along[-1]) + 2)
    return np.stack([np.interp(places, along, path[:, k]) for k in (0, 1)], axis=1)
