"""Which triangle is seen in which pixel: clipping, exact integer coverage, and a depth buffer.

The work is proportional to the pixels covered, for any shape of triangle: every triangle is cut into rows, the
span of each row is found by integer division, and the spans of all triangles are laid out and resolved together.
Corners are snapped to 1/256 pixel and all tests of coverage are exact in 64-bit integers, so triangles that share an
edge leave no gap and no pixel twice, on any machine.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from embodied.arrays import Bools, Floats, Ints
from embodied.raster.camera import Camera

_SUB = 256
"""Steps of a pixel corners are snapped to."""
_GUARD = 4.0
"""Triangles are clipped this many half pictures from the middle of it, which keeps the integers small."""
_INDEX_BITS = 22
_LAST = (1 << _INDEX_BITS) - 1
_DEPTH = float(1 << 40)
_CHUNK = 1 << 18
"""Pixels resolved at once: what fits a core's cache."""


def visible(triangles: Floats, two_sided: Bools, camera: Camera) -> tuple[Ints, Floats]:
    """Finds the nearest triangle of every pixel.

    Args:
        triangles: (T, 3, 3) float64, corners in the camera frame, counter-clockwise seen from the front; T < 2**22.
        two_sided: (T,) bool; the others are not seen from behind.
        camera: Its size, focal length and near plane.

    Returns:
        (H * W,) int64, the triangle's index or -1; (H * W,) float64, depth along the optical axis in metres (inf where
        there is none). Of triangles at one depth the first is seen.
    """
    if len(triangles) > _LAST:
        raise ValueError(f"A scene may have {_LAST} triangles at most, not {len(triangles)}.")
    keys = np.zeros(camera.width * camera.height, dtype=np.int64)
    corners, source = _clip(triangles, camera)
    if len(source):
        _resolve(keys, *_rows(corners, source, two_sided, camera), camera)
    index = keys & _LAST
    np.subtract(_LAST, index, out=index)
    keys >>= _INDEX_BITS
    found = keys > 0
    index[~found] = -1
    return index, np.divide(_DEPTH * camera.near, keys, out=np.full(len(keys), np.inf), where=found)


def _clip(triangles: Floats, camera: Camera) -> tuple[Floats, Ints]:
    """Cuts off what lies before the near plane or far outside the picture; triangles wholly outside the picture are
    dropped.
    """
    source = np.arange(len(triangles))
    wide, high = camera.width / 2 / camera.focal, camera.height / 2 / camera.focal
    sides = ((-1.0, 0.0, wide), (1.0, 0.0, wide), (0.0, -1.0, high), (0.0, 1.0, high))
    outside = np.zeros(len(triangles), dtype=bool)
    for a, b, c in sides:
        outside |= (triangles[..., 0] * a + triangles[..., 1] * b + triangles[..., 2] * c < 0).all(axis=1)
    triangles, source = triangles[~outside], source[~outside]
    triangles, source = _clip_by(triangles, source, triangles[..., 2] - camera.near)
    for a, b, c in sides:
        triangles, source = _clip_by(
            triangles, source, triangles[..., 0] * a + triangles[..., 1] * b + triangles[..., 2] * (c * _GUARD)
        )
    return triangles, source


def _clip_by(triangles: Floats, source: Ints, distance: Floats) -> tuple[Floats, Ints]:
    """Keeps what lies at a `distance` (T, 3) >= 0 of a plane."""
    inside = distance >= 0
    count = inside.sum(axis=1)
    if (count == 3).all():
        return triangles, source
    kept, kept_source = [triangles[count == 3]], [source[count == 3]]
    for n in (1, 2):
        t, s, d = triangles[count == n], source[count == n], distance[count == n]
        if not len(t):
            continue
        # Turned so that the corner alone on its side comes first.
        alone = np.argmax(inside[count == n] == (n == 1), axis=1)
        order = (alone[:, None] + np.arange(3)) % 3
        t = np.take_along_axis(t, order[:, :, None], axis=1)
        d = np.take_along_axis(d, order, axis=1)
        # Always from inside to outside: neighbours that share the edge cut it at the very same point.
        b, c = (
            _cut(t[:, 0], t[:, k], d[:, 0], d[:, k]) if n == 1 else _cut(t[:, k], t[:, 0], d[:, k], d[:, 0])
            for k in (1, 2)
        )
        if n == 1:
            kept.append(np.stack([t[:, 0], b, c], axis=1))
            kept_source.append(s)
        else:
            kept += [np.stack([b, t[:, 1], t[:, 2]], axis=1), np.stack([b, t[:, 2], c], axis=1)]
            kept_source += [s, s]
    return np.concatenate(kept), np.concatenate(kept_source)


