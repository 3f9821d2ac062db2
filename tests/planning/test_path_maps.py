"""Maps: the families against the published files, reading and writing, what is infeasible; distances against brute
force.
"""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

from embodied.errors import UnknownName, UsageError
from embodied.planning.geometry import Discs, Polygons, Together
from embodied.planning.maps import FAMILIES, Map, area, feasible, generate, read, write
from embodied.planning.planners.space import GOAL, START

WALLS = {10: 76, 11: 94, 12: 113, 13: 135, 14: 158, 15: 184, 16: 211, 17: 240, 18: 271}


@pytest.fixture(scope="module")
def published(patheval_data):
    return [read(path) for path in sorted((patheval_data / "environments").glob("*.txt"))]


def of(family: str, published: list[Map]) -> list[tuple[Map, Map]]:
    """Published maps of a family, each with one of ours of the same parameter."""
    return [(field, generate(family, field.parameter, 7)) for field in published if field.family == family]


def test_all_published_maps_load_and_are_counter_clockwise(published):
    assert len(published) == 34
    assert {field.family for field in published} == {*FAMILIES, "scene"}
    assert all(area(polygon) > 0 for field in published for polygon in field.polygons)


def test_a_written_map_is_read_back_the_same(published, tmp_path):
    for field in (published[3], generate("rings", 4, 1)):
        write(field, tmp_path / "map.txt")
        again = read(tmp_path / "map.txt")
        assert len(again.polygons) == len(field.polygons)
        assert all((one == other).all() for one, other in zip(again.polygons, field.polygons, strict=True))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2\n3 0 0 1 0 0 1\n", "holds 1 polygons"),
        ("1\n3 0 0 1 0\n", "breaks off"),
        ("1\nx\n", "cannot be read"),
        ("", "holds 0"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, text, said):
    (tmp_path / "bad.txt").write_text(text)
    with pytest.raises(UsageError, match=said):
        read(tmp_path / "bad.txt")


@pytest.mark.parametrize("cells", WALLS)
def test_wall_counts_of_mazes(cells):
    assert len(generate("maze", cells, 0).polygons) == WALLS[cells]


def test_published_mazes_have_those_counts_too(published):
    assert all(
        len(theirs.polygons) == len(ours.polygons) == WALLS[ours.parameter] for theirs, ours in of("maze", published)
    )


