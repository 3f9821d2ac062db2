"""Planners: from the start to the goal for a disc robot, collision-free, the same path from the same generator on every
machine.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from embodied.arrays import Floats
from embodied.planning.planners.astar import route
from embodied.planning.planners.simplify import shorten, straighten
from embodied.planning.planners.space import GOAL, START, Obstacles, Space
from embodied.planning.planners.trees import rrt, rrt_connect
from embodied.registry import unknown

if TYPE_CHECKING:
    from embodied.planning.maps import Map

DIGITS = 4
"""Paths are rounded to so many digits before anything is computed from them."""

Planner = Callable[[Space, Floats, Floats, np.random.Generator], Floats | None]


def _rrt(space: Space, start: Floats, goal: Floats, rng: np.random.Generator) -> Floats | None:
    path = rrt(space, start, goal, rng)
    return None if path is None else shorten(path, space, rng)


def _rrt_connect(space: Space, start: Floats, goal: Floats, rng: np.random.Generator) -> Floats | None:
    path = rrt_connect(space, start, goal, rng)
    return None if path is None else shorten(path, space, rng)


def _astar(space: Space, start: Floats, goal: Floats, rng: np.random.Generator) -> Floats | None:
    path = route(space.obstacles, start, goal, space.radius)
    return None if path is None else straighten(path, space)


def _astar_cautious(space: Space, start: Floats, goal: Floats, rng: np.random.Generator) -> Floats | None:
    path = route(space.obstacles, start, goal, space.radius, caution=CAUTION)
    return None if path is None else straighten(path, space, jump=8)


def _ompl(space: Space, start: Floats, goal: Floats, rng: np.random.Generator) -> Floats | None:
    from embodied.planning.planners.ompl import rrt as ompl_rrt

    return ompl_rrt(space, start, goal, rng)


CAUTION = 8.0
"""Of `astar_cautious`: a step along an obstacle counts nine times its length."""

_PLANNERS: dict[str, Planner] = {
    "rrt": _rrt,
    "rrt_connect": _rrt_connect,
    "astar": _astar,
    "astar_cautious": _astar_cautious,
    "ompl": _ompl,
}
PLANNERS = tuple(_PLANNERS)


def plan(
    field: Map,
    planner: str,
    radius: float,
    rng: np.random.Generator,
    *,
    start: Floats = START,
    goal: Floats = GOAL,
    obstacles: Obstacles | None = None,
) -> Floats | None:
    """Plans a path.

    Args:
        field: The map.
        planner: One of `PLANNERS`.
        radius: Of the robot, map units; `PathEval` draws it from [0.5, 1.5].
        rng: All that is random. The grid planners use nothing of it.
        start: (2,) where the path begins.
        goal: (2,) where it ends.
        obstacles: What must not be touched, where that is more than the map's polygons.

    Returns:
        (n, 2) float64 vertices, n at least 2, rounded to `DIGITS`; None when no path was found.

    Raises:
        UnknownName: No such planner.
        MissingExtra: `ompl` is asked for and not installed.
    """
    if planner not in _PLANNERS:
        raise unknown("planner of patheval", planner, list(PLANNERS), "embodied show patheval")
    # What is rounded may be nearer to an obstacle than what was checked, so planners keep that much away.
    space = Space(field.obstacles if obstacles is None else obstacles, radius + 10.0**-DIGITS)
    if not space.free(np.stack([start, goal])).all():
        return None
    path = _PLANNERS[planner](space, np.asarray(start, float), np.asarray(goal, float), rng)
    return None if path is None else _distinct(path.round(DIGITS))


def _distinct(path: Floats) -> Floats:
    """Without vertices that are the one before."""
    keep = np.append(True, (np.diff(path, axis=0) != 0).any(axis=1))
    return path[keep] if keep.sum() > 1 else path[[0, -1]]
