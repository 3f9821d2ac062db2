"""PathEval's own setting on the Open Motion Planning Library: RRT in SE(2) with its default range, then OMPL's
simplification.

As in the paper's planner the state space is [-100, 100]^2 with a heading, motions are checked at a resolution of 0.003,
and what is valid is a disc inside the map that touches no obstacle. Ours: the end is counted in checks, not in seconds,
so that no result depends on the machine; the disc is checked exactly and not at 20 places of its rim; and a path that
grazes an obstacle between two checks is planned again.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from embodied.arrays import Floats
from embodied.extras import missing
from embodied.planning.planners.space import HALF, Space

BOUND, RESOLUTION = 100.0, 0.003
CHECKS = 400_000
"""Validity checks after which a search gives up."""
ATTEMPTS = 4
_GRID = 0.5


def rrt(space: Space, start: Floats, goal: Floats, rng: np.random.Generator) -> Floats | None:
    """A path by OMPL's RRT, simplified, (n, 2); None when none was found. Raises `MissingExtra` when OMPL is not
    installed.
    """
    try:
        from ompl import util
    except ModuleNotFoundError as error:
        raise missing("The planner ompl", "ompl", "ompl") from error
    util.setLogLevel(util.LOG_NONE)
    for _ in range(ATTEMPTS):
        util.RNG.setSeed(int(rng.integers(1, 2**31)))
        path = _solve(space, start, goal)
        if path is None or space.follows(path):
            return path
    return None


def _solve(space: Space, start: Floats, goal: Floats) -> Floats | None:
    from ompl import base, geometric

    plane = base.SE2StateSpace()
    bounds = base.RealVectorBounds(2)
    bounds.setLow(-BOUND)
    bounds.setHigh(BOUND)
    plane.setBounds(bounds)
    axis = np.arange(-HALF, HALF + _GRID, _GRID)
    nodes = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    near = space.obstacles.distance(nodes).reshape(len(axis), len(axis)).tolist()
    checks = 0

    def valid(state: Any) -> bool:
        nonlocal checks
        checks += 1
        x, y = state.getX(), state.getY()
        if abs(x) > space.half or abs(y) > space.half:
            return False
        gap = near[round((x + HALF) / _GRID)][round((y + HALF) / _GRID)] - space.radius
        if abs(gap) > _GRID:  # clearance changes no faster than one moves: the nearest node of the grid settles it
            return bool(gap > 0)
        return bool(space.free(np.array([[x, y]]))[0])

    setup = geometric.SimpleSetup(plane)
    setup.setStateValidityChecker(valid)
    setup.getSpaceInformation().setStateValidityCheckingResolution(RESOLUTION)
    ends = []
    for x, y in (start, goal):
        state = plane.allocState()
        state.setX(float(x))
        state.setY(float(y))
        state.setYaw(0.0)
        ends.append(state)
    setup.setStartAndGoalStates(*ends)
    setup.setPlanner(geometric.RRT(setup.getSpaceInformation()))
    setup.solve(base.PlannerTerminationCondition(lambda: checks >= CHECKS))
    if not setup.haveExactSolutionPath():
        return None
    setup.simplifySolution()
    return np.array([[state.getX(), state.getY()] for state in setup.getSolutionPath().getStates()])
