"""Shapes in a picture: filled areas as circles and polygons, strokes as lines along their middle.

The picture is reduced to its few plain colours. vtracer (MIT) traces the wide parts of a colour to SVG outlines. Narrow
parts are thinned to their middle and followed, which a tracer of outlines cannot do. All is measured in pixels, x to
the right and y down.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from PIL import Image

from embodied.agents.perception.strokes import reduced, sharpened, strokes
from embodied.errors import MissingExtra

NAMED = {
    "black": (0, 0, 0),
    "white": (255, 255, 255),
    "grey": (128, 128, 128),
    "light grey": (192, 192, 192),
    "dark grey": (64, 64, 64),
    "red": (255, 0, 0),
    "dark red": (139, 0, 0),
    "green": (0, 150, 40),
    "light green": (120, 220, 120),
    "blue": (0, 0, 255),
    "light blue": (135, 190, 240),
    "yellow": (255, 230, 0),
    "orange": (255, 140, 0),
    "purple": (150, 0, 200),
    "pink": (255, 150, 190),
    "brown": (130, 80, 40),
    "beige": (220, 200, 160),
    "cyan": (0, 200, 200),
}
_PALETTE = 16
"""Colours at most."""
_APART = 72.0
"""Least distance in RGB between two of them."""
_SHARE = 1e-4
"""Of the pixels, for a colour to count."""
_STROKE = 0.019
"""Share of the shorter side: anything narrower is a stroke. 9 pixels of 480."""
_ROUGH = 1.5
"""Pixels by which a simplified outline may leave the traced one."""


@dataclass(frozen=True, eq=False)
class Shape:
    """One thing in a picture."""

    kind: str
    """`line`, `circle` or `polygon`."""
    colour: str
    corners: np.ndarray
    """(n, 2) float64, pixels. Of a line from end to end, of a polygon around it, of a circle none."""
    centre: tuple[float, float]
    """Of the bounding box."""
    size: tuple[float, float]
    """(width, height) of the bounding box."""
    length: float
    """Along a line, or around; pixels."""
    area: float
    """Square pixels that are painted."""
    closed: bool = False
    """Of a line: it ends where it began."""

    @property
    def turning(self) -> tuple[float, float]:
        """The sum of a line's turn angles and the greatest of them, in degrees."""
        steps = np.diff(self.corners, axis=0)
        before, after = steps[:-1], steps[1:]
        angles = np.degrees(
            np.arctan2(np.abs(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]), (before * after).sum(axis=1))
        )
        return float(angles.sum()), float(angles.max(initial=0.0))


@dataclass(frozen=True)
class Drawing:
    """What `shapes` finds in a picture."""

    width: int
    height: int
    background: str
    """Name of the colour that most of the picture has; areas of that colour are not shapes."""
    shapes: tuple[Shape, ...]
    """Colours with the least paint first, larger shapes before smaller ones."""


def shapes(picture: np.ndarray) -> Drawing:
    """Finds the shapes in a picture.

    A rare colour that is a mixture of two others counts as the soft edge between them.

    Args:
        picture: (H, W, 3) uint8.

    Raises:
        MissingExtra: vtracer is not installed.
    """
    height, width = picture.shape[:2]
    colours, plain = _plain(picture)
    names = _names(colours)
    paint = np.bincount(plain.ravel(), minlength=len(colours))
    ground = int(paint.argmax())
    found: list[Shape] = []
    for at in np.argsort(paint, kind="stable"):
        if at != ground and paint[at]:
            found += sorted(_of_colour(plain == at, plain != ground, names[at]), key=lambda s: -max(s.size))
    return Drawing(width, height, names[ground], tuple(found))


# --------------------------------------------------------------------------- colours


def _plain(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The picture's plain colours (k, 3) and which of them each pixel is nearest to, (H, W)."""
    packed = picture.astype(np.int64) @ (65536, 256, 1)
    values, inverse, counts = np.unique(packed, return_inverse=True, return_counts=True)
    rgb = np.stack([values >> 16, values >> 8 & 255, values & 255], axis=1).astype(np.float64)
    kept: list[np.ndarray] = []
    for at in np.lexsort((values, -counts)):
        if len(kept) == _PALETTE or (kept and counts[at] < max(4, _SHARE * packed.size)):
            break
        if all(_distance(rgb[at], k) >= _APART for k in kept) and not _mixed(rgb[at], kept):
            kept.append(rgb[at])
    colours = np.array(kept)
    nearest = ((rgb[:, None] - colours[None]) ** 2).sum(axis=-1).argmin(axis=1)
    return colours, nearest[inverse].reshape(packed.shape)


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sqrt(((a - b) ** 2).sum()))


def _mixed(colour: np.ndarray, kept: list[np.ndarray]) -> bool:
    """Whether `colour` lies between two of `kept`."""
    for i, a in enumerate(kept):
        for b in kept[:i]:
            share = float((colour - a) @ (b - a)) / float((b - a) @ (b - a))
            if 0 < share < 1 and _distance(colour, a + share * (b - a)) < _APART / 4:
                return True
    return False


def _names(colours: np.ndarray) -> list[str]:
    """The nearest name of each colour; where two have the same, with the colour in hexadecimal."""
    known = list(NAMED)
    near = [known[int(((np.array([NAMED[k] for k in known]) - c) ** 2).sum(axis=1).argmin())] for c in colours]
    return [
        f"{n} #{int(c[0]):02x}{int(c[1]):02x}{int(c[2]):02x}" if near.count(n) > 1 else n
        for n, c in zip(near, colours, strict=True)
    ]


# --------------------------------------------------------------------------- areas and strokes


