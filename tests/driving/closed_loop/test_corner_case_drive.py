"""CornerCaseDrive: the contract, fair texts, roads that begin alike, drivers that are told apart, no word that wins,
the same bytes everywhere.
"""

import hashlib
import itertools
import json
import subprocess
import sys

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from embodied import envs
from embodied.driving.closed_loop import road as roads
from embodied.driving.closed_loop.describe import CONTRAST, visible
from embodied.driving.closed_loop.env import BEGINS, KINDS, CornerCaseDriveEnv
from embodied.driving.closed_loop.scenes import drive_of, hazardous, pairs, start
from embodied.driving.closed_loop.world import ACTIONS, World, route, run_up
from embodied.driving.floors import floors
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
    """The last info; `policy(observation, road, decision on it)` says the word."""
    observation, _ = env.reset(seed=seed)
    over, road, decision = False, 1, 0
    while not over:
        observation, reward, terminated, truncated, info = env.step(policy(observation, road, decision))
        over, decision = terminated or truncated, decision + 1
        if "road_ended" in info:
            road, decision = 2, 0
    return info | {"reward": reward, "terminated": terminated}


def driven(kind: str, seed: int, program) -> roads.Ending:
    """How one road of a pair ends for a driver that looks at nothing."""
    pair, _, earlier, share = start(pairs(), seed)
    road = roads.DrivenRoad(kind, drive_of(getattr(pair, kind), earlier, share, 5))
    for decision in itertools.count():
        road.drive(program(decision), 5)
        if road.over:
            return road.ending()


def test_a_seed_is_a_pair_of_roads_with_and_without_in_a_drawn_order():
    known = pairs()
    assert len(known) == 24 and all(hazardous(p.hazard) and not hazardous(p.clear) for p in known)
    assert [start(known, s)[0] for s in range(24)] == list(known)
    assert 0.4 < np.mean([start(known, s)[1] for s in range(400)]) < 0.6
    assert all({start(known, s + 24 * k)[1] for k in range(12)} == {True, False} for s in range(24))
    assert start(known, 24)[2:] != start(known, 48)[2:]


def test_the_roads_of_a_pair_begin_alike_and_their_texts_differ_by_the_hazard_only():
    env, told = CornerCaseDriveEnv(describe=False), CornerCaseDriveEnv()
    for seed in (0, 6, 13):
        firsts = []
        for at in (env, told):
            first, info = at.reset(seed=seed)
            while "road_ended" not in info:
                second, *_, info = at.step("right")  # off the road at once
            firsts.append([o["text"].splitlines()[1:] for o in (first, second)])
            assert [o["text"].splitlines()[0] for o in (first, second)] == list(BEGINS)
        assert firsts[0][0] == firsts[0][1], "instruments do not know what is ahead"
        one, other = (set(lines) for lines in firsts[1])
        assert 1 <= len(one ^ other) <= 12 and (one - other or other - one)


def test_texts_do_not_say_what_matters_nor_how_the_first_road_went():
    env = CornerCaseDriveEnv()
    for seed in range(0, 24, 8):
        observation, _ = env.reset(seed=seed)
        for word in ("corner", "hazard", "danger", "harmless", "reference", "twin", "clear road"):
            assert word not in (observation["text"] + env.mission.goal).lower()
    said = set()
    for word in ("right", "maintain", "stop"):  # off the road, arrived or hit, stood
        play(env, 3, lambda o, road, k, word=word: said.add(o["text"]) or word if road == 2 and k == 0 else word)
    assert len(said) == 1, "the second road begins with the same words whatever became of the first"
    assert "Ahead" not in CornerCaseDriveEnv(image=True, width=160).reset(seed=0)[0]["text"]
    short = CornerCaseDriveEnv(text="minimal", describe=False).reset(seed=0)[0]["text"].splitlines()
    assert short[0] == BEGINS[0] and short[1].startswith("Speed") and len(short) == 2 and len(short[1]) < 60


def test_what_is_hidden_behind_a_bus_is_not_told():
    bus, child = Actor(1, "bus", 0.0, 20.0), Actor(2, "pedestrian", 0.0, 32.0)
    seen = visible(World(route(SceneSpec("s", "t", 0, Road(lanes=1), Ego(10.0), actors=(bus, child)))))
    assert [m.actor.id for m in seen] == [1]
    far = CONTRAST * VISIBILITY["fog"] - run_up(10.0) + 5.55 + 1  # half a bus, and a metre too far
    for y, seen in ((far, 0), (far - 2, 1)):
        fog = SceneSpec("s", "t", 0, Road(lanes=1), Ego(10.0), weather="fog", actors=(Actor(1, "bus", 0.0, y),))
        assert len(visible(World(route(fog)))) == seen


_CONSTANTS = tuple(ACTIONS)


