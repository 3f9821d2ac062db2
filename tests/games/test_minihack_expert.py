"""MiniHack's experts: they win, from any state, and change nothing; pictures around the hero and what is in them."""

from __future__ import annotations

import random

import numpy as np
import pytest

from embodied.envs import entry, make
from embodied.errors import UnknownName, UsageError
from embodied.games.minihack import boxoban
from embodied.games.minihack.expert import NAMES
from embodied.games.minihack.pushing import Pusher
from embodied.games.nethack.ground import look
from embodied.games.nethack.sight import WORDS

WALKS = ("MiniHack-MazeWalk-9x9-v0", "MiniHack-MazeWalk-15x15-v0", "MiniHack-Corridor-R3-v0")
BOXES = ("MiniHack-Boxoban-Medium-v0", "MiniHack-Boxoban-Hard-v0")
OTHERS = ("MiniHack-CorridorBattle-Dark-v0", "MiniHack-Quest-Easy-v0", "MiniHack-Quest-Medium-v0")
STUCK = "\n".join(("#" * 10, "#@ $     #", "# .      #", *("#" * 10 for _ in range(7))))
"""The box is against the upper wall, the goal is not."""


def won(env, seed: int, noise: int = 0) -> bool:
    """Whether the expert wins after that many random actions."""
    rng, over = random.Random(seed), False
    observation, info = env.reset(seed=seed)
    for step in range(100):
        assert observation["expert"] in env.action_space
        action = rng.choice(env.action_space.phrases) if step < noise else observation["expert"]
        observation, _, terminated, truncated, info = env.step(action)
        over = terminated or truncated
        if over:
            break
    return over and bool(info["success"])


@pytest.mark.parametrize("noise", [0, 10])
@pytest.mark.parametrize("task", WALKS)
def test_the_solver_walks_to_the_stairs_from_anywhere(task: str, noise: int):
    env = make("minihack", task, expert=True)
    assert all(won(env, seed, noise) for seed in range(8))
    env.close()


@pytest.mark.parametrize("task", BOXES)
def test_the_solver_pushes_boulders(task: str):
    env = make("minihack", task, expert="solver")
    assert all(won(env, seed) for seed in range(5))
    env.close()


@pytest.mark.parametrize(("task", "least"), [*zip(OTHERS, (3, 8, 8), strict=True)])
def test_the_solver_fights_and_crosses_lava(task: str, least: int):
    env = make("minihack", task, expert=True)
    assert sum(won(env, seed) for seed in range(10)) >= least
    env.close()


@pytest.mark.parametrize(("task", "least"), [*zip(WALKS, (10, 6, 5), strict=True)])
def test_the_explorer_finds_the_stairs(task: str, least: int):
    env = make("minihack", task, expert="explorer")
    assert sum(won(env, seed) for seed in range(10)) >= least
    env.close()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("task", entry("minihack").tasks)
def test_every_expert_advises_from_wherever_play_leads(task: str, name: str):
    env = make("minihack", task, expert=name)
    wins = sum(won(env, seed, noise) for noise in (10, 40) for seed in range(20))
    assert wins >= (8 if "Battle" in task or "Boxoban" in task else 10)
    env.close()


@pytest.mark.parametrize("task", [WALKS[2], BOXES[0], OTHERS[1]])
@pytest.mark.parametrize("name", NAMES)
def test_an_expert_changes_nothing_and_says_the_same_again(task: str, name: str):
    plain, advised, again = (make("minihack", task, **options) for options in ({}, {"expert": name}, {"expert": name}))
    rng = random.Random(1)
    observation, info = advised.reset(seed=3)
    assert again.reset(seed=3) == (observation, info)
    expert = observation.pop("expert")
    assert plain.reset(seed=3) == (observation, info)
    for _ in range(40):
        action = rng.choice((expert, rng.choice(plain.action_space.phrases)))
        bare, (observation, *rest), repeated = plain.step(action), advised.step(action), again.step(action)
        assert repeated == (observation, *rest)
        expert = observation.pop("expert")
        assert bare == (observation, *rest)
        if rest[1] or rest[2]:
            break
    for env in (plain, advised, again):
        env.close()


def test_the_solver_takes_the_shortest_way():
    env = make("minihack", "MiniHack-Room-5x5-v0", expert=True)
    observation, _ = env.reset(seed=0)
    assert observation["expert"] == "southeast"
    (stairs,) = look(env.game).stairs_down()
    assert chr(env.game.chars[stairs]) == ">"
    env.close()


