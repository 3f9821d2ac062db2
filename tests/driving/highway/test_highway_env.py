"""Highway: every road steps and speaks, pictures are not black, seeds decide, the rule driver beats chance, pygame
beside pygame-ce is refused.
"""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

pytest.importorskip("highway_env")

from embodied import envs
from embodied.catalog import entry
from embodied.driving.floors import floors
from embodied.driving.highway import parking
from embodied.driving.highway.env import HighwayEnv
from embodied.driving.highway.tasks import FAMILIES, check_pygame, registered, setup_of
from embodied.envs.check import EnvContract
from embodied.errors import UnknownName, UsageError

QUICK = ("merge", "parking", "lane-keeping")


class TestContract(EnvContract):
    def make(self, **options):
        return HighwayEnv("merge", **options)


class TestContractOfParking(EnvContract):
    def make(self, **options):
        return HighwayEnv("parking", **options)


def test_gymnasium_accepts_it():
    check_env(envs.make("highway", task="merge", image=True).unwrapped, skip_render_check=True)


def play(env: HighwayEnv, seed: int, policy, steps: int = 100) -> dict:
    observation, _ = env.reset(seed=seed)
    for _ in range(steps):
        observation, _, terminated, truncated, info = env.step(policy(observation))
        if terminated or truncated:
            break
    return info


@pytest.mark.parametrize(
    "task",
    [
        *FAMILIES,
        "highway-fast-v0",
        "intersection-v1",
        "racetrack-oval-v1",
        "roundabout-generic-v1",
        "parking-parked-v0",
    ],
)
def test_every_kind_of_road_speaks_and_steps(task):
    env = HighwayEnv(task, expert=True)
    observation, info = env.reset(seed=1)
    assert info["id"].startswith(task.removesuffix("-v0")) or info["id"] == task
    assert "Speed" in observation["text"] and observation["expert"] in env.action_space
    assert env.mission.actions.keys() == set(env.action_space.phrases)
    for phrase in list(env.action_space)[:3]:
        observation, reward, terminated, truncated, info = env.step(phrase)
        assert info["valid"] and np.isfinite(reward) and 0 <= info["progress"] <= 1 and json.dumps(info)
        assert {"collision", "progress", "speed", "comfort"} <= info["metrics"].keys()
        if terminated or truncated:
            break


def test_all_ids_for_one_car_are_tasks():
    assert len(registered()) == 28
    for id in registered():
        assert setup_of(id)[0] == id
    with pytest.raises(UnknownName, match="lists them all"):
        setup_of("intersection-multi-agent-v0")


def test_gaps_are_from_bumper_to_bumper_and_lanes_are_counted():
    env = HighwayEnv("merge")
    observation, _ = env.reset(seed=0)
    cars = env._env
    other = min(
        (v for v in cars.road.vehicles if v.position[0] > cars.vehicle.position[0]), key=lambda v: v.position[0]
    )
    gap = other.position[0] - cars.vehicle.position[0] - 5.0
    lanes = round((other.position[1] - cars.vehicle.position[1]) / 4)
    where = (
        "in your lane"
        if lanes == 0
        else f"{abs(lanes)} lane{'s' * (abs(lanes) > 1)} to the {'right' if lanes > 0 else 'left'}"
    )
    assert f"a car ahead {where}, gap {gap:.0f} m, {other.speed:.1f} m/s" in observation["text"]


@pytest.mark.parametrize("driver", ["dummy", None])
def test_pictures_are_not_black(driver):
    """Where SDL_VIDEODRIVER is `dummy`, highway-env itself draws nothing."""
    make = "from embodied.driving.highway.env import HighwayEnv as H"
    draw = "picture = H('merge', image=True).reset(seed=0)[0]['image']"
    code = f"{make}\n{draw}\nprint(picture.shape, picture.std())"
    given = {k: v for k, v in os.environ.items() if k != "SDL_VIDEODRIVER"} | (
        {"SDL_VIDEODRIVER": driver} if driver else {}
    )
    said = subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True, check=True).stdout
    assert said.startswith("(150, 600, 3)") and float(said.split()[-1]) > 10


_TRACE = """
import hashlib, json
from embodied.driving.highway.env import HighwayEnv
trace = []
for task in ("merge", "parking", "lane-keeping"):
    env = HighwayEnv(task, image=True, expert=True)
    o, i = env.reset(seed=7)
    for k in range(4):
        trace.append([o["text"], o["expert"], hashlib.sha256(o["image"].tobytes()).hexdigest(), i])
        o, r, over, _, i = env.step(list(env.action_space)[k % len(env.action_space)])
        if over:
            break
print(hashlib.sha256(json.dumps(trace, sort_keys=True).encode()).hexdigest())
"""


_MERGE = """
from embodied.driving.highway.env import HighwayEnv
{first}
env = HighwayEnv("merge")
print(env.reset(seed=2)[0], [env.step("keep") for _ in range(6)])
"""