def rooms_and_doors(field: Map) -> tuple[int, int]:
    """Groups of rooms that hang together, and doors between rooms, counted on the walls of a maze."""
    cells = field.parameter
    wide, high = 80 / cells, 66 / cells
    walls = {(round(2 * (p[:, 0].mean() + 40) / wide), round(2 * (p[:, 1].mean() + 33) / high)) for p in field.polygons}
    leader = {(x, y): (x, y) for x in range(1, 2 * cells, 2) for y in range(1, 2 * cells, 2)}

    def find(room):
        while leader[room] != room:
            room = leader[room]
        return room

    doors = 0
    for x, y in list(leader):
        for dx, dy in ((2, 0), (0, 2)):
            if (x + dx, y + dy) in leader and (x + dx // 2, y + dy // 2) not in walls:
                doors += 1
                leader[find((x, y))] = find((x + dx, y + dy))
    return len({find(room) for room in leader}), doors


def test_mazes_are_connected_with_so_many_loops(published):
    for pair in of("maze", published):
        for field in pair:
            groups, doors = rooms_and_doors(field)
            loops = doors - (field.parameter**2 - 1)
            assert (groups, loops) == (1, math.floor((field.parameter - 1) ** 2 / 16 + 0.5))


def ring_openings(field: Map) -> dict[float, list[float]]:
    """Radius of each ring -> lengths of its openings along the middle of the wall."""
    pieces: dict[float, list[tuple[float, float]]] = {}
    for polygon in field.polygons:
        middle = (polygon[: len(polygon) // 2] + polygon[len(polygon) // 2 :][::-1]) / 2
        turn = np.unwrap(np.arctan2(middle[:, 1], middle[:, 0]))
        radius = float(np.round(np.hypot(*middle.T).mean() * 2) / 2)
        pieces.setdefault(radius, []).append((float(turn[0] % (2 * math.pi)), float(turn[-1] - turn[0])))
    openings = {}
    for radius, ring in pieces.items():
        ring.sort()
        following = [start for start, _ in ring[1:]] + [ring[0][0] + 2 * math.pi]
        openings[radius] = [
            (later - start - span) * radius for (start, span), later in zip(ring, following, strict=True)
        ]
    return openings


def test_rings_have_their_radii_and_openings(published):
    for pair in of("rings", published):
        radii = []
        for field in pair:
            openings = ring_openings(field)
            radii.append(sorted(openings))
            assert all(3 <= len(ring) <= 5 for ring in openings.values())
            assert all(3.9 < opening < 6.1 for ring in openings.values() for opening in ring)
        assert radii[0] == pytest.approx(radii[1])


def wave_lines(field: Map) -> list[list[np.ndarray]]:
    """Per wave its pieces' middle lines, from left to right. A wave strays less from its height than half the way to
    the next.
    """
    spacing = 75 / (field.parameter + 1)
    lines: dict[int, list[np.ndarray]] = {}
    for polygon in field.polygons:
        middle = (polygon[: len(polygon) // 2] + polygon[len(polygon) // 2 :][::-1]) / 2
        lines.setdefault(round((middle[:, 1].mean() - 0.5 + 37.5) / spacing), []).append(middle)
    return [sorted(line, key=lambda piece: piece[0, 0]) for _, line in sorted(lines.items())]


def test_waves_have_their_lines_openings_and_thickness(published):
    for pair in of("waves", published):
        for field in pair:
            lines = wave_lines(field)
            assert len(lines) == field.parameter
            for line in lines:
                # openings at the edge are openings too
                ends = [-40.0, *(float(x) for piece in line for x in piece[[0, -1], 0]), 40.0]
                gaps = [b - a for a, b in zip(ends[::2], ends[1::2], strict=True) if b - a > 0.01]
                assert 2 <= len(line) <= 5
                assert any(gap > 3.9 for gap in gaps)
                assert all(1.0 < gap < 6.1 for gap in gaps)
            for polygon in field.polygons:
                ends = polygon[0] - polygon[-1], polygon[len(polygon) // 2 - 1] - polygon[len(polygon) // 2]
                assert [np.hypot(*end) for end in ends] == pytest.approx([1, 1], abs=0.01)


def test_random_maps_cover_their_share_without_overlap(published):
    for pair in of("random", published):
        for field in pair:
            covered = sum(area(polygon) for polygon in field.polygons) / (80 * 66)
            assert field.parameter / 100 - 0.001 < covered < field.parameter / 100 + 0.01
            assert 45 <= len(field.polygons) <= 135
            assert {len(polygon) for polygon in field.polygons} <= set(range(3, 9))
    rng, ours = np.random.default_rng(0), generate("random", 20, 7)
    places = rng.uniform(-40, 40, (4000, 2))
    inside = np.zeros(len(places), int)
    for polygon in ours.polygons:
        step, off = np.roll(polygon, -1, axis=0) - polygon, places[:, None] - polygon
        inside += (step[:, 0] * off[..., 1] - step[:, 1] * off[..., 0] > 0).all(axis=1)
    assert inside.max() == 1


def test_infeasible_maps_are_recognised(published):
    some = [field for field in published if field.family == "scene"] + published[2::6]
    assert [field.name for field in some if not feasible(field, 0.5)] == ["Scene7Obstacles"]
    thin = Map("thin", "scene", 0, 0, (np.array([[-41, -1], [41, -1], [41, 1], [-41, 1]], float),))
    assert not feasible(thin, 0.5)
    gap = [np.array([[-41.0, -1], [0, -1], [0, 1], [-41, 1]]), np.array([[2.0, -1], [41, -1], [41, 1], [2, 1]])]
    assert feasible(Map("gap", "scene", 0, 0, tuple(gap)), 0.5)
    assert not feasible(Map("gap", "scene", 0, 0, tuple(gap)), 1.1)


@pytest.mark.parametrize(
    ("family", "parameter"),
    [
        ("maze", 5),
        ("maze", 25),
        ("rings", 1),
        ("rings", 30),
        ("waves", 1),
        ("waves", 20),
        ("random", 1),
        ("random", 35),
    ],
)
def test_other_sizes_work(family, parameter):
    field = generate(family, parameter, 3)
    assert field.polygons
    assert all(area(polygon) > 0 for polygon in field.polygons)


def test_unknown_families_and_sizes():
    with pytest.raises(UnknownName, match="'rings'"):
        generate("ring", 5, 0)
    with pytest.raises(UsageError, match="from 2 to 40"):
        generate("maze", 1, 0)


def test_seeds_decide_maps_in_another_process_too():
    code = (
        "from embodied.planning.maps import generate\nprint([generate(f, p, 5).polygons[-1].tolist() for f, p in"
        " [('maze', 12), ('rings', 3), ('waves', 6), ('random', 15)]])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    here = [
        generate(f, p, 5).polygons[-1].tolist() for f, p in [("maze", 12), ("rings", 3), ("waves", 6), ("random", 15)]
    ]
    assert out.strip() == str(here)
    assert all(generate(f, 12, 5).polygons[0].tolist() != generate(f, 12, 6).polygons[0].tolist() for f in FAMILIES)


# --------------------------------------------------------------------------- geometry


def plainly(points: np.ndarray, polygons) -> np.ndarray:
    """Distance to polygons, one edge and one point at a time."""
    result = []
    for p in points:
        best = math.inf
        for polygon in polygons:
            inside = False
            for a, b in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
                share = min(1, max(0, float((p - a) @ (b - a)) / float((b - a) @ (b - a))))
                best = min(best, math.dist(p, a + share * (b - a)))
                if (a[1] > p[1]) != (b[1] > p[1]) and p[0] < a[0] + (p[1] - a[1]) / (b[1] - a[1]) * (b[0] - a[0]):
                    inside = not inside
            best = 0.0 if inside else best
        result.append(best)
    return np.array(result)


@pytest.mark.parametrize(("family", "parameter"), [("maze", 10), ("rings", 9), ("waves", 5), ("random", 12)])
def test_distances_are_those_of_brute_force(family, parameter):
    field = generate(family, parameter, 2)
    points = np.concatenate(
        [
            np.random.default_rng(1).uniform(-44, 44, (60, 2)),
            [START, GOAL],
            [polygon[0] for polygon in field.polygons[:4]],
        ]
    )
    assert field.obstacles.distance(points) == pytest.approx(plainly(points, field.polygons), abs=1e-9)


def test_clear_is_what_dense_places_say():
    field = generate("maze", 14, 2)
    rng = np.random.default_rng(3)
    a = rng.uniform(-39, 39, (300, 2))
    b = a + rng.normal(0, 4, (300, 2))
    share = np.linspace(0, 1, 600)[:, None, None]
    least = field.obstacles.distance((a + share * (b - a)).reshape(-1, 2)).reshape(600, 300).min(axis=0)
    clear = field.obstacles.clear(a, b, 0.6)
    sure = np.abs(least - 0.6) > 0.02
    assert (clear[sure] == (least > 0.6)[sure]).all()
    assert 20 < clear.sum() < 280


def test_a_thin_wall_between_two_places_is_not_missed():
    wall = Polygons([np.array([[0, -5], [0.001, -5], [0.001, 5], [0, 5]])])
    assert not wall.clear(np.array([[-3.0, 0]]), np.array([[3.0, 0]]), 0.1)[0]


def test_overlapping_polygons_are_inside_once():
    both = Polygons([np.array([[0, 0], [2, 0], [2, 2], [0, 2]]), np.array([[1, 0], [3, 0], [3, 2], [1, 2]])])
    assert both.distance(np.array([[1.5, 1.0], [4.0, 1.0]])) == pytest.approx([0, 1])


def test_discs_and_nothing():
    discs = Discs(np.array([[0.0, 0], [10, 0]]), np.array([1.0, 2]))
    assert discs.distance(np.array([[3.0, 0], [0.5, 0]])) == pytest.approx([2, 0])
    assert discs.clear(np.array([[-5, 3.0], [-5, 1.5]]), np.array([[15, 3.0], [5, 1.5]]), 0.9).tolist() == [True, False]
    nothing = Together(Polygons([]), Discs(np.empty((0, 2)), np.empty(0)))
    assert np.isinf(nothing.distance(np.zeros((2, 2)))).all()
    assert nothing.clear(np.zeros((2, 2)), np.ones((2, 2)), 1).all()
