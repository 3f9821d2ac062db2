"""BabyAI: the view against minigrid's own, the five tasks, the expert, and what was mended."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from minigrid.core.world_object import Door

from embodied.envs import entry, make
from embodied.errors import UnknownName, UsageError
from embodied.games.babyai.levels import KINDS, MixedTrainLevel
from embodied.games.babyai.view import SIZE, TILE, View, describe, draw, look
from tests import transcripts

TASKS = entry("babyai").tasks
OPEN = "BabyAI-MixedTrainLocal-v0/open"


def _run(script: str, **variables: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
        env={**os.environ, **variables},
    )


def by_expert(env, seed: int):
    """Plays the expert's actions to the end; yields (observation, reward, terminated, truncated, info) of each step."""
    observation, _ = env.reset(seed=seed)
    over = False
    while not over:
        observation, reward, terminated, truncated, info = env.step(observation["expert"])
        over = terminated or truncated
        yield observation, reward, terminated, truncated, info


@pytest.mark.parametrize("kind", KINDS)
def test_the_view_is_minigrids(kind: str):
    rng = np.random.default_rng(0)
    level = MixedTrainLevel(kind, distractors=8)
    for seed in range(4):
        level.reset(seed=seed)
        for door in (c for c in level.grid.grid if isinstance(c, Door) and seed % 2):
            door.is_open, door.is_locked = True, False
        for action in rng.choice(6, size=60, p=(0.15, 0.15, 0.4, 0.15, 0.1, 0.05)):
            level.step(int(action))
            view = look(level)
            grid, mask = level.gen_obs_grid()
            seen = np.array([[view.seen[j] >> i & 1 for j in range(SIZE)] for i in range(SIZE)], bool)
            np.testing.assert_array_equal(seen, mask)
            agent = (SIZE - 1) * SIZE + SIZE // 2  # minigrid puts what is carried into the agent's own cell
            theirs = [c and c.encode() for n, c in enumerate(grid.grid) if n != agent]
            assert [c and c.encode() for n, c in enumerate(view.cells) if n != agent] == theirs
            np.testing.assert_array_equal(draw(view), level.get_pov_render(TILE))


@pytest.mark.parametrize("task", TASKS)
def test_the_expert_fulfils_every_instruction(task: str):
    env = make("babyai", task, expert=True)
    for seed in range(10):
        *_, (_, reward, terminated, truncated, info) = by_expert(env, seed)
        assert (terminated, truncated, info["success"], info["progress"], info["end_reason"]) == (
            True,
            False,
            True,
            1.0,
            "fulfilled",
        )
        steps = len(env.snapshot().actions)
        assert reward == pytest.approx(1 - 0.9 * steps / env.max_steps, abs=0)


@pytest.mark.parametrize(
    ("kind", "limit"), [("goto", 64), ("pickup", 64), ("open", 128), ("putnext", 128), ("pick_up_seq_go_to", 128)]
)
def test_the_step_limit_is_the_levels_own(kind: str, limit: int):
    env = make("babyai", f"BabyAI-MixedTrainLocal-v0/{kind}")
    _, info = env.reset(seed=1)
    assert env.max_steps == env._level.max_steps == env.mission.max_steps == info["max_steps"] == limit
    for _ in range(limit):
        _, reward, terminated, truncated, info = env.step("turn left")
        if terminated or truncated:
            break
    if kind in ("pickup", "open", "putnext", "pick_up_seq_go_to"):
        assert len(env.snapshot().actions) == limit
        assert (reward, terminated, truncated, info["success"], info["end_reason"]) == (
            0.0,
            False,
            True,
            False,
            "step limit",
        )


def test_an_own_step_limit_measures_the_reward_too():
    env = make("babyai", TASKS[0], max_steps=200, expert=True)
    *_, (_, reward, *_) = by_expert(env, 3)
    assert reward == pytest.approx(1 - 0.9 * len(env.snapshot().actions) / 200)


def test_an_open_door_gets_its_article():
    def last_text(rules: str) -> str:
        env = make("babyai", OPEN, expert=True, rules=rules)
        *_, (observation, *_) = by_expert(env, 5)
        return observation["text"]

    assert "an open " in last_text("embodied")
    assert "a open " in last_text("balrog")
    assert last_text("embodied").replace("an open ", "a open ") == last_text("balrog")


def test_nothing_in_sight_is_said():
    nothing = View((None,) * 49, (127,) * 7, None)
    assert describe(nothing) == "nothing in sight"
    assert describe(nothing, articles=False) == ""


def test_wrong_phrases_walk_forward():
    env = make("babyai", TASKS[0])
    env.reset(seed=0)
    observation, *_, info = env.step("Go Forward")
    assert (info["valid"], info["executed"]) == (False, "go forward")
    twin = make("babyai", TASKS[0])
    twin.reset(seed=0)
    assert twin.step("go forward")[0] == observation


