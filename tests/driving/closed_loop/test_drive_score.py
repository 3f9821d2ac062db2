"""NAVSIM's score: its formula, and drives that lose each of its parts."""

import pytest

from embodied.driving.closed_loop.score import Scorer, pdm_score, progress_ratio
from embodied.driving.closed_loop.world import World, route
from embodied.driving.scene.spec import Actor, Ego, Road, SceneSpec


def driven(actors: tuple[Actor, ...], *actions: str, seconds: float = 12.0, road: Road | None = None) -> Scorer:
    """A drive that says each action for half a second, and the last one on."""
    world, scorer = World(route(SceneSpec("s", "t", 0, road or Road(lanes=1), Ego(10.0), actors=actors))), Scorer()
    for tick in range(round(seconds * 10)):
        if tick % 5 == 0:
            action = actions[min(tick // 5, len(actions) - 1)]
            if action not in ("left", "right") or tick // 5 < len(actions):
                world.command(action)
        world.tick()
        scorer.watch(world)
        if scorer.hit or not scorer.dac:
            break
    return scorer


@pytest.mark.parametrize(
    ("parts", "score"),
    [
        ((1, 1, 1, 1, 1), 1.0),
        ((0, 1, 1, 1, 1), 0.0),
        ((1, 0, 1, 1, 1), 0.0),
        ((0.5, 1, 1, 1, 1), 0.5),
        ((1, 1, 0, 1, 1), 7 / 12),
        ((1, 1, 1, 0, 1), 7 / 12),
        ((1, 1, 1, 1, 0), 10 / 12),
        ((1, 1, 1, 0.4, 0), 7 / 12),
    ],
)
def test_the_formula(parts, score):
    assert pdm_score(*parts) == pytest.approx(score)


def test_progress_is_a_share_of_the_reference():
    assert progress_ratio(20.0, 40.0) == 0.5
    assert progress_ratio(50.0, 40.0) == 1.0
    assert progress_ratio(1.0, 4.9) == 1.0, "where even the reference gets no 5 m far"
    assert progress_ratio(0.0, 40.0) == 0.0


def test_an_empty_road_costs_nothing():
    s = driven((), "maintain")
    assert (s.nc, s.dac, s.ttc, s.c, s.hit, s.stood) == (1, 1, 1, 1, (), 0)


@pytest.mark.parametrize(
    ("category", "nc"),
    [("pedestrian", 0.0), ("dog", 0.0), ("car", 0.0), ("carton", 0.5), ("traffic_cone", 0.5), ("plastic_bag", 1.0)],
)
def test_whom_one_meets_decides_what_it_costs(category, nc):
    s = driven((Actor(7, category, 0.0, 20.0),), "maintain")
    assert s.nc == nc and s.hit == (() if category == "plastic_bag" else (7,))
    assert s.ttc == (1.0 if category == "plastic_bag" else 0.0), "the collision was coming"


def test_who_stands_is_not_at_fault():
    oncoming = Actor(3, "cyclist", 0.0, 60.0, 180.0, motion="constant", speed=6.0)
    assert driven((oncoming,), "maintain").nc == 0.0
    s = driven((oncoming,), "stop", seconds=30)
    assert s.hit == (3,) and s.nc == 1.0


def test_the_edge_of_the_road_ends_compliance():
    assert driven((), "right").dac == 0.0
    assert driven((), "left").dac == 1.0, "the oncoming lane is road"
    assert driven((), "left", "maintain", road=Road(lanes=1, opposite=0)).dac == 0.0


def test_comfort_is_lost_by_stopping_hard_and_not_by_stopping_gently():
    hard, gentle = (
        driven((), "stop"),
        driven((), "slow", "slow", "slow", "slow", "yield", "yield", "yield", "yield", "stop"),
    )
    assert hard.c == 0.0 and hard.hardest["acceleration"] > 4.05
    assert gentle.c == 1.0 and gentle.stood > 0


def test_standing_is_for_nothing_unless_something_is_ahead():
    assert driven((), "stop").stood_for_nothing > 5
    s = driven((Actor(1, "car", 0.0, -6.0, corner_case=True),), "yield", "stop")
    assert s.stood > 5 and s.stood_for_nothing == 0
