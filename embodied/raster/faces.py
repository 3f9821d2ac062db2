"""The faces of meshes as arrays, with the brightness that the sun gives them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from embodied.arrays import Bools, Floats, Ints
from embodied.raster.camera import Vector
from embodied.raster.mesh import Mesh
from embodied.raster.words import Words, scaled, weights, words

Sun = tuple[Vector, float, float]
"""Towards the sun, its light, and the light from everywhere."""


@dataclass(frozen=True, eq=False)
class Faces:
    """F faces of V vertices, lit. Make them with `Faces.of`. Keep them to draw the same meshes again.

    Nothing changes the arrays: several threads may draw the same faces.
    """

    sun: Sun
    """What they are lit by."""
    vertices: Floats
    """(3, V) float64: x, y and z, metres."""
    corners: Ints
    """(3, F) int64: indices of vertices."""
    colors: Words
    """(F,): in full light."""
    glow: Floats
    """(F,): the least brightness."""
    brightness: Floats
    """(F,): by the sun and the light from everywhere."""
    shaded: Words
    """(F,): as bright as `brightness` and `glow` say."""
    ids: npt.NDArray[np.int32]
    """(F,)"""
    two_sided: Bools
    """(F,)"""

    def __len__(self) -> int:
        return len(self.colors)

    def protect(self) -> None:
        """Makes all arrays read-only: for those that are kept."""
        for array in (self.vertices, self.corners, self.colors, self.glow, self.brightness, self.shaded, self.ids):
            array.flags.writeable = False
        self.two_sided.flags.writeable = False

    @classmethod
    def of(cls, meshes: Sequence[Mesh], sun: Sun) -> Faces:
        """The faces of meshes, in their order.

        Args:
            meshes: Of any number.
            sun: `Light.key` of the light that they will be drawn in.
        """
        meshes = [m for m in meshes if len(m.faces)]
        count = [len(m.faces) for m in meshes]
        starts = np.cumsum([0, *(len(m.vertices) for m in meshes)])
        vertices = np.ascontiguousarray(np.concatenate([np.zeros((0, 3)), *(m.vertices for m in meshes)]).T)
        faces = np.concatenate([np.zeros((0, 3), dtype=np.int64), *(m.faces for m in meshes)])
        corners = np.ascontiguousarray(faces.T) + np.repeat(starts[:-1], count)
        colors = words(np.concatenate([np.zeros((0, 3), dtype=np.uint8), *(m.colors for m in meshes)]))
        glow = np.concatenate([np.zeros(0), *(m.glow for m in meshes)])
        two_sided = np.repeat(np.array([m.two_sided for m in meshes], dtype=bool), count)
        brightness = _brightness(vertices, corners, two_sided, sun)
        ids = np.repeat(np.array([m.id for m in meshes], dtype=np.int32), count)
        shaded = scaled(colors, weights(np.maximum(brightness, glow)))
        return cls(sun, vertices, corners, colors, glow, brightness, shaded, ids, two_sided)

    @classmethod
    def joined(cls, parts: Sequence[Faces]) -> Faces:
        """The faces of several, in their order; one at least, all lit by the same."""
        if len(parts) == 1:
            return parts[0]
        starts = np.cumsum([0, *(p.vertices.shape[1] for p in parts[:-1])])
        return cls(
            parts[0].sun,
            np.concatenate([p.vertices for p in parts], axis=1),
            np.concatenate([p.corners + start for p, start in zip(parts, starts, strict=True)], axis=1),
            *(
                np.concatenate([getattr(p, name) for p in parts])
                for name in ("colors", "glow", "brightness", "shaded", "ids", "two_sided")
            ),
        )

    def only(self, keep: Bools) -> Faces:
        """Those of the faces where `keep` (F,) is true."""
        if keep.all():
            return self
        some = np.flatnonzero(keep)
        return replace(
            self,
            corners=self.corners.take(some, axis=1),
            colors=self.colors[some],
            glow=self.glow[some],
            brightness=self.brightness[some],
            shaded=self.shaded[some],
            ids=self.ids[some],
            two_sided=self.two_sided[some],
        )


def _brightness(vertices: Floats, corners: Ints, two_sided: Bools, sun: Sun) -> Floats:
    first, second, third = (vertices.take(corner, axis=1) for corner in corners)
    a, b = second - first, third - first
    n = (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])
    length = np.sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2])
    (x, y, z), strength, ambient = sun
    cosine = (n[0] * x + n[1] * y + n[2] * z) / (np.maximum(length, 1e-12) * math.sqrt(x * x + y * y + z * z))
    cosine = np.where(two_sided, np.abs(cosine), np.maximum(cosine, 0))
    brightness: Floats = ambient + strength * cosine
    return brightness
