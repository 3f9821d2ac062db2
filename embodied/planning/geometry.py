"""Distances to polygons and collisions of a disc with them, many at once, exact to rounding.

Space is cut into square cells; each cell keeps the edges that can be nearest to a place in or near it, so that a query
looks at some twenty edges in place of a thousand.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from embodied.arrays import Bools, Floats, Ints

_CELL = 1.0
"""Side of a cell, map units; also the longest piece of a segment that is looked at in one."""
_LOW, _COUNT = -42, 84
"""Cells cover [-42, 42] in x and y: the maps and what sticks out of them. Places beyond are compared with every edge.
"""
_CORNER = float(_CELL * np.sqrt(0.5))
"""From the middle of a cell to its corner."""
_COARSE = 7
"""So many cells in a row make a coarse cell, from whose edges their own are chosen."""
_CHUNK = 1 << 18
"""So many pairs of place and edge are worked on at a time: arrays that stay in the cache."""


class Polygons:
    """Simple polygons (they may overlap and need not be convex) as a set of points in the plane.

    Args:
        polygons: Each (n, 2) float64, n at least 3.
    """

    def __init__(self, polygons: Sequence[Floats]):
        starts = [np.asarray(p, float) for p in polygons]
        self._a = np.concatenate(starts) if starts else np.empty((0, 2))
        self._b = np.concatenate([np.roll(p, -1, axis=0) for p in starts]) if starts else np.empty((0, 2))
        self._d = self._b - self._a
        self._inverse = 1 / np.maximum((self._d**2).sum(axis=1), 1e-30)
        self._owner = np.repeat(np.arange(len(starts)), [len(p) for p in starts])
        if len(self._a):
            self._cut()

    def distance(self, points: Floats) -> Floats:
        """How far each of `points` (n, 2) is from the nearest polygon: (n,) float64, 0 inside, infinite where there is
        no polygon.
        """
        points = np.asarray(points, float).reshape(-1, 2)
        if not len(self._a):
            return np.full(len(points), np.inf)
        cell, out = self._cell(points)
        result = np.empty(len(points))
        for part in _parts(len(points), self._near.shape[1]):
            result[part] = np.sqrt(self._squared(points[part], self._near[cell[part]]).min(axis=1))
        if out.any():
            result[out] = np.sqrt(self._squared(points[out], np.arange(len(self._a))[None]).min(axis=1))
        doubtful = np.flatnonzero((self._state[cell] == _MIXED) & ~out)
        result[doubtful[self._inside(points[doubtful])]] = 0.0
        result[(self._state[cell] == _FULL) & ~out] = 0.0
        if out.any():
            beyond = np.flatnonzero(out)
            result[beyond[self._inside(points[beyond])]] = 0.0
        return result

    def free(self, points: Floats, radius: float) -> Bools:
        """Whether a disc of `radius` at each of `points` (n, 2) touches no polygon: (n,) bool."""
        return self.distance(points) > radius

    def clear(self, a: Floats, b: Floats, radius: float) -> Bools:
        """Whether a disc of `radius` can move straight from each of `a` (m, 2) to the `b` (m, 2) of the same row: (m,)
        bool.

        The distance between the segment and every polygon is compared, not that of places along it: nothing is missed
        between two.
        """
        a, b = np.asarray(a, float).reshape(-1, 2), np.asarray(b, float).reshape(-1, 2)
        result = np.ones(len(a), dtype=bool)
        if not len(self._a) or not len(a):
            return result
        step = b - a
        length = np.sqrt((step**2).sum(axis=1))
        pieces = np.maximum(np.ceil(length / _CELL).astype(int), 1)
        owner = np.repeat(np.arange(len(a)), pieces)
        place = np.arange(len(owner)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        start = a[owner] + (place / pieces[owner])[:, None] * step[owner]
        half = step[owner] / (2 * pieces[owner])[:, None]
        middle, reach = start + half, (length / pieces / 2)[owner]
        gap = self.distance(middle)
        result[owner[gap <= radius]] = False
        # Clearance changes no faster than the place: only pieces whose middle is not clear enough and not too near need
        # the exact answer.
        doubtful = np.flatnonzero((gap > radius) & (gap <= radius + reach) & result[owner])
        if len(doubtful):
            touching = (
                self._piece_distance(middle[doubtful] - half[doubtful], middle[doubtful] + half[doubtful]) <= radius
            )
            result[owner[doubtful[touching]]] = False
        return result

    # ----------------------------------------------------------------- cells

    def _cut(self) -> None:
        """Makes the cells: of each, the edges that can be nearest to a place within half a piece of it, and whether it
        is inside a polygon.
        """
        steps = _LOW + (np.arange(_COUNT) + 0.5) * _CELL
        middle = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
        slack = 2 * (_CORNER + _CELL / 2)
        side = _COUNT // _COARSE
        coarse = (np.arange(_COUNT) // _COARSE)[:, None] * side + (np.arange(_COUNT) // _COARSE)
        coarse = coarse.ravel()
        lists: list[Ints] = [np.empty(0, int)] * len(middle)
        nearest = np.empty(len(middle))
        for block in range(side * side):
            members = np.flatnonzero(coarse == block)
            heart = middle[members].mean(axis=0)
            far = np.sqrt(self._squared(heart[None], np.arange(len(self._a))[None]))[0]
            wide = np.flatnonzero(far <= far.min() + 2 * _CORNER * _COARSE + slack)
            gaps = np.sqrt(self._squared(middle[members], wide[None]))
            nearest[members] = gaps.min(axis=1)
            keep = gaps <= nearest[members][:, None] + slack
            for member, row in zip(members, keep, strict=True):
                lists[member] = wide[row]
        width = max(map(len, lists))
        self._near = np.array([np.concatenate([edges, np.full(width - len(edges), edges[0])]) for edges in lists])
        self._rows = self._by_row()
        inside = self._inside(middle)
        self._state = np.where(nearest <= _CORNER, _MIXED, np.where(inside, _FULL, _EMPTY)).astype(np.int8)

    def _by_row(self) -> Ints:
        """The edges that cross each row of cells, and -1 where there are no more: what a horizontal ray can meet."""
        low, high = np.minimum(self._a[:, 1], self._b[:, 1]), np.maximum(self._a[:, 1], self._b[:, 1])
        bottom = _LOW + np.arange(_COUNT) * _CELL
        rows = [np.flatnonzero((low <= y + _CELL) & (high >= y)) for y in bottom]
        width = max(map(len, rows))
        return np.array([np.concatenate([edges, np.full(width - len(edges), -1, dtype=int)]) for edges in rows])

    def _cell(self, points: Floats) -> tuple[Ints, Bools]:
        """The cell of each point, and whether it lies beyond them all."""
        at = np.floor((points - _LOW) / _CELL)
        out = ((at < 0) | (at >= _COUNT)).any(axis=1)
        at = np.clip(at, 0, _COUNT - 1).astype(int)
        cells: Ints = at[:, 0] * _COUNT + at[:, 1]
        return cells, np.asarray(out)

    # ----------------------------------------------------------------- geometry

    def _squared(self, points: Floats, edges: Ints) -> Floats:
        """Squared distances between points (n, 2) and edges (n or 1, k): (n, k)."""
        return _to_segment(points[:, 0, None], points[:, 1, None], self._a[edges], self._d[edges], self._inverse[edges])

    def _inside(self, points: Floats) -> Bools:
        """Whether each point is inside a polygon: (n,) bool. A ray to the right crosses the edges of a polygon around
        it an odd number of times.
        """
        result = np.zeros(len(points), dtype=bool)
        row = np.floor((points[:, 1] - _LOW) / _CELL)
        known = np.flatnonzero((row >= 0) & (row < _COUNT))
        for part in _parts(len(known), self._rows.shape[1]):
            at = known[part]
            edges = self._rows[row[at].astype(int)]
            x, y = points[at, 0, None], points[at, 1, None]
            a, b, d = self._a[edges], self._b[edges], self._d[edges]
            spans = ((a[..., 1] > y) != (b[..., 1] > y)) & (edges >= 0)
            rise = np.where(spans, d[..., 1], 1.0)
            hits = spans & (x < a[..., 0] + (y - a[..., 1]) / rise * d[..., 0])
            where, which = np.nonzero(hits)
            # Crossings are counted polygon by polygon: two that overlap must not cancel each other.
            key, times = np.unique(where * (self._owner[-1] + 1) + self._owner[edges[where, which]], return_counts=True)
            result[at[(key[times % 2 == 1] // (self._owner[-1] + 1))]] = True
        return result

    def _piece_distance(self, start: Floats, end: Floats) -> Floats:
        """Distance between short pieces, at most a cell long and outside all polygons, and the nearest edge: (n,)."""
        cell, out = self._cell((start + end) / 2)
        result = np.empty(len(start))
        for part in _parts(len(start), self._near.shape[1]):
            result[part] = self._between(start[part], end[part], self._near[cell[part]])
        if out.any():
            result[out] = self._between(start[out], end[out], np.arange(len(self._a))[None])
        return result

    def _between(self, start: Floats, end: Floats, edges: Ints) -> Floats:
        a, b, d, inverse = self._a[edges], self._b[edges], self._d[edges], self._inverse[edges]
        step = (end - start)[:, None]
        own = 1 / np.maximum((step**2).sum(axis=-1), 1e-30)
        squared: Floats = np.minimum.reduce(
            [_to_segment(p[:, 0, None], p[:, 1, None], a, d, inverse) for p in (start, end)]
            + [_to_segment(q[..., 0], q[..., 1], start[:, None], step, own) for q in (a, b)]
        )
        crossing = (_side(step, a - start[:, None]) * _side(step, b - start[:, None]) < 0) & (
            _side(d, start[:, None] - a) * _side(d, end[:, None] - a) < 0
        )
        gaps: Floats = np.sqrt(np.where(crossing, 0.0, squared).min(axis=1))
        return gaps


_EMPTY, _MIXED, _FULL = 0, 1, 2
"""A cell: outside all polygons, crossed by an edge or nearly so, inside one."""


def _to_segment(x: Floats, y: Floats, a: Floats, d: Floats, inverse: Floats) -> Floats:
    """Squared distance between points and segments from `a` along `d`, whose squared length is 1 / `inverse`; all
    broadcast.
    """
    px, py = x - a[..., 0], y - a[..., 1]
    along = np.clip((px * d[..., 0] + py * d[..., 1]) * inverse, 0.0, 1.0)
    px, py = px - along * d[..., 0], py - along * d[..., 1]
    return px * px + py * py


def _side(d: Floats, p: Floats) -> Floats:
    return d[..., 0] * p[..., 1] - d[..., 1] * p[..., 0]


def _parts(n: int, width: int) -> list[slice]:
    size = max(1, _CHUNK // max(width, 1))
    return [slice(start, start + size) for start in range(0, n, size)]


class Discs:
    """Round obstacles, asked the same questions as `Polygons`.

    Args:
        middles: (n, 2) float64.
        radii: (n,) float64.
    """

    def __init__(self, middles: Floats, radii: Floats):
        self._middles, self._radii = np.asarray(middles, float).reshape(-1, 2), np.asarray(radii, float)

    def distance(self, points: Floats) -> Floats:
        """As `Polygons.distance`."""
        points = np.asarray(points, float).reshape(-1, 2)
        if not len(self._radii):
            return np.full(len(points), np.inf)
        x, y = (points[:, None, k] - self._middles[None, :, k] for k in (0, 1))
        nearest: Floats = (np.sqrt(x * x + y * y) - self._radii).min(axis=1)
        return np.maximum(nearest, 0.0)

    def free(self, points: Floats, radius: float) -> Bools:
        """As `Polygons.free`."""
        return self.distance(points) > radius

    def clear(self, a: Floats, b: Floats, radius: float) -> Bools:
        """As `Polygons.clear`."""
        a, b = np.asarray(a, float).reshape(-1, 1, 2), np.asarray(b, float).reshape(-1, 1, 2)
        step = b - a
        inverse = 1 / np.maximum((step**2).sum(axis=-1), 1e-30)
        squared = _to_segment(self._middles[None, :, 0], self._middles[None, :, 1], a, step, inverse)
        return np.asarray((squared > (self._radii + radius) ** 2).all(axis=1))


class Together:
    """Several kinds of obstacles as one."""

    def __init__(self, *parts: Polygons | Discs):
        self._parts = parts

    def distance(self, points: Floats) -> Floats:
        """As `Polygons.distance`."""
        nearest: Floats = np.minimum.reduce([part.distance(points) for part in self._parts])
        return nearest

    def free(self, points: Floats, radius: float) -> Bools:
        """As `Polygons.free`."""
        free: Bools = np.logical_and.reduce([part.free(points, radius) for part in self._parts])
        return free

    def clear(self, a: Floats, b: Floats, radius: float) -> Bools:
        """As `Polygons.clear`."""
        clear: Bools = np.logical_and.reduce([part.clear(a, b, radius) for part in self._parts])
        return clear