def test_no_word_that_is_always_said_wins_a_pair_and_the_rule_driver_does():
    env = CornerCaseDriveEnv(expert="rule_driver", describe=False)
    for seed in (0, 23):  # a carton; a bag that does no harm
        for word in _CONSTANTS:
            ends = [driven(kind, seed, lambda k, word=word: word) for kind in KINDS]
            assert min(e.worth for e in ends) == 0.0, (seed, word)
        best = play(env, seed, lambda o, road, k: o["expert"])
        assert best["success"] and best["progress"] == best["reward"] > 0.9
        assert best["outcomes"] == {"hazard": "avoided", "clear": "passed"} and best["metrics"]["navsim"] > 0.9


@pytest.mark.slow
def test_every_constant_loses_every_pair():
    won = {
        (seed, word)
        for seed in range(24)
        for word in _CONSTANTS
        if min(driven(k, seed, lambda _, word=word: word).worth for k in KINDS) > 0
    }
    assert won == set()


def test_each_way_to_fail_a_road_has_its_name():
    def outcome(kind, program):
        return driven(kind, 0, program).outcome

    always = {word: (lambda k, word=word: word) for word in _CONSTANTS}
    assert outcome("clear", always["maintain"]) == "passed" and outcome("hazard", always["maintain"]) == "hit"
    assert (
        outcome("clear", always["stop"]) == "stopped_for_nothing"
        and outcome("clear", always["yield"]) == "stopped_for_nothing"
    )
    assert outcome("clear", always["slow"]) == "late" and outcome("clear", always["right"]) == "left_road"
    assert outcome("clear", lambda k: "left" if k == 0 else "maintain") == "swerved_for_nothing"
    assert driven("clear", 0, always["slow"]).parts["navsim"] > 0.8, "NAVSIM's own number would praise it"


def test_steps_that_run_out_are_a_failure():
    info = play(CornerCaseDriveEnv(max_steps=20, expert=True), 0, lambda o, road, k: o["expert"])
    assert (info["terminated"], info["success"], info["progress"], info["end_reason"]) == (
        False,
        False,
        0.0,
        "step limit",
    )
    assert set(info["outcomes"]) <= set(KINDS) and "late" in info["outcomes"].values()


def test_floors_are_shipped_for_every_word_and_say_that_none_wins():
    found = floors("corner_case_drive")
    assert set(found["constants"]) == {f"always {word}" for word in ACTIONS}
    assert (
        all(row["score"]["mean"] < 0.05 for row in found["constants"].values())
        and found["rule_driver"]["score"]["mean"] > 0.9
    )
    assert found["pairs"] == 24 and found["environment"] == envs.entry("corner_case_drive").id


_TRACE = """
import hashlib, json
from embodied.driving.closed_loop.env import CornerCaseDriveEnv
env = CornerCaseDriveEnv(image=True, width=160, expert=True, describe=True)
trace = []
for seed in (6, 5):
    o, i = env.reset(seed=seed)
    for word in ("maintain", "slow", "left", "yield", "maintain", "stop"):
        trace.append([o["text"], o["expert"], hashlib.sha256(o["image"].tobytes()).hexdigest(), i])
        o, _, _, _, i = env.step(word)
    trace.append(i)
print(hashlib.sha256(json.dumps(trace, sort_keys=True).encode()).hexdigest())
"""


def test_the_same_seed_gives_the_same_bytes_in_two_processes():
    runs = [
        subprocess.run([sys.executable, "-c", _TRACE], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert runs[0] == runs[1] and len(runs[0].strip()) == len(hashlib.sha256().hexdigest())


def test_options_that_make_no_sense_are_refused():
    for options in ({"text": "ful"}, {"template": "dog"}, {"expert": "oracle"}, {"task": "negatives"}):
        with pytest.raises(UnknownName, match=r"lists them all"):
            CornerCaseDriveEnv(**options)
    for options in ({"hz": 3}, {"width": 100}, {"max_steps": 0}, {"hz": True}):
        with pytest.raises(UsageError, match="not"):
            CornerCaseDriveEnv(**options)


def test_info_is_plain_json():
    env = CornerCaseDriveEnv(hz=1)
    _, reset = env.reset(seed=3)
    assert json.loads(json.dumps(reset)) == reset and reset["hz"] == 1
    info = play(env, 3, lambda o, road, k: "maintain")
    assert json.loads(json.dumps(info)) == info


def test_a_corner_case_that_is_met_is_not_avoided_whoever_drove_into_whom():
    ending = driven("hazard", 14, lambda k: "maintain")  # a stroller walks into the car's side
    assert (ending.reason, ending.outcome, ending.success) == ("hit by another", "hit", False) and ending.parts[
        "nc"
    ] == 1.0
