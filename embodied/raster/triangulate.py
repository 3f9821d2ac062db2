"""Ear clipping: a simple polygon, concave or not, as triangles (Meisters 1975, Polygons Have Ears)."""

from __future__ import annotations

import numpy as np

from embodied.arrays import Floats, Ints


def triangulate(polygon: Floats) -> Ints:
    """Cuts a simple polygon into n - 2 triangles.

    Args:
        polygon: (n, 2) float64, n >= 3, counter-clockwise.

    Returns:
        (n - 2, 3) int64, indices of corners, counter-clockwise. A corner that lies on a line with its neighbours gives
        a triangle without area.
    """
    points = [(float(x), float(y)) for x, y in polygon]
    left = list(range(len(points)))
    triangles = []
    while len(left) > 3:
        k = next((k for k in range(len(left)) if _is_ear(points, left, k)), None)
        if k is None:  # only where the outline touches or crosses itself: cut the most convex corner off, and continue
            k = max(range(len(left)), key=lambda k: _turn(*_corner(points, left, k)))
        triangles.append((left[k - 1], left[k], left[(k + 1) % len(left)]))
        del left[k]
    return np.array([*triangles, tuple(left)], dtype=np.int64)


def _corner(points: list[tuple[float, float]], left: list[int], k: int) -> tuple[tuple[float, float], ...]:
    return points[left[k - 1]], points[left[k]], points[left[(k + 1) % len(left)]]


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])


def _is_ear(points: list[tuple[float, float]], left: list[int], k: int) -> bool:
    a, b, c = _corner(points, left, k)
    turn = _turn(a, b, c)
    if turn <= 0:
        return turn == 0 and a != c
    for i in left:
        p = points[i]
        if p not in (a, b, c) and _turn(a, b, p) >= 0 and _turn(b, c, p) >= 0 and _turn(c, a, p) >= 0:
            return False
    return True
