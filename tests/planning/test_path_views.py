"""Pictures of paths: what is where, in both views and all layouts; 2D with Pillow, 3D by the rasteriser."""

import hashlib

import numpy as np
import pytest

from embodied.errors import UnknownName
from embodied.planning import views
from embodied.planning.maps import FAMILIES, Map, generate
from embodied.planning.planners.space import GOAL, HALF, START
from embodied.raster import Camera, project
from embodied.raster.triangulate import triangulate

PATH = np.array([START, (-10.0, -36.0), (30.0, 0.0), GOAL])
OTHER = np.array([START, (-36.0, 20.0), GOAL])
L = np.array([(-20, -20), (0, -20), (0, -10), (-10, -10), (-10, 10), (-20, 10)], dtype=np.float64)
MAP = Map("one-l", "scene", 0, 0, (L,))
"""One concave polygon."""
EYE = Camera((0, -70, 55), (0, 0, -10), fov_y=45, width=views.SIZE_3D[1], height=views.SIZE_3D[0])


def above(x: float, y: float, size: int = 480) -> tuple[int, int]:
    """Row and column of a point in a panel from above."""
    return int((HALF - y) / (2 * HALF) * size), int((x + HALF) / (2 * HALF) * size)


def among(x: float, y: float, z: float = 0.0) -> tuple[int, int]:
    ((column, row),) = project(np.array([(x, y, z)]), EYE)[0]
    return int(row), int(column)


def test_a_panel_from_above_shows_what_is_there():
    panel = views.panel_2d(MAP, PATH)
    assert panel.shape == (480, 480, 3) and panel.dtype == np.uint8
    assert tuple(panel[above(-15, 0)]) == tuple(panel[above(-5, -15)]) == (0, 0, 0)
    assert tuple(panel[above(-5, 5)]) == (255, 255, 255), "the corner a concave polygon leaves free"
    assert tuple(panel[above(10, -18)]) == views.RED, "the middle of the path's second leg"
    assert (
        tuple(panel[above(START[0] - 0.6, START[1])]) == views.RED
        and tuple(panel[above(GOAL[0] + 0.6, GOAL[1])]) == views.BLUE
    )
    assert (panel[0] == 0).all() and (panel[:, 0] == 0).all() and (panel[-1] == 0).all() and (panel[:, -1] == 0).all()
    ink = (255 - panel[5:-5, above(-25, 0)[1], 1].astype(float)).sum() / 255
    assert ink == pytest.approx(2.8, abs=0.6), "two points are 2.8 pixels"


def test_a_panel_in_3d_shows_walls_that_hide():
    panel = views.panel_3d(MAP, PATH)
    assert panel.shape == (*views.SIZE_3D, 3)
    red = (panel.astype(int) @ (2, -1, -1) > 300).sum()
    assert tuple(panel[among(30, -30)]) == (178, 178, 178) == tuple(panel[among(-5, 5)])
    assert tuple(panel[among(10, -18)]) == views.RED and tuple(panel[among(GOAL[0] + 0.6, GOAL[1])]) == views.BLUE
    assert tuple(panel[among(-15, 0, 2.0)]) not in {(178, 178, 178), (255, 255, 255)}
    behind = np.array([START, (-30.0, 11.5), (10.0, 11.5), GOAL])
    assert tuple(views.panel_3d(MAP, behind)[among(-15, 11.5)]) != views.RED, (
        "the wall of height 2 hides the path behind it"
    )
    assert tuple(views.panel_3d(MAP, behind)[among(5, 11.5)]) == views.RED
    assert red > 1000 and tuple(panel[0, 0]) == (255, 255, 255)


@pytest.mark.parametrize("view", views.VIEWS)
def test_layouts(view):
    draw = {layout: views.draw(MAP, [PATH, OTHER], view=view, layout=layout) for layout in views.LAYOUTS}
    for layout, pictures in draw.items():
        assert [p.shape[:2] for p in pictures] == views.shapes(view, layout, 2)
    both, (first, second), (over,) = draw["side_by_side"][0], draw["separate"], draw["overlay"]
    half = both.shape[1] // 2
    assert np.array_equal(both[:, :half], first) and np.array_equal(both[:, half:], second), (
        "the first path is on the left"
    )
    assert not np.array_equal(first, second)
    where = above if view == "2d" else among
    assert (
        tuple(over[where(10, -18)]) == views.COLOURS["red"] and tuple(over[where(0, 28.18)]) == views.COLOURS["green"]
    )
    assert np.array_equal(views.overlay(MAP, [PATH, OTHER], view=view), over)


