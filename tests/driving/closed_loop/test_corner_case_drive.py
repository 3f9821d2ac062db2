"""CornerCaseDrive: the contract, fair texts, twins that begin alike, drivers that are told apart, the same bytes everywhere."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from embodied import envs
from embodied.driving.closed_loop.describe import CONTRAST, visible
from embodied.driving.closed_loop.env import CornerCaseDriveEnv
from embodied.driving.closed_loop.scenes import chosen, hazardous, start
from embodied.driving.closed_loop.world import World, route, run_up
from embodied.driving.scene.render import VISIBILITY
from embodied.driving.scene.spec import Actor, Ego, Road, SceneSpec
from embodied.envs.check import EnvContract
from embodied.errors import UnknownName, UsageError


class TestContract(EnvContract):
    def make(self, **options):
        return CornerCaseDriveEnv(**{"width": 160} | options)


def test_gymnasium_accepts_it():
    check_env(envs.make("corner_case_drive", image=True, width=160).unwrapped, skip_render_check=True)


def play(env: CornerCaseDriveEnv, seed: int, policy) -> dict:
    observation, _ = env.reset(seed=seed)
    over = False
    while not over:
        observation, reward, terminated, truncated, info = env.step(policy(observation))
        over = terminated or truncated
    return info | {"reward": reward}


def test_tasks_part_the_scenes_and_a_seed_is_a_scene():
    everything, hazards, negatives = (chosen(t) for t in ("drive", "hazards", "negatives"))
    assert len(hazards) + len(negatives) == len(everything) == 48 and len(hazards) >= 20
    assert all(map(hazardous, hazards)) and not any(map(hazardous, negatives))
    assert [start(everything, s)[0] for s in range(48)] == list(everything)
    assert start(everything, 48)[1:] != start(everything, 96)[1:]


def test_twins_begin_alike_and_their_texts_differ_by_the_hazard_only():
    env, told = CornerCaseDriveEnv(describe=False), CornerCaseDriveEnv()
    scenes = chosen("drive")
    for first in range(0, 48, 6):
        (a, _), (b, _) = env.reset(seed=first), env.reset(seed=first + 1)
        assert scenes[first].twin == scenes[first + 1].name and a["text"] == b["text"], "instruments do not know what is ahead"
        (a, _), (b, _) = told.reset(seed=first), told.reset(seed=first + 1)
        with_it, without = set(a["text"].splitlines()), set(b["text"].splitlines())
        assert with_it - without and len(without - with_it) <= 2, "the twin shows at most what the hazard hid"


def test_texts_do_not_say_what_matters():
    env = CornerCaseDriveEnv()
    for seed in range(0, 48, 5):
        observation, _ = env.reset(seed=seed)
        for word in ("corner", "hazard", "danger", "harmless", "reference", "twin"):
            assert word not in observation["text"].lower()
    assert "Ahead" not in CornerCaseDriveEnv(image=True, width=160).reset(seed=0)[0]["text"]
    short = CornerCaseDriveEnv(text="minimal", describe=False).reset(seed=0)[0]["text"]
    assert short.startswith("Speed") and len(short) < 60


def test_what_is_hidden_behind_a_bus_is_not_told():
    bus, child = Actor(1, "bus", 0.0, 20.0), Actor(2, "pedestrian", 0.0, 32.0)
    seen = visible(World(route(SceneSpec("s", "t", 0, Road(lanes=1), Ego(10.0), actors=(bus, child)))))
    assert [m.actor.id for m in seen] == [1]
    far = CONTRAST * VISIBILITY["fog"] - run_up(10.0) + 5.55 + 1  # half a bus, and a metre too far
    for y, seen in ((far, 0), (far - 2, 1)):
        fog = SceneSpec("s", "t", 0, Road(lanes=1), Ego(10.0), weather="fog", actors=(Actor(1, "bus", 0.0, y),))
        assert len(visible(World(route(fog)))) == seen


def test_the_rule_driver_beats_random_and_stopping_loses_the_negatives():
    hazards, negatives = CornerCaseDriveEnv("hazards", expert=True), CornerCaseDriveEnv("negatives", expert="rule_driver")
    rng = np.random.default_rng(0)
    words = list(hazards.action_space)
    seeds = range(0, 20, 5)
    rule = [play(env, s, lambda o: o["expert"]) for env in (hazards, negatives) for s in seeds]
    chance = [play(env, s, lambda o: words[rng.integers(6)]) for env in (hazards, negatives) for s in seeds]
    assert np.mean([i["progress"] for i in rule]) > np.mean([i["progress"] for i in chance]) + 0.4
    assert np.mean([i["success"] for i in rule]) > 0.9
    assert all(i["reward"] == i["progress"] for i in rule + chance)
    for seed in seeds:
        stopped = play(negatives, seed, lambda o: "stop")
        assert stopped["outcome"] == "stopped_for_nothing" and not stopped["success"] and stopped["progress"] < 0.6
        assert play(negatives, seed, lambda o: "maintain")["outcome"] == "passed"
    went_on = [play(hazards, s, lambda o: "maintain") for s in seeds]
    assert np.mean([i["outcome"] == "hit" for i in went_on]) > 0.5 and all(i["end_reason"] == "collision" for i in went_on if i["outcome"] == "hit")
    crept = play(negatives, 0, lambda o: "yield")
    assert crept["outcome"] == "stopped_for_nothing", "who creeps has stopped for nothing, too"
    gone = play(negatives, 0, lambda o: "right")
    assert gone["outcome"] == "left_road" and gone["progress"] == 0 and gone["metrics"]["left_road"] == 1


_TRACE = """
import hashlib, json
from embodied.driving.closed_loop.env import CornerCaseDriveEnv
env = CornerCaseDriveEnv(image=True, width=160, expert=True, describe=True)
trace = []
for seed in (6, 29):
    o, i = env.reset(seed=seed)
    for word in ("maintain", "slow", "left", "yield", "maintain", "stop"):
        trace.append([o["text"], o["expert"], hashlib.sha256(o["image"].tobytes()).hexdigest(), i])
        o, _, over, _, i = env.step(word)
        if over:
            break
    trace.append(i)
