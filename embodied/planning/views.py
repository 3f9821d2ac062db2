"""Pictures of paths: seen from above (Pillow) or in 3D (the software rasteriser), one panel a path, side by side, or
laid over each other.

The layout of the panels is PathEval's (CVPR 2025, code of the release): from above, 480 x 480 pixels, black polygons on
white, a red line of two points, a red dot at the start and a blue one at the goal; in 3D, seen from (0, -70, 55)
towards (0, 0, -10) with a field of view of 45 degrees, walls two units high on a grey floor, which hide parts of a
path. Ours are labels, colours for several paths, and flat walls in place of the stone texture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from embodied.arrays import Floats, Pixels
from embodied.planning.maps import Map
from embodied.planning.planners.space import GOAL, HALF, START
from embodied.raster import Camera, Light, Mesh, box, concatenate, disc, prism, render
from embodied.raster.mesh import Colour
from embodied.registry import unknown

VIEWS = ("2d", "3d")
LAYOUTS = ("side_by_side", "separate", "overlay")
RED: Colour = (255, 0, 0)
BLUE: Colour = (0, 0, 255)
COLOURS: dict[str, Colour] = {"red": RED, "green": (0, 150, 40), "orange": (255, 140, 0), "purple": (150, 0, 200)}
"""Of the first, second, ... path where several lie over each other; none is the goal's."""

SIZE_2D = (480, 480)
"""(H, W) of a panel from above: matplotlib's default canvas, as the original has it."""
SIZE_3D = (540, 960)
"""(H, W) of a panel in 3D: the original's shape, three quarters its size."""
STRIP = 28
"""Height of the strip over a panel from above that has labels, pixels."""
_POINT = 100 / 72
"""Pixels of a typographic point at matplotlib's 100 dots an inch, in a panel of 480 pixels."""
_FLOOR, _WALL, _EDGE = (178, 178, 178), (132, 122, 108), (92, 86, 78)
_LIGHT = Light(direction=(-0.5, -0.7, 1.2), sun=0.5, ambient=0.55)


def draw(
    map: Map,
    paths: Sequence[Floats],
    *,
    view: str = "2d",
    layout: str = "side_by_side",
    labels: Sequence[str] = (),
    start: Floats | None = None,
) -> list[Pixels]:
    """Draws paths in one view and layout.

    Args:
        map: The map.
        paths: Each (n, 2) float64.
        view: One of `VIEWS`.
        layout: `side_by_side` (one picture, the first path left), `separate` (a picture a path) or `overlay` (one
            picture, the paths in the order of `COLOURS`).
        labels: Written over the panels, one a path; with `overlay` a legend. None by default, as in the original. From
            above they stand in a strip of `STRIP` pixels over the panel, in 3D in its empty corner: nothing of the map
            is hidden.
        start: (2,) where the red dot is; the map's start by default.

    Returns:
        One picture, or one a path: (H, W, 3) uint8, of the sizes `shapes` gives.
    """
    panel = _panel(view)
    if layout == "overlay":
        return [panel(map, paths, tuple(COLOURS.values()), labels, start)]
    if layout not in LAYOUTS:
        raise unknown("layout of paths", layout, list(LAYOUTS), "embodied show patheval")
    panels = [panel(map, [path], (RED,), labels[k : k + 1], start) for k, path in enumerate(paths)]
    return panels if layout == "separate" else [side_by_side(panels)]


def shapes(view: str, layout: str, paths: int, *, labels: bool = False) -> list[tuple[int, int]]:
    """The (H, W) of the pictures `draw` makes of so many paths, with labels or without. Raises `UnknownName`."""
    _panel(view)
    if layout not in LAYOUTS:
        raise unknown("layout of paths", layout, list(LAYOUTS), "embodied show patheval")
    h, w = (SIZE_2D[0] + STRIP * labels, SIZE_2D[1]) if view == "2d" else SIZE_3D
    return {"side_by_side": [(h, w * paths)], "separate": [(h, w)] * paths, "overlay": [(h, w)]}[layout]


def panel_2d(
    map: Map,
    path: Floats,
    *,
    size: int = SIZE_2D[0],
    colour: Colour = RED,
    label: str = "",
    start: Floats | None = None,
) -> Pixels:
    """One path seen from above, (size, size, 3) uint8; `STRIP` higher with a label."""
    return _above(map, [path], (colour,), (label,) if label else (), start, size)


