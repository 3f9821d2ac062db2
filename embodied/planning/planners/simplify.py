"""Shortcuts: a path from a tree made shorter, by straight pieces between places along it."""

from __future__ import annotations

import numpy as np

from embodied.arrays import Floats
from embodied.planning.planners.space import Space

ROUNDS = 12
"""Shortcuts taken at most. So few leave a path the bends of the way it was found, as OMPL's simplification does."""
_TRIES = 16
"""Random shortcuts looked at for each that is taken."""


def shorten(path: Floats, space: Space, rng: np.random.Generator, rounds: int = ROUNDS) -> Floats:
    """Takes, round after round, the random shortcut that saves most; then leaves out vertices that a straight piece can
    jump.

    Args:
        path: (n, 2), collision-free.
        space: Where it must stay.
        rng: Draws the places.
        rounds: Shortcuts at most.

    Returns:
        (m, 2), collision-free, of the same ends.
    """
    for _ in range(rounds):
        along = np.append(0.0, np.cumsum(np.sqrt((np.diff(path, axis=0) ** 2).sum(axis=1))))
        ends = np.sort(rng.uniform(0, along[-1], (_TRIES, 2)), axis=1)
        a, b = (_at(path, along, ends[:, k]) for k in (0, 1))
        saved = ends[:, 1] - ends[:, 0] - np.sqrt(((b - a) ** 2).sum(axis=1))
        for k in np.argsort(-saved, kind="stable"):
            if saved[k] > 1e-6 and space.clear(a[k : k + 1], b[k : k + 1])[0]:
                head, tail = path[along < ends[k, 0]], path[along > ends[k, 1]]
                path = np.concatenate([head, a[k : k + 1], b[k : k + 1], tail])
                break
    return straighten(path, space, jump=2)


def straighten(path: Floats, space: Space, jump: int | None = None) -> Floats:
    """Leaves out vertices: from each goes straight to the farthest of the next `jump` (all by default) that can be seen
    from it.
    """
    kept, at = [0], 0
    while at < len(path) - 1:
        ahead = np.arange(at + 1, len(path) if jump is None else min(at + 1 + jump, len(path)))
        seen = space.clear(np.broadcast_to(path[at], (len(ahead), 2)), path[ahead])
        seen[0] = True
        at = int(ahead[np.flatnonzero(seen)[-1]])
        kept.append(at)
    return path[kept]


def _at(path: Floats, along: Floats, places: Floats) -> Floats:
    """The points at given lengths along a path, (n, 2)."""
    segment = np.clip(np.searchsorted(along, places, side="right") - 1, 0, len(path) - 2)
    span = along[segment + 1] - along[segment]
    share = (places - along[segment]) / np.where(span > 0, span, 1.0)
    points: Floats = path[segment] + share[:, None] * (path[segment + 1] - path[segment])
    return points
