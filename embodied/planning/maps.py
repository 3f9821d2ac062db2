"""Maps: polygons on the square [-40, 40] x [-40, 40], in four families of any size, from a seed.

The constructions are those the published maps of PathEval (CVPR 2025) show when they are measured; the numbers here
were read off their vertices. Published files are read and written too.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from embodied.arrays import Bools, Floats, Ints
from embodied.errors import UsageError
from embodied.planning.geometry import Polygons
from embodied.planning.planners.astar import route
from embodied.planning.planners.space import GOAL, HALF, START
from embodied.registry import unknown
from embodied.seeding import generator

DIGITS = 6
"""Vertices are rounded as in the published files, so that every machine makes the same map."""


@dataclass(frozen=True, eq=False)
class Map:
    """Obstacles on the square."""

    name: str
    family: str
    """One of `FAMILIES`, or `scene` of those made by hand."""
    parameter: int
    """Its size in the family's own measure; 0 of a scene."""
    seed: int
    """What it was drawn from; of a published map its number in the family."""
    polygons: tuple[Floats, ...]
    """Each (n, 2) float64 vertices, counter-clockwise, in map units."""

    @functools.cached_property
    def obstacles(self) -> Polygons:
        """The polygons with their distances; made on first use."""
        return Polygons(self.polygons)


# --------------------------------------------------------------------------- families

_MAZE_Y = 33.0
"""A maze covers all of x and y in [-33, 33]; above and below it the way is open."""
_MAZE_WALL, _WALL = 0.5, 1.0
"""Thickness of walls: in mazes, in rings and waves."""


def _maze(cells: int, rng: np.random.Generator) -> list[Floats]:
    """`cells` x `cells` rooms, the walls between them a spanning tree leaves, less round((cells - 1)^2 / 16) openings,
    which make loops.
    """
    room = np.arange(cells * cells).reshape(cells, cells)
    doors = np.concatenate(
        [np.stack([room[:-1].ravel(), room[1:].ravel()], 1), np.stack([room[:, :-1].ravel(), room[:, 1:].ravel()], 1)]
    )
    walls = doors[~_spanning_tree(doors, rng)]
    openings = math.floor((cells - 1) ** 2 / 16 + 0.5)
    walls = walls[np.sort(rng.permutation(len(walls))[openings:])]
    wide, high, thick = 2 * HALF / cells, 2 * _MAZE_Y / cells, _MAZE_WALL / 2
    polygons = []
    for one, other in walls.tolist():
        (column, row), upright = divmod(one, cells), other - one == cells
        x, y = column * wide - HALF, row * high - _MAZE_Y
        if upright:
            polygons.append(_rectangle(x + wide - thick, y, x + wide + thick, y + high))
        else:
            polygons.append(_rectangle(x, y + high - thick, x + wide, y + high + thick))
    return polygons


def _spanning_tree(doors: Ints, rng: np.random.Generator) -> Bools:
    """Which of the doors (n, 2) between rooms make a random tree that joins them all: in random order, each door that
    joins two separate parts is taken (Kruskal).
    """
    leader = list(range(int(doors.max()) + 1))

    def of(room: int) -> int:
        while leader[room] != room:
            leader[room] = room = leader[leader[room]]
        return room

    taken = np.zeros(len(doors), dtype=bool)
    for door in rng.permutation(len(doors)):
        one, other = (of(int(room)) for room in doors[door])
        if one != other:
            leader[one], taken[door] = other, True
    return taken


_OUTER, _INNER = 36.0, 6.0
"""Radii of the outermost ring and of the smallest there may be, to the middle of the wall."""
_OPENING = (4.0, 6.0)
"""Length of an opening, along the middle of the wall."""
_RING_PIECE, _RING_STEP = 6.0, 2.0
"""Shortest piece of a ring, and the longest side of the polygon that stands for its curve."""