print(hashlib.sha256(json.dumps(trace, sort_keys=True).encode()).hexdigest())
"""


def test_the_same_seed_gives_the_same_bytes_in_two_processes():
    runs = [subprocess.run([sys.executable, "-c", _TRACE], capture_output=True, text=True, check=True).stdout for _ in range(2)]
    assert runs[0] == runs[1] and len(runs[0].strip()) == len(hashlib.sha256().hexdigest())


def test_options_that_make_no_sense_are_refused():
    for options in ({"text": "ful"}, {"template": "dog"}, {"expert": "oracle"}, {"task": "negative"}):
        with pytest.raises(UnknownName, match=r"lists them all"):
            CornerCaseDriveEnv(**options)
    for options in ({"hz": 3}, {"width": 100}, {"max_steps": 0}, {"hz": True}):
        with pytest.raises(UsageError, match="not"):
            CornerCaseDriveEnv(**options)


def test_info_is_plain_json():
    env = CornerCaseDriveEnv("hazards", hz=1)
    _, reset = env.reset(seed=3)
    assert json.loads(json.dumps(reset)) == reset and reset["hz"] == 1
    info = play(env, 3, lambda o: "maintain")
    assert json.loads(json.dumps(info)) == info


def test_a_corner_case_that_is_met_is_not_avoided_whoever_drove_into_whom():
    env = CornerCaseDriveEnv("hazards", hz=1, template="slow_crossing")
    env.reset(seed=0)
    over = False
    while not over:
        *_, terminated, truncated, info = env.step("maintain")
        over = terminated or truncated
    assert (info["end_reason"], info["outcome"], info["success"]) == ("hit by another", "hit", False) and info["metrics"]["nc"] == 1.0
