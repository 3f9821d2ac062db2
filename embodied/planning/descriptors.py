"""The seven descriptors of a path: how near to obstacles, how long, how much it turns.

Both sets agree in length and turns and differ in clearance. `paper` looks at the vertices only (as in PathEval), so
that adding a vertex in the middle of a straight piece changes it; `dense` looks along the whole curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from embodied.arrays import Floats

if TYPE_CHECKING:
    from embodied.planning.planners.space import Obstacles

STEP = 0.1
"""Greatest distance between two places at which `dense` measures clearance, in map units. As clearance changes no
faster than one moves, its minimum and maximum are right to half of it."""
DIGITS = 6
"""Descriptors are rounded to so many digits, so that a machine's last bit decides no label."""


class Descriptor(NamedTuple):
    """What a descriptor is called, and when a difference in it counts."""

    name: str
    """As in PathEval's records."""
    key: str
    """The words we use for it."""
    gloss: str
    unit: str
    threshold: float
    """Two paths differ in it when their values differ by at least this (PathEval, section 3.5)."""


DESCRIPTORS = (
    Descriptor(
        "Minimum clearance",
        "minimum clearance",
        "distance to the nearest obstacle where the path comes closest to one",
        "map units",
        0.8,
    ),
    Descriptor(
        "Maximum clearance",
        "maximum clearance",
        "distance to the nearest obstacle where the path is farthest from all of them",
        "map units",
        0.8,
    ),
    Descriptor(
        "Average clearance",
        "average clearance",
        "distance to the nearest obstacle, averaged along the path",
        "map units",
        0.8,
    ),
    Descriptor("Path length", "path length", "length of the path from start to goal", "map units", 50.0),
    Descriptor(
        "Smoothness",
        "total turning",
        "sum of all turn angles along the path; the less, the smoother the path",
        "degrees",
        90.0,
    ),
    Descriptor("Sharp turns", "sharp turns", "number of turns by more than 90 degrees", "turns", 1.0),
    Descriptor(
        "Maximum angle",
        "maximum angle",
        "the greatest single turn angle; 0 is straight on, 180 is back",
        "degrees",
        30.0,
    ),
)
"""In the order of PathEval's records, which is the order of every array here."""
NAMES = tuple(d.name for d in DESCRIPTORS)
THRESHOLDS = np.array([d.threshold for d in DESCRIPTORS])
SETS = ("paper", "dense")


def paper(path: Floats, polygons: Obstacles) -> Floats:
    """The descriptors as PathEval computes them: clearance at vertices, their mean unweighted.

    Args:
        path: (n, 2) float64 vertices, n at least 2, in map units.
        polygons: The obstacles. The outer boundary is none.

    Returns:
        (7,) float64 in the order of `NAMES`, rounded to `DIGITS`.
    """
    values: Floats = papers([path], polygons)[0]
    return values


def dense(path: Floats, polygons: Obstacles) -> Floats:
    """The descriptors with clearance measured along the curve every `STEP` or less, its mean weighted by length. As
    `paper` else.
    """
    values: Floats = denses([path], polygons)[0]
    return values


def papers(paths: Sequence[Floats], polygons: Obstacles) -> Floats:
    """`paper` of many paths on one map at once, (len(paths), 7)."""
    return _table(paths, polygons, [np.asarray(path, float) for path in paths], [np.ones(len(path)) for path in paths])


def denses(paths: Sequence[Floats], polygons: Obstacles) -> Floats:
    """`dense` of many paths on one map at once, (len(paths), 7)."""
    sampled = [_along(np.asarray(path, float)) for path in paths]
    return _table(paths, polygons, [points for points, _ in sampled], [weights for _, weights in sampled])


def _table(paths: Sequence[Floats], polygons: Obstacles, places: list[Floats], weights: list[Floats]) -> Floats:
    """Descriptors from the places at which each path's clearance is measured, and their weights in its mean."""
    if not paths:
        return np.empty((0, len(NAMES)))
    starts = np.cumsum([0, *(len(p) for p in places[:-1])])
    clearance, weight = polygons.distance(np.concatenate(places)), np.concatenate(weights)
    mean = np.add.reduceat(clearance * weight, starts) / np.add.reduceat(weight, starts)
    near, far = np.minimum.reduceat(clearance, starts), np.maximum.reduceat(clearance, starts)
    return np.column_stack([near, far, mean, [shape(path) for path in paths]]).round(DIGITS)


def shape(path: Floats) -> tuple[float, float, float, float]:
    """Length, sum of turn angles, number of turns above 90 degrees, greatest turn angle; angles in degrees, 0 where the
    path never turns.
    """
    steps = np.diff(np.asarray(path, float), axis=0)
    steps = steps[(steps != 0).any(axis=1)]  # a vertex given twice is not a turn
    before, after = steps[:-1], steps[1:]
    along = (before * after).sum(axis=1)
    across = before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]
    angles = np.degrees(np.arctan2(np.abs(across), along))
    sharp = np.count_nonzero(along < 0)  # the sign is exact where the angle is not
    return (
        float(np.sqrt((steps**2).sum(axis=1)).sum()),
        float(angles.sum()),
        float(sharp),
        float(angles.max(initial=0.0)),
    )


def _along(path: Floats) -> tuple[Floats, Floats]:
    """Places along `path` at most `STEP` apart, vertices among them, (m, 2), and the length that each stands for
    (trapezoid rule), (m,).
    """
    lengths = np.sqrt((np.diff(path, axis=0) ** 2).sum(axis=1))
    if not lengths.any():
        return path[:1], np.ones(1)
    pieces = np.maximum(np.ceil(lengths / STEP).astype(int), 1)
    segment = np.repeat(np.arange(len(pieces)), pieces)
    share = (np.arange(len(segment)) - np.repeat(np.cumsum(pieces) - pieces, pieces)) / pieces[segment]
    points = np.concatenate([path[segment] + share[:, None] * (path[segment + 1] - path[segment]), path[-1:]])
    span = (lengths / pieces)[segment]
    return points, (np.append(span, 0) + np.append(0, span)) / 2
