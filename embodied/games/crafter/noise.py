"""OpenSimplex noise in three dimensions, for whole arrays of points, equal bit for bit to the package `opensimplex`
0.4.

The algorithm is Kurt Spencer's OpenSimplex (2014, public domain). Space is cut into cells, each of two tetrahedra and
an octahedron between them. A point's value is the sum of what the corners of its polyhedron and two further lattice
points add, each a random gradient fading with distance. Which lattice points these are depends on the point's place in
the cell: the table below lists them for every case, in the order in which the package adds them up, as sums of floats
depend on it.
"""

from __future__ import annotations

import numpy as np

from embodied.arrays import Floats, Ints

_STRETCH = -1 / 6
_SQUISH = 1 / 3
_NORM = 103
_GRADIENTS = np.array(
    [
        np.roll((11, 4, 4), longest) * (sx, sy, sz)
        for sz, sy, sx in (
            (1, 1, -1),
            (1, 1, 1),
            (1, -1, -1),
            (1, -1, 1),
            (-1, 1, -1),
            (-1, 1, 1),
            (-1, -1, -1),
            (-1, -1, 1),
        )
        for longest in range(3)
    ],
    dtype=np.float64,
)
"""(24, 3): towards the corners of a rhombicuboctahedron."""
_CORNERS = 8
"""Lattice points that can add to a value: at most six of the polyhedron, and two beyond."""
_NEAR, _FAR, _BOTH_FAR, _BOTH_NEAR, _MIXED = 0, 8, 16, 24, 32
"""First case of: the two tetrahedra, and the octahedron by the sides on which the closest two corners lie."""
_CASES = 88
_NOWHERE = (99, 99, 99)
"""A lattice point too far away to add anything: fills rows of fewer than eight points."""

# A set of axes is a bit mask: 1 for x, 2 for y, 4 for z.
_AXES = tuple(np.eye(3, dtype=np.int64))
_ONES = np.ones(3, np.int64)
_SINGLES, _PAIRS = (1, 2, 4), (3, 5, 6)


def _vector(mask: int) -> Ints:
    return np.array([mask & 1, mask >> 1 & 1, mask >> 2 & 1])


def _members(mask: int) -> list[int]:
    return [axis for axis in range(3) if mask >> axis & 1]


def _table() -> tuple[Ints, Ints]:
    """The lattice points of every case, relative to the cell's origin, as two summands.

    The package subtracts most offsets at once and some in two goes, one before and one after the skew, which rounds
    differently.

    Returns:
        early, late: (cases, corners, 3) int64.
    """
    early = np.full((_CASES, _CORNERS, 3), _NOWHERE, np.int64)
    late = np.zeros_like(early)
    corners = {_NEAR: (0, *_SINGLES), _FAR: (3, 5, 6, 7), _BOTH_FAR: (1, 2, 4, 3, 5, 6)}
    for case in range(_CASES):
        region = _NEAR if case < _FAR else _FAR if case < _BOTH_FAR else _BOTH_FAR
        for k, mask in enumerate(corners[region]):
            early[case, k] = _vector(mask)

    for mask in _SINGLES:
        single = _vector(mask)
        early[_NEAR + mask, 6:] = [single - _AXES[other] for other in _members(7 - mask)]
        early[_FAR + mask, 6:] = single, 2 * single
        early[_BOTH_FAR + mask, 6:] = _ONES, 2 * single
    for mask in _PAIRS:
        pair, across = _vector(mask), _vector(mask) - _vector(7 - mask)
        early[_NEAR + mask, 6:] = pair, across
        early[_BOTH_NEAR + mask, 6:] = 0 * pair, across
        for k, axis in enumerate(_members(mask)):
            second_go = int(axis == 1)
            early[_FAR + mask, 6 + k] = pair + (1 - second_go) * _AXES[axis]
            late[_FAR + mask, 6 + k] = second_go * _AXES[axis]
        for one in _SINGLES:
            case = _MIXED + 8 * mask + one
            early[case, 6:] = across, 0 * pair
            late[case, 7] = 2 * _vector(one)
    return early, late


_EARLY, _LATE = _table()
_LATTICE = _EARLY + _LATE
_SKEW = _LATTICE.sum(-1) * _SQUISH


