"""MiniHack: the eight tasks and others, what was mended, and the same in every process."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from embodied.envs import entry, make
from embodied.errors import EnvironmentFailure, UnknownName, UsageError
from embodied.games.minihack import boxoban
from embodied.games.minihack.level import known
from tests import transcripts

TASKS = entry("minihack").tasks
ROOM = "MiniHack-Room-5x5-v0"
"""From one corner of an empty room to the other: southeast four times."""
OTHERS = (
    *(
        ROOM,
        "MiniHack-KeyRoom-S5-v0",
        "MiniHack-River-v0",
        "MiniHack-MultiRoom-N2-v0",
        "MiniHack-Sokoban1a-v1",
        "MiniHack-Eat-v0",
    ),
    *(
        "MiniHack-Pray-v0",
        "MiniHack-WoD-Easy-Full-v0",
        "MiniHack-Levitate-Boots-Full-v0",
        "MiniHack-ExploreMaze-Easy-v0",
        "MiniHack-HideNSeek-v0",
    ),
)


def play(task: str, *actions: str, seed: int = 0, options: dict | None = None, **kwargs):
    """The environment after some actions, and what the last of them returned (or the reset)."""
    env = make("minihack", task, **kwargs)
    observation, info = env.reset(seed=seed, options=options)
    reward, terminated, truncated = 0.0, False, False
    for action in actions:
        observation, reward, terminated, truncated, info = env.step(action)
    env.close()
    return observation, reward, terminated, truncated, info


def play_at_random(task: str, seed: int, steps: int = 100, **kwargs) -> list:
    """What an episode of random phrases showed."""
    env = make("minihack", task, **kwargs)
    observation, info = env.reset(seed=seed)
    env.action_space.seed(seed)
    seen: list = [observation["text"], observation["status"], info]
    for _ in range(steps):
        observation, *rest = env.step(env.action_space.sample())
        assert observation in env.observation_space
        seen.append([observation["text"], observation["status"], *rest])
        if rest[1] or rest[2]:
            break
    env.close()
    return seen


@pytest.mark.parametrize("rules", ["embodied", "balrog"])
@pytest.mark.parametrize("task", TASKS)
def test_gymnasiums_own_check(task: str, rules: str):
    env = make("minihack", task, rules=rules, max_steps=20)
    check_env(env, skip_render_check=True)
    env.close()


@pytest.mark.parametrize("task", TASKS)
def test_random_play(task: str):
    *_, last = play_at_random(task, seed=3)
    terminated, truncated, info = last[3:]
    assert terminated or truncated
    json.dumps(last)
    assert info["metrics"]["time"] > 1
    assert not terminated or info["end_reason"]


@pytest.mark.parametrize("task", OTHERS)
def test_other_registered_levels_play(task: str):
    for rules in ("embodied", "balrog"):
        assert len(play_at_random(task, seed=1, steps=30, rules=rules)) > 4


def test_most_registered_levels_are_known():
    assert len(known()) == 159


_EPISODES = """
import json, hashlib
from tests.games.test_minihack import TASKS, play_at_random
tasks = (*TASKS, "MiniHack-MultiRoom-N2-v0", "MiniHack-River-Monster-v0")
played = [play_at_random(task, seed, 40) for task in tasks for seed in (1, 2)]
print(json.dumps([hashlib.sha256(json.dumps(episode).encode()).hexdigest() for episode in played]))
"""


def test_two_processes_see_the_same():
    root = Path(__file__).parents[2]
    outputs = [
        subprocess.run(
            [sys.executable, "-c", _EPISODES],
            capture_output=True,
            text=True,
            check=True,
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        )
        for hash_seed in ("1", "2")
    ]
    first, second = (json.loads(o.stdout) for o in outputs)
    assert first == second
    assert len(set(first)) == len(first), "and every seed something else"


def test_reset_begins_the_same_episode_again():
    env = make("minihack", "MiniHack-River-Monster-v0")
    first = env.reset(seed=5)
    for _ in range(10):
        env.step("north")
    env.reset(seed=6)
    assert env.reset(seed=5) == first
    env.close()


def test_global_random_numbers_are_left_alone():
    random.seed(1)
    np.random.seed(1)
    expected = random.random(), np.random.random()
    random.seed(1)
    np.random.seed(1)
    for task in ("MiniHack-Boxoban-Hard-v0", "MiniHack-MultiRoom-N2-v0", "MiniHack-Quest-Easy-v0"):
        play_at_random(task, seed=2, steps=5)
    assert (random.random(), np.random.random()) == expected


# --------------------------------------------------------------------------- what was mended


def win_with_a_penalty(rules: str, seeds: range) -> list[tuple[int, float, bool, dict]]:
    found = []
    for seed in seeds:
        _, reward, terminated, _, info = play(ROOM, *["southeast"] * 4, seed=seed, rules=rules)
        if terminated and reward < 1:
            found.append((seed, reward, terminated, info))
    return found


def test_a_penalty_on_the_winning_step_does_not_take_the_win():
    """BALROG's defect 1: a fast hero reaches the stairs in an action without a game turn, and the reward is 0.99."""
    mended = win_with_a_penalty("embodied", range(10, 18))
    assert [seed for seed, *_ in mended] == [12, 17]
    for _, reward, _, info in mended:
        assert reward == pytest.approx(0.99)
        assert (info["progress"], info["success"], info["end_reason"]) == (1.0, True, "success")
    ((_, reward, _, info),) = win_with_a_penalty("balrog", range(25, 26))
    assert reward == pytest.approx(0.99) and (info["progress"], info["success"]) == (0.0, False)