def _rings(gap: int, rng: np.random.Generator) -> list[Floats]:
    """Concentric walls with `gap` between them, each cut by three to five openings."""
    polygons = []
    for radius in np.arange(_OUTER, _INNER - 1e-9, -(gap + _WALL)).tolist():
        around = 2 * math.pi * radius
        openings = _drawn_lengths(rng, int(rng.integers(3, 6)), _OPENING, around, _RING_PIECE)
        pieces = _split(around - sum(openings), len(openings), _RING_PIECE, rng)
        at = float(rng.uniform(0, around))
        for opening, piece in zip(openings, pieces, strict=True):
            turn = np.linspace(at, at + piece, max(2, math.ceil(piece / _RING_STEP) + 1)) / radius
            polygons.append(_band(radius, turn))
            at += piece + opening
    return polygons


def _band(radius: float, turn: Floats) -> Floats:
    """The wall along an arc, angles in radians, counter-clockwise."""
    around = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    return np.concatenate([(radius + _WALL / 2) * around, (radius - _WALL / 2) * around[::-1]])


_WAVE_SPAN = 75.0
"""Waves share out this height evenly."""
_AMPLITUDE, _PERIOD = (0.25, 2.75), (50.0, 65.0)
_PASSAGE, _SLIT = (4.0, 6.0), (1.1, 2.5)
"""Openings of a wave: those a robot gets through, and those it does not unless it is small. They take turns."""
_WAVE_PIECE = 5.0


def _waves(lines: int, rng: np.random.Generator) -> list[Floats]:
    """`lines` wavy walls from left to right, each in two to five pieces."""
    polygons = []
    for line in range(1, lines + 1):
        middle = line * _WAVE_SPAN / (lines + 1) - _WAVE_SPAN / 2 + _WALL / 2
        amplitude, period = float(rng.uniform(*_AMPLITUDE)), float(rng.uniform(*_PERIOD))
        passage = bool(rng.integers(2))
        count = int(rng.integers(1 if passage else 2, 5))  # one opening at least is a passage
        openings = [float(rng.uniform(*(_PASSAGE if passage == (k % 2 == 0) else _SLIT))) for k in range(count)]
        pieces = _split(2 * HALF - sum(openings), count + 1, _WAVE_PIECE, rng)
        at = -HALF
        for piece, opening in zip(pieces, [*openings, 0.0], strict=True):
            sides = int(rng.integers(3, 5))
            x = at + np.cumsum([0.0, *_split(piece, sides, min(1.0, piece / sides / 2), rng)])
            polygons.append(
                _ribbon(np.stack([x, middle + amplitude * np.sin(2 * math.pi * (x + HALF) / period)], axis=1))
            )
            at += piece + opening
    return polygons


def _ribbon(line: Floats) -> Floats:
    """The wall along a line that runs from left to right, (n, 2): (2n, 2), counter-clockwise."""
    step = np.diff(line, axis=0)
    aside = np.stack([-step[:, 1], step[:, 0]], axis=1) / np.sqrt((step**2).sum(axis=1))[:, None]
    aside = np.concatenate([aside[:1], aside[:-1] + aside[1:], aside[-1:]])
    aside *= _WALL / 2 / np.sqrt((aside**2).sum(axis=1))[:, None]
    return np.concatenate([line - aside, (line + aside)[::-1]])


_REGION = (HALF, 33.0)
"""Half width and half height of where the random polygons' middles lie, less their radius in x; of its area their share
is counted.
"""
_SIDES = np.array([3, 4, 5, 6, 7, 8])
_SIDES_SHARE = np.array([0.09, 0.57, 0.06, 0.14, 0.08, 0.06])
"""How often each number of sides occurs in the published maps."""
_RADII = {3: (2.0, 3.0), 4: (1.43, 2.12), 5: (2.0, 3.0), 6: (2.0, 3.9), 7: (2.0, 3.0), 8: (2.0, 3.0)}
"""From the middle to a vertex, by the number of sides."""
_TRIES = 20_000


