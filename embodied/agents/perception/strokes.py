"""Strokes as lines: thinning to the middle, following what is left, and leaving out unneeded points."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

Pixel = tuple[int, int]
_AROUND: tuple[Pixel, ...] = ((-1, 0), (0, 1), (1, 0), (0, -1), (-1, 1), (1, 1), (1, -1), (-1, -1))
"""The eight neighbours (row, column), those beside before those across."""
_STRAIGHT = 0.5
"""Cosine between two strokes that meet, above which one continues the other: they turn by less than 60 degrees."""


def strokes(mask: np.ndarray, width: int) -> Iterator[tuple[np.ndarray, bool]]:
    """The lines along the middle of what is set in `mask`.

    Where several meet, those that continue straightest are one line, so that a line that crosses itself stays one.

    Args:
        mask: (H, W) bool.
        width: Pixels; a stroke shorter than twice this is not a line, and branches as short as this belong to the
            stroke's outline.

    Yields:
        Points (n, 2) float64, (x, y) of pixels, and whether the last is the first.
    """
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return
    top, left = int(rows.min()), int(columns.min())
    middle = thinned(mask[top : rows.max() + 1, left : columns.max() + 1])
    for line in _joined(_edges({(int(r), int(c)) for r, c in np.argwhere(middle)}, width)):
        points = np.array(line, dtype=np.float64)[:, ::-1] + (left, top)
        if len(points) > 2 * width:
            yield points, bool(np.abs(points[0] - points[-1]).max() <= 1)


def thinned(mask: np.ndarray) -> np.ndarray:
    """The middle of strokes, one pixel wide (Zhang and Suen 1984, Communications of the ACM 27(3)).

    Args:
        mask: (H, W) bool.
    """
    left = np.pad(mask, 1).astype(np.uint8)
    changed = True
    while changed:
        changed = False
        for second in (False, True):
            gone = _removable(left, second)
            changed |= bool(gone.any())
            left[1:-1, 1:-1][gone] = 0
    return left[1:-1, 1:-1] > 0


def _removable(padded: np.ndarray, second: bool) -> np.ndarray:
    """What one half of a round takes away."""
    height, width = padded.shape
    around = [
        padded[1 + r : height - 1 + r, 1 + c : width - 1 + c]
        for r, c in ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))
    ]
    north, _, east, _, south, _, west, _ = around
    count = sum(around)
    rises = sum((1 - a) & b for a, b in zip(around, [*around[1:], around[0]], strict=True))
    first = north & east & south, east & south & west
    other = north & east & west, north & south & west
    one, two = other if second else first
    inside: np.ndarray = padded[1:-1, 1:-1] > 0
    gone: np.ndarray = inside & (count >= 2) & (count <= 6) & (rises == 1) & (one == 0) & (two == 0)
    return gone


def _near(at: Pixel, pixels: set[Pixel]) -> list[Pixel]:
    """Neighbours of `at`; one across only where none beside leads there."""
    found: list[Pixel] = []
    for r, c in _AROUND:
        pixel = (at[0] + r, at[1] + c)
        if pixel in pixels and not (r and c and ((at[0] + r, at[1]) in pixels or (at[0], at[1] + c) in pixels)):
            found.append(pixel)
    return found


def _edges(pixels: set[Pixel], width: int) -> list[list[Pixel]]:
    """Strokes between ends and meeting points, without short branches."""
    for _ in range(2):  # a branch that goes makes two edges one
        near = {p: _near(p, pixels) for p in sorted(pixels)}
        edges = _walks(near)
        short = [
            e
            for e in edges
            if len(e) <= width
            and sorted((len(near[e[0]]), len(near[e[-1]])))[0] == 1
            and max(len(near[e[0]]), len(near[e[-1]])) > 2
        ]
        if not short:
            break
        pixels = pixels - {p for e in short for p in e if len(near[p]) <= 2}
    return _walks({p: _near(p, pixels) for p in sorted(pixels)})


def _walks(near: dict[Pixel, list[Pixel]]) -> list[list[Pixel]]:
    """Walks along pixels with two neighbours, from each pixel that has another number; then what is left, which goes
    round.
    """
    used: set[tuple[Pixel, Pixel]] = set()
    walks: list[list[Pixel]] = []

    def walk(start: Pixel, to: Pixel) -> None:
        path = [start, to]
        used.update(((start, to), (to, start)))
        while len(near[path[-1]]) == 2 and path[-1] != start:
            ahead = [p for p in near[path[-1]] if (path[-1], p) not in used]
            if not ahead:
                break
            used.update(((path[-1], ahead[0]), (ahead[0], path[-1])))
            path.append(ahead[0])
        walks.append(path)

    for nodes in (True, False):
        for pixel, others in near.items():
            for other in others if (len(others) != 2) == nodes else ():
                if (pixel, other) not in used:
                    walk(pixel, other)
    return walks


def _joined(edges: list[list[Pixel]]) -> list[list[Pixel]]:
    """Joins edges that meet and continue straight; the straightest first."""
    ends: dict[Pixel, list[tuple[int, bool]]] = {}
    for number, edge in enumerate(edges):
        ends.setdefault(edge[0], []).append((number, True))
        ends.setdefault(edge[-1], []).append((number, False))
    pairs = sorted(
        (_bend(edges[i], i_first, edges[j], j_first), i, i_first, j, j_first)
        for meeting in ends.values()
        for at, (i, i_first) in enumerate(meeting)
        for j, j_first in meeting[at + 1 :]
        if i != j
    )
    goes_on: dict[tuple[int, bool], tuple[int, bool]] = {}
    for bend, i, i_first, j, j_first in pairs:
        if -bend >= _STRAIGHT and (i, i_first) not in goes_on and (j, j_first) not in goes_on:
            goes_on[i, i_first], goes_on[j, j_first] = (j, j_first), (i, i_first)
    return _chains(edges, goes_on)


def _bend(one: list[Pixel], one_first: bool, other: list[Pixel], other_first: bool, reach: int = 12) -> float:
    """Minus the cosine of the turn from `one` into `other` at their common end."""
    away = []
    for edge, first in ((one, one_first), (other, other_first)):
        along = np.array(edge if first else edge[::-1], dtype=np.float64)
        way = along[min(reach, len(along) - 1)] - along[0]
        away.append(way / max(np.sqrt((way**2).sum()), 1e-9))
    return float(away[0] @ away[1])


def _chains(edges: list[list[Pixel]], goes_on: dict[tuple[int, bool], tuple[int, bool]]) -> list[list[Pixel]]:
    done: set[int] = set()
    lines: list[list[Pixel]] = []
    free = [(n, first) for n in range(len(edges)) for first in (True, False) if (n, first) not in goes_on]
    for number, first in [*free, *((n, True) for n in range(len(edges)))]:
        line: list[Pixel] = []
        while number not in done:
            done.add(number)
            line += edges[number] if first else edges[number][::-1]
            number, first = goes_on.get((number, not first), (number, first))
        if line:
            lines.append(line)
    return lines


def reduced(points: np.ndarray, tolerance: float) -> np.ndarray:
    """The points that matter: all others lie within `tolerance` of the line (Ramer 1972; Douglas and Peucker 1973).

    Args:
        points: (n, 2) float64, n at least 1. First and last are kept; a ring keeps the point farthest from its
            beginning too.
        tolerance: In the unit of `points`.
    """
    keep = np.zeros(len(points), dtype=bool)
    keep[[0, -1]] = True
    stack = [(0, len(points) - 1)]
    while stack:
        low, high = stack.pop()
        if high - low < 2:
            continue
        a, way, inner = points[low], points[high] - points[low], points[low + 1 : high]
        length = float(np.sqrt((way**2).sum()))
        off = inner - a
        gap = np.abs(off[:, 0] * way[1] - off[:, 1] * way[0]) / length if length else np.sqrt((off**2).sum(axis=1))
        at = int(gap.argmax())
        if gap[at] > tolerance:
            keep[low + 1 + at] = True
            stack += [(low, low + 1 + at), (low + 1 + at, high)]
    kept: np.ndarray = points[keep]
    return kept


def sharpened(corners: np.ndarray, near: float) -> np.ndarray:
    """Corners that thinning has blunted made one again: two within `near` of each other become the point where their
    sides meet.

    Args:
        corners: (n, 2) float64 of a line; its ends stay.
        near: In the unit of `corners`.
    """
    found = [corners[0]]
    rest = list(corners[1:])
    while rest:
        corner = rest.pop(0)
        if len(rest) >= 2 and np.abs(rest[0] - corner).max() <= near:
            following = rest.pop(0)
            corner = _meeting(found[-1], corner, following, rest[0], 2 * near)
        found.append(corner)
    return np.array(found)


def _meeting(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray, reach: float) -> np.ndarray:
    """Where the line from `a` through `b` meets the one from `d` through `c`; the middle of `b` and `c` if that is
    behind them or farther than `reach`.
    """
    one, other = b - a, c - d
    across = float(one[0] * other[1] - one[1] * other[0])
    middle: np.ndarray = (b + c) / 2
    if abs(across) < 1e-9:
        return middle
    to = d - a
    share = float(to[0] * other[1] - to[1] * other[0]) / across
    meeting: np.ndarray = a + share * one
    ahead = float((meeting - b) @ one) >= 0 and float((meeting - c) @ other) >= 0
    return meeting if ahead and np.abs(meeting - middle).max() <= reach else middle
