"""Rectangles on the ground, and whether they meet."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from embodied.arrays import Bools, Floats
from embodied.driving.scene.objects import solid
from embodied.driving.scene.spec import Actor

REACH = 1.8
"""Metres: what is higher than the car's roof cannot be hit."""


@lru_cache(maxsize=512)
def _foot(category: str, state: str, colour: str) -> tuple[float, float, float, float]:
    vertices = solid(Actor(1, category, 0.0, 0.0, state=state, colour=colour)).vertices
    low = vertices[vertices[:, 2] < REACH, :2]
    (left, back), (right, front) = low.min(axis=0), low.max(axis=0)
    across, along = round(float((left + right) / 2), 3), round(float((back + front) / 2), 3)
    return across, along, round(float((right - left) / 2), 3), round(float((front - back) / 2), 3)


def foot(actor: Actor) -> tuple[float, float, float, float]:
    """The rectangle an actor stands on, unturned: x and y of its middle beside the actor's place, half its width, half
    its length. Metres.
    """
    return _foot(actor.category, actor.state, actor.colour)


def corners(boxes: Floats) -> Floats:
    """The corners (..., 4, 2) of rectangles (..., 5): x, y, half width, half length, heading in radians."""
    c, s = np.cos(boxes[..., 4]), np.sin(boxes[..., 4])
    across = np.stack([c, s], axis=-1) * boxes[..., 2:3]
    along = np.stack([-s, c], axis=-1) * boxes[..., 3:4]
    middle = boxes[..., :2]
    return np.stack(
        [middle + across + along, middle - across + along, middle - across - along, middle + across - along], axis=-2
    )


def meet(a: Floats, b: Floats) -> Bools:
    """Whether rectangles overlap: (..., 5) and (..., 5), broadcast, to (...,) bool. The separating axis theorem, exact
    for rectangles.
    """
    a, b = np.broadcast_arrays(a, b)
    one, other = corners(a), corners(b)
    apart = np.zeros(a.shape[:-1], dtype=bool)
    for boxes in (a, b):
        c, s = np.cos(boxes[..., 4]), np.sin(boxes[..., 4])
        for axis in (np.stack([c, s], axis=-1), np.stack([-s, c], axis=-1)):
            p, q = (one * axis[..., None, :]).sum(-1), (other * axis[..., None, :]).sum(-1)
            apart |= (p.max(-1) < q.min(-1)) | (q.max(-1) < p.min(-1))
    return ~apart
