"""The road and what stands along it: where lanes are, how the ground is painted, buildings, trees and lamps."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from embodied.arrays import Bools, Floats, Ints
from embodied.driving.scene.spec import Road, SceneSpec
from embodied.raster import Mesh, box, concatenate, cylinder, frustum, sphere
from embodied.raster.render import Ground
from embodied.raster.words import Words, shared, words
from embodied.seeding import generator

DASH, GAP = 3.0, 6.0
"""Metres of a dashed line (German RMS and many others)."""
LINE = 0.15
"""Width of a line, metres."""
PAVEMENT = 3.0
"""Metres."""
CROSSING = 4.0
"""Length of a zebra crossing along the road, metres."""
REACH = 190.0
"""How far the roadside is built, metres ahead of the start; the rest is haze."""

WHITE, YELLOW = (225, 225, 220), (214, 178, 46)


def lane_centre(road: Road, lane: int) -> float:
    """x of the middle of a lane of ours (0 is the leftmost); negative numbers are oncoming lanes, -1 the one next to
    us.
    """
    return (lane - road.ego_lane) * road.lane_width


def edges(road: Road) -> tuple[float, float]:
    """x of the carriageway's left and right edge."""
    left = (-road.ego_lane - road.opposite - 0.5) * road.lane_width
    return left, (road.lanes - road.ego_lane - 0.5) * road.lane_width


def lane_of(road: Road, x: float) -> int | None:
    """The lane at x, numbered as in `lane_centre`; None beside the carriageway."""
    left, right = edges(road)
    return None if not left <= x < right else int(np.floor(x / road.lane_width + road.ego_lane + 0.5))


def painter(spec: SceneSpec) -> Ground:
    """What paints the ground of a scene."""
    return _painter(spec.road, spec.weather)


@lru_cache(maxsize=32)
def _painter(road: Road, weather: str) -> Ground:
    left, right = edges(road)
    snow = weather == "snow"
    paved = PAVEMENT if road.surroundings in ("city", "suburb") else 0.0
    beside_and_on = np.concatenate([_verge(road, snow), _asphalt(weather)])
    slabs = words([(168, 168, 162), (160, 160, 154)] if not snow else [(198, 198, 192), (190, 190, 184)])
    track, kerb, white = words((96, 96, 96)), words((196, 196, 192)), words(WHITE)
    lines = _lines(road)

    def paint(points: Floats, width: Floats) -> Words:
        x, y = points[:, 0], points[:, 1]
        on = (x >= left) & (x < right)
        color: Words = beside_and_on[_grain(x, y) + on * np.uint32(GRAINS)]
        if paved:
            beside = np.flatnonzero(((x >= right) & (x < right + paved)) | ((x < left) & (x >= left - paved)))
            bx = x[beside]
            odd = (np.floor(bx) + np.floor(y[beside])) % 2 != 0
            at_kerb = ((bx >= right) & (bx < right + 0.2)) | ((bx < left) & (bx >= left - 0.2))
            color[beside] = np.where(at_kerb, kerb, slabs[odd.view(np.uint8)])
        if snow:  # tracks of wheels are bare
            at = np.flatnonzero(on)
            bare = np.abs(np.abs((x[at] / road.lane_width + 0.5) % 1.0 - 0.5) * road.lane_width - 0.8) < 0.35
            color[at[bare]] = track
        reach = np.maximum(LINE, width) / 2
        for offsets, dashed, tint in lines:
            offset = x
            for at_x in offsets:
                offset = offset - at_x
            _line(color, np.flatnonzero(np.abs(offset) < reach), y if dashed else None, width, tint)
        if road.crossing is not None:
            near = np.flatnonzero((y >= road.crossing - 1.6) & (y < road.crossing + CROSSING) & on)
            color[near[_crossed(road, x[near], y[near])]] = white
        return color

    return paint


def _verge(road: Road, snow: bool) -> Words:
    """The colours of the ground beside the road, one for each grain."""
    plain = {"city": (122, 120, 116), "suburb": (86, 118, 66), "rural": (98, 124, 60), "motorway": (92, 116, 64)}
    verge = (206, 210, 214) if snow else plain[road.surroundings]
    return words((np.array(verge) + (np.arange(GRAINS) % 13 - 6)[:, None]).astype(np.uint8))


