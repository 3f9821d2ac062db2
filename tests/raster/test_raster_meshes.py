"""Solids are closed and turned outwards; polygons are cut into as many triangles as they need, and no more area than
they have.
"""

import math

import numpy as np
import pytest

from embodied.raster import box, cone, cylinder, disc, frustum, prism, sphere
from embodied.raster.triangulate import triangulate


def volume(mesh) -> float:
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    return float((np.cross(a, b) * c).sum() / 6)


N = 16 * math.sin(2 * math.pi / 16) / 2
"""Area of the regular 16-gon in the unit circle."""


@pytest.mark.parametrize(
    ("mesh", "want"),
    [
        (box((1, 2, 3), (2, 3, 4), 0.7), 24.0),
        (box((0, 0, 1), (2, 2, 2), taper=(0.5, 0.5)), 2 / 3 * (4 + 2 + 1)),
        (frustum((0, 1, 0), 1.0, 0.5, 3.0), N * 3 / 3 * (1 + 0.5 + 0.25)),
        (cone((5, 1, 0), 1.0, 3.0), N),
        (cylinder((5, 1, 0), 1.0, 3.0), 3 * N),
        (cylinder((5, 1, 0), 1.0, 3.0, axis="x"), 3 * N),
        (cylinder((5, 1, 0), 1.0, 3.0, axis="y"), 3 * N),
        (box((0, 0, 0), (1, 1, 1)).moved(3, 4, 5, yaw=1.0).tilted(0.3, 0.4), 1.0),
    ],
)
def test_solids_are_closed_turned_outwards_and_of_their_volume(mesh, want):
    assert volume(mesh) == pytest.approx(want)
    corner = [tuple(v) for v in np.round(mesh.vertices, 9)]
    edges = {(corner[a], corner[b]) for f in mesh.faces for a, b in ((f[0], f[1]), (f[1], f[2]), (f[2], f[0]))}
    assert len(edges) == 3 * len(mesh.faces) and all((b, a) in edges for a, b in edges)


def test_lying_cylinders_and_spheres_are_where_they_should_be():
    for axis, size in (("x", (3, 2, 2)), ("y", (2, 3, 2)), ("z", (2, 2, 3))):
        v = cylinder((5, 1, 7), 1.0, 3.0, axis=axis).vertices
        assert np.allclose(v.max(axis=0) - v.min(axis=0), size)
        assert np.allclose((v.max(axis=0) + v.min(axis=0)) / 2, (5, 1, 7 if axis != "z" else 8.5))
    ball = sphere((1, 2, 3), (1, 2, 3), sides=24)
    assert volume(ball) == pytest.approx(4 / 3 * math.pi * 6, rel=0.1) and np.allclose(
        np.abs(ball.vertices - (1, 2, 3)).max(axis=0), (1, 2, 3)
    )
    assert disc((0, 0, 0), 2.0).two_sided


def area(p) -> float:
    x, y = np.asarray(p).T
    return float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2)


def stars():
    rng = np.random.default_rng(1)
    for n in (3, 4, 5, 8, 13, 40):
        for _ in range(10):
            angles = np.sort(rng.uniform(0, 2 * math.pi, n))
            if np.diff(angles, append=angles[0] + 2 * math.pi).max() < math.pi:
                yield np.stack([np.cos(angles), np.sin(angles)], 1) * rng.uniform(0.2, 1, (n, 1))


def test_concave_polygons_are_cut_exactly():
    count = 0
    for polygon in stars():
        faces = triangulate(polygon)
        areas = [area(polygon[f]) for f in faces]
        assert len(faces) == len(polygon) - 2 and min(areas) >= 0
        assert sum(areas) == pytest.approx(area(polygon))
        count += len(polygon) > 4
    assert count >= 20


def test_awkward_polygons_end():
    comb = np.array(
        [(0, 0), (6, 0), (6, 3), (5, 3), (5, 1), (4, 1), (4, 3), (3, 3), (3, 1), (2, 1), (2, 3), (0, 3)], dtype=float
    )
    assert sum(area(comb[f]) for f in triangulate(comb)) == pytest.approx(area(comb))
    on_a_line = np.array([(0, 0), (1, 0), (2, 0), (2, 1), (0, 1), (0, 0.5)], dtype=float)
    assert sum(area(on_a_line[f]) for f in triangulate(on_a_line)) == pytest.approx(2)
    bow = np.array([(0, 0), (1, 1), (1, 0), (0, 1)], dtype=float)
    assert triangulate(bow).shape == (2, 3)


def test_a_prism_has_a_roof_and_walls_turned_outwards():
    polygon = next(s for s in stars() if len(s) == 13)
    mesh = prism(polygon, 0.0, 2.0)
    # Without a floor at height 0 the sum over the faces is still the volume: a floor there would add nothing.
    assert volume(mesh) == pytest.approx(2 * area(polygon))
