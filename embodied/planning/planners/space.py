"""Where a disc robot can be: what planners ask."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from embodied.arrays import Bools, Floats

HALF = 40.0
"""The world reaches from -HALF to HALF in x and y, in map units. Its boundary is not an obstacle, but a robot stays
within it.
"""
START = np.array([-36.6031, -36.4332])
GOAL = np.array([36.0982, 36.363])


class Obstacles(Protocol):
    """`geometry.Polygons`, or anything that answers the same three questions."""

    def distance(self, points: Floats) -> Floats: ...

    def free(self, points: Floats, radius: float) -> Bools: ...

    def clear(self, a: Floats, b: Floats, radius: float) -> Bools: ...


class Space:
    """The free places of a disc: inside the world with all of itself, and nearer than its radius to no obstacle.

    Args:
        obstacles: What it must not touch.
        radius: Of the disc, map units.
    """

    def __init__(self, obstacles: Obstacles, radius: float):
        self.obstacles, self.radius, self.half = obstacles, radius, HALF - radius

    def free(self, points: Floats) -> Bools:
        """Whether the disc can be at each of `points` (n, 2): (n,) bool."""
        return (np.abs(points) <= self.half).all(axis=1) & self.obstacles.free(points, self.radius)

    def clear(self, a: Floats, b: Floats) -> Bools:
        """Whether the disc can move straight from each of `a` (m, 2) to that of `b` (m, 2): (m,) bool."""
        inside = (np.abs(a) <= self.half).all(axis=1) & (np.abs(b) <= self.half).all(axis=1)
        return inside & self.obstacles.clear(a, b, self.radius)

    def follows(self, path: Floats) -> bool:
        """Whether the disc can move along `path` (n, 2)."""
        return bool(self.clear(path[:-1], path[1:]).all()) if len(path) > 1 else bool(self.free(path).all())

    def sample(self, count: int, rng: np.random.Generator) -> Floats:
        """Places in the world, evenly spread, free or not: (count, 2)."""
        return rng.uniform(-self.half, self.half, (count, 2))