def _asphalt(weather: str) -> Words:
    """The colours of the road, one for each grain."""
    asphalt = {"snow": 150, "rain": 66}.get(weather, 86)
    return words((np.full(3, asphalt) + (np.arange(GRAINS) % 7 - 3)[:, None]).astype(np.uint8))


def _lines(road: Road) -> list[tuple[tuple[float, ...], bool, Words]]:
    """The lines along the road: what is taken from x, one number after the other, to be 0 on it; whether it is dashed;
    its colour.
    """
    left, _ = edges(road)
    middle = (-road.ego_lane - 0.5) * road.lane_width
    last, lines = road.lanes + road.opposite, list[tuple[tuple[float, ...], bool, Words]]()
    for k in range(last + 1):
        at = left + k * road.lane_width
        if 0 < k < last and abs(at - middle) < 0.01 and road.opposite:
            lines += [((at, side), False, words(YELLOW)) for side in (-0.14, 0.14)]
        elif 0 < k < last:
            lines.append(((at,), True, words(WHITE)))
        else:
            lines.append(((at + 0.25 if k == 0 else at - 0.25,), False, words(WHITE)))
    return lines


def _crossed(road: Road, x: Floats, y: Floats) -> Bools:
    """Where the road is white: the stripes of the zebra crossing, and the line to stop at."""
    assert road.crossing is not None
    left, middle = edges(road)[0], (-road.ego_lane - 0.5) * road.lane_width
    stripes = (y >= road.crossing) & ((x - left) % 1.0 < 0.5)
    return np.asarray(stripes | ((x > middle) & (y < road.crossing - 1.2)))


def _line(color: Words, hit: Ints, y: Floats | None, width: Floats, tint: Words) -> None:
    """Paints a line at the points `hit`, dashed along `y`. Where it is finer than a pixel, it has only its share of the
    pixel, in 16ths.
    """
    if y is not None:
        hit = hit[y[hit] % (DASH + GAP) < DASH]
    share = np.floor(np.minimum(LINE / np.maximum(width[hit], 1e-9), 1.0) * 16).astype(np.uint32)
    color[hit] = shared(color[hit], tint, share)


GRAINS = 997
GRAIN = 0.25
"""Size of a grain of the ground, metres."""


