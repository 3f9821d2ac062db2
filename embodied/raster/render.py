"""From meshes to a picture: light, ground, background, fog, supersampling."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from embodied.arrays import Floats, Ints, Pixels
from embodied.raster.camera import Camera, Vector
from embodied.raster.faces import Faces, Sun
from embodied.raster.fragments import visible
from embodied.raster.mesh import Colour, Mesh
from embodied.raster.words import Words, mixed, pixels, scaled, weights, words

Ground = Callable[[Floats, Floats], Pixels | Words]
"""Paints the plane z = 0: points on it (n, 2) float64 in metres, and how wide a pixel is there across the view (n,)
float64 in metres (what is finer cannot be seen and should fade) -> (n, 3) uint8, or their words
(`embodied.raster.words`). It must use nothing that differs between machines near a colour's edge.
"""
Background = Callable[[Floats], Pixels | Words]
"""Paints the background: directions (n, 3) float64 of length 1 in the world -> (n, 3) uint8, or their words."""
Lamp = Callable[[Floats], Floats]
"""Adds light at points (n, 3) float64 of the world -> (n,) float64, 1 for full daylight (headlamps, street lamps)."""


@dataclass(frozen=True)
class Light:
    """A distant sun and light from everywhere. A face is as bright as ambient + sun * max(0, cosine to the sun), 1 at
    most.
    """

    direction: Vector = (-0.4, -0.6, 1.0)
    """Towards the sun; of any length."""
    sun: float = 0.55
    ambient: float = 0.5
    lamp: Lamp | None = None

    @property
    def key(self) -> Sun:
        """What `Faces` are lit by: all but the lamps."""
        return self.direction, self.sun, self.ambient


_FOG = np.array([math.floor(256 * (1 - math.exp(-3 * (k + 0.5) / 256)) + 0.5) for k in range(1024)], dtype=np.uint16)
"""The fog's share by depth, a step being a 256th of the visibility: no exponential of the platform's decides a colour.
"""


@dataclass(frozen=True)
class Fog:
    """Koschmieder's law: contrast falls to 5 % at the visibility (WMO's definition of meteorological range), exp(-3
    depth / visibility).
    """

    color: Colour
    visibility: float
    """Metres, positive."""

    def weights(self, depth: Floats) -> npt.NDArray[np.uint16]:
        """The fog's share of a pixel at `depth` (n,), in 256ths, (n,) uint16."""
        return _FOG[np.minimum(depth * (256 / self.visibility), 1023).astype(np.int64)]


@dataclass(frozen=True, eq=False)
class Rendering:
    """A picture and what is in it."""

    color: Pixels
    """(H, W, 3) uint8."""
    depth: npt.NDArray[np.float32]
    """(H, W) float32, metres along the optical axis; inf where there is only the background."""
    ids: npt.NDArray[np.int32]
    """(H, W) int32: the instance seen, 0 for ground, background and meshes of no id."""


def project(points: Floats, camera: Camera) -> tuple[Floats, Floats]:
    """Where points of the world are in the picture.

    Args:
        points: (n, 3) float64, metres.
        camera: The view.

    Returns:
        (n, 2) float64 pixels, which may lie outside the picture and are nan behind the camera; (n,) float64 depth,
        metres.
    """
    local = camera.into(np.asarray(points, dtype=np.float64))
    depth = local[:, 2]
    pixels = np.full((len(local), 2), np.nan)
    ahead = depth > 0
    pixels[ahead] = camera.pixels(local[ahead])
    return pixels, depth


def render(
    meshes: Sequence[Mesh | Faces],
    camera: Camera,
    *,
    light: Light | None = None,
    background: Colour | Background = (255, 255, 255),
    ground: Ground | Colour | None = None,
    fog: Fog | None = None,
    samples: int = 1,
) -> Rendering:
    """Draws a scene: the same arguments give the same bytes in every process.

    Args:
        meshes: Solids; of faces in the very same place the first is seen. What does not move between pictures may be
            given as `Faces`, made once for the same light.
        camera: The view.
        light: Sun, ambient light and lamps; `Light()` where not given.
        background: A colour, or what paints it by direction. Fog does not cover it.
        ground: The plane z = 0 without end: a colour or what paints it; it hides what is below. It has the light's
            lamps and ambient, and the sun's light by its height.
        fog: None for clear air.
        samples: Supersampling: this many by this many samples a pixel, their colours averaged, depth and ids those of
            one near the middle.

    Returns:
        The frame.
    """
    if samples < 1:
        raise ValueError(f"samples is at least 1, not {samples}.")
    light = light or Light()
    view = camera.resized(camera.width * samples, camera.height * samples)
    faces = _lit(meshes, light)
    index, depth = visible(faces.vertices, faces.corners, faces.two_sided, view)
    color = np.append(faces.shaded, words((0, 0, 0) if callable(background) else background))[index]
    if light.lamp is not None:
        solid = np.flatnonzero(index >= 0)
        color[solid] = _lamplit(faces, light.lamp, view, index, depth, solid)
    if ground is not None:
        _lay_ground(ground, view, light, index, depth, color)
    clear = np.isinf(depth)
    if callable(background):
        rest = np.flatnonzero(clear)
        color[rest] = words(background(_directions(view, rest)))
    if fog is not None:
        weight = fog.weights(depth).astype(np.uint32)
        weight[clear] = 0
        color = mixed(color, words(fog.color), weight)
    return _reduced(color, depth, index, np.append(faces.ids, np.int32(0)), view, samples)


