"""Which triangle is seen in which pixel: clipping, exact integer coverage, and a depth buffer.

The work is proportional to the pixels covered, for any shape of triangle: every triangle is cut into rows, the
span of each row is found by integer division, and the spans of all triangles are laid out and resolved together.
Corners are snapped to 1/256 pixel and all tests of coverage are exact in 64-bit integers, so triangles that share an
edge leave no gap and no pixel twice, on any machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from embodied.arrays import Bools, Floats, Ints
from embodied.raster.camera import Camera
from embodied.raster.clip import clip

_SUB = 256
"""Steps of a pixel corners are snapped to."""
_GUARD = 4.0
"""Triangles are clipped this many half pictures from the middle of it, which keeps the integers small."""
_INDEX_BITS = 22
_LAST = (1 << _INDEX_BITS) - 1
_DEPTH = float(1 << 40)
_CHUNK = 1 << 18
"""Pixels resolved at once: what fits a core's cache."""


def visible(vertices: Floats, corners: Ints, two_sided: Bools, camera: Camera) -> tuple[Ints, Floats]:
    """Finds the nearest triangle of every pixel.

    Args:
        vertices: (3, V) float64: x, y and z in the world, metres.
        corners: (3, T) int64: the vertices of triangles, counter-clockwise seen from the front; T < 2**22.
        two_sided: (T,) bool; the others are not seen from behind.
        camera: The view.

    Returns:
        (H * W,) int64, the triangle's index or -1; (H * W,) float64, depth along the optical axis in metres (inf where
        there is none). Of triangles at one depth the first is seen.
    """
    if corners.shape[1] > _LAST:
        raise ValueError(f"A scene may have {_LAST} triangles at most, not {corners.shape[1]}.")
    keys = np.zeros(camera.width * camera.height, dtype=np.int64)
    flat = _flat(vertices, corners, two_sided, camera)
    if len(flat.source):
        _resolve(keys, *_rows(flat, camera), camera)
    index = keys & _LAST
    np.subtract(_LAST, index, out=index)
    keys >>= _INDEX_BITS
    found = keys > 0
    index[~found] = -1
    return index, np.divide(_DEPTH * camera.near, keys, out=np.full(len(keys), np.inf), where=found)


@dataclass(frozen=True)
class _Flat:
    """n triangles in the picture, each on a row of pixels at least, their corners clockwise (with y down)."""

    x: Floats
    """(3, n): in steps of `_SUB`. These are whole numbers, and all products of them are below 2**53: float64 holds them
    exactly, and is quicker than int64.
    """
    y: Floats
    q: Floats
    """(3, n): inverse depth."""
    area: Floats
    """(n,): twice their area, above 0, whole numbers too."""
    top: Floats
    """(n,): the first row of pixels whose centres may be in it."""
    end: Floats
    """(n,): one more than the last."""
    source: Ints
    """(n,): the triangle's index in the scene."""


def _flat(vertices: Floats, corners: Ints, two_sided: Bools, camera: Camera) -> _Flat:
    """Projects triangles. Only the few that reach out of the picture's surroundings are clipped, one by one; of all
    others each vertex is projected once.
    """
    x, y, z = camera.local(*vertices)
    wide, high = camera.width / 2 / camera.focal, camera.height / 2 / camera.focal
    sides = ((-1.0, 0.0, wide), (1.0, 0.0, wide), (0.0, -1.0, high), (0.0, 1.0, high))
    guards = tuple((a, b, c * _GUARD) for a, b, c in sides)
    outside, cut = np.zeros(len(x), dtype=np.uint8), z - camera.near < 0
    for bit, ((a, b, c), guard) in enumerate(zip(sides, guards, strict=True)):
        from_axis = x * a if a else y * b
        outside |= (from_axis + z * c < 0).view(np.uint8) << bit
        cut |= from_axis + z * guard[2] < 0
    one, two, three = corners
    seen = outside[one] & outside[two] & outside[three] == 0  # not all three beyond the same side
    crossing = seen & (cut[one] | cut[two] | cut[three])
    source = np.flatnonzero(seen & ~crossing)
    safe = np.where(cut, 1.0, z)
    flat_x, flat_y = _snapped(x, y, safe, camera)
    whole = corners.take(source, axis=1)
    parts = [(flat_x.take(whole), flat_y.take(whole), (1.0 / safe).take(whole), source)]
    where = np.flatnonzero(crossing)
    if len(where):
        triangles = np.stack([a.take(corners.take(where, axis=1)).T for a in (x, y, z)], axis=-1)
        pieces, of = clip(triangles, where, camera.near, guards)
        px, py, pz = (np.ascontiguousarray(pieces[..., k].T) for k in range(3))
        parts.append((*_snapped(px, py, pz, camera), 1.0 / pz, of))
    all_x, all_y, all_q = (np.concatenate([p[k] for p in parts], axis=1) for k in range(3))
    return _facing(all_x, all_y, all_q, np.concatenate([p[3] for p in parts]), two_sided, camera)


def _snapped(x: Floats, y: Floats, z: Floats, camera: Camera) -> tuple[Floats, Floats]:
    """Where points of the camera frame are in the picture, in whole steps of `_SUB`."""
    scale = camera.focal / z
    return (
        np.floor((x * scale + camera.centre[0]) * _SUB + 0.5),
        np.floor((y * scale + camera.centre[1]) * _SUB + 0.5),
    )


