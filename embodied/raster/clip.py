"""Cuts triangles at planes through the eye and at the near plane."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from embodied.arrays import Floats, Ints

Side = tuple[float, float, float]
"""A plane through the eye: a point of the camera frame is inside where a x + b y + c z >= 0."""


def clip(triangles: Floats, source: Ints, near: float, sides: Iterable[Side]) -> tuple[Floats, Ints]:
    """Cuts off what lies before the near plane or outside `sides`.

    Args:
        triangles: (T, 3, 3) float64, corners in the camera frame.
        source: (T,) int64, what comes along with each.
        near: Metres.
        sides: The other planes.

    Returns:
        What is left of them, and the source of each.
    """
    triangles, source = _clip_by(triangles, source, triangles[..., 2] - near)
    for a, b, c in sides:
        distance = triangles[..., 0] * a + triangles[..., 1] * b + triangles[..., 2] * c
        triangles, source = _clip_by(triangles, source, distance)
    return triangles, source


def _clip_by(triangles: Floats, source: Ints, distance: Floats) -> tuple[Floats, Ints]:
    """Keeps what lies at a `distance` (T, 3) >= 0 of a plane."""
    inside = distance >= 0
    count = inside.sum(axis=1)
    if (count == 3).all():
        return triangles, source
    kept, kept_source = [triangles[count == 3]], [source[count == 3]]
    for n in (1, 2):
        t, s, d = triangles[count == n], source[count == n], distance[count == n]
        if not len(t):
            continue
        # Turned so that the corner alone on its side comes first.
        alone = np.argmax(inside[count == n] == (n == 1), axis=1)
        order = (alone[:, None] + np.arange(3)) % 3
        t = np.take_along_axis(t, order[:, :, None], axis=1)
        d = np.take_along_axis(d, order, axis=1)
        # Always from inside to outside: neighbours that share the edge cut it at the very same point.
        b, c = (
            _cut(t[:, 0], t[:, k], d[:, 0], d[:, k]) if n == 1 else _cut(t[:, k], t[:, 0], d[:, k], d[:, 0])
            for k in (1, 2)
        )
        if n == 1:
            kept.append(np.stack([t[:, 0], b, c], axis=1))
            kept_source.append(s)
        else:
            kept += [np.stack([b, t[:, 1], t[:, 2]], axis=1), np.stack([b, t[:, 2], c], axis=1)]
            kept_source += [s, s]
    return np.concatenate(kept), np.concatenate(kept_source)


def _cut(inner: Floats, outer: Floats, d_inner: Floats, d_outer: Floats) -> Floats:
    return inner + (outer - inner) * (d_inner / (d_inner - d_outer))[:, None]