def test_paths_that_coincide_show_both_colours():
    for view in views.VIEWS:
        over = views.overlay(MAP, [PATH, PATH], view=view)
        for colour in list(views.COLOURS.values())[:2]:
            assert (over == colour).all(axis=2).sum() > 300


@pytest.mark.parametrize("view", views.VIEWS)
@pytest.mark.parametrize("layout", views.LAYOUTS)
def test_labels_hide_nothing(view, layout):
    plain, labelled = (
        views.draw(MAP, [PATH, OTHER], view=view, layout=layout, labels=labels) for labels in ((), ("Path 1", "Path 2"))
    )
    assert [p.shape[:2] for p in labelled] == views.shapes(view, layout, 2, labels=True)
    strip = views.STRIP if view == "2d" else 0
    for a, b in zip(plain, labelled, strict=True):
        changed = (a != b[strip:]).any(axis=2)
        assert (b[: views.STRIP] < 128).any() and (a[changed] == 255).all()


def test_a_robot_elsewhere_is_shown_where_it_is():
    for view, where in (("2d", above), ("3d", among)):
        (panel,) = views.draw(MAP, [np.array([(20.0, -20.0), (30.0, -20.0)])], view=view, start=np.array([20.0, -20.0]))
        assert (
            tuple(panel[where(19.2, -20)]) == views.RED and tuple(panel[where(START[0] - 0.6, START[1])]) != views.RED
        )


def test_a_line_in_3d_is_as_wide_wherever_it_runs():
    """3.5 pixels at the original's height of 720: as many from left to right as into the depth, near and far."""
    for path in (
        [(-30.0, -30.0), (30.0, -30.0)],
        [(-30.0, 30.0), (30.0, 30.0)],
        [(0.0, -30.0), (0.0, 30.0)],
        [(20.0, -30.0), (30.0, 30.0)],
    ):
        points = np.array(path)
        mesh = views.ribbon(points, EYE, 3.5, 0.03, views.RED)
        corners, _ = project(mesh.vertices, EYE)
        n = len(path) - 1
        for side in (corners[:n], corners[2 * n : 3 * n]):
            along = corners[2 * n] - corners[0]
            other = side + (corners[n : 2 * n] - corners[:n]) if side is corners[:n] else corners[3 * n :]
            across = other[0] - side[0]
            width = abs(along[0] * across[1] - along[1] * across[0]) / np.hypot(*along)
            assert width == pytest.approx(3.5, rel=0.05)


def test_a_path_that_stands_still_is_drawn():
    for view in views.VIEWS:
        views.draw(MAP, [np.array([START, START]), np.array([START, START, GOAL])], view=view)
    assert views.panel_3d(Map("empty", "scene", 0, 0, ()), PATH).any()


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_drawn_and_the_same_again(family):
    parameter = {"maze": 12, "rings": 6, "waves": 7, "random": 16}[family]
    one = generate(family, parameter, 3)
    pictures = [
        views.draw(m, [PATH], view=view)[0] for view in views.VIEWS for m in (one, generate(family, parameter, 3))
    ]
    digests = [hashlib.sha256(p.tobytes()).hexdigest() for p in pictures]
    assert digests[0] == digests[1] and digests[2] == digests[3]
    # Every polygon's inside is black from above.
    for polygon in one.polygons[:20]:
        a, b, c = polygon[triangulate(polygon)[0]]
        x, y = (a + b + c) / 3
        if abs((b - a)[0] * (c - a)[1] - (b - a)[1] * (c - a)[0]) > 0.2:
            assert pictures[0][above(x, y)].max() < 80


def test_names_that_do_not_exist():
    with pytest.raises(UnknownName, match="2d"):
        views.draw(MAP, [PATH], view="2D!")
    with pytest.raises(UnknownName, match="overlay"):
        views.shapes("2d", "overly", 2)
    with pytest.raises(UnknownName, match="separate"):
        views.draw(MAP, [PATH], layout="seperate")