def _facing(x: Floats, y: Floats, q: Floats, source: Ints, two_sided: Bools, camera: Camera) -> _Flat:
    """Keeps what faces the camera and has the centre of a pixel between its outermost corners."""
    area = (x[1] - x[0]) * (y[2] - y[0]) - (x[2] - x[0]) * (y[1] - y[0])
    top, end = _pixels_between(y, camera.height)
    left, right = _pixels_between(x, camera.width)
    # A front is counter-clockwise with y up, hence clockwise (of negative area) with y down.
    keep = np.flatnonzero(((area < 0) | (two_sided[source] & (area > 0))) & (end > top) & (right > left))
    x, y, q = (a.take(keep, axis=1) for a in (x, y, q))
    area, top, end = area[keep], top[keep], end[keep]
    flip = area < 0
    for a in (x, y, q):
        a[1], a[2] = np.where(flip, a[2], a[1]), np.where(flip, a[1], a[2])
    return _Flat(x, y, q, np.abs(area), top, end, source[keep])


def _pixels_between(at: Floats, size: int) -> tuple[Floats, Floats]:
    """The first pixel of 0 to `size` whose centre is between the outermost of three corners (3, n), and one more than
    the last.
    """
    half = _SUB // 2
    low, high = np.minimum(np.minimum(at[0], at[1]), at[2]), np.maximum(np.maximum(at[0], at[1]), at[2])
    return np.maximum(np.ceil((low - half) / _SUB), 0.0), np.minimum(np.floor((high - half) / _SUB), size - 1) + 1


def _rows(flat: _Flat, camera: Camera) -> tuple[Ints, Ints, Floats, Floats, Ints]:
    """Cuts triangles into rows of pixels.

    Returns:
        For each row that covers a pixel: index of its first pixel, number of pixels, inverse depth in the first pixel
        and its change from pixel to pixel, and the triangle's index in the scene.
    """
    half, (x, y, q) = _SUB // 2, (flat.x, flat.y, flat.q)
    count = (flat.end - flat.top).astype(np.int64)
    before = np.cumsum(count) - count
    row = np.arange(int(count.sum())) + np.repeat(flat.top - before, count)
    centre = row * _SUB + half
    first, last = np.zeros(len(row)), np.full(len(row), camera.width - 1.0)
    for k in range(3):
        _bound(first, last, x[k], y[k], x[(k + 1) % 3], y[(k + 1) % 3], count, centre)

    keep = np.flatnonzero(first <= last)
    of = np.repeat(np.arange(len(count)), count)[keep]
    row, first, last = row[keep], first[keep], last[keep]
    # Inverse depth is linear in the picture.
    dx1, dy1, dx2, dy2 = x[1] - x[0], y[1] - y[0], x[2] - x[0], y[2] - y[0]
    q1, q2 = q[1] - q[0], q[2] - q[0]
    across, down = (q1 * dy2 - q2 * dy1) / flat.area, (q2 * dx1 - q1 * dx2) / flat.area
    slope = across[of]
    start = q[0][of] + slope * (first * _SUB + half - x[0][of]) + down[of] * (row * _SUB + half - y[0][of])
    slope *= _SUB
    # A sliver's slope is ill-conditioned; its depth never leaves that of its corners.
    low, high = q.min(axis=0)[of], q.max(axis=0)[of]
    reach = last - first
    stop = np.minimum(np.maximum(start + slope * reach, low), high)
    start = np.minimum(np.maximum(start, low), high)
    slope = (stop - start) / np.maximum(reach, 1)
    pixel = (row * camera.width + first).astype(np.int64)
    return pixel, reach.astype(np.int64) + 1, start, slope, flat.source[of]


def _bound(
    first: Floats,
    last: Floats,
    ax: Floats,
    ay: Floats,
    bx: Floats,
    by: Floats,
    count: Ints,
    centre: Floats,
) -> None:
    """Narrows the pixels `first` to `last` of each row to those on the inner side of the edge from a to b, ties by the
    top-left rule. Of each triangle there are `count` rows.
    """
    dx, dy = bx - ax, by - ay
    bias = np.where((dy < 0) | ((dy == 0) & (dx > 0)), 0.0, -1.0)
    # Pixel i is inside iff i * slope <= limit.
    slope = dy * _SUB
    limit = np.repeat(dx * (-ay) + dy * ax - dy * (_SUB // 2) + bias, count) + np.repeat(dx, count) * centre
    steep = np.repeat(slope, count)
    level = steep == 0
    last[level & (limit < 0)] = -1
    # Both are whole and below 2**53: a quotient that is not whole never rounds up to a whole number.
    steep[level] = 1
    quotient = np.floor(limit / np.abs(steep))
    np.minimum(last, quotient, out=last, where=(steep > 0) & ~level)
    # i >= ceil(limit / slope), slope negative.
    np.maximum(first, -quotient, out=first, where=steep < 0)


def _resolve(
    keys: Ints,
    pixel: Ints,
    length: Ints,
    start: Floats,
    slope: Floats,
    source: Ints,
    camera: Camera,
) -> None:
    """Lays the rows out as pixels and keeps the greatest key of each: inverse depth first, then the first triangle."""
    scale = _DEPTH * camera.near
    start, slope, tail = start * scale, slope * scale, _LAST - source
    ends = np.cumsum(length)
    cuts = (
        [0, *(np.searchsorted(ends, np.arange(_CHUNK, ends[-1], _CHUNK)) + 1).tolist(), len(length)]
        if len(ends)
        else []
    )
    for a, b in pairwise(cuts):
        n = length[a:b]
        if not len(n):
            continue
        offset = np.arange(int(n.sum())) - np.repeat(np.cumsum(n) - n, n)
        key = (np.repeat(start[a:b], n) + np.repeat(slope[a:b], n) * offset).astype(np.int64)
        key <<= _INDEX_BITS
        key |= np.repeat(tail[a:b], n)
        np.maximum.at(keys, np.repeat(pixel[a:b], n) + offset, key)