def _of_colour(mask: np.ndarray, painted: np.ndarray, colour: str) -> Iterator[Shape]:
    """The shapes of one colour; `mask` (H, W) bool is where it is, `painted` where the ground is not seen."""
    stroke = max(3, round(min(mask.shape) * _STROKE) | 1)
    wide = _wide(mask | _crossed(mask, stroke) & painted, stroke)
    lines = list(strokes(mask & ~wide, stroke))
    yield from (_line(points + 0.5, closed, colour, 0.75 * stroke) for points, closed in lines)
    yield from _areas((wide | mask) & ~_along(lines, mask & ~wide, stroke), colour, stroke)


def _along(lines: list[tuple[np.ndarray, bool]], narrow: np.ndarray, stroke: int) -> np.ndarray:
    """The part of `narrow` that belongs to lines. The rest are not lines: corners of areas, small things."""
    grown = np.zeros_like(narrow)
    for points, _ in lines:
        grown[points[:, 1].astype(int), points[:, 0].astype(int)] = True
    for _ in range(stroke + 2 if lines else 0):
        grown = narrow & _spread(grown, 1)
    return grown


def _crossed(mask: np.ndarray, stroke: int) -> np.ndarray:
    """`mask` with its narrow gaps closed: an area that a stroke of another colour crosses is still one."""
    return ~_spread(~_spread(np.pad(mask, stroke), stroke // 2), stroke // 2)[stroke:-stroke, stroke:-stroke]


def _wide(mask: np.ndarray, stroke: int) -> np.ndarray:
    """Where a square of `stroke` pixels has room, and what is beside it of the same thing."""
    core = ~_spread(~np.pad(mask, stroke), stroke // 2)
    wide: np.ndarray = mask & _spread(core, stroke // 2 + 1)[stroke:-stroke, stroke:-stroke]
    return wide


def _spread(mask: np.ndarray, reach: int) -> np.ndarray:
    """`mask` and all pixels within `reach` of it, in a square."""
    for _ in range(2):  # one axis, then the other
        wider = mask.copy()
        for by in range(1, reach + 1):
            wider[by:] |= mask[:-by]
            wider[:-by] |= mask[by:]
        mask = wider.T
    return mask


def _line(points: np.ndarray, closed: bool, colour: str, near: float) -> Shape:
    corners = sharpened(reduced(points, _ROUGH), near)
    length = float(np.sqrt((np.diff(corners, axis=0) ** 2).sum(axis=1)).sum())
    return Shape("line", colour, corners, *_box(points), length, 0.0, closed)


def _areas(mask: np.ndarray, colour: str, stroke: int) -> Iterator[Shape]:
    if not mask.any():
        return
    for outline in _outlines(mask, stroke):
        ring = np.concatenate([outline, outline[:1]])
        area = abs(float((ring[:-1, 0] * ring[1:, 1] - ring[1:, 0] * ring[:-1, 1]).sum())) / 2
        centre, (w, h) = _box(outline)
        if _round(outline, centre, w, h, area):
            yield Shape("circle", colour, np.empty((0, 2)), centre, (w, h), np.pi * (w + h) / 2, area)
            continue
        corners = reduced(ring, _ROUGH)
        around = float(np.sqrt((np.diff(corners, axis=0) ** 2).sum(axis=1)).sum())
        yield Shape("polygon", colour, corners[:-1], centre, (w, h), around, area, True)


def _box(points: np.ndarray) -> tuple[tuple[float, float], tuple[float, float]]:
    low, high = points.min(axis=0), points.max(axis=0)
    (x, y), (width, height) = map(float, (low + high) / 2), map(float, high - low)
    return (x, y), (width, height)


def _round(outline: np.ndarray, centre: tuple[float, float], w: float, h: float, area: float) -> bool:
    """Whether the outline is a circle's: as wide as high, a circle's area, and on the circle nearly everywhere."""
    # a small one has corners
    if max(w, h) > 1.2 * min(w, h) or abs(area / (w * h) - np.pi / 4) > 0.06 + 0.7 / min(w, h):
        return False
    radius = (w + h) / 4
    ring = np.concatenate([outline, outline[:1]])
    around = np.concatenate([p + (q - p) * np.linspace(0, 1, 16)[:, None] for p, q in pairwise(ring)])
    near = np.abs(np.sqrt(((around - centre) ** 2).sum(axis=1)) - radius) <= max(1.0, 0.05 * radius)
    return float(near.mean()) >= 0.85  # a stroke that ends in it may have left a notch


_PATH = re.compile(r'<path d="([^"]*)"[^>]*transform="translate\(([-\d.]+),([-\d.]+)\)"')
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def _outlines(mask: np.ndarray, stroke: int) -> Iterator[np.ndarray]:
    """The outer outlines (n, 2) of what is set in `mask`, as vtracer traces them."""
    try:
        import vtracer
    except ModuleNotFoundError as error:
        raise MissingExtra("agent.perception=vector", "perception") from error
    buffer = io.BytesIO()
    Image.fromarray(np.where(mask, 0, 255).astype(np.uint8)).convert("RGB").save(buffer, "PNG", compress_level=0)
    svg = vtracer.convert_raw_image_to_svg(
        buffer.getvalue(),
        img_format="png",
        colormode="binary",
        mode="polygon",
        filter_speckle=max(1, stroke // 2),
        path_precision=2,
    )
    for path, x, y in _PATH.findall(svg):
        outer = path.split("Z")[0]  # holes follow
        points = np.array(_NUMBER.findall(outer), dtype=np.float64).reshape(-1, 2) + np.array([x, y], dtype=np.float64)
        if len(points) >= 3:
            yield points