def test_a_level_that_cannot_be_solved():
    env = make("minihack", BOXES[0], expert=True)
    observation, _ = env.reset(seed=0, options={"level": STUCK})
    assert observation["expert"] == "esc"
    assert env.step("east")[0]["expert"] == "esc"
    env.close()


def test_pushers_end_in_time_and_stay_with_what_they_said():
    level = boxoban.generate("hard", 1).text.replace("\n", "")
    floor = sum(1 << i for i, sign in enumerate(level) if sign != "#")
    boxes, goals = (tuple(i for i, sign in enumerate(level) if sign == s) for s in "$.")
    start = level.index("@")
    assert Pusher(floor, goals, limit=3).advise(boxes, start) is None
    pusher = Pusher(floor, goals)
    first = pusher.advise(boxes, start)
    assert first in boxoban.DIRECTIONS
    steps = [step for step in boxoban.DIRECTIONS.values() if level[start + step] == " "]
    for step in steps:
        pusher.advise(boxes, start + step)
    assert pusher.advise(boxes, start) == first


@pytest.mark.parametrize(
    ("task", "options", "error", "says"),
    [
        ("MiniHack-River-v0", {"expert": True}, UsageError, "has no expert"),
        (WALKS[0], {"expert": "solvr"}, UnknownName, "solver"),
        (OTHERS[1], {"expert": True, "rules": "balrog"}, UsageError, "rules=balrog"),
        (WALKS[0], {"crop": 8}, UsageError, "odd number from 3 to 41"),
        (WALKS[0], {"crop": "9"}, UsageError, "odd number"),
    ],
)
def test_mistakes_end_in_a_sentence(task: str, options: dict, error: type[Exception], says: str):
    with pytest.raises(error, match=says):
        make("minihack", task, **options)


@pytest.mark.parametrize("picture", ["full", "tiles"])
@pytest.mark.parametrize("task", [WALKS[0], OTHERS[1]])
def test_a_crop_is_cut_out_of_the_whole_picture(task: str, picture: str):
    whole, cut = (make("minihack", task, image=True, picture=picture, **options) for options in ({}, {"crop": 9}))
    large, small = whole.reset(seed=1)[0], cut.reset(seed=1)[0]
    assert small in cut.observation_space
    rng = random.Random(2)
    for _ in range(40):
        rows = large["image"][16:352, :1264] if picture == "full" else large["image"]
        wide = np.pad(rows, ((64, 64), (64, 64), (0, 0)))
        column, row = whole.game.blstats[:2].tolist()
        assert np.array_equal(wide[row * 16 : row * 16 + 144, column * 16 : column * 16 + 144], small["image"])
        action = rng.choice(whole.action_space.phrases)
        (large, _, *over, _), (small, *_) = whole.step(action), cut.step(action)
        if any(over):
            break
    whole.close()
    cut.close()


def test_at_the_edge_of_the_map_a_crop_is_filled_up():
    env = make("minihack", WALKS[0], image=True, crop=41)
    image = env.reset(seed=1)[0]["image"]
    assert image.shape == (656, 656, 3) and not image[:160].any() and image.any()
    env.close()


def test_truth_says_what_the_picture_shows():
    env = make("minihack", WALKS[2], image=True, crop=9, expert=True)
    observation, _ = env.reset(seed=3)
    seen = set()
    for _ in range(100):
        sights = env.truth()
        for sight in sights:
            left, top, right, bottom = sight.box
            assert right - left == bottom - top == 16 and observation["image"][top:bottom, left:right].any()
            assert sight.words[0] in WORDS and sight.named == (sight.words == ("stairs",))
        assert [s.words for s in sights if s.box == (64, 64, 80, 80)] == [("you",)]
        seen |= {s.words[0] for s in sights}
        observation, _, terminated, *_ = env.step(observation["expert"])
        if terminated:
            break
    assert {"you", "stairs", "doors"} <= seen
    env.close()
    whole = make("nethack", image=True)
    whole.reset(seed=1)
    column, row = whole.game.blstats[:2].tolist()
    (hero,) = (s.box for s in whole.truth() if s.words == ("you",))
    assert hero == (column * 16, row * 16 + 16, column * 16 + 16, row * 16 + 32)
    whole.close()
