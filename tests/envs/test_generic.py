"""`gym:ID`: any Gymnasium environment in words."""

from __future__ import annotations

import json
import math

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.utils.env_checker import check_env

from embodied.envs import make
from embodied.envs.base import LanguageEnv
from embodied.envs.describe import describe, from_terminal, plain
from embodied.envs.generic import GenericEnv
from embodied.errors import UnknownName, UsageError
from embodied.games.babyai.env import BabyAIEnv

IDS = ("CartPole-v1", "FrozenLake-v1", "Taxi-v3", "MiniGrid-Empty-5x5-v0", "Blackjack-v1")


class Levers(gymnasium.Env):
    """Two levers and a switch; pulling 1, 0 with the switch on succeeds.

    ## Description
    See [the manual](https://example.org) for <b>levers</b>.

    ## Action Space
    Not part of the description.
    """

    observation_space = spaces.Dict(
        {
            "lamps": spaces.MultiBinary(3),
            "inner": spaces.Dict({"heat": spaces.Box(0, 9, (2, 2))}),
            "note": spaces.Text(40),
        }
    )
    action_space = spaces.MultiDiscrete([2, 3], start=[0, 5])

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return self._observe(), {
            "weights": np.ones(2),
            "big": np.zeros(1000),
            "nan": float("nan"),
            "tool": object(),
            1: {2},
        }

    def step(self, action):
        self.last = tuple(int(a) for a in action)
        return self._observe(), 0.0, self.last == (1, 7), False, {"is_success": self.last == (1, 7), "valid": "theirs"}

    def _observe(self):
        return {
            "lamps": np.array([1, 0, 1], np.int8),
            "inner": {"heat": np.array([[1, 2.34567], [0, 9]], np.float32)},
            "note": "hum",
        }