class Simplex:
    """Noise of one seed.

    Args:
        seed: Any integer; the package shuffles its table by it with a 64-bit linear congruential generator.
    """

    def __init__(self, seed: int):
        source = list(range(256))
        table = np.empty(256, np.int64)
        for _ in range(3):
            seed = _lcg(seed)
        for i in range(255, -1, -1):
            seed = _lcg(seed)
            pick = (seed + 31) % (i + 1)
            table[i] = source[pick]
            source[pick] = source[i]
        self._table = table
        self._gradients = _GRADIENTS[table % len(_GRADIENTS)]

    def __call__(self, x: Floats, y: Floats, z: float) -> Floats:
        """The noise at the points (x[i], y[i], z).

        Args:
            x: (n,) float64.
            y: (n,) float64.
            z: The same for all points.

        Returns:
            (n,) float64, about in [-1, 1].
        """
        point = np.stack([x, y, np.full_like(x, z)])
        skewed = point + (point[0] + point[1] + point[2]) * _STRETCH
        base = np.floor(skewed)
        inside = skewed - base
        origin = point - (base + (base[0] + base[1] + base[2]) * _SQUISH)
        lattice = base.astype(np.int64)
        case = _case(*inside)
        value = np.zeros_like(x)
        for k in range(_CORNERS):
            dx, dy, dz = origin - _EARLY[case, k].T - _SKEW[case, k] - _LATE[case, k].T
            near = 2 - dx * dx - dy * dy - dz * dz
            near = np.where(near > 0, near * near, 0)
            i, j, k_ = lattice + _LATTICE[case, k].T
            gx, gy, gz = self._gradients[(self._table[(self._table[i & 255] + j) & 255] + k_) & 255].T
            value += near * near * (gx * dx + gy * dy + gz * dz)
        return value / _NORM


def _lcg(seed: int) -> int:
    """One step of Knuth's MMIX generator, in signed 64-bit arithmetic."""
    seed = (seed * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
    return seed - (1 << 64) if seed >> 63 else seed


def _case(x: Floats, y: Floats, z: Floats) -> Floats:
    """The table's case for points at (x, y, z) in [0, 1) of the stretched cell, each (n,)."""
    total = x + y + z
    octahedron = _octahedron_case(x, y, z)
    return np.where(
        total <= 1, _near_case(x, y, z, 1 - total), np.where(total >= 2, _far_case(x, y, z, 3 - total), octahedron)
    )


def _near_case(x: Floats, y: Floats, z: Floats, origin: Floats) -> Floats:
    """In the tetrahedron at (0, 0, 0): the closest axis, or the closest two when both are closer than the origin."""
    z_for_b = (x >= y) & (z > y)
    z_for_a = (x < y) & (z > x)
    a, a_axis = np.where(z_for_a, z, x), np.where(z_for_a, 4, 1)
    b, b_axis = np.where(z_for_b, z, y), np.where(z_for_b, 4, 2)
    single = (origin > a) | (origin > b)
    return _NEAR + np.where(single, np.where(b > a, b_axis, a_axis), a_axis | b_axis)


def _far_case(x: Floats, y: Floats, z: Floats, opposite: Floats) -> Floats:
    """In the tetrahedron at (1, 1, 1): the closest pair of axes, or what the closest two pairs share."""
    z_for_b = (x <= y) & (z < y)
    z_for_a = (x > y) & (z < x)
    a, a_axes = np.where(z_for_a, z, x), np.where(z_for_a, 3, 6)
    b, b_axes = np.where(z_for_b, z, y), np.where(z_for_b, 3, 5)
    single = (opposite < a) | (opposite < b)
    return _FAR + np.where(single, np.where(b < a, b_axes, a_axes), a_axes & b_axes)


def _octahedron_case(x: Floats, y: Floats, z: Floats) -> Floats:
    """In between: the closest two corners, one of each of two pairs of opposite corners out of three."""
    a_far, b_far, c_far = x + y > 1, x + z > 1, y + z > 1
    a, b, c = (np.abs(s - 1) for s in (x + y, x + z, y + z))
    a_axes, b_axes, c_axes = np.where(a_far, 3, 4), np.where(b_far, 5, 2), np.where(c_far, 6, 1)
    c_for_a = (a <= b) & (a < c)
    c_for_b = (a > b) & (b < c)
    a_axes, a_far = np.where(c_for_a, c_axes, a_axes), np.where(c_for_a, c_far, a_far)
    b_axes, b_far = np.where(c_for_b, c_axes, b_axes), np.where(c_for_b, c_far, b_far)
    far, near = np.where(a_far, a_axes, b_axes), np.where(a_far, b_axes, a_axes)
    mixed = _MIXED + 8 * far + near
    return np.where(
        a_far != b_far, mixed, np.where(a_far, _BOTH_FAR + (a_axes & b_axes), _BOTH_NEAR + (a_axes | b_axes))
    )
