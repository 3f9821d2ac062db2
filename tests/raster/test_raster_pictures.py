"""The rasteriser against ray casting, its promises about edges, depth, ground and fog, and its
bytes in two processes.
"""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from embodied.raster import Camera, Fog, Light, Mesh, box, concatenate, cone, cylinder, project, render, sphere

CAMERA = Camera((0.0, 0.0, 1.5), (1.0, 10.0, 1.0), fov_y=60, width=96, height=64)
FLAT = Light(sun=0.0, ambient=1.0)


def solids() -> list[Mesh]:
    return [
        box((0.0, 8.0, 0.7), (1.8, 4.4, 1.4), 0.4, (200, 30, 30), 1),
        cone((-2.0, 5.0, 0.0), 0.4, 1.2, (255, 120, 0), 2),
        cylinder((2.0, 6.0, 0.5), 0.5, 0.3, (20, 20, 20), 3, axis="x"),
        sphere((1.0, 12.0, 2.0), 1.5, (40, 130, 40), 4),
        box((0.4, 0.0, 0.9), (0.2, 6.0, 0.3), 0.0, (10, 60, 200), 5),  # passes the camera: cut by the near plane
    ]


def cast(meshes: list[Mesh], camera: Camera) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rays through pixel centres against all triangles (Moeller and Trumbore 1997): ids, depth, and how near to an edge
    the hit was.
    """
    x = (np.arange(camera.width) + 0.5 - camera.centre[0]) / camera.focal
    y = (np.arange(camera.height) + 0.5 - camera.centre[1]) / camera.focal
    rays = np.stack([*np.meshgrid(x, y), np.ones((camera.height, camera.width))], axis=-1).reshape(-1, 3)
    depth, ids, margin = np.full(len(rays), np.inf), np.zeros(len(rays), int), np.full(len(rays), np.inf)
    for mesh in meshes:
        for a, b, c in camera.into(mesh.vertices[mesh.faces]):
            e, f = b - a, c - a
            p = np.cross(rays, f)
            det = p @ e
            with np.errstate(divide="ignore", invalid="ignore"):
                u = p @ -a / det
                q = np.cross(-a, e)
                v, t = rays @ q / det, f @ q / det
            inner = np.minimum(np.minimum(u, v), 1 - u - v)
            seen = (det > 1e-12 if not mesh.two_sided else np.abs(det) > 1e-12) & (t > camera.near)
            margin = np.minimum(margin, np.where(seen, np.abs(inner), np.inf))
            hit = seen & (inner >= 0) & (t < depth)
            depth[hit], ids[hit] = t[hit], mesh.id
    shape = camera.height, camera.width
    return ids.reshape(shape), depth.reshape(shape), margin.reshape(shape)


def test_pictures_agree_with_ray_casting():
    frame = render(solids(), CAMERA)
    ids, depth, margin = cast(solids(), CAMERA)
    clear = margin > 0.02  # corners are snapped to 1/256 pixel: pixels on an outline may differ
    assert clear.mean() > 0.7 and set(np.unique(ids[clear])) == {0, 1, 2, 3, 4, 5}
    assert np.array_equal(frame.ids[clear], ids[clear])
    assert (frame.ids != ids).mean() < 0.005
    hit = clear & (ids > 0)
    assert np.allclose(frame.depth[hit], depth[hit], rtol=2e-3)
    assert np.isinf(frame.depth[clear & (ids == 0)]).all()


def test_triangles_that_share_edges_leave_no_gap_and_no_pixel_twice():
    """A square cut into a fan around a random point covers each of its pixels once; a front face of one half never
    hides the other.
    """
    rng = np.random.default_rng(0)
    camera = Camera((0, 0, 10), (0, 0, 0), up=(0, 1, 0), fov_y=60, width=80, height=80)
    for _ in range(20):
        rim = np.array(
            [(x, y, 0) for x, y in ((-3, -3), (0.3, -3), (3, -3), (3, 1.1), (3, 3), (-1.7, 3), (-3, 3), (-3, 0.2))],
            dtype=float,
        )
        middle = np.append(rng.uniform(-2.9, 2.9, 2), 0.0)
        vertices, n = np.vstack([rim, middle]), len(rim)
        fans = [Mesh(vertices, np.array([(n, k, (k + 1) % n)]), np.full((1, 3), 9, np.uint8), k + 1) for k in range(n)]
        whole = render([box((0, 0, -1), (6, 6, 2), id=1)], camera).ids > 0
        together = render(fans, camera).ids
        assert np.array_equal(together > 0, whole)
        assert sum((render([fan], camera).ids > 0).astype(int) for fan in fans).max() == 1
        assert np.array_equal(render(fans[::-1], camera).ids, together)


def test_the_first_of_two_faces_in_one_place_is_seen():
    a, b = box((0, 5, 1), (1, 1, 1), id=1), box((0, 5, 1), (1, 1, 1), id=2)
    assert set(np.unique(render([a, b], CAMERA).ids)) == {0, 1}
    assert set(np.unique(render([b, a], CAMERA).ids)) == {0, 2}


def test_faces_are_seen_from_the_front_or_from_both_sides():
    corners = np.array([(-1, 5, 0), (1, 5, 0), (0, 5, 2)], dtype=float)
    for faces, two_sided, seen in (
        (((0, 1, 2),), False, True),
        (((0, 2, 1),), False, False),
        (((0, 2, 1),), True, True),
    ):
        mesh = Mesh(corners, np.array(faces), np.full((1, 3), 9, np.uint8), 1, two_sided=two_sided)
        assert (render([mesh], CAMERA).ids == 1).any() == seen


def test_the_ground_is_painted_where_its_points_are():
    seen = []

    def paint(points, width):
        seen.append((points, width))
        return np.where((np.floor(points).sum(axis=1) % 2 == 0)[:, None], np.uint8(255), np.uint8(0)).repeat(3, axis=1)

    frame = render([box((0, 6, 0), (2, 2, 2), id=1)], CAMERA, ground=paint, background=(1, 2, 3), light=FLAT)
    ((points, width),) = seen
    pixels, depth = project(np.column_stack([points, np.zeros(len(points))]), CAMERA)
    assert np.allclose(pixels % 1, 0.5)
    i, j = np.floor(pixels).astype(int).T
    assert np.allclose(frame.depth[j, i], depth, rtol=1e-6) and (frame.ids[j, i] == 0).all()
    assert set(np.unique(frame.color[j, i])) == {0, 255}
    assert np.allclose(width, depth / CAMERA.focal)
    assert (frame.color[0, 0] == (1, 2, 3)).all() and np.isinf(frame.depth[0, 0])
    # The lower half of the box is under the ground.
    assert (frame.ids == 1).sum() < (render([box((0, 6, 0), (2, 2, 2), id=1)], CAMERA).ids == 1).sum()


def test_fog_takes_95_percent_at_the_visibility():
    wall = box((0, 50.5, 0), (200, 1, 200), color=(0, 0, 0), id=1)
    camera = Camera((0, 0, 0), (0, 1, 0), width=8, height=8)
    for visibility, grey in ((50.0, 0.95 * 200), (1e6, 0.0), (500.0, (1 - np.exp(-0.3)) * 200)):
        assert abs(render([wall], camera, fog=Fog((200, 200, 200), visibility)).color[4, 4, 0] - grey) <= 2


def test_light_falls_by_the_cosine_and_lamps_add_to_it():
    slab = box((0, 0, -1), (50, 50, 2), color=(200, 200, 200), id=1)
    camera = Camera((0, 0, 5), (0, 0, 0), up=(0, 1, 0), width=8, height=8)
    for light, want in (
        (Light((0, 0, 1), sun=0.5, ambient=0.3), 160),
        (Light((0, 3**0.5, 1), sun=0.5, ambient=0.3), 110),
        (Light((0, 0, -1), sun=0.5, ambient=0.3), 60),
        (Light((0, 0, -1), ambient=0.3, lamp=lambda points: np.full(len(points), 0.2)), 100),
    ):
        assert abs(int(render([slab], camera, light=light).color[4, 4, 0]) - want) <= 1
        assert abs(int(render([], camera, light=light, ground=(200, 200, 200)).color[4, 4, 0]) - want) <= 1
    assert render([slab.lit(0.9)], camera, light=Light(ambient=0.1, sun=0)).color[4, 4, 0] == 180


def test_samples_average_colours_and_keep_ids_whole():
    mesh = box((0.3, 6, 1), (2, 2, 2), 0.3, (255, 0, 0), 7)
    one, two = (render([mesh], CAMERA, samples=n, background=(0, 0, 0), light=FLAT) for n in (1, 2))
    fine = render([mesh], CAMERA.resized(192, 128), background=(0, 0, 0), light=FLAT)
    mean = fine.color.reshape(64, 2, 96, 2, 3).astype(float).mean(axis=(1, 3))
    assert np.abs(two.color - mean).max() <= 0.5 and len(np.unique(two.color)) > len(np.unique(one.color))
    assert set(np.unique(two.ids)) == {0, 7} and two.depth.dtype == np.float32 and two.ids.dtype == np.int32


def test_what_is_behind_the_camera_or_absent_is_not_drawn():
    frame = render([box((0, -9, 1), (2, 2, 2), id=1)], CAMERA)
    assert not frame.ids.any() and (frame.color == 255).all()
    assert not render([], CAMERA).ids.any()
    pixels, depth = project(np.array([(0.0, -9.0, 1.0), (1.0, 10.0, 1.0)]), CAMERA)
    assert np.isnan(pixels[0]).all() and depth[0] < 0 and np.allclose(pixels[1], CAMERA.centre)


def test_a_camera_that_looks_nowhere_is_refused():
    with pytest.raises(ValueError, match="target"):
        render([], Camera((0, 0, 0), (0, 0, 0)))
    with pytest.raises(ValueError, match="samples"):
        render([], CAMERA, samples=0)


PRINT_HASH = """
import hashlib, numpy as np
from tests.raster.test_raster_pictures import CAMERA, solids
from embodied.raster import Fog, render
f = render(solids(), CAMERA, fog=Fog((200, 200, 210), 40.0), ground=(90, 90, 90), samples=2)
print(hashlib.sha256(f.color.tobytes() + f.depth.tobytes() + f.ids.tobytes()).hexdigest())
"""


GOLDEN = "61e359e5b54f6d9c5253a66d1e3997e1c9fcd00a193409148bb324b14e798969"
"""Of the picture below: the same on every machine."""


def _digest_elsewhere(**environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PRINT_HASH],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
        env=os.environ | environment,
    )
    return done.stdout.strip()


def test_equal_bytes_in_two_processes():
    here = render(solids(), CAMERA, fog=Fog((200, 200, 210), 40.0), ground=(90, 90, 90), samples=2)
    digest = hashlib.sha256(here.color.tobytes() + here.depth.tobytes() + here.ids.tobytes()).hexdigest()
    assert _digest_elsewhere() == digest == GOLDEN


def test_equal_bytes_on_a_processor_without_vectors():
    """NumPy chooses its loops by what the processor can; with all choices taken away they are
    those of another machine.
    """
    found = sorted(set(np.__config__.show(mode="dicts")["SIMD Extensions"].get("found", [])))
    assert _digest_elsewhere(NPY_DISABLE_CPU_FEATURES=" ".join(found)) == GOLDEN


def test_the_camera_is_opencvs():
    """x right, y down, z forward, and back again."""
    camera = Camera((1.0, 2.0, 1.5), (1.0, 9.0, 1.5), fov_y=90, width=200, height=100)
    assert np.allclose(camera.into(np.array([(2.0, 5.0, 1.0)])), [(1.0, 0.5, 3.0)]) and camera.focal == 50
    points = np.random.default_rng(0).normal(size=(20, 3))
    assert np.allclose(CAMERA.out_of(CAMERA.into(points)), points)
    assert np.allclose(project(np.array([(2.0, 5.0, 1.0)]), camera)[0], [(100 + 50 / 3, 50 + 25 / 3)])


def test_concatenate_keeps_every_face():
    whole = concatenate(solids(), id=9)
    one, many = render([whole], CAMERA), render(solids(), CAMERA)
    assert np.array_equal(one.color, many.color) and np.array_equal(one.ids == 9, many.ids > 0)
