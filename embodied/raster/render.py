"""From meshes to a picture: light, ground, background, fog, supersampling."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from embodied.arrays import Floats, Ints, Pixels
from embodied.raster.camera import Camera, Vector
from embodied.raster.fragments import visible
from embodied.raster.mesh import Colour, Mesh

Ground = Callable[[Floats, Floats], Pixels]
"""Paints the plane z = 0: points on it (n, 2) float64 in metres, and how wide a pixel is there across the view (n,)
float64 in metres (what is finer cannot be seen and should fade) -> (n, 3) uint8. It must use nothing that differs
between machines near a colour's edge.
"""
Background = Callable[[Floats], Pixels]
"""Paints the background: directions (n, 3) float64 of length 1 in the world -> (n, 3) uint8."""
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
        # By table, a step being a 256th of the visibility: no exponential of the platform's decides a colour.
        table = np.array(
            [math.floor(256 * (1 - math.exp(-3 * (k + 0.5) / 256)) + 0.5) for k in range(1024)], dtype=np.uint16
        )
        return table[np.minimum(depth * (256 / self.visibility), 1023).astype(np.int64)]


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
    meshes: Sequence[Mesh],
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
        meshes: Solids; of faces in the very same place the first is seen.
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
    faces = _Faces(meshes, light)
    index, depth = visible(view.into(faces.corners), faces.two_sided, view)
    plain = background if not callable(background) else (0, 0, 0)
    color = _looked_up(np.append(faces.shaded, [np.asarray(plain, dtype=np.uint8)], axis=0), index)
    if light.lamp is not None:
        solid = np.flatnonzero(index >= 0)
        color[solid] = _lamplit(faces, light, view, index, depth, solid)
    if ground is not None:
        _lay_ground(ground, view, light, index, depth, color)
    if callable(background):
        rest = np.flatnonzero(np.isinf(depth))
        color[rest] = background(_directions(view, rest))
    if fog is not None:
        some = np.flatnonzero(np.isfinite(depth))
        color[some] = _mixed(color[some], fog.color, fog.weights(depth[some]))
    return _reduced(color, depth, index, faces.ids, view, samples)


class _Faces:
    """The faces of all meshes as arrays of F."""

    def __init__(self, meshes: Sequence[Mesh], light: Light):
        meshes = [m for m in meshes if len(m.faces)]
        count = [len(m.faces) for m in meshes]
        self.corners = np.concatenate([np.zeros((0, 3, 3)), *(m.vertices[m.faces] for m in meshes)])
        self.colors = np.concatenate([np.zeros((0, 3), dtype=np.uint8), *(m.colors for m in meshes)])
        self.glow = np.concatenate([np.zeros(0), *(m.glow for m in meshes)])
        # One more, so that an index of -1 points somewhere.
        self.ids = np.append(np.repeat([m.id for m in meshes], count).astype(np.int32), np.int32(0))
        self.two_sided = np.repeat(np.array([m.two_sided for m in meshes], dtype=bool), count)
        self.brightness = self._brightness(light)
        self.shaded = _scaled(self.colors, np.maximum(self.brightness, self.glow))

    def _brightness(self, light: Light) -> Floats:
        a, b = self.corners[:, 1] - self.corners[:, 0], self.corners[:, 2] - self.corners[:, 0]
        n = np.stack(
            [
                a[:, 1] * b[:, 2] - a[:, 2] * b[:, 1],
                a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2],
                a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0],
            ],
            axis=1,
        )
        length = np.sqrt(n[:, 0] * n[:, 0] + n[:, 1] * n[:, 1] + n[:, 2] * n[:, 2])
        x, y, z = light.direction
        cosine = (n[:, 0] * x + n[:, 1] * y + n[:, 2] * z) / (
            np.maximum(length, 1e-12) * math.sqrt(x * x + y * y + z * z)
        )
        cosine = np.where(self.two_sided, np.abs(cosine), np.maximum(cosine, 0))
        return light.ambient + light.sun * cosine


def _lamplit(faces: _Faces, light: Light, camera: Camera, index: Ints, depth: Floats, where: Ints) -> Pixels:
    assert light.lamp is not None
    face = index[where]
    lit = faces.brightness[face] + light.lamp(camera.out_of(_rays(camera, where) * depth[where, None]))
    return _scaled(faces.colors[face], np.maximum(lit, faces.glow[face]))


def _lay_ground(
    ground: Ground | Colour, camera: Camera, light: Light, index: Ints, depth: Floats, color: Pixels
) -> None:
    """Draws the ground where it is nearer than what is there: `index` becomes -1, `depth` the ground's."""
    if camera.eye[2] <= 0:
        return
    x, y = _grid(camera)
    down = -(x[None, :] * camera.axes[0, 2] + y[:, None] * camera.axes[1, 2] + camera.axes[2, 2]).ravel()
    far = np.divide(camera.eye[2], down, out=np.full(len(depth), np.inf), where=down > 0)
    where = np.flatnonzero((far < depth) & (far > camera.near))
    index[where] = -1
    depth[where] = far[where]
    points = (
        camera.out_of(_rays(camera, where) * far[where, None]) if callable(ground) or light.lamp else np.empty((0, 3))
    )
    paint = (
        ground(points[:, :2], far[where] / camera.focal) if callable(ground) else np.asarray([ground], dtype=np.uint8)
    )
    z = light.direction[2] / math.sqrt(sum(d * d for d in light.direction))
    bright = np.full(len(where), light.ambient + light.sun * max(0.0, z))
    color[where] = _scaled(paint, bright + light.lamp(points) if light.lamp else bright)