def _grain(x: Floats, y: Floats) -> Words:
    """A number below `GRAINS` for each cell of the ground, the same everywhere: a hash of whole numbers. Its lowest
    31 bits alone count, so 32 are enough.
    """
    i, j = ((np.floor(a / GRAIN)).astype(np.int64).astype(np.uint32) for a in (x, y))
    h = ((i * np.uint32(73856093) ^ j * np.uint32(19349663)) & np.uint32(0x7FFFFFFF)) >> np.uint32(7)
    return np.asarray(h - h // np.uint32(GRAINS) * np.uint32(GRAINS))  # quicker than a remainder


# --------------------------------------------------------------------------- roadside


def roadside(spec: SceneSpec) -> list[Mesh]:
    """Buildings, trees, lamps, rails: no question is about them. Drawn from the scene's seed, the same for twins."""
    rng = generator(spec.seed, "roadside", spec.road.surroundings)
    night = spec.time != "day"
    build = {"city": _city, "suburb": _suburb, "rural": _rural, "motorway": _motorway}[spec.road.surroundings]
    return build(spec, rng, night)


def _city(spec: SceneSpec, rng: np.random.Generator, night: bool) -> list[Mesh]:
    left, right = edges(spec.road)
    meshes = []
    for side, edge in ((-1, left), (1, right)):
        y = -15.0
        while y < REACH:
            length, height, deep = float(rng.integers(12, 26)), float(rng.integers(9, 24)), 14.0
            tone = [(172, 148, 126), (150, 150, 152), (186, 172, 148), (136, 116, 104), (160, 130, 112)][
                int(rng.integers(5))
            ]
            x = edge + side * (PAVEMENT + 1.0 + deep / 2)
            meshes.append(box((x, y + length / 2, height / 2), (deep, length - 0.6, height), 0.0, tone))
            meshes += _windows(edge + side * (PAVEMENT + 1.0) - side * 0.05, side, y, length, height, rng, night)
            y += length
        meshes += [_lamp(edge + side * 0.7, at, side, night) for at in _spaced(12.0, REACH, 32.0)]
        meshes += [_tree(edge + side * 1.9, at, rng) for at in _spaced(26.0, 120.0, 32.0)]
    return meshes


def _suburb(spec: SceneSpec, rng: np.random.Generator, night: bool) -> list[Mesh]:
    left, right = edges(spec.road)
    meshes = []
    for side, edge in ((-1, left), (1, right)):
        for at in _spaced(4.0, REACH, 22.0):
            x = edge + side * (PAVEMENT + 9.0)
            tone = [(214, 204, 186), (196, 168, 140), (184, 190, 196)][int(rng.integers(3))]
            roof = [(132, 66, 52), (92, 84, 80)][int(rng.integers(2))]
            meshes.append(box((x, at, 2.4), (9.0, 10.0, 4.8), 0.0, tone))
            meshes.append(box((x, at, 6.0), (10.0, 11.0, 2.4), 0.0, roof, taper=(0.15, 0.9)))
            meshes += _windows(x - side * 4.55, side, at - 4.0, 8.0, 4.0, rng, night)
            meshes.append(_tree(edge + side * 4.6, at + 10.0, rng))
        meshes += [_lamp(edge + side * 0.7, at, side, night) for at in _spaced(16.0, REACH, 40.0)]
    return meshes


def _rural(spec: SceneSpec, rng: np.random.Generator, night: bool) -> list[Mesh]:
    left, right = edges(spec.road)
    meshes = []
    for side, edge in ((-1, left), (1, right)):
        for at in _spaced(6.0, REACH, 13.0):
            meshes.append(_tree(edge + side * float(rng.integers(4, 16)), at + float(rng.integers(0, 9)), rng))
        for at in _spaced(5.0, 120.0, 25.0):  # delineators
            meshes.append(box((edge + side * 0.9, at, 0.5), (0.12, 0.12, 1.0), 0.0, (236, 236, 236)))
    return meshes


def _motorway(spec: SceneSpec, rng: np.random.Generator, night: bool) -> list[Mesh]:
    left, right = edges(spec.road)
    meshes = []
    for side, edge in ((-1, left), (1, right)):
        meshes.append(box((edge + side * 1.0, REACH / 2, 0.62), (0.08, REACH + 30, 0.3), 0.0, (172, 176, 180)))
        meshes += [
            box((edge + side * 1.1, at, 0.4), (0.1, 0.1, 0.8), 0.0, (120, 122, 126)) for at in _spaced(2.0, 130.0, 4.0)
        ]
        meshes += [_tree(edge + side * float(rng.integers(9, 22)), at, rng) for at in _spaced(20.0, REACH, 19.0)]
    return meshes


def _spaced(start: float, end: float, step: float) -> list[float]:
    """Places from `start` on, `step` apart, before `end`."""
    return [float(at) for at in np.arange(start, end, step)]


def _windows(
    x: float, side: int, y: float, length: float, height: float, rng: np.random.Generator, night: bool
) -> list[Mesh]:
    """Rows of windows on a wall that faces the road; some are lit at night."""
    panes = []
    for z in _spaced(1.6, height - 1.4, 3.2):
        for at in _spaced(y + 2.0, y + length - 1.6, 3.4):
            lit = night and int(rng.integers(4)) == 0
            pane = box((x, at, z + 0.7), (0.12, 1.5, 1.5), 0.0, (246, 214, 132) if lit else (58, 70, 84))
            panes.append(pane.lit(0.9) if lit else pane)
    return [concatenate(panes)] if panes else []


def _tree(x: float, y: float, rng: np.random.Generator) -> Mesh:
    size = 1.5 + 0.2 * int(rng.integers(6))
    green = [(56, 104, 48), (70, 116, 50), (48, 92, 54)][int(rng.integers(3))]
    trunk = cylinder((x, y, 0.0), 0.18, 2.6, (92, 70, 50), sides=7)
    return concatenate([trunk, sphere((x, y, 2.4 + size), (size, size, size * 1.15), green, sides=10)])


def _lamp(x: float, y: float, side: int, night: bool) -> Mesh:
    head = box((x - side * 1.5, y, 6.9), (0.9, 0.3, 0.16), 0.0, (255, 240, 196) if night else (150, 152, 156))
    pole = frustum((x, y, 0.0), 0.09, 0.06, 7.0, (120, 124, 128), sides=6)
    arm = box((x - side * 0.75, y, 7.0), (1.5, 0.08, 0.08), 0.0, (120, 124, 128))
    return concatenate([pole, arm, head.lit() if night else head])
