"""The picture of a scene: RGB, depth and instance ids, from the ego car's camera, in any weather and light."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from embodied.arrays import Floats, Pixels
from embodied.driving.scene.objects import build
from embodied.driving.scene.road import painter, roadside
from embodied.driving.scene.spec import Actor, SceneSpec
from embodied.raster import Camera, Faces, Fog, Light, Mesh, Rendering, boxes, render
from embodied.raster.faces import Sun
from embodied.raster.render import Background, Lamp
from embodied.raster.words import Words, words
from embodied.seeding import generator

SIZE = (1280, 720)
EYE = 1.5
"""Height of the camera above the road, metres."""
FIELD = 42.0
"""Vertical field of view, degrees; 68 across a 16:9 picture."""
VISIBILITY = {"clear": 900.0, "rain": 260.0, "fog": 120.0, "snow": 170.0}
"""Metres (meteorological range)."""
Pose = tuple[float, float, float]
"""x and y of the camera in metres, and its yaw in degrees."""

_SKY = {  # at the horizon, overhead
    ("day", "clear"): ((208, 224, 238), (98, 152, 222)),
    ("day", "overcast"): ((196, 200, 204), (164, 170, 178)),
    ("dusk", "clear"): ((244, 176, 120), (86, 96, 148)),
    ("dusk", "overcast"): ((150, 142, 144), (98, 100, 116)),
    ("night", "clear"): ((28, 32, 48), (8, 10, 22)),
    ("night", "overcast"): ((34, 36, 42), (18, 20, 26)),
}
_SUN = {"day": (0.55, 0.5), "dusk": (0.34, 0.36), "night": (0.03, 0.13)}
"""Sun and ambient light."""
STREET_LIGHT = 0.1
"""Ambient light that lamps add at night where people live."""


def camera(pose: Pose = (0.0, 0.0, 0.0), size: tuple[int, int] = SIZE) -> Camera:
    """The ego car's camera: it looks along the road, a little down."""
    x, y, yaw = pose
    turn = math.radians(yaw)
    ahead = (x - 30 * math.sin(turn), y + 30 * math.cos(turn), EYE - 1.2)
    target = (round(ahead[0], 9), round(ahead[1], 9), round(ahead[2], 9))
    return Camera((x, y, EYE), target, fov_y=FIELD, width=size[0], height=size[1])


def frame(
    spec: SceneSpec,
    pose: Pose = (0.0, 0.0, 0.0),
    actors: Sequence[Actor] | None = None,
    *,
    size: tuple[int, int] = SIZE,
    samples: int = 1,
) -> Rendering:
    """Draws a scene.

    Args:
        spec: The scene.
        pose: Where the camera is.
        actors: The scene's, moved; None for where the specification puts them.
        size: Width and height, pixels.
        samples: Supersampling; 2 looks smoother and takes four times as long.

    Returns:
        Colour (H, W, 3) uint8, depth (H, W) float32 in metres, ids (H, W) int32: the actors', 0 elsewhere.
    """
    night = spec.time == "night"
    overcast = spec.weather != "clear"
    view = camera(pose, size)
    solids = [build(actor, night) for actor in (spec.actors if actors is None else actors)]
    horizon, zenith = _SKY[spec.time, "overcast" if overcast else "clear"]
    sun, ambient = _SUN[spec.time]
    if overcast and not night:
        sun, ambient = sun * 0.3, ambient + 0.18
    if night and spec.road.surroundings in ("city", "suburb"):
        ambient += STREET_LIGHT
    light = Light((0.5, -0.7, 1.1), sun, ambient, _lamps(pose) if night else None)
    drawn = render(
        [*_shadows(spec, solids, overcast), *solids, _ahead(*_standing(_bare(spec), light.key), pose[1])],
        view,
        light=light,
        background=_sky(horizon, zenith),
        ground=painter(spec),
        fog=Fog(horizon, VISIBILITY[spec.weather]),
        samples=samples,
    )
    color = drawn.color
    if spec.weather in ("rain", "snow"):
        color = _falling(color, spec, pose)
    return Rendering(color, drawn.depth, drawn.ids)


# --------------------------------------------------------------------------- what is around


def _bare(spec: SceneSpec) -> SceneSpec:
    """What the roadside is built from; all else is left out."""
    return SceneSpec("", "", spec.seed, spec.road, time=spec.time)


