"""RRT and RRT-Connect: trees that grow towards random places until they reach the goal, a batch of places at a time.

RRT: LaValle 1998, Rapidly-exploring random trees. RRT-Connect: Kuffner and LaValle 2000. The places of one batch do not
see each other's branches, which is all that differs from the original and lets NumPy look at them together.
"""

from __future__ import annotations

import numpy as np

from embodied.arrays import Floats, Ints
from embodied.planning.planners.space import Space

REACH = 6.0
"""Longest branch, map units."""
BATCH = 32
"""Random places looked at together."""
GOAL_BIAS = 0.05
"""Share of places that are the goal (OMPL's default for RRT)."""
ROUNDS = 600
"""Batches after which a search gives up."""


class _Tree:
    """Places reached, each with the one it was reached from."""

    def __init__(self, root: Floats):
        self.points, self.parents, self.count = np.empty((256, 2)), np.empty(256, int), 0
        self.add(root[None], np.array([-1]))

    def add(self, points: Floats, parents: Ints) -> Ints:
        """Adds branches; returns their numbers."""
        while self.count + len(points) > len(self.points):
            self.points, self.parents = (
                np.concatenate([self.points, self.points]),
                np.concatenate([self.parents, self.parents]),
            )
        at = np.arange(self.count, self.count + len(points))
        self.points[at], self.parents[at] = points, parents
        self.count += len(points)
        return at

    def nearest(self, places: Floats) -> Ints:
        """The number of the point nearest to each place."""
        x, y = (places[:, None, k] - self.points[None, : self.count, k] for k in (0, 1))
        nearest: Ints = (x * x + y * y).argmin(axis=1)
        return nearest

    def grow(self, places: Floats, space: Space) -> Ints:
        """A branch from the nearest point towards each place, as long as `REACH` allows; the numbers of those that hit
        nothing.
        """
        near = self.nearest(places)
        origin = self.points[near]
        step = places - origin
        length = np.sqrt((step**2).sum(axis=1))
        tips = origin + step * (np.minimum(length, REACH) / np.where(length > 0, length, 1.0))[:, None]
        free = (length > 1e-9) & space.clear(origin, tips)
        return self.add(tips[free], near[free])

    def path(self, at: int) -> Floats:
        """From the root to a point, (n, 2)."""
        numbers = []
        while at >= 0:
            numbers.append(at)
            at = self.parents[at]
        return self.points[numbers[::-1]]


def rrt(space: Space, start: Floats, goal: Floats, rng: np.random.Generator) -> Floats | None:
    """One tree, from the start. Returns (n, 2), or None when it gives up."""
    tree = _Tree(start)
    for _ in range(ROUNDS):
        places = space.sample(BATCH, rng)
        places[rng.random(BATCH) < GOAL_BIAS] = goal
        new = tree.grow(places, space)
        close = new[((tree.points[new] - goal) ** 2).sum(axis=1) <= REACH * REACH]
        arrived = close[space.clear(tree.points[close], np.broadcast_to(goal, (len(close), 2)))]
        if len(arrived):
            return np.concatenate([tree.path(int(arrived[0])), goal[None]])
    return None


def rrt_connect(
    space: Space, start: Floats, goal: Floats, rng: np.random.Generator, rounds: int = ROUNDS
) -> Floats | None:
    """Two trees, from the start and from the goal, that grow towards each other. Returns (n, 2), or None when it gives
    up.
    """
    one, other = _Tree(start), _Tree(goal)
    for turn in range(rounds):
        new = one.grow(space.sample(BATCH // 2, rng), space)
        if len(new):
            # As far towards the new tips as the other tree gets: straight there, or else a branch.
            tips = one.points[new]
            near = other.nearest(tips)
            met = np.flatnonzero(space.clear(other.points[near], tips))
            if len(met):
                halves = one.path(int(new[met[0]])), other.path(int(near[met[0]]))[::-1]
                return np.concatenate(halves if turn % 2 == 0 else [half[::-1] for half in halves[::-1]])
            other.grow(tips, space)
        one, other = other, one
    return None
