"""Overlaps of boxes: by hand, and against counting points of a fine lattice."""

import math
from itertools import pairwise

import numpy as np
import pytest

from embodied.driving.grounding3d.boxes import Box3D, distance, distance_3d, iou_2d, iou_3d, iou_bev, overlap, yaw_error

CAR = Box3D(2.0, 0.8, 20.0, 2.0, 1.5, 4.0, 0.0)


def moved(box: Box3D, **change: float) -> Box3D:
    return Box3D(**{**vars(box), **change})


@pytest.mark.parametrize(
    ("other", "bev"),
    [
        (CAR, 1.0),
        (moved(CAR, yaw=180.0), 1.0),
        (moved(CAR, yaw=90.0), 4 / 12),
        (moved(CAR, x=3.0), 4 / 12),
        (moved(CAR, z=22.0), 4 / 12),
        (moved(CAR, x=4.0), 0.0),
        (moved(CAR, x=9.0), 0.0),
        (moved(CAR, w=1.0, l=2.0), 2 / 8),
        (moved(CAR, w=1.0, l=2.0, yaw=30.0), 2 / 8),
        (moved(CAR, y=-3.0), 1.0),
    ],
)
def test_bev_by_hand(other, bev):
    assert iou_bev(CAR, other) == pytest.approx(bev, abs=1e-12) == iou_bev(other, CAR)


def test_a_square_turned_by_45_degrees_shares_an_octagon():
    a, b = Box3D(0, 0, 9, 2, 1, 2, 0), Box3D(0, 0, 9, 2, 1, 2, 45)
    assert overlap(a.footprint(), b.footprint()) == pytest.approx(8 * (math.sqrt(2) - 1))


def inside(box: Box3D, points: np.ndarray) -> np.ndarray:
    c, s = math.cos(math.radians(box.yaw)), math.sin(math.radians(box.yaw))
    dx, dz = points[:, 0] - box.x, points[:, 1] - box.z
    return (np.abs(c * dx + s * dz) <= box.w / 2) & (np.abs(c * dz - s * dx) <= box.l / 2)


def test_bev_against_counting_points():
    rng = np.random.default_rng(0)
    step = 0.02
    lattice = np.stack(np.meshgrid(*[np.arange(-4, 4, step)] * 2), axis=-1).reshape(-1, 2)
    for _ in range(60):
        a, b = (Box3D(*rng.uniform(-1, 1, 3), *rng.uniform(0.5, 3.5, 3), rng.uniform(-360, 360)) for _ in range(2))
        ours, theirs = inside(a, lattice), inside(b, lattice)
        assert overlap(a.footprint(), b.footprint()) == pytest.approx((ours & theirs).sum() * step * step, abs=0.06)
        assert iou_bev(a, b) == pytest.approx((ours & theirs).sum() / (ours | theirs).sum(), abs=0.01)


def test_overlap_far_from_the_origin_keeps_its_digits():
    near, far = (Box3D(x, 0, z, 0.01, 1, 0.01, 17.0) for x, z in ((0, 0), (900.0, -800.0)))
    assert iou_bev(far, moved(far, x=900.005)) == pytest.approx(iou_bev(near, moved(near, x=0.005)), rel=1e-9)


def test_volume_overlap_counts_heights_too():
    assert iou_3d(CAR, CAR) == pytest.approx(1)
    assert iou_3d(CAR, moved(CAR, y=0.8 + 0.75)) == pytest.approx(1 / 3)
    assert iou_3d(CAR, moved(CAR, y=5.0)) == 0
    assert iou_3d(CAR, moved(CAR, x=3.0, h=0.75)) == pytest.approx(4 * 0.75 / (12 + 6 - 3))


def test_distances_and_angles():
    other = moved(CAR, x=5.0, z=24.0, y=0.8 - 12)
    assert distance(CAR, other) == 5 and distance_3d(CAR, other) == 13
    turns = [yaw_error(CAR, moved(CAR, yaw=yaw)) for yaw in (0, 10, 180, 190, 350, -725)]
    assert turns == [0, 10, 180, 170, 10, 5]
    assert all(yaw_error(moved(CAR, yaw=a), moved(CAR, yaw=b)) == 30 for a, b in pairwise((-10.0, 20.0, 50.0)))


def test_a_box_that_looks_left_reaches_to_the_left():
    """Yaw 90: its length lies along x; its eight corners span its size about its centre."""
    box = moved(CAR, yaw=90.0)
    corners = np.array(box.corners())
    assert np.allclose(np.ptp(corners, axis=0), (4, 1.5, 2)) and np.allclose(corners.mean(axis=0), (2, 0.8, 20))
    assert np.allclose(np.array(moved(CAR, yaw=45.0, w=1e-9).footprint())[2], (2 - math.sqrt(2), 20 + math.sqrt(2)))


def test_boxes_in_the_picture():
    assert iou_2d((0, 0, 2, 2), (1, 1, 3, 3)) == pytest.approx(1 / 7)
    assert iou_2d((0, 0, 2, 2), (2, 0, 4, 2)) == 0 and iou_2d((0, 0, 2, 2), (0, 0, 2, 2)) == 1