def panel_3d(
    map: Map,
    path: Floats,
    *,
    size: tuple[int, int] = SIZE_3D,
    colour: Colour = RED,
    label: str = "",
    start: Floats | None = None,
) -> Pixels:
    """One path among walls, (*size, 3) uint8; `size` is (H, W)."""
    return _among_walls(map, [path], (colour,), (label,) if label else (), start, size)


def overlay(
    map: Map,
    paths: Sequence[Floats],
    *,
    view: str = "2d",
    labels: Sequence[str] = (),
    start: Floats | None = None,
) -> Pixels:
    """Several paths in one panel, in the order of `COLOURS`; where they coincide the later ones are the thinner lines
    on top.
    """
    return draw(map, paths, view=view, layout="overlay", labels=labels, start=start)[0]


def side_by_side(panels: Sequence[Pixels]) -> Pixels:
    """Panels of one height in a row, the first on the left."""
    return np.concatenate(list(panels), axis=1)


def _panel(view: str) -> Callable[..., Pixels]:
    if view not in VIEWS:
        raise unknown("view of paths", view, list(VIEWS), "embodied show patheval")
    return _above if view == "2d" else _among_walls


# --------------------------------------------------------------------------- from above

_FINE = 3
"""Drawn this many times larger, then reduced: smooth lines."""


def _above(
    map: Map,
    paths: Sequence[Floats],
    colours: Sequence[Colour],
    labels: Sequence[str],
    start: Floats | None,
    size: int = SIZE_2D[0],
) -> Pixels:
    scale = size * _FINE / (2 * HALF)
    point = _POINT * size / SIZE_2D[0] * _FINE
    image = Image.new("RGB", (size * _FINE, size * _FINE), "white")
    pen = ImageDraw.Draw(image)

    def pixels(points: Floats) -> list[tuple[float, float]]:
        return [((float(x) + HALF) * scale, (HALF - float(y)) * scale) for x, y in points]

    for polygon in map.polygons:
        pen.polygon(pixels(polygon), fill="black")
    for where, colour in ((START if start is None else start, RED), (GOAL, BLUE)):
        # Area 100 square points, as a scatter's s=100.
        ((x, y),) = pixels(where[None])
        pen.ellipse((x - 5 * point, y - 5 * point, x + 5 * point, y + 5 * point), fill=colour)
    for width, path, colour in zip(_widths(len(paths)), paths, colours, strict=False):
        pen.line(pixels(path), fill=colour, width=round(2 * point * width), joint="curve")
    pen.rectangle((0, 0, size * _FINE - 1, size * _FINE - 1), outline="black", width=round(0.8 * point))
    panel = image.reduce(_FINE)
    return _labelled(ImageOps.expand(panel, (0, STRIP, 0, 0), "white") if labels else panel, labels, colours)


def _widths(n: int) -> list[float]:
    """Of lines that lie over each other, thickest first: what is below shows at both sides."""
    return [1 + 0.8 * (n - 1 - k) for k in range(n)]


def _labelled(image: Image.Image, labels: Sequence[str], colours: Sequence[Colour]) -> Pixels:
    """Labels in a row from the upper left corner, each in its path's colour where there are several."""
    pen, font, x = ImageDraw.Draw(image), ImageFont.load_default(17), 8
    for label, colour in zip(labels, colours, strict=False):
        pen.text((x, 4), label, fill=colour if len(labels) > 1 else "black", font=font)
        x = int(pen.textbbox((x, 4), label, font=font)[2]) + 16
    return np.array(image)


# --------------------------------------------------------------------------- in 3D


def _among_walls(
    map: Map,
    paths: Sequence[Floats],
    colours: Sequence[Colour],
    labels: Sequence[str],
    start: Floats | None,
    size: tuple[int, int] = SIZE_3D,
) -> Pixels:
    camera = Camera((0.0, -70.0, 55.0), (0.0, 0.0, -10.0), fov_y=45.0, width=size[1], height=size[0])
    dots = ((START if start is None else start, RED), (GOAL, BLUE))
    flat = [disc((float(x), float(y), 0.02), 1.5, colour) for (x, y), colour in dots]
    for k, (width, path, colour) in enumerate(zip(_widths(len(paths)), paths, colours, strict=False)):
        flat.append(ribbon(path, camera, 3.5 * size[0] / 720 * width, 0.03 + 0.01 * k, colour))
    frame = render([*(m.lit() for m in flat), *_walls(map.polygons)], camera, light=_LIGHT, samples=2)
    return _labelled(Image.fromarray(frame.color), labels, colours)