def _random(share: int, rng: np.random.Generator) -> list[Floats]:
    """Regular polygons that do not overlap and do not cover start or goal, until they cover `share` percent of the
    region.
    """
    polygons: list[Floats] = []
    middles, radii, area, wanted = np.empty((0, 2)), np.empty(0), 0.0, share / 100 * 4 * _REGION[0] * _REGION[1]
    for _ in range(_TRIES):
        sides = int(rng.choice(_SIDES, p=_SIDES_SHARE))
        radius = float(rng.uniform(*_RADII[sides]))
        middle = rng.uniform(-1, 1, 2) * (_REGION[0] - radius, _REGION[1])
        turn = float(rng.uniform(0, 2 * math.pi)) + 2 * math.pi * np.arange(sides) / sides
        polygon = middle + radius * np.stack([np.cos(turn), np.sin(turn)], axis=1)
        near = np.flatnonzero(((middles - middle) ** 2).sum(axis=1) < (radii + radius) ** 2)
        if any(_covers(polygon, end) for end in (START, GOAL)) or any(_overlap(polygon, polygons[k]) for k in near):
            continue
        polygons.append(polygon)
        middles, radii = np.concatenate([middles, [middle]]), np.append(radii, radius)
        area += sides / 2 * radius**2 * math.sin(2 * math.pi / sides)
        if area >= wanted:
            return polygons
    raise UsageError(
        f"No map of family random holds {share} % of obstacles: after {_TRIES:,} polygons no more fit. Choose a smaller"
        " parameter."
    )


def _overlap(one: Floats, other: Floats) -> bool:
    """Whether two convex polygons overlap: no side of either has the other one wholly outside."""
    for a, b in ((one, other), (other, one)):
        step = np.roll(a, -1, axis=0) - a
        side = step[:, 0, None] * (b[:, 1] - a[:, 1, None]) - step[:, 1, None] * (b[:, 0] - a[:, 0, None])
        if (side < 0).all(axis=1).any():
            return False
    return True


def _covers(polygon: Floats, point: Floats) -> bool:
    return _overlap(polygon, point[None] + np.array([[0, 0], [1e-9, 0], [0, 1e-9]]))


# --------------------------------------------------------------------------- lengths


def _drawn_lengths(
    rng: np.random.Generator, count: int, span: tuple[float, float], whole: float, least: float
) -> list[float]:
    """`count` lengths in `span`, or fewer where they and as many pieces of `least` would not fit into `whole`."""
    while count > 1 and count * (span[1] + least) > whole:
        count -= 1
    lengths: list[float] = rng.uniform(*span, count).tolist()
    return lengths


def _split(whole: float, count: int, least: float, rng: np.random.Generator) -> list[float]:
    """`count` lengths of at least `least` that make up `whole`, evenly random among all such."""
    cuts = np.sort(rng.uniform(0, max(whole - count * least, 0.0), count - 1))
    pieces = np.diff([0.0, *cuts, max(whole - count * least, 0.0)]) + min(least, whole / count)
    return [float(piece) for piece in pieces]


def _rectangle(left: float, bottom: float, right: float, top: float) -> Floats:
    return np.array([[left, bottom], [right, bottom], [right, top], [left, top]])


# --------------------------------------------------------------------------- making


@dataclass(frozen=True)
class _Family:
    make: Callable[[int, np.random.Generator], list[Floats]]
    word: str
    """What the published files call the parameter."""
    least: int
    most: int
    measure: str


_FAMILIES = {
    "maze": _Family(_maze, "Dims", 2, 40, "cells in a row"),
    "rings": _Family(_rings, "Gap", 1, 30, "map units between rings"),
    "waves": _Family(_waves, "Lines", 1, 24, "walls"),
    "random": _Family(_random, "Frac", 1, 45, "percent of the area covered"),
}
FAMILIES = tuple(_FAMILIES)