def _cut(inner: Floats, outer: Floats, d_inner: Floats, d_outer: Floats) -> Floats:
    return inner + (outer - inner) * (d_inner / (d_inner - d_outer))[:, None]


def _rows(corners: Floats, source: Ints, two_sided: Bools, camera: Camera) -> tuple[Ints, Ints, Floats, Floats, Ints]:
    """Cuts triangles into rows of pixels.

    Returns:
        For each row that covers a pixel: index of its first pixel, number of pixels, inverse depth in the first pixel
        and its change from pixel to pixel, and the triangle's index in the scene.
    """
    flat = camera.pixels(corners)
    x, y = (np.floor(flat[..., k] * _SUB + 0.5).astype(np.int64) for k in (0, 1))
    q = 1.0 / corners[..., 2]
    area = (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (x[:, 2] - x[:, 0]) * (y[:, 1] - y[:, 0])
    half = _SUB // 2
    top = np.maximum(-(-(y.min(axis=1) - half) // _SUB), 0)
    end = np.minimum((y.max(axis=1) - half) // _SUB, camera.height - 1) + 1
    # A front is counter-clockwise with y up, hence clockwise (of negative area) with y down.
    keep = ((area < 0) | (two_sided[source] & (area > 0))) & (end > top)
    flip = (keep & (area < 0))[keep]
    x, y, q, area, top, end, source = (a[keep] for a in (x, y, q, area, top, end, source))
    for a in (x, y, q):
        a[flip] = a[flip][:, [0, 2, 1]]
    area = np.abs(area)

    count = end - top
    of = np.repeat(np.arange(len(count)), count)
    row = np.arange(len(of)) - np.repeat(np.cumsum(count) - count, count) + top[of]
    centre = row * _SUB + half
    first, last = np.zeros(len(of), dtype=np.int64), np.full(len(of), camera.width - 1)
    for k in range(3):
        _bound(first, last, x[:, k], y[:, k], x[:, (k + 1) % 3], y[:, (k + 1) % 3], of, centre)

    keep = first <= last
    of, row, first, last = of[keep], row[keep], first[keep], last[keep]
    # Inverse depth is linear in the picture.
    dx1, dy1, dx2, dy2 = x[:, 1] - x[:, 0], y[:, 1] - y[:, 0], x[:, 2] - x[:, 0], y[:, 2] - y[:, 0]
    q1, q2 = q[:, 1] - q[:, 0], q[:, 2] - q[:, 0]
    across, down = (q1 * dy2 - q2 * dy1) / area, (q2 * dx1 - q1 * dx2) / area
    start = q[of, 0] + across[of] * (first * _SUB + half - x[of, 0]) + down[of] * (row * _SUB + half - y[of, 0])
    slope = across[of] * _SUB
    # A sliver's slope is ill-conditioned; its depth never leaves that of its corners.
    low, high = q.min(axis=1)[of], q.max(axis=1)[of]
    length = last - first + 1
    stop = np.clip(start + slope * (length - 1), low, high)
    start = np.clip(start, low, high)
    slope = (stop - start) / np.maximum(length - 1, 1)
    return row * camera.width + first, length, start, slope, source[of]


def _bound(
    first: Ints,
    last: Ints,
    ax: Ints,
    ay: Ints,
    bx: Ints,
    by: Ints,
    of: Ints,
    centre: Ints,
) -> None:
    """Narrows the pixels `first` to `last` of each row to those on the inner side of the edge from a to b, ties by the
    top-left rule.
    """
    dx, dy = bx - ax, by - ay
    bias = np.where((dy < 0) | ((dy == 0) & (dx > 0)), 0, -1)
    # Pixel i is inside iff i * slope <= limit.
    slope = dy * _SUB
    limit = (dx * (-ay) + dy * ax - dy * (_SUB // 2) + bias)[of] + dx[of] * centre
    steep = slope[of]
    quotient = np.floor_divide(np.where(steep < 0, -limit, limit), np.where(steep == 0, 1, steep))
    right, left = steep > 0, steep < 0
    np.minimum(last, quotient, out=last, where=right)
    # i >= ceil(limit / slope), slope negative.
    np.maximum(first, -np.floor_divide(limit, np.where(left, -steep, 1)), out=first, where=left)
    last[(steep == 0) & (limit < 0)] = -1


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
