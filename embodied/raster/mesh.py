"""Meshes and the solids scenes are made of. Faces are counter-clockwise seen from outside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from embodied.arrays import Floats, Ints, Pixels
from embodied.raster.camera import Vector
from embodied.raster.triangulate import triangulate

Colour = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles of flat colours."""

    vertices: Floats
    """(V, 3) float64, metres."""
    faces: Ints
    """(F, 3) int64, indices of vertices, counter-clockwise seen from outside."""
    colors: Pixels
    """(F, 3) uint8."""
    id: int = 0
    """Instance: `Rendering.ids` holds it where the mesh is seen; 0 for meshes that are not an instance."""
    glow: Floats = field(default_factory=lambda: np.zeros(0))
    """(F,) float64 in [0, 1]: the least brightness of a face, in any light (lamps); zeros if not given."""
    two_sided: bool = False
    """Whether faces are seen from behind too. Closed solids do without, at half the cost."""

    def __post_init__(self) -> None:
        if not len(self.glow):
            object.__setattr__(self, "glow", np.zeros(len(self.faces)))

    def moved(self, x: float, y: float, z: float = 0.0, *, yaw: float = 0.0) -> Mesh:
        """The mesh turned by `yaw` (radians, counter-clockwise from above, about the z axis), then shifted."""
        return replace(self, vertices=turned(self.vertices, yaw) + np.array((x, y, z)))

    def tilted(self, roll: float = 0.0, pitch: float = 0.0) -> Mesh:
        """The mesh turned about the y axis by `roll`, then about the x axis by `pitch`, radians."""
        x, y, z = self.vertices.T
        c, s = cosine(roll), sine(roll)
        x, z = c * x + s * z, c * z - s * x
        c, s = cosine(pitch), sine(pitch)
        return replace(self, vertices=np.stack([x, c * y - s * z, s * y + c * z], axis=1))

    def named(self, id: int) -> Mesh:
        """The mesh as another instance."""
        return replace(self, id=id)

    def lit(self, glow: float = 1.0) -> Mesh:
        """The mesh with every face as bright as `glow` at least."""
        return replace(self, glow=np.full(len(self.faces), float(glow)))


def cosine(angle: float) -> float:
    """Rounded, so that the last bit of a platform's cosine decides no pixel."""
    return round(math.cos(angle), 12)


def sine(angle: float) -> float:
    """Rounded like `cosine`."""
    return round(math.sin(angle), 12)


def turned(points: Floats, yaw: float) -> Floats:
    """(n, 3) points turned about the z axis by `yaw` radians, counter-clockwise from above."""
    c, s = cosine(yaw), sine(yaw)
    x, y = points[:, 0], points[:, 1]
    return np.stack([c * x - s * y, s * x + c * y, points[:, 2]], axis=1)


def concatenate(meshes: Sequence[Mesh], id: int | None = None) -> Mesh:
    """One mesh of several, of the id given or the first one's. It is two-sided if one of them is."""
    if not meshes:
        raise ValueError("concatenate needs at least one mesh.")
    starts = np.cumsum([0] + [len(m.vertices) for m in meshes[:-1]])
    return Mesh(
        np.concatenate([m.vertices for m in meshes]),
        np.concatenate([m.faces + start for m, start in zip(meshes, starts, strict=True)]),
        np.concatenate([m.colors for m in meshes]),
        meshes[0].id if id is None else id,
        np.concatenate([m.glow for m in meshes]),
        any(m.two_sided for m in meshes),
    )


def _mesh(vertices: Floats, faces: Ints, color: Colour, id: int, *, two_sided: bool = False) -> Mesh:
    faces = np.asarray(faces, dtype=np.int64)
    return Mesh(
        np.asarray(vertices, dtype=np.float64),
        faces,
        np.tile(np.asarray(color, dtype=np.uint8), (len(faces), 1)),
        id,
        two_sided=two_sided,
    )


_QUADS = ((0, 3, 2, 1), (4, 5, 6, 7), (0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7))
_BOX_FACES = np.array([t for a, b, c, d in _QUADS for t in ((a, b, c), (a, c, d))])


def box(
    center: Vector,
    size: Vector,
    yaw: float = 0.0,
    color: Colour = (128, 128, 128),
    id: int = 0,
    *,
    taper: tuple[float, float] = (1.0, 1.0),
) -> Mesh:
    """A box about `center`, `size` = (width along x, length along y, height), turned by `yaw` radians about its upright
    axis.

    `taper`: the width and length of its upper face as shares of those of the lower (a car's cabin, a heap).
    """
    foot = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (size[0] / 2, size[1] / 2)
    corners = np.concatenate(
        [np.insert(foot, 2, -size[2] / 2, axis=1), np.insert(foot * taper, 2, size[2] / 2, axis=1)]
    )
    return _mesh(turned(corners, yaw) + center, _BOX_FACES, color, id)


_UNIT_CORNERS = np.array([(x, y, z) for z in (-1, 1) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))])