def test_the_same_seed_gives_the_same_bytes_in_two_processes():
    runs = [
        subprocess.run([sys.executable, "-c", _TRACE], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert runs[0] == runs[1] and len(runs[0].strip()) == 64


def test_an_intersection_changes_nobody_on_other_roads():
    scripts = [_MERGE.format(first=first) for first in ("", "HighwayEnv('intersection').reset(seed=0)")]
    alone, after = (
        subprocess.run([sys.executable, "-c", s], capture_output=True, text=True, check=True).stdout for s in scripts
    )
    assert alone == after and "slower than you" in alone


def test_the_rule_driver_beats_random_and_doing_nothing():
    rng = np.random.default_rng(0)
    for task in QUICK:
        env, led = HighwayEnv(task), HighwayEnv(task, expert="rule_driver")
        words = list(env.action_space)
        rule = [play(led, s, lambda o: o["expert"]) for s in range(2)]
        chance = lambda o: words[rng.integers(len(words))]  # noqa: B023, E731
        default = lambda o: env.default_action  # noqa: B023, E731
        others = [play(env, s, policy) for s in range(2) for policy in (chance, default)]
        assert np.mean([i["progress"] for i in rule]) > np.mean([i["progress"] for i in others]) + 0.2, task
        assert all(i["success"] for i in rule), task


@pytest.mark.parametrize(("turn", "times"), [("hard left", 4), ("left", 7), ("left", 10)])
def test_the_rule_driver_turns_around_when_the_lane_is_behind_it(turn, times):
    env = HighwayEnv("lane-keeping", expert=True)
    observation, _ = env.reset(seed=0)
    for step in range(59):
        observation, _, terminated, _, _ = env.step(turn if step < times else observation["expert"])
        assert not terminated
    assert abs(env._lane().local_coordinates(env._env.vehicle.position)[1]) < 2
    env.close()


def test_a_collision_ends_it_and_is_counted():
    info = play(HighwayEnv("merge"), 0, lambda o: "keep")
    assert (
        info["end_reason"] == "collision"
        and info["metrics"]["collision"] == 1
        and info["success"] is False
        and info["progress"] < 0.6
    )


def test_parking_is_planned_with_the_motion_of_highway_env():
    env = HighwayEnv("parking")
    env.reset(seed=3)
    car = env._env.vehicle
    state = (*map(float, car.position), float(car.heading), float(car.speed))
    for phrase in ("forward", "forward left", "reverse right", "brake", "reverse"):
        state = parking.moved(state, phrase, 3.0)
        env.step(phrase)
        assert state == pytest.approx((*car.position, car.heading, car.speed), abs=1e-6)


def test_pygame_beside_pygame_ce_is_refused(tmp_path, monkeypatch):
    check_pygame()
    folder = tmp_path / "pygame-2.6.1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: pygame\nVersion: 2.6.1\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UsageError, match=r"pygame 2\.6\.1 is installed beside it.*pip uninstall"):
        HighwayEnv("merge")


def test_options_that_make_no_sense_are_refused():
    with pytest.raises(UnknownName, match="roundabout"):
        HighwayEnv("roundabut")
    with pytest.raises(UnknownName, match="rule_driver"):
        HighwayEnv("merge", expert="rule_drive")
    with pytest.raises(UsageError, match="max_steps"):
        HighwayEnv("merge", max_steps=0)


def test_progress_does_not_depend_on_the_step_limit():
    ends = []
    for limit in (20, 60, None):
        env = HighwayEnv("merge", max_steps=limit, expert=True)
        observation, _ = env.reset(seed=0)
        over = False
        while not over:
            observation, _, terminated, truncated, info = env.step(observation["expert"])
            over = terminated or truncated
        ends.append((info["progress"], info["success"]))
    assert len(set(ends)) == 1 and ends[0][1] and ends[0][0] > 0.75


def test_a_goal_counts_when_it_is_reached_and_running_out_of_steps_is_a_failure():
    env = HighwayEnv("merge", max_steps=3)
    env.reset(seed=0)
    for _ in range(3):
        *_, terminated, truncated, info = env.step("slower")
    assert (terminated, truncated, info["success"], info["progress"], info["end_reason"]) == (
        False,
        True,
        False,
        0.0,
        "step limit",
    )
    circles = HighwayEnv("lane-keeping")  # a lane is wide enough to drive in circles on
    circles.reset(seed=0)
    over = False
    while not over:
        *_, terminated, truncated, info = circles.step("hard right")
        over = terminated or truncated
    assert info["progress"] < 0.1 and not info["success"]


def test_floors_are_shipped_for_every_phrase_of_every_road():
    measured = floors("highway")["tasks"]
    assert set(measured) == set(entry("highway").tasks)
    for task, found in measured.items():
        assert set(found["constants"]) == {f"always {phrase}" for phrase in HighwayEnv(task).action_space}
        assert all(
            row["score"]["mean"] <= found["rule_driver"]["score"]["mean"] for row in found["constants"].values()
        ), task