def _lit(meshes: Sequence[Mesh | Faces], light: Light) -> Faces:
    """The faces of all, in their order."""
    parts: list[Faces] = []
    for kept, some in groupby(meshes, key=lambda one: isinstance(one, Faces)):
        if kept:
            parts += [one for one in some if isinstance(one, Faces)]
        else:
            parts.append(Faces.of([one for one in some if isinstance(one, Mesh)], light.key))
    if any(part.sun != light.key for part in parts):
        raise ValueError("Faces were made for another light than they are drawn in.")
    return Faces.joined(parts or [Faces.of((), light.key)])


def _lamplit(faces: Faces, lamp: Lamp, camera: Camera, index: Ints, depth: Floats, where: Ints) -> Words:
    face = index[where]
    lit = faces.brightness[face] + lamp(_seen_at(camera, where, depth[where]).T)
    return scaled(faces.colors[face], weights(np.maximum(lit, faces.glow[face])))


def _lay_ground(
    ground: Ground | Colour, camera: Camera, light: Light, index: Ints, depth: Floats, color: Words
) -> None:
    """Draws the ground where it is nearer than what is there: `index` becomes -1, `depth` the ground's."""
    if camera.eye[2] <= 0:
        return
    x, y = _grid(camera)
    # A camera that is not rolled sees the ground equally far away along a row: then (H, 1), else (H, W).
    across = x[None, :] * camera.axes[0, 2] if camera.axes[0, 2] else np.zeros((1, 1))
    down = -(across + y[:, None] * camera.axes[1, 2] + camera.axes[2, 2])
    far = np.divide(camera.eye[2], down, out=np.full(down.shape, np.inf), where=down > 0)
    far = np.broadcast_to(np.where(far > camera.near, far, np.inf), (camera.height, camera.width))
    where = np.flatnonzero(far < depth.reshape(far.shape))
    away = far[where // camera.width, where % camera.width]
    index[where] = -1
    depth[where] = away
    # Only a lamp needs the height, which is 0.
    points = _seen_at(camera, where, away, 3 if light.lamp else 2).T if callable(ground) or light.lamp else away[:0]
    paint = words(ground(points[:, :2], away / camera.focal) if callable(ground) else ground)
    z = light.direction[2] / math.sqrt(sum(d * d for d in light.direction))
    bright = light.ambient + light.sun * max(0.0, z)
    color[where] = scaled(paint, weights(bright + light.lamp(points) if light.lamp else bright))


def _grid(camera: Camera) -> tuple[Floats, Floats]:
    """The slopes of the rays through the columns' and the rows' centres: (W,) and (H,) float64."""
    x: Floats = (np.arange(camera.width, dtype=np.float64) + 0.5 - camera.centre[0]) / camera.focal
    y: Floats = (np.arange(camera.height, dtype=np.float64) + 0.5 - camera.centre[1]) / camera.focal
    return x, y


def _seen_at(camera: Camera, where: Ints, depth: Floats | float, count: int = 3) -> Floats:
    """x, y and z in the world (or the first `count` of them) of what is at `depth` behind the pixels of index `where`:
    (count, n) float64.
    """
    x, y = _grid(camera)
    row = where // camera.width
    return camera.world(x[where - row * camera.width] * depth, y[row] * depth, depth, count)


def _directions(camera: Camera, where: Ints) -> Floats:
    rays = _seen_at(camera, where, 1.0)
    rays -= np.array(camera.eye)[:, None]
    x, y, z = rays
    rays /= np.sqrt(x * x + y * y + z * z)
    return rays.T


def _reduced(
    painted: Words, depth: Floats, index: Ints, ids: npt.NDArray[np.int32], camera: Camera, samples: int
) -> Rendering:
    h, w, s = camera.height, camera.width, samples
    color, depth, index = (
        pixels(painted).reshape(h, w, 3),
        depth.reshape(h, w)[s // 2 :: s, s // 2 :: s],
        index.reshape(h, w)[s // 2 :: s, s // 2 :: s],
    )
    if s > 1:
        total = np.full((h // s, w // s, 3), s * s // 2, dtype=np.uint32)
        for i in range(s):
            row = color[i::s]
            for j in range(s):
                total += row[:, j::s]
        total //= s * s
        color = total.astype(np.uint8)
    return Rendering(color, depth.astype(np.float32), ids[index])