class Words(gymnasium.Env):
    observation_space = spaces.Text(80)
    action_space = spaces.Text(12, min_length=2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return "Say a word", {}

    def step(self, action):
        return f"You said {action}", 1.0, True, False, {"progress": 2.5}


class Lost(Words):
    def step(self, action):
        return action, 0.0, True, False, {"progress": float("nan")}


class Huge(Levers):
    observation_space = spaces.Box(0, 255, (40, 40), np.uint8)


class Sequences(Levers):
    observation_space = spaces.Sequence(spaces.Discrete(3))


for env_class in (Levers, Words, Lost, Huge, Sequences):
    gymnasium.register(f"embodied-tests/{env_class.__name__}-v0", entry_point=env_class)
gymnasium.register("embodied-tests/Lang-v0", entry_point=BabyAIEnv)


@pytest.mark.parametrize("id", IDS)
def test_gymnasiums_own_play_in_words(id: str):
    env = make(f"gym:{id}")
    check_env(env, skip_render_check=True)
    observation, info = env.reset(seed=3)
    twin = make(f"gym:{id}")
    assert twin.reset(seed=3)[0] == observation
    env.action_space.seed(0)
    over, total = False, 0.0
    while not over and len(env.snapshot().actions) < 60:
        action = env.action_space.sample()
        observation, reward, terminated, truncated, info = env.step(action)
        assert twin.step(action) == (observation, reward, terminated, truncated, info)
        assert observation in env.observation_space
        total += reward
        over = terminated or truncated
    assert info["metrics"]["return"] == total
    assert json.loads(json.dumps(info, allow_nan=False)) == info


def test_numbers_have_names_and_four_digits():
    env = make("gym:CartPole-v1")
    observation, _ = env.reset(seed=0)
    assert (
        observation["text"]
        == "cart position: 0.0137\ncart velocity: -0.02302\npole angle (rad): -0.0459\npole angular velocity: -0.04835"
    )
    assert env.action_space.phrases == ("push left", "push right")
    assert "pole is attached" in env.mission.intro
    assert (env.max_steps, env.mission.max_steps) == (500, 500)


def test_names_of_the_users_own():
    env = make(
        "gym:CartPole-v1",
        action_names=["west", "east"],
        observation_names=list("abcd"),
        default_action="east",
        goal="Balance.",
        max_steps=7,
    )
    assert env.reset(seed=0)[0]["text"].startswith("a: 0.0137\nb: ")
    assert (env.action_space.phrases, env.default_action, env.mission.goal, env.max_steps) == (
        ("west", "east"),
        "east",
        "Balance.",
        7,
    )
    *_, info = env.step("nowhere")
    assert (info["valid"], info["executed"]) == (False, "east")


def test_drawings_in_characters_keep_their_marks():
    env = make("gym:FrozenLake-v1")
    assert env.reset(seed=0)[0]["text"] == "cell (row * columns + column): 0\n\n[S red]FFF\nFHFH\nFFFH\nHFFG"
    assert make("gym:FrozenLake-v1", ansi=False).reset(seed=0)[0]["text"] == "cell (row * columns + column): 0"
    assert from_terminal("\x1b[34;1mB\x1b[0m|\x1b[1mX\x1b[0m\x1b[2K") == "[B blue]|[X marked]"


def test_words_and_picture_together():
    env = make("gym:Taxi-v3", image=True, render_mode="rgb_array")
    observation, _ = env.reset(seed=5)
    text_only = make("gym:Taxi-v3")
    assert text_only.reset(seed=5)[0] == {"text": observation["text"]}
    before = observation["image"]
    for action in ("north", "south", "west", "east"):
        observation, *_ = env.step(action)
        assert text_only.step(action)[0]["text"] == observation["text"]
    assert observation in env.observation_space
    assert not np.array_equal(before, observation["image"])
    np.testing.assert_array_equal(env.render(), observation["image"])


def test_minigrids_actions_and_mission():
    env = make("gym:MiniGrid-Empty-5x5-v0", reward_threshold=0.5)
    env.reset(seed=0)
    assert env.action_space.phrases == ("left", "right", "forward", "pickup", "drop", "toggle", "done")
    assert env.mission.goal == "Get to the green goal square."
    for action in ("forward", "forward", "right", "forward", "forward"):
        observation, reward, terminated, _, info = env.step(action)
    assert terminated and reward > 0.9
    assert (info["success"], info["progress"]) == (True, 1.0)
    assert observation["text"].endswith("mission: get to the green goal square")


def test_a_progress_that_is_no_number_is_not_made_one():
    env = make("gym:embodied-tests/Lost-v0")
    env.reset(seed=0)
    assert math.isnan(env.step("hello")[4]["progress"])  # a run ends such an episode as a failure, never at 0


def test_progress_by_reward_threshold():
    env = make("gym:CartPole-v1", reward_threshold=4)
    env.reset(seed=0)
    assert [
        env.step(a)[4]["progress"] for a in ("push left", "push right", "push left", "push right", "push left")
    ] == [0.25, 0.5, 0.75, 1.0, 1.0]
    car = make("gym:MountainCar-v0", max_steps=2)
    car.reset(seed=0)
    car.step("coast")
    *_, truncated, info = car.step("coast")
    # a return of -2 is above the threshold of -110
    assert truncated and (info["progress"], info["success"]) == (1.0, True)
    blackjack = make("gym:Blackjack-v1")
    blackjack.reset(seed=0)
    *_, info = blackjack.step("stick")
    assert (info["progress"], info["success"]) == (0.0, None)


def test_many_numbers_at_once():
    env = make("gym:embodied-tests/Levers-v0")
    observation, info = env.reset(seed=0)
    assert observation["text"] == "inner.heat:\n1 2.346\n0 9\nlamps: 1 0 1\nnote: hum"
    assert {k: info[k] for k in ("weights", "big", "nan", "tool", "1")} == {
        "weights": [1, 1],
        "big": "array 1000",
        "nan": None,
        "tool": "object",
        "1": [2],
    }
    assert env.action_space.phrases == (
        "action 0 5",
        "action 0 6",
        "action 0 7",
        "action 1 5",
        "action 1 6",
        "action 1 7",
    )
    assert env.mission.intro == "See the manual for levers."
    *_, info = env.step("action 0 6")
    assert (info["success"], info["progress"], info["valid"]) == (False, 0.0, True)
    *_, terminated, _, info = env.step("action 1 7")
    assert terminated and (info["success"], info["progress"]) == (True, 1.0)


def test_free_text_goes_through():
    env = make("gym:embodied-tests/Words-v0")
    assert env.reset(seed=0)[0]["text"] == "Say a word"
    observation, *_, info = env.step("hello")
    assert observation["text"] == "You said hello"
    assert info["progress"] == 1.0
    env.reset(seed=0)
    *_, info = env.step("much too long for it")
    assert (info["valid"], info["executed"]) == (False, env.default_action)
    assert env.mission.free_text


def test_a_language_env_is_not_wrapped():
    env = make("gym:embodied-tests/Lang-v0", image=True)
    assert type(env) is BabyAIEnv and isinstance(env, LanguageEnv)
    assert "image" in env.reset(seed=0)[0]


def test_a_module_of_the_users_own(tmp_path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "own_levers.py").write_text(
        "import gymnasium\nfrom tests.envs.test_generic import Levers\ngymnasium.register('OwnLevers-v0',"
        " entry_point=Levers)\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert make("gym:own_levers:OwnLevers-v0").reset(seed=0)[0]["text"].endswith("hum")


@pytest.mark.parametrize(
    ("id", "options", "error", "sentence"),
    [
        ("CartPol-v1", {}, UnknownName, "Did you mean 'CartPole-v1'"),
        ("CartPole", {}, UnknownName, "Did you mean 'CartPole-v1'"),
        ("no_such_module:Env-v0", {}, UsageError, "module 'no_such_module', which is not installed"),
        ("Pendulum-v1", {}, UsageError, "acts by Box"),
        ("embodied-tests/Huge-v0", {}, UsageError, "array of 1600 numbers"),
        ("embodied-tests/Sequences-v0", {}, UsageError, "cannot be put into words"),
        ("embodied-tests/Levers-v0", {"image": True}, UsageError, "cannot draw a picture"),
        ("CartPole-v1", {"rules": "balrog"}, UsageError, "unexpected keyword argument 'rules'"),
        ("CartPole-v1", {"action_names": ["left"]}, UsageError, "2 actions; action_names needs"),
        ("CartPole-v1", {"observation_names": ["x"]}, UsageError, "needs 4 names, not 1"),
        ("CartPole-v1", {"default_action": "jump"}, UsageError, "'jump' is not an action"),
        ("CartPole-v1", {"max_steps": 0}, UsageError, "max_steps is at least 1"),
    ],
)
def test_what_cannot_be_is_said_in_one_sentence(id: str, options: dict, error: type, sentence: str):
    with pytest.raises(error) as caught:
        GenericEnv(id, **options)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_describer_and_plain_on_corner_cases():
    assert describe(spaces.Box(-9, 9, ()), np.float32(1 / 3)) == "observation: 0.3333"
    assert (
        describe(spaces.Tuple((spaces.Discrete(3), spaces.Text(9))), (2, "hi")) == "observation 0: 2\nobservation 1: hi"
    )
    assert describe(spaces.Box(0, 9, (2, 2, 2)), np.arange(8.0).reshape(2, 2, 2)) == "observation:\n0,1 2,3\n4,5 6,7"
    assert plain({"a": (np.int64(1), np.bool_(True)), "b": {"c": float("inf")}}) == {"a": [1, True], "b": {"c": None}}