def boxes(centers: Floats, sizes: Floats, color: Colour = (128, 128, 128), id: int = 0) -> Mesh:
    """n boxes at once, each as `box` without a turn makes it, in one mesh: `centers` and `sizes` (n, 3), metres."""
    n = len(centers)
    corners = _UNIT_CORNERS * (sizes / 2)[:, None, :] + centers[:, None, :]
    faces = _BOX_FACES + 8 * np.arange(n)[:, None, None]
    return _mesh(corners.reshape(-1, 3), faces.reshape(-1, 3), color, id)


def frustum(
    center: Vector,
    bottom: float,
    top: float,
    height: float,
    color: Colour = (128, 128, 128),
    id: int = 0,
    *,
    sides: int = 16,
) -> Mesh:
    """A closed, upright, round frustum; `center` is the middle of its foot, `bottom` and `top` are radii, either may be
    0.
    """
    angles = [2 * math.pi * k / sides for k in range(sides)]
    ring = np.array([(cosine(a), sine(a)) for a in angles])
    low, high = (np.column_stack([ring * r, np.full(sides, z)]) for r, z in ((bottom, 0.0), (top, height)))
    k, n = np.arange(sides), (np.arange(sides) + 1) % sides
    faces = []
    if bottom > 0:
        faces += [np.stack([k, n, n + sides], 1), np.stack([np.full(sides, 2 * sides), n, k], 1)]
    if top > 0:
        faces += [
            np.stack([k, n + sides, k + sides], 1),
            np.stack([np.full(sides, 2 * sides + 1), k + sides, n + sides], 1),
        ]
    return _mesh(np.concatenate([low, high, [(0, 0, 0), (0, 0, height)]]) + center, np.concatenate(faces), color, id)


def cone(
    center: Vector, radius: float, height: float, color: Colour = (128, 128, 128), id: int = 0, *, sides: int = 16
) -> Mesh:
    """An upright cone on its foot's middle `center`."""
    return frustum(center, radius, 0.0, height, color, id, sides=sides)


def cylinder(
    center: Vector,
    radius: float,
    height: float,
    color: Colour = (128, 128, 128),
    id: int = 0,
    *,
    sides: int = 16,
    axis: str = "z",
) -> Mesh:
    """A cylinder. `axis="z"`: upright on its foot's middle `center`. `"x"` or `"y"`: lying along that axis (a wheel),
    `center` its very middle.
    """
    if axis == "z":
        return frustum(center, radius, radius, height, color, id, sides=sides)
    solid = frustum((0.0, 0.0, -height / 2), radius, radius, height, color, id, sides=sides)
    lying = solid.tilted(roll=math.pi / 2) if axis == "x" else solid.tilted(pitch=-math.pi / 2)
    return lying.moved(*center)


def sphere(
    center: Vector, radius: float | Vector, color: Colour = (128, 128, 128), id: int = 0, *, sides: int = 12
) -> Mesh:
    """A sphere about `center`, or an ellipsoid with three radii; `sides` around, half as many from pole to pole."""
    rings = max(2, sides // 2)
    polar = [math.pi * j / rings for j in range(1, rings)]
    around = [2 * math.pi * k / sides for k in range(sides)]
    points = [(sine(p) * cosine(a), sine(p) * sine(a), cosine(p)) for p in polar for a in around]
    top, bottom = len(points), len(points) + 1
    k, n = np.arange(sides), (np.arange(sides) + 1) % sides
    faces = [
        np.stack([np.full(sides, top), k, n], 1),
        np.stack([np.full(sides, bottom), n + top - sides, k + top - sides], 1),
    ]
    for j in range(rings - 2):
        a, b = j * sides, (j + 1) * sides
        faces += [np.stack([k + a, k + b, n + b], 1), np.stack([k + a, n + b, n + a], 1)]
    return _mesh(np.array([*points, (0, 0, 1), (0, 0, -1)]) * radius + center, np.concatenate(faces), color, id)


def disc(center: Vector, radius: float, color: Colour = (128, 128, 128), id: int = 0, *, sides: int = 24) -> Mesh:
    """A level, two-sided disc."""
    angles = [2 * math.pi * k / sides for k in range(sides)]
    rim = [(center[0] + radius * cosine(a), center[1] + radius * sine(a), center[2]) for a in angles]
    k = np.arange(sides)
    return _mesh(
        np.array([*rim, center]), np.stack([np.full(sides, sides), k, (k + 1) % sides], 1), color, id, two_sided=True
    )


def prism(polygon: Floats, low: float, high: float, color: Colour = (128, 128, 128), id: int = 0) -> Mesh:
    """An upright prism without a floor over a simple polygon, concave or not.

    Args:
        polygon: (n, 2) float64, counter-clockwise.
        low: Height of its foot, metres.
        high: Height of its top, metres.
        color: Of all faces.
        id: Instance.
    """
    n = len(polygon)
    foot, top = (np.column_stack([polygon, np.full(n, z)]) for z in (low, high))
    k, m = np.arange(n), (np.arange(n) + 1) % n
    sides = np.concatenate([np.stack([k, m, m + n], 1), np.stack([k, m + n, k + n], 1)])
    return _mesh(np.concatenate([foot, top]), np.concatenate([triangulate(polygon) + n, sides]), color, id)
