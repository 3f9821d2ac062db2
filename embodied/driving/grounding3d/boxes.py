"""Boxes in metres and in pixels, and how well two of them agree.

The frame is the camera's, levelled: origin in the camera, x right, y down, z forward along the road's plane, metres.
Yaw is in degrees about the upright axis, counter-clockwise seen from above; at 0 the box's front looks straight ahead
(along z), at 90 to the left (along -x).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

Point = tuple[float, float]


@dataclass(frozen=True)
class Box3D:
    """An upright box."""

    x: float
    """Of its centre, metres to the right."""
    y: float
    """Of its centre, metres down."""
    z: float
    """Of its centre, metres ahead."""
    w: float
    """Width, metres, positive."""
    h: float
    """Height, metres, positive."""
    l: float  # noqa: E741
    """Length, along which the yaw points, metres, positive."""
    yaw: float = 0.0
    """Degrees."""

    def numbers(self) -> tuple[float, ...]:
        """x, y, z, w, h, l, yaw."""
        return self.x, self.y, self.z, self.w, self.h, self.l, self.yaw

    def footprint(self) -> list[Point]:
        """Its corners seen from above, (x, z), counter-clockwise."""
        c, s = math.cos(math.radians(self.yaw)), math.sin(math.radians(self.yaw))
        halves = [(self.w / 2 * i, self.l / 2 * j) for i, j in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
        return [(self.x + c * a - s * b, self.z + s * a + c * b) for a, b in halves]

    def corners(self) -> list[tuple[float, float, float]]:
        """The eight, (x, y, z): the foot's four, then the top's."""
        return [(x, self.y + side * self.h / 2, z) for side in (1, -1) for x, z in self.footprint()]


Box2D = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""


def area(polygon: list[Point]) -> float:
    """Of a counter-clockwise polygon; 0 for fewer than three corners."""
    pairs = zip(polygon, [*polygon[1:], *polygon[:1]], strict=True)
    return sum(a[0] * b[1] - b[0] * a[1] for a, b in pairs) / 2 if len(polygon) > 2 else 0.0


def overlap(a: list[Point], b: list[Point]) -> float:
    """The area two convex, counter-clockwise polygons share, exactly: `a` is cut by each side of `b` (Sutherland and
    Hodgman 1974).
    """
    # Relative to one of its corners: far from the origin, rounding would swallow a small area.
    origin = b[0]
    polygon, b = ([(x - origin[0], y - origin[1]) for x, y in p] for p in (a, b))
    for p, q in zip(b, [*b[1:], *b[:1]], strict=True):
        side = [(q[0] - p[0]) * (c[1] - p[1]) - (q[1] - p[1]) * (c[0] - p[0]) for c in polygon]
        kept: list[Point] = []
        for k, (corner, d) in enumerate(zip(polygon, side, strict=True)):
            before, e = polygon[k - 1], side[k - 1]
            if d >= 0 > e or e >= 0 > d:
                t = e / (e - d)
                kept.append((before[0] + (corner[0] - before[0]) * t, before[1] + (corner[1] - before[1]) * t))
            if d >= 0:
                kept.append(corner)
        polygon = kept
    return max(0.0, area(polygon))


def iou_bev(a: Box3D, b: Box3D) -> float:
    """Intersection over union seen from above, in [0, 1]."""
    shared = overlap(a.footprint(), b.footprint())
    return min(1.0, shared / (a.w * a.l + b.w * b.l - shared))


def iou_3d(a: Box3D, b: Box3D) -> float:
    """Intersection over union of the volumes, in [0, 1]."""
    height = min(a.y + a.h / 2, b.y + b.h / 2) - max(a.y - a.h / 2, b.y - b.h / 2)
    shared = overlap(a.footprint(), b.footprint()) * max(0.0, height)
    return min(1.0, shared / (a.w * a.l * a.h + b.w * b.l * b.h - shared))


def iou_2d(a: Box2D, b: Box2D) -> float:
    """Intersection over union in the picture, in [0, 1]."""
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(0.0, width) * max(0.0, height)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / union if union > 0 else 0.0


def distance(a: Box3D, b: Box3D) -> float:
    """Between the centres seen from above, metres (as nuScenes matches boxes: Caesar et al. 2020, section 3.1)."""
    return math.hypot(a.x - b.x, a.z - b.z)


def distance_3d(a: Box3D, b: Box3D) -> float:
    """Between the centres, metres."""
    return math.dist((a.x, a.y, a.z), (b.x, b.y, b.z))


def yaw_error(a: Box3D, b: Box3D) -> float:
    """The angle between the two directions, degrees in [0, 180]."""
    return abs((a.yaw - b.yaw + 180) % 360 - 180)