def test_a_win_with_the_last_action_counts():
    _, reward, terminated, truncated, info = play(ROOM, *["southeast"] * 4, max_steps=4)
    assert (reward, terminated, truncated, info["success"], info["progress"]) == (1.0, True, False, True, 1.0)
    _, reward, terminated, truncated, info = play(ROOM, *["southeast"] * 4, max_steps=4, rules="balrog")
    assert (terminated, truncated, info["success"], info["progress"]) == (False, True, False, 0.0)


def test_the_wrong_choice_in_memento_is_a_failure():
    outcomes = set()
    for seed in range(8):
        env = make("minihack", "MiniHack-Memento-Short-F2-v0")
        env.reset(seed=seed)
        rng = random.Random(seed)
        over = False
        while not over:
            action = rng.choice(["east", "east", "east", "northeast", "southeast", "north", "south"])
            _, reward, terminated, truncated, info = env.step(action)
            over = terminated or truncated
        assert info["success"] is (reward > 0) and info["progress"] == float(reward > 0)
        outcomes.add(info["end_reason"])
        env.close()
    assert outcomes == {"success", "failure: the level ended without its reward"}


def test_boxoban_is_won_by_its_solution():
    for seed, task in enumerate(TASKS[:2]):
        difficulty = ("hard", "medium")[seed]
        level = boxoban.generate(difficulty, seed)
        env = make("minihack", task)
        _, info = env.reset(seed=seed)
        assert (info["boxoban"], info["level"], info["measures"]) == (level.text, level.id, level.measures)
        rewards = [env.step(direction)[1] for direction in level.solution[:-1]]
        assert 0.099 in [round(r, 3) for r in rewards], "a boulder on a fountain pays"
        _, reward, terminated, _, info = env.step(level.solution[-1])
        assert (reward, terminated, info["success"], info["progress"], info["metrics"]["boxes_on_goals"]) == (
            1.0,
            True,
            True,
            1.0,
            4.0,
        )
        env.close()


def test_boxoban_shows_its_level():
    level = boxoban.generate("medium", 5)
    observation, *_, info = play(TASKS[0], options={"level": level.text})
    assert info["boxoban"] == level.text
    rows = level.text.translate(str.maketrans({" ": ".", ".": "{", "$": "`"})).split("\n")
    lines = observation["text"].partition("map:\n")[2].split("\n")
    top = next(i for i, line in enumerate(lines) if rows[0] in line)
    left = lines[top].index(rows[0])
    assert [line[left : left + 10] for line in lines[top : top + 10]] == rows


def test_published_boxoban_levels(tmp_path: Path):
    (tmp_path / "hard").mkdir()
    text = boxoban.generate("hard", 9).text
    (tmp_path / "hard/000.txt").write_text(f"; 0\n{text}\n\n")
    *_, info = play(TASKS[0], data=str(tmp_path))
    assert (info["level"], info["boxoban"]) == ("hard/000.txt#0", text)


