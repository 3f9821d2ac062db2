"""The pinhole camera: from the world to its own frame, to pixels, and back along rays.

Camera frame: x right, y down, z forward, metres (OpenCV's). Pixels: (0, 0) is the upper left corner of the picture, x
right, y down; the centre of the pixel in column i and row j is (i + 0.5, j + 0.5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from embodied.arrays import Floats

Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Camera:
    """A pinhole camera with square pixels and the principal point in the middle of the picture."""

    eye: Vector
    """Where it is, metres."""
    target: Vector
    """A point on its optical axis; not `eye`, and not straight along `up`."""
    up: Vector = (0.0, 0.0, 1.0)
    fov_y: float = 45.0
    """Vertical field of view, degrees, in (0, 180)."""
    width: int = 1280
    height: int = 720
    near: float = 0.1
    """Nothing nearer than this along the axis is drawn, metres."""

    @cached_property
    def focal(self) -> float:
        """Focal length, pixels. Rounded, so that the last bit of a platform's tangent decides no pixel."""
        return round(self.height / 2 / math.tan(math.radians(self.fov_y) / 2), 9)

    @property
    def centre(self) -> tuple[float, float]:
        """The principal point, pixels."""
        return self.width / 2, self.height / 2

    @cached_property
    def axes(self) -> Floats:
        """(3, 3) float64: the camera's x, y and z axes in the world, one a row."""
        forward = _unit(_minus(self.target, self.eye))
        right = _unit(_cross(forward, self.up))
        return np.array([right, _cross(forward, right), forward])

    def resized(self, width: int, height: int) -> Camera:
        """The same view in a picture of another size."""
        return replace(self, width=width, height=height)

    def local(self, x: Floats, y: Floats, z: Floats) -> tuple[Floats, Floats, Floats]:
        """As `into`, of coordinates in arrays of their own, which is quicker."""
        dx, dy, dz = x - self.eye[0], y - self.eye[1], z - self.eye[2]
        # Written out: the order of a BLAS sum depends on the machine.
        right, down, ahead = (dx * a[0] + dy * a[1] + dz * a[2] for a in self.axes)
        return right, down, ahead

    def world(self, x: Floats, y: Floats, z: Floats | float, count: int = 3) -> Floats:
        """As `out_of`, of coordinates in arrays of their own, which is quicker: (count, ...) float64, the first `count`
        coordinates.
        """
        right, down, ahead = self.axes
        found, part = np.empty((count, *x.shape)), np.empty(x.shape)
        for k in range(count):  # eye + x right + y down + z ahead, in this order and in place
            row = found[k, ...]
            np.multiply(x, right[k], out=row)
            row += self.eye[k]
            row += np.multiply(y, down[k], out=part)
            row += np.multiply(z, ahead[k], out=part)
        return found

    def into(self, points: Floats) -> Floats:
        """World points (..., 3) in the camera frame, (..., 3) float64, metres."""
        return np.stack(self.local(points[..., 0], points[..., 1], points[..., 2]), axis=-1)

    def out_of(self, points: Floats) -> Floats:
        """Points (..., 3) in the camera frame in the world, (..., 3) float64, metres."""
        return np.ascontiguousarray(np.moveaxis(self.world(points[..., 0], points[..., 1], points[..., 2]), 0, -1))

    def pixels(self, points: Floats) -> Floats:
        """Points (..., 3) in the camera frame, in front of the camera, as pixels (..., 2) float64."""
        scale = self.focal / points[..., 2]
        return np.stack([points[..., 0] * scale + self.centre[0], points[..., 1] * scale + self.centre[1]], axis=-1)


def _minus(a: Vector, b: Vector) -> Vector:
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


def _cross(a: Vector, b: Vector) -> Vector:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def _unit(a: Vector) -> Vector:
    length = math.sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2])
    if length == 0:
        raise ValueError("A camera needs a target that is not its eye, and an up that is not along its view.")
    return a[0] / length, a[1] / length, a[2] / length
