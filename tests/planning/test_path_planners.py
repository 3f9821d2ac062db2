"""Planners: free of collisions at their radius, from start to goal, the same from the same seed."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

from embodied.errors import MissingExtra, UnknownName
from embodied.planning.maps import generate, read
from embodied.planning.planners import PLANNERS, plan
from embodied.planning.planners.astar import route
from embodied.planning.planners.space import GOAL, START, Space

OURS = [name for name in PLANNERS if name != "ompl"]
MAPS = [("maze", 12), ("rings", 6), ("waves", 7), ("random", 14)]


def length(path: np.ndarray) -> float:
    return float(np.hypot(*np.diff(path, axis=0).T).sum())


@pytest.mark.parametrize("planner", OURS)
@pytest.mark.parametrize("size", MAPS)
def test_paths_are_free_of_collisions(planner, size):
    field = generate(*size, 11)
    for radius in (0.5, 1.2):
        path = plan(field, planner, radius, np.random.default_rng(5))
        assert path[0] == pytest.approx(START, abs=1e-4)
        assert path[-1] == pytest.approx(GOAL, abs=1e-4)
        assert (path == path.round(4)).all()
        # Places a hundredth apart: no segment test of ours has a say in this.
        pieces = [
            a + np.linspace(0, 1, max(2, int(np.hypot(*(b - a)) * 100)))[:, None] * (b - a) for a, b in pairwise(path)
        ]
        places = np.concatenate(pieces)
        assert field.obstacles.distance(places).min() > radius - 1e-6
        assert np.abs(places).max() <= 40 - radius


def test_trees_find_different_paths_and_the_grid_the_shortest():
    field = generate("maze", 10, 4)
    trees = [plan(field, "rrt", 0.8, np.random.default_rng(seed)) for seed in range(4)]
    grid = plan(field, "astar", 0.8, np.random.default_rng(0))
    assert len({path.tobytes() for path in trees}) == 4
    assert length(grid) < min(map(length, trees)) + 1
    cautious = plan(field, "astar_cautious", 0.8, np.random.default_rng(0))
    assert field.obstacles.distance(cautious).mean() > field.obstacles.distance(grid).mean()


def test_the_same_seed_gives_the_same_path_in_another_process():
    code = (
        "import numpy as np\nfrom embodied.planning.maps import generate\nfrom embodied.planning.planners import"
        " plan\nfor p in ('rrt', 'rrt_connect'): print(plan(generate('waves', 6, 3), p, 0.9,"
        " np.random.default_rng(8)).tobytes().hex())"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    field = generate("waves", 6, 3)
    assert out == [plan(field, name, 0.9, np.random.default_rng(8)).tobytes().hex() for name in ("rrt", "rrt_connect")]


def test_no_path_where_there_is_none(patheval_data):
    scene = read(patheval_data / "environments/Scene7Obstacles.txt")
    assert all(plan(scene, name, 0.5, np.random.default_rng(0)) is None for name in OURS)
    assert route(generate("maze", 18, 0).obstacles, START, GOAL, 1.7) is None


def test_unknown_planner_has_the_nearest_name():
    with pytest.raises(UnknownName, match="'rrt_connect'"):
        plan(generate("waves", 5, 0), "rrtconnect", 0.5, np.random.default_rng(0))


def test_ompl_is_planned_with_or_names_its_extra():
    field = generate("random", 12, 1)
    try:
        import ompl  # noqa: F401
    except ModuleNotFoundError:
        with pytest.raises(MissingExtra, match=r"embodied-suite\[ompl\]"):
            plan(field, "ompl", 0.7, np.random.default_rng(1))
        return
    paths = [plan(field, "ompl", 0.7, np.random.default_rng(1)) for _ in range(2)]
    assert (paths[0] == paths[1]).all()
    assert Space(field.obstacles, 0.7).follows(paths[0])
