"""Grid A*: the shortest way over a grid, or the way that is short and keeps clear of obstacles."""

from __future__ import annotations

import heapq

import numpy as np

from embodied.arrays import Bools, Floats
from embodied.planning.planners.space import Obstacles, Space

SPACING = 0.5
"""Of the grid, map units. A passage less than sqrt(2) times that wider than the robot may go unseen."""
_MOVES = [(dx, dy, (dx * dx + dy * dy) ** 0.5) for dx in (-1, 0, 1) for dy in (-1, 0, 1) if dx or dy]


def route(
    obstacles: Obstacles,
    start: Floats,
    goal: Floats,
    radius: float,
    *,
    caution: float = 0.0,
    spacing: float = SPACING,
) -> Floats | None:
    """A way for a disc over a grid.

    Args:
        obstacles: What it must not touch.
        start: (2,).
        goal: (2,).
        radius: Of the disc.
        caution: How much longer a way through a passage may seem: a step at clearance c from the disc counts 1 +
            caution / (1 + c) times its length.
        spacing: Of the grid.

    Returns:
        (n, 2), from start to goal, collision-free; None when there is none on the grid.
    """
    space = Space(obstacles, radius)
    if not space.free(np.stack([start, goal])).all():
        return None
    if space.clear(start[None], goal[None])[0] and not caution:
        return np.stack([start, goal])
    axis = np.arange(-space.half + (space.half % spacing), space.half + 1e-9, spacing)
    nodes = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    clearance = obstacles.distance(nodes) - radius
    # Half way between two free nodes that are diagonal neighbours a disc comes nearer to a corner than at either: by
    # this at most.
    passable = clearance > np.sqrt(radius * radius + spacing * spacing / 2) - radius
    first, last = (_entry(nodes, passable, end, space, spacing) for end in (start, goal))
    if first is None or last is None:
        return None
    numbers = _search(clearance, passable, first, last, len(axis), caution)
    if numbers is None:
        return None
    way: Floats = np.concatenate([start[None], nodes[numbers], goal[None]])
    return way


def _entry(nodes: Floats, passable: Bools, end: Floats, space: Space, spacing: float) -> int | None:
    """The free node nearest to `end` of those it can be left for in a straight line."""
    gap = ((nodes - end) ** 2).sum(axis=1)
    near = np.flatnonzero((gap <= (2 * spacing) ** 2) & passable)
    near = near[space.clear(np.broadcast_to(end, (len(near), 2)), nodes[near])]
    return int(near[gap[near].argmin()]) if len(near) else None


def _search(clearance: Floats, passable: Bools, first: int, last: int, side: int, caution: float) -> list[int] | None:
    free = passable.tolist()
    price = (1 + caution / (1 + np.maximum(clearance, 0.0))).tolist() if caution else None
    goal_x, goal_y = divmod(last, side)
    cost, before, done = {first: 0.0}, {first: -1}, set()
    queue = [(0.0, first)]
    while queue:
        _, at = heapq.heappop(queue)
        if at == last:
            break
        if at in done:
            continue
        done.add(at)
        x, y = divmod(at, side)
        base = cost[at]
        for dx, dy, length in _MOVES:
            nx, ny = x + dx, y + dy
            if not (0 <= nx < side and 0 <= ny < side):
                continue
            to = nx * side + ny
            if not free[to] or to in done:
                continue
            total = base + (length * (price[at] + price[to]) / 2 if price else length)
            if total < cost.get(to, 1e18) - 1e-9:
                cost[to], before[to] = total, at
                heapq.heappush(queue, (total + ((nx - goal_x) ** 2 + (ny - goal_y) ** 2) ** 0.5, to))
    if last not in before:
        return None
    numbers = []
    at = last
    while at >= 0:
        numbers.append(at)
        at = before[at]
    return numbers[::-1]