def _grid(camera: Camera) -> tuple[Floats, Floats]:
    """The slopes of the rays through the columns' and the rows' centres: (W,) and (H,) float64."""
    x: Floats = (np.arange(camera.width, dtype=np.float64) + 0.5 - camera.centre[0]) / camera.focal
    y: Floats = (np.arange(camera.height, dtype=np.float64) + 0.5 - camera.centre[1]) / camera.focal
    return x, y


def _rays(camera: Camera, where: Ints) -> Floats:
    """Points at depth 1 in the camera frame behind the pixels of index `where` (n,), (n, 3) float64."""
    x, y = _grid(camera)
    return np.stack([x[where % camera.width], y[where // camera.width], np.ones(len(where))], axis=1)


def _directions(camera: Camera, where: Ints) -> Floats:
    r = _rays(camera, where)
    d = camera.out_of(r) - np.asarray(camera.eye)
    directions: Floats = d / np.sqrt(d[:, 0] * d[:, 0] + d[:, 1] * d[:, 1] + d[:, 2] * d[:, 2])[:, None]
    return directions


def _scaled(color: Pixels, brightness: Floats) -> Pixels:
    """Colours (n, 3) uint8 made as bright as `brightness` (n,) says, 1 at most, in 256ths."""
    weight = np.floor(np.clip(brightness, 0.0, 1.0) * 256 + 0.5).astype(np.uint32)
    return ((color * weight[:, None] + 128) >> 8).astype(np.uint8)


def _mixed(color: Pixels, other: Colour, weight: npt.NDArray[np.uint16]) -> Pixels:
    w = weight.astype(np.uint32)[:, None]
    return ((color * (256 - w) + np.asarray(other, dtype=np.uint32) * w + 128) >> 8).astype(np.uint8)


def _looked_up(table: Pixels, index: Ints) -> Pixels:
    """The rows (n, 3) uint8 of a table of colours; taken as whole words, which is five times as fast."""
    words = np.zeros((len(table), 4), dtype=np.uint8)
    words[:, :3] = table
    return words.view(np.uint32)[:, 0][index].view(np.uint8).reshape(-1, 4)[:, :3].copy()


def _reduced(
    color: Pixels, depth: Floats, index: Ints, ids: npt.NDArray[np.int32], camera: Camera, samples: int
) -> Rendering:
    h, w, s = camera.height, camera.width, samples
    color, depth, index = (
        color.reshape(h, w, 3),
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