@lru_cache(maxsize=4)
def _walls_of(key: tuple[bytes, ...], counts: tuple[int, ...]) -> tuple[Mesh, ...]:
    polygons = [np.frombuffer(data, dtype=np.float64).reshape(n, 2) for data, n in zip(key, counts, strict=True)]
    edge = HALF + 0.25
    frame = [box((s * edge, 0, 1), (0.5, 2 * HALF + 1, 2), 0.0, _EDGE) for s in (-1, 1)] + [
        box((0, s * edge, 1), (2 * HALF, 0.5, 2), 0.0, _EDGE) for s in (-1, 1)
    ]
    floor = box((0, 0, -0.5), (2 * HALF, 2 * HALF, 1), 0.0, _FLOOR).lit()
    return (
        (concatenate([prism(p, 0.0, 2.0, _WALL) for p in polygons] + frame), floor)
        if polygons
        else (concatenate(frame), floor)
    )


def _walls(polygons: Sequence[Floats]) -> tuple[Mesh, ...]:
    """Walls, boundary and floor; the last few maps are kept, since a map is drawn once for each of its paths."""
    return _walls_of(
        tuple(np.ascontiguousarray(p, dtype=np.float64).tobytes() for p in polygons), tuple(len(p) for p in polygons)
    )


def ribbon(path: Floats, camera: Camera, width: float, height: float, colour: Colour) -> Mesh:
    """A level band along a path that looks `width` pixels wide from `camera`, wherever it runs.

    Args:
        path: (n, 2) float64, n >= 2.
        camera: The view it is made for.
        width: Pixels.
        height: Metres above the floor.
        colour: Of the band.
    """
    points = np.column_stack([path, np.full(len(path), height)])
    step = points[1:] - points[:-1]
    length = np.sqrt(step[:, 0] * step[:, 0] + step[:, 1] * step[:, 1])
    keep = length > 0
    a, b, along = points[:-1][keep], points[1:][keep], (step / np.where(keep, length, 1.0)[:, None])[keep]
    aside = np.stack([-along[:, 1], along[:, 0], along[:, 2]], axis=1)
    corners = []
    for end, sign in ((a, -1.0), (b, 1.0)):
        reach = (width / 2 / _apparent(end, along, aside, camera))[:, None]
        # Beyond the end by half its width, so that bends have no notch.
        corners += [end + (along * sign - aside) * reach, end + (along * sign + aside) * reach]
    n = len(a)
    k = np.arange(n)
    faces = np.concatenate([np.stack([k, k + 2 * n, k + 3 * n], 1), np.stack([k, k + 3 * n, k + n], 1)])
    return Mesh(np.concatenate(corners), faces, np.tile(np.asarray(colour, dtype=np.uint8), (2 * n, 1)), two_sided=True)


def _apparent(at: Floats, along: Floats, aside: Floats, camera: Camera) -> Floats:
    """How many pixels a unit `aside` is across the line that runs `along`, at points `at`; all (n, 3)."""
    origin = camera.into(at)
    (ux, uy), (vx, vy) = (_moves(origin, camera.into(at + d) - origin, camera) for d in (along, aside))
    widths: Floats = np.abs(ux * vy - uy * vx) / np.sqrt(ux * ux + uy * uy)
    return widths


def _moves(at: Floats, step: Floats, camera: Camera) -> tuple[Floats, Floats]:
    """By how many pixels a small `step` (n, 3) from `at` (n, 3), in the camera frame, moves in the picture, to first
    order.
    """
    scale = camera.focal / at[:, 2]
    return (step[:, 0] - at[:, 0] / at[:, 2] * step[:, 2]) * scale, (
        step[:, 1] - at[:, 1] / at[:, 2] * step[:, 2]
    ) * scale
