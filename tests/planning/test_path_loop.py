"""PathEvalLoop-v1: utility and regret, the robot and its world, policies, the environment's contract, tables."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import embodied  # noqa: F401
from embodied import envs
from embodied.errors import UnknownName, UsageError
from embodied.planning import utility as worth
from embodied.planning import world as w
from embodied.planning.maps import generate
from embodied.planning.planners.space import GOAL, START, Space
from embodied.planning.policies import Search
from embodied.planning.portfolio import MARGIN, PLANNERS
from embodied.planning.scenarios import SCENARIOS, scenario
from tests.transcripts import again, golden

UP = np.array([0, 30.0])
QUICK = {"planners": "short,roomy,close,wander", "family": "random"}


@pytest.fixture(scope="module")
def world():
    return w.draw(3, family="random", hidden=3, moving=1, planners=PLANNERS[:4], count=3, horizon=40.0)[0]


def play(env, choose, seed: int):
    observation, info = env.reset(seed=seed)
    steps = []
    while True:
        steps.append(env.step(choose(observation)))
        observation = steps[-1][0]
        if steps[-1][2] or steps[-1][3]:
            return info, steps


# --------------------------------------------------------------------------- utility


def test_utility_is_the_mean_of_signed_z_scores():
    mean, deviation = worth.reference()
    assert worth.utility(mean, scenario("truck")) == 0
    better = mean - deviation * np.array([0, 0, 0, 0, 1, 2, 3])
    assert worth.utility(better, scenario("truck")) == pytest.approx(2)
    assert worth.utility(mean + deviation * np.array([9, 1, 1, 1, 9, 9, 9]), scenario("soil_monitor")) == pytest.approx(
        (-1 - 1 + 1) / 3
    )


def test_regret_is_between_best_and_worst():
    assert worth.regret(2.0, 3.0, 1.0) == 0.5
    assert worth.regret(4.0, 3.0, 1.0) == 0
    assert worth.regret(0.0, 3.0, 1.0) == 1
    assert worth.regret(1.0, 1.0, 1.0) == 0


def test_trembling_is_smoothed_off_and_turns_stay():
    rng = np.random.default_rng(0)
    line = np.concatenate(
        [
            np.stack([np.linspace(0, 20, 80), np.zeros(80)], 1),
            np.stack([np.full(80, 20.0), np.linspace(0.25, 20, 80)], 1),
        ]
    )
    corners = worth.smooth(line + rng.normal(0, 0.05, line.shape))
    assert len(corners) == 3
    assert corners[1] == pytest.approx([20, 0], abs=0.3)


# --------------------------------------------------------------------------- world


def test_a_world_leaves_a_way_and_keeps_off_the_ends(world):
    assert len(world.crates) == 3
    assert len(world.patrols) == 1
    for end in (START, GOAL):
        assert (np.hypot(*(world.crates[:, :2] - end).T) > w.KEEP_OFF).all()
    times = np.arange(0, 200, 0.5)
    assert world.field.obstacles.distance(world.movers(times).reshape(-1, 2)).min() > w.MOVER - 1e-9
    speed = np.hypot(*np.diff(world.movers(times)[:, 0], axis=0).T) / 0.5
    assert speed.max() <= w.SPEED[1] + 1e-9


def test_proposals_differ_reach_the_goal_and_hit_nothing_known(world):
    state = w.first(world)
    offers = w.proposals(world, state)
    assert len(offers) == 3
    for _, path in offers:
        assert path[0] == pytest.approx(START, abs=1e-3)
        assert path[-1] == pytest.approx(GOAL, abs=1e-3)
        assert Space(world.field.obstacles, world.radius + 0.9 * MARGIN).follows(path)
    again = w.proposals(world, state)
    assert all((one == other).all() for (_, one), (_, other) in zip(offers, again, strict=True))
    later = w.proposals(world, w.wait(world, state))
    assert any(
        one.shape != other.shape or (one != other).any() for (_, one), (_, other) in zip(offers, later, strict=False)
    )


def test_the_robot_follows_its_path_closely_and_no_faster_than_it_can(world):
    state = w.first(world)
    for _, path in w.proposals(world, state):
        after = w.drive(world, state, path)
        steps = np.hypot(*np.diff(after.track, axis=0).T)
        assert steps.max() <= w.TICK + 2e-4
        along = np.concatenate([a + np.linspace(0, 1, 200)[:, None] * (b - a) for a, b in pairwise(path)])
        off = np.sqrt(((after.track[:, None] - along[None]) ** 2).sum(axis=2)).min(axis=1)
        assert 0.001 < off.max() < 0.7
        assert after.step == 1
        assert after.time <= 40


def test_it_stops_for_a_crate_in_its_way_and_hits_one_it_drives_into(world):
    path = np.stack([START, START + UP])
    empty = w.replace(world, field=generate("waves", 1, 0), patrols=np.empty((0, 6)))
    blocked = w.replace(empty, crates=np.array([[START[0], START[1] + 20, 1.0]]))
    seen = w.drive(blocked, w.first(blocked), path)
    assert seen.news == "crate"
    assert 20 - w.SIGHT <= seen.place[1] - START[1] < 20 - w.SIGHT + 1
    assert w.drive(blocked, seen, np.stack([seen.place, START + UP])).end == "crate"


def test_the_search_finds_ends_that_hold(world):
    search = Search(world, SCENARIOS[3], 12)
    start = w.first(world)
    best, worst = search.best(start), search.worst(start)
    assert best.value > worst.value
    for policy in (best, worst):
        state = start
        for choice in policy.choices:
            state = w.wait(world, state) if choice < 0 else w.drive(world, state, search.offers(state)[choice][1])
        assert state.end == "goal"
        assert search.value(state.track) == policy.value


# --------------------------------------------------------------------------- environment


def test_gymnasium_and_contract():
    env = gymnasium.make("embodied/PathEvalLoop-v1", **QUICK).unwrapped
    check_env(env, skip_render_check=True)


def test_oracle_has_no_regret_and_others_are_bounded():
    oracle = envs.make("patheval_loop", expert="oracle", **QUICK)
    info, steps = play(oracle, lambda o: o["expert"], 3)
    assert info["scenario_number"] == 4
    assert steps[-1][4]["success"] is True
    assert steps[-1][4]["metrics"]["regret"] < 0.2
    other = envs.make("patheval_loop", **QUICK)
    _, steps = play(other, lambda o: "path 3", 3)
    last = steps[-1][4]
    assert 0 <= last["metrics"]["regret"] <= 1
    assert last["progress"] == pytest.approx(1 - last["metrics"]["regret"] if last["success"] else 0)


def test_shortest_path_takes_the_shortest():
    env = envs.make("patheval_loop", expert="shortest_path", **QUICK)
    observation, _ = env.reset(seed=4)
    lengths = observation["text"].split("path length")[1].split("\n")[0].split("units): ")[1]
    values = {part[:6]: float(part[7:]) for part in lengths.split(", ")}
    assert observation["expert"] == min(values, key=values.get)


def test_replan_stands_still_and_counts():
    env = envs.make("patheval_loop", max_steps=2, **QUICK)
    before, _ = env.reset(seed=5)
    after, _, terminated, _, info = env.step("replan")
    assert not terminated
    assert info["metrics"]["replans"] == 1
    assert info["metrics"]["driven"] == 0
    assert after["text"] != before["text"]
    _, reward, terminated, truncated, info = env.step("none of these")
    assert (reward, terminated, truncated, info["valid"]) == (0, False, True, False)
    assert (info["end_reason"], info["success"], info["metrics"]["regret"]) == ("step limit", False, 1.0)


@pytest.mark.parametrize(("view", "shape"), [("2d", (508, 480, 3)), ("3d", (540, 960, 3))])
def test_pictures_show_the_paths_offered(view, shape):
    env = envs.make("patheval_loop", image=True, view=view, inputs="image+descriptors", **QUICK)
    observation, _ = env.reset(seed=6)
    assert observation["image"].shape == shape
    red, green = ((observation["image"] == colour).all(axis=2).sum() for colour in ((255, 0, 0), (0, 150, 40)))
    assert min(red, green) > 30
    assert "path 2 is green" in observation["text"]
    assert "minimum clearance" in observation["text"]
    assert "minimum clearance" not in envs.make("patheval_loop", image=True, **QUICK).reset(seed=6)[0]["text"]


def test_the_same_seed_in_another_process():
    code = (
        "from embodied import envs\n"
        f"env = envs.make('patheval_loop', **{QUICK!r})\n"
        "texts = [env.reset(seed=8)[0]['text']] + [env.step('path 2')[0]['text'] for _ in range(2)]\n"
        "print(__import__('hashlib').sha256('|'.join(texts).encode()).hexdigest())"
    )
    runs = {
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    }
    assert len(runs) == 1


@pytest.mark.parametrize("episode", golden("patheval_loop"), ids=lambda episode: f"{episode['task']}-{episode['seed']}")
def test_golden_transcripts(episode):
    assert again("patheval_loop", episode) == episode


def test_published_maps_can_be_driven_on(patheval_data):
    env = envs.make("patheval_loop", data=str(patheval_data / "environments"), planners="short,roomy")
    _, info = env.reset(seed=1)
    assert info["map"]["name"] != "Scene7Obstacles"
    assert info["passed_over"] >= 1  # the second of the folder is Scene7, whose start is inside an obstacle


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"family": "mazes"}, UnknownName, "'maze'"),
        ({"view": "4d"}, UnknownName, "'3d'"),
        ({"planners": "shrt"}, UnknownName, "'short'"),
        ({"scenario": "trucks"}, UnknownName, "'truck'"),
        ({"expert": "orakel"}, UnknownName, "'oracle'"),
        ({"inputs": "image"}, UsageError, "--image"),
        ({"paths": 5}, UsageError, "from 2 to 4"),
        ({"data": "/nowhere"}, UsageError, "no map"),
    ],
)
def test_bad_options_are_named(options, error, said):
    with pytest.raises(error, match=said):
        envs.make("patheval_loop", **options)


@pytest.mark.parametrize(("options", "shown"), [((), True), (("env.paths=2",), False)])
def test_rules_stand_beside_runs_with_the_same_options(call, tmp_path, options, shown):
    asked = ("--env", "patheval_loop", "--agent", "constant", "--episodes", 1, "agent.script=[replan]", *options)
    code, out, err = call("eval", *asked, "--out", tmp_path / "run", "run.workers=1")
    assert code == 0 and ("what rules earn that look at no map" in out) == shown, err
    assert not shown or "the longest path offered" in out