def test_the_expert_bears_with_anyone():
    """Boxes destroyed, objects dropped in the way: the expert may give up, but never fails."""
    rng = np.random.default_rng(1)
    for task in TASKS:
        env = make("babyai", task, expert=True, distractors=6)
        for seed in range(3):
            observation, _ = env.reset(seed=seed)
            over = False
            while not over:
                assert observation["expert"] in env.action_space
                observation, _, terminated, truncated, _ = env.step(env.action_space.phrases[rng.integers(6)])
                over = terminated or truncated


def test_instructions_hold_nothing_held_out():
    env = make("babyai", "BabyAI-MixedTrainLocal-v0/putnext")
    goals = {env.reset(seed=seed)[1]["instruction"] for seed in range(150)}
    assert len(goals) > 80
    for phrase in ("yellow box", "red key", "red door", "green ball", "grey door"):
        assert not any(phrase in goal for goal in goals)


def test_an_image_only_when_asked():
    assert set(make("babyai", TASKS[0]).reset(seed=0)[0]) == {"text"}
    env = make("babyai", TASKS[0], image=True, render_mode="rgb_array")
    observation, _ = env.reset(seed=0)
    assert observation["image"].shape == (112, 112, 3)
    np.testing.assert_array_equal(env.render(), observation["image"])


def test_bad_arguments_are_named():
    with pytest.raises(UnknownName, match="Did you mean 'BabyAI-MixedTrainLocal-v0/goto'"):
        make("babyai", "BabyAI-MixedTrainLocal-v0/go_to")
    with pytest.raises(UsageError, match=r"balrogg.*Did you mean 'balrog'"):
        make("babyai", TASKS[0], rules="balrogg")
    with pytest.raises(UsageError, match="distractors"):
        make("babyai", TASKS[0], distractors=99)
    with pytest.raises(UsageError, match="max_steps"):
        make("babyai", TASKS[0], max_steps=0)


@pytest.mark.parametrize("task", TASKS)
def test_gymnasium_approves(task: str):
    check_env(gymnasium.make("embodied/BabyAI-v0", task=task, image=True).unwrapped, skip_render_check=True)


def test_golden_transcripts():
    episodes = transcripts.golden("babyai")
    assert [e["task"] for e in episodes] == list(TASKS)
    for episode in episodes:
        assert transcripts.again("babyai", episode) == episode
        assert episode["steps"][-1]["info"]["success"] is True


def test_another_process_plays_the_same():
    script = (
        "import json; from tests import transcripts as t; print(json.dumps([t.play('babyai', **e) for e in"
        " t.EPISODES['babyai']]))"
    )
    outputs = [_run(script, PYTHONHASHSEED=seed).stdout for seed in ("1", "2")]
    assert outputs[0] == outputs[1]
    assert len(json.loads(outputs[0])) == len(TASKS)


def test_nothing_is_printed_on_import():
    run = _run("import embodied.envs as e; e.make('babyai').reset(seed=0)")
    assert run.stdout == run.stderr == ""


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_object_touched_is_named_for_who_reads(kind: str):
    env = make("babyai", f"BabyAI-MixedTrainLocal-v0/{kind}", distractors=6, expert=True)
    for seed in range(5):
        *_, (*_, info) = by_expert(env, seed)
        assert info["metrics"] == {"first_object_named": 1.0}
    env.close()


def test_the_first_object_touched_at_random_is_often_another():
    named = []
    env = make("babyai", "BabyAI-MixedTrainLocal-v0/pickup", distractors=8)
    for seed in range(20):
        env.reset(seed=seed)
        env.action_space.seed(seed)
        over = False
        while not over:
            *_, terminated, truncated, info = env.step(env.action_space.sample())
            over = terminated or truncated
        named.append(info["metrics"]["first_object_named"])
    env.close()
    assert set(named) == {0.0, 1.0} and sum(named) < 10


def test_who_touches_nothing_has_touched_no_named_object():
    env = make("babyai", "BabyAI-MixedTrainLocal-v0/putnext", max_steps=3)
    env.reset(seed=1)
    metrics = [env.step("turn left")[-1].get("metrics") for _ in range(3)]
    env.close()
    assert metrics == [None, None, {"first_object_named": 0.0}]


def test_the_key_of_a_named_door_counts_and_a_wall_is_no_object():
    env = make("babyai", OPEN, expert=True)
    for seed in range(4):
        steps = list(by_expert(env, seed))
        assert steps[-1][-1]["metrics"] == {"first_object_named": 1.0}
    env.reset(seed=0)
    for _ in range(8):
        front = env._level.grid.get(*env._level.front_pos)
        info = env.step("go forward")[-1]
        if front is not None and front.type == "wall":
            break
    env.close()
    assert "metrics" not in info