def test_items_can_be_chosen_in_quest():
    quest = "MiniHack-Quest-Easy-v0"
    observation, *_, info = play(quest, "wield", seed=1)
    assert "What do you want to wield? [- abcd or ?*]" in observation["text"]
    observation, *_, info = play(quest, "wield", "b", seed=1)
    assert info["valid"] and "b - a +0 wakizashi (weapon in hand)" in observation["text"]
    *_, info = play(quest, "b", seed=1)
    assert not info["valid"] and info["executed"] == "esc", "nothing is asked"
    original = make("minihack", quest, rules="balrog")
    assert len(original.action_space) == 32 and original.default_action == "north"
    assert not {"b", "esc", "wield"} & set(original.action_space)
    original.close()


def test_a_menu_waits_for_the_player_where_questions_do():
    observation, *_ = play("MiniHack-Quest-Easy-v0", "inventory", seed=1)
    assert "a - a +0 katana (weapon in hand)" in observation["text"].partition("language observation")[0]


def test_pages_that_turn_by_themselves_are_kept():
    def messages(rules: str) -> list[str]:
        env = make("minihack", "MiniHack-River-v0", rules=rules)
        env.reset(seed=2)
        seen = []
        for action in ["east"] * 60:
            observation, _, terminated, truncated, _ = env.step(action)
            seen.append(observation["text"].partition("\n\nlanguage observation")[0].removeprefix("message:\n"))
            if terminated or truncated:
                break
        env.close()
        return seen

    (wet,) = [m for m in messages("embodied") if "You fall into the water!" in m][:1]
    assert wet.endswith("You try to crawl out of the water.  Pheew!  That was close.") and "\n" in wet
    assert not any("You fall into the water!" in m for m in messages("balrog"))


@pytest.mark.parametrize("rules", ["embodied", "balrog"])
@pytest.mark.parametrize("task", TASKS)
def test_the_vocabulary_is_the_mission(task: str, rules: str):
    env = make("minihack", task, rules=rules)
    assert tuple(env.mission.actions) == env.action_space.phrases
    assert env.mission.max_steps == 100 and env.mission.goal
    assert env.default_action == ("esc" if rules == "embodied" else "north")
    sizes = {"Boxoban": 4, "MazeWalk": 8, "CorridorBattle": 8, "Corridor-": 11, "Quest": 32}
    if rules == "balrog":
        assert len(env.action_space) == next(n for name, n in sizes.items() if name in task)
    env.close()


# --------------------------------------------------------------------------- pictures, errors, transcripts


def test_pictures():
    env = make("minihack", TASKS[2], image=True)
    observation, _ = env.reset(seed=1)
    assert observation["image"].shape == env.observation_space["image"].shape == (384, 1280, 3)
    assert len(np.unique(observation["image"].reshape(-1, 3), axis=0)) > 10
    after = env.step("north")[0]["image"]
    assert not np.array_equal(observation["image"], after)
    assert "map:" not in observation["text"] and "statistics:" in observation["status"]
    env.close()
    bare = make("minihack", TASKS[2], image=True, rules="balrog")
    assert bare.reset(seed=1)[0]["image"].shape == (336, 1264, 3)
    bare.close()


def test_mistakes_end_in_a_sentence(tmp_path: Path):
    with pytest.raises(UnknownName, match=r"MiniHack-River-v0"):
        make("minihack", "MiniHack-Rivr-v0")
    with pytest.raises(UsageError, match="does not use it"):
        make("minihack", TASKS[2], data=str(tmp_path))
    with pytest.raises(UsageError, match="embodied"):
        make("minihack", TASKS[2], rules="chess")
    with pytest.raises(EnvironmentFailure, match="minigrid"):
        make("minihack", "MiniHack-LavaCrossingS9N1-v0")
    with pytest.raises(UsageError, match="makes its own"):
        play(TASKS[2], options={"level": "#"})
    with pytest.raises(UsageError, match="No Boxoban levels"):
        play(TASKS[0], data=str(tmp_path))


def test_golden_transcripts():
    for episode in transcripts.golden("minihack"):
        assert transcripts.again("minihack", episode) == episode