def generate(family: str, parameter: int, seed: int) -> Map:
    """Makes a map. The same arguments make the same map on every machine.

    Args:
        family: One of `FAMILIES`.
        parameter: Cells in a row (maze; 10 to 18 in PathEval), distance between rings (2 to 15), walls (waves; 5 to
            10), percent of the area covered (random; 12 to 20). Other values work as well.
        seed: Any non-negative integer.

    Raises:
        UnknownName: No such family.
        UsageError: The parameter makes no map.
    """
    if family not in _FAMILIES:
        raise unknown("map family of patheval", family, list(FAMILIES), "embodied show patheval")
    kind = _FAMILIES[family]
    if not kind.least <= parameter <= kind.most:
        raise UsageError(
            f"The parameter of family {family} ({kind.measure}) is from {kind.least} to {kind.most}, not {parameter}."
        )
    polygons = kind.make(parameter, generator(seed, "patheval", "map", family, parameter))
    return Map(
        f"{family}{parameter}-{seed}", family, parameter, seed, tuple(polygon.round(DIGITS) for polygon in polygons)
    )


def feasible(field: Map, radius: float) -> bool:
    """Whether a disc of `radius` fits at the start and at the goal and can get from one to the other.

    Found on grids of 0.5 and 0.25 map units: a passage less than a third of a unit wider than the robot may go unseen.
    """
    return any(route(field.obstacles, START, GOAL, radius, spacing=spacing) is not None for spacing in (0.5, 0.25))


# --------------------------------------------------------------------------- files

_NAME = re.compile(r"Scene(?:(Maze|Rings|Waves|Random)_(?:Dims|Gap|Lines|Frac))?(\d+)(?:_(\d+))?Obstacles")


def read(path: str | Path) -> Map:
    """Reads a map in the published format: the number of polygons, then of each the number of vertices and x y of every
    one.

    A map made by hand is of family `scene`. Vertices are turned counter-clockwise.

    Raises:
        UsageError: The file is not there or not in the format; says what is wrong.
    """
    path = Path(path)
    try:
        words = path.read_text(encoding="utf-8").split()
        numbers = [float(word) for word in words]
        if not np.isfinite(numbers).all():
            raise ValueError("it holds something that is not a finite number")
    except (OSError, ValueError) as error:
        raise UsageError(f"The map {path} cannot be read ({error}).") from error
    polygons, at = [], 1
    while at < len(numbers):
        count = int(numbers[at])
        polygons.append(np.array(numbers[at + 1 : at + 1 + 2 * count]))
        if count < 3 or len(polygons[-1]) != 2 * count:
            raise UsageError(f"The map {path} breaks off or is damaged at polygon {len(polygons)}.")
        at += 1 + 2 * count
    if not numbers or len(polygons) != numbers[0]:
        raise UsageError(
            f"The map {path} holds {len(polygons)} polygons and says it holds {words[0] if words else 'none'}."
        )
    shapes = [polygon.reshape(-1, 2) for polygon in polygons]
    shapes = [shape if area(shape) >= 0 else shape[::-1].copy() for shape in shapes]
    name, kind = path.stem, _NAME.fullmatch(path.stem)
    family, parameter, seed = (
        (kind[1].lower(), int(kind[2]), int(kind[3] or 0))
        if kind and kind[1]
        else ("scene", 0, int(kind[2]) if kind else 0)
    )
    return Map(name, family, parameter, seed, tuple(shapes))


def write(field: Map, path: str | Path) -> None:
    """Writes a map in the published format."""
    body = " ".join(
        f"{len(polygon)} {' '.join(f'{value:.{DIGITS}f}' for value in polygon.ravel())}" for polygon in field.polygons
    )
    Path(path).write_text(f"{len(field.polygons)}\n{body}\n", encoding="utf-8")


def area(polygon: Floats) -> float:
    """Signed area of a polygon (n, 2), positive when it runs counter-clockwise."""
    x, y = polygon.T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