@lru_cache(maxsize=8)
def _standing(spec: SceneSpec, sun: Sun) -> tuple[Faces, Floats]:
    """What stands along the road, lit; and for each face how far along the road the solid that it belongs to reaches,
    metres. It never moves: it is built once and kept, about a megabyte a scene.
    """
    meshes = [m for m in roadside(spec) if len(m.faces)]
    reach = np.repeat([m.vertices[:, 1].max() for m in meshes], [len(m.faces) for m in meshes])
    faces = Faces.of(meshes, sun)
    faces.protect()
    return faces, reach


def _ahead(faces: Faces, reach: Floats, y: float) -> Faces:
    """Without what the camera has passed."""
    return faces.only(reach > y - 2)


def _shadows(spec: SceneSpec, solids: Sequence[Mesh], overcast: bool) -> list[Mesh]:
    """A dark patch below each solid: what ties it to the ground."""
    if spec.time == "night":
        return []
    shade = (70, 72, 76) if overcast else (46, 48, 54)
    middles, sizes = [], []
    for solid in solids:
        low, high = solid.vertices.min(axis=0), solid.vertices.max(axis=0)
        foot = solid.vertices[solid.vertices[:, 2] < 0.45]
        if len(foot):
            low[:2], high[:2] = foot[:, :2].min(axis=0), foot[:, :2].max(axis=0)
        wide, long = (high - low)[:2]
        middles.append(((low[0] + high[0]) / 2 - 0.06, (low[1] + high[1]) / 2, 0.004))
        sizes.append((wide + 0.16, long + 0.12, 0.006))
    return [boxes(np.array(middles), np.array(sizes), shade)] if middles else []


def _lamps(pose: Pose) -> Lamp:
    """Headlamps: a cone ahead of the car that fades with distance. Written with roots and quotients alone, which are
    the same everywhere.
    """
    x, y, yaw = pose
    turn = math.radians(yaw)
    c, s = round(math.cos(turn), 12), round(math.sin(turn), 12)

    def light(points: Floats) -> Floats:
        dx, dy = points[:, 0] - x, points[:, 1] - y
        ahead, side = dy * c - dx * s, dx * c + dy * s
        spread = np.clip(1.25 - np.abs(side - 0.4) / np.maximum(0.42 * ahead + 1.5, 1e-6), 0.0, 1.0)
        fade = np.clip(1.06 - ahead / 62.0, 0.0, 1.0)
        low = np.clip(1.3 - points[:, 2] / 3.2, 0.25, 1.0)
        return np.where(ahead > 0, 0.88 * spread * fade * low, 0.0)

    return light


@lru_cache(maxsize=16)
def _sky(horizon: tuple[int, int, int], zenith: tuple[int, int, int]) -> Background:
    low, high, steps = np.array(horizon), np.array(zenith), np.arange(65)[:, None]
    tints = words(((low * (64 - steps) + high * steps) // 64).astype(np.uint8))

    def paint(directions: Floats) -> Words:
        share = np.floor(np.minimum(np.maximum(directions[:, 2] * 2.4, 0.0), 1.0) * 64).astype(np.int64)
        tinted: Words = tints[share]
        return tinted

    return paint


def _falling(color: Pixels, spec: SceneSpec, pose: Pose) -> Pixels:
    """Streaks of rain or flakes of snow, drawn from the scene's seed and where the camera is."""
    height, width = color.shape[:2]
    rng = generator(spec.seed, "falling", round(pose[1] * 10))
    count = width * height // (1700 if spec.weather == "rain" else 1500)
    xs, ys = rng.integers(0, width, count), rng.integers(0, height, count)
    long = (
        rng.integers(height // 60, height // 22 + 2, count)
        if spec.weather == "rain"
        else rng.integers(1, max(2, height // 200) + 1, count)
    )
    out = color.copy()
    for step in range(int(long.max())):
        on = long > step
        if spec.weather == "rain":
            at = np.minimum(ys[on] + step, height - 1), np.maximum(xs[on] - step // 5, 0)
            out[at] = np.minimum(out[at], 255 - 34) + 34
        else:
            for across in range(int(long.max())):
                dot = on & (long > across)
                out[np.minimum(ys[dot] + step, height - 1), np.minimum(xs[dot] + across, width - 1)] = (236, 238, 242)
    return out
