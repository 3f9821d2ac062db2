"""Baba Is AI: the 40 tasks, the expert, the episode, pictures, records and transcripts."""

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

from embodied.envs import entry, make
from embodied.errors import UnknownName, UsageError
from embodied.games.babaisai.engine import State, step
from embodied.games.babaisai.image import TILE, paint
from embodied.games.babaisai.levels import TASKS, draw, size
from embodied.games.babaisai.pieces import DEFAULT, PIECES, TOP
from embodied.games.babaisai.rules import compile_rules, read
from embodied.games.babaisai.search import estimate, solve
from tests import balrog_replay, transcripts
from tests.baba_boards import board, stack

PUSH_YOU = ("env/two_room-make_you", 3)
"""A level in which Baba stands right above the `you` of "baba is you": `down` pushes it away."""


# --------------------------------------------------------------------------- levels and search


def test_the_tasks_are_balrogs():
    assert set(TASKS) == set(entry("babaisai").tasks) and len(TASKS) == 40


@pytest.mark.parametrize("task", TASKS)
def test_levels_start_playable_and_rules_stay_true(task: str):
    rng = np.random.default_rng(5)
    for seed in range(6):
        state, plan = draw(task, np.random.RandomState(seed))
        assert (state.width, len(state.cells) // state.width) == size(task)
        assert [PIECES[state.cells[at] & TOP].word for at in state.you] == ["baba"]
        assert plan.endswith("]") and "{" not in plan
        goal = plan.rpartition("[")[2][:-1]
        assert ((goal, "win") in state.rules.listed) is (f"make[{goal} is win]" not in plan)
        count = sum(len(stack(cell)) for cell in state.cells)
        for original in (False, True):
            now, outcome = state, ""
            for action in rng.choice(["up", "right", "down", "left"], size=80):
                now, outcome = step(now, str(action), original=original)
                assert now.rules == read(now.cells, now.width)
                if outcome:
                    break
                assert now.rules.turns or sum(len(stack(cell)) for cell in now.cells) == count


def test_the_seed_decides_the_level():
    levels = [draw("env/two_room-make_win-distr_obj_rule", np.random.RandomState(seed)) for seed in (1, 1, 2)]
    assert levels[0] == levels[1] != levels[2]


@pytest.mark.parametrize("task", TASKS)
def test_the_expert_solves_every_task(task: str):
    env = make("babaisai", task, expert=True)
    for seed in (3, 5):
        observation, _ = env.reset(seed=seed)
        over = False
        while not over:
            observation, reward, terminated, truncated, info = env.step(observation["expert"])
            over = terminated or truncated
        assert (terminated, truncated, info["success"], info["progress"], info["end_reason"]) == (
            True,
            False,
            True,
            1.0,
            "won",
        )
        steps = len(env.snapshot().actions)
        assert steps < 40 and reward == 1 - 0.9 * (steps / 100)


def test_the_expert_finds_its_way_back():
    env = make("babaisai", "env/two_room-goto_win", expert=True)
    observation, _ = env.reset(seed=4)
    for action in ("idle", "up", "up", "left", "down", "idle"):
        observation, *_ = env.step(action)
    over = False
    while not over:
        observation, _, over, _, info = env.step(observation["expert"])
    assert info["success"]


def test_the_expert_gives_up_where_nothing_can_be_done():
    state = board("BABA IS YOU\nbaba . .\n. . ball")
    assert solve(state) is None
    assert solve(board("BABA IS YOU .\nbaba . BALL .\nIS WIN . ball"), limit=3) is None


def test_the_estimate_counts_pushes_and_ways():
    assert estimate(board("BABA IS YOU\nBALL IS WIN\nbaba . ball")) == 2
    # a push, and all but 3 of 4 steps
    assert estimate(board("BABA IS YOU . .\n. . . . .\nbaba BALL . IS WIN\nball . . . .")) == 2


# --------------------------------------------------------------------------- the environment


def test_losing_you_ends_the_episode():
    env = make("babaisai", PUSH_YOU[0])
    before, _ = env.reset(seed=PUSH_YOU[1])
    assert "baba is you" in before["text"]
    observation, reward, terminated, truncated, info = env.step("down")
    assert observation["text"].endswith("\n\nNothing on the map is `you` any more: the game is over.")
    assert "baba is you" not in observation["text"]
    assert (reward, terminated, truncated, info["success"], info["progress"], info["end_reason"]) == (
        0.0,
        True,
        False,
        False,
        0.0,
        "lost",
    )
    assert info["metrics"] == {"rule_changes": 1.0}
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step("up")


def test_under_balrogs_rules_losing_you_swaps_the_level():
    env = make("babaisai", PUSH_YOU[0], rules="balrog", expert=True)
    first, _ = env.reset(seed=PUSH_YOU[1])
    observation, _, terminated, truncated, info = env.step("down")
    text = observation["text"]
    assert not (terminated or truncated) and info["success"] is None
    assert text.startswith("[...] IS YOU rule was broken, environment resetActive rules:\nwall is stop\n")
    assert (
        "Objects on the map:\ndefaultdict(<function BabaIsAIWrapper.textworld_process_obsv.<locals>.<lambda> at 0x...>,"
        " {'text': " in text
    )
    assert text.endswith("'image': <PIL.Image.Image image mode=RGB size=416x288 at 0x...>})")
    observation, *_ = env.step("idle")
    assert observation["text"].startswith("Active rules:\n") and observation["text"] != first["text"]
    assert repr(observation["text"]) in text
    steps, over = 1, False
    while not over:
        observation, reward, over, _, info = env.step(observation["expert"])
        steps += 1
    assert info["success"] and reward == 1 - 0.9 * (steps / 100)  # the clock started anew with the level


def test_a_win_that_loses_you_is_none_under_balrogs_rules():
    for rules, progress in (("embodied", 1.0), ("balrog", 0.0)):
        env = make("babaisai", "env/goto_win", rules=rules)
        env.reset(seed=0)
        env._episode.state = board(". BABA . BALL\n. IS . IS\n. ball+YOU baba WIN")
        observation, reward, terminated, _, info = env.step("left")
        assert "lost" not in observation["text"]
        assert (reward > 0, terminated, info["progress"], info["success"]) == (True, True, progress, progress == 1)


def test_the_step_limit_ends_and_measures():
    env = make("babaisai", max_steps=3)
    env.reset(seed=0)
    for _ in range(3):
        _, reward, terminated, truncated, info = env.step("idle")
    assert (reward, terminated, truncated, info["success"], info["end_reason"]) == (
        0.0,
        False,
        True,
        False,
        "step limit",
    )
    assert make("babaisai").mission.max_steps == 100
    endless = make("babaisai", max_steps=None, expert=True)
    observation, _ = endless.reset(seed=0)
    for _ in range(150):
        assert endless.step("idle")[2:4] == (False, False)
    over = False
    while not over:
        observation, reward, over, _, _ = endless.step(observation["expert"])
    assert reward == 0.1


def test_a_wrong_phrase_waits():
    env = make("babaisai")
    before, _ = env.reset(seed=0)
    observation, *_, info = env.step("Right")
    assert (info["valid"], info["executed"], observation) == (False, "idle", before)


def test_bad_arguments_are_named():
    with pytest.raises(UnknownName, match="Did you mean 'env/make_win'"):
        make("babaisai", "env/make_wim")
    with pytest.raises(UsageError, match=r"balrogg.*Did you mean 'balrog'"):
        make("babaisai", rules="balrogg")
    with pytest.raises(UsageError, match="max_steps"):
        make("babaisai", max_steps=0)


def test_an_image_only_when_asked():
    assert set(make("babaisai").reset(seed=0)[0]) == {"text"}
    for task, shape in (("env/make_win", (256, 256, 3)), ("env/two_room-make_you", (288, 416, 3))):
        env = make("babaisai", task, image=True, render_mode="rgb_array")
        observation, _ = env.reset(seed=0)
        assert observation["image"].shape == shape and observation["image"].dtype == np.uint8
        np.testing.assert_array_equal(env.render(), observation["image"])


def test_every_piece_looks_different_and_lies_where_it_is():
    pieces = range(len(PIECES))
    strip = paint(State.of(list(pieces), len(PIECES), compile_rules(())))
    tiles = {strip[:, p * TILE : (p + 1) * TILE].tobytes() for p in pieces}
    assert len(tiles) == len(PIECES)
    picture = paint(board("BABA IS YOU . .\nbaba . . . ball"))
    ball = DEFAULT["ball"]
    np.testing.assert_array_equal(
        picture[2 * TILE : 3 * TILE, 5 * TILE : 6 * TILE], strip[:, ball * TILE : (ball + 1) * TILE]
    )


@pytest.mark.parametrize("task", TASKS)
def test_gymnasium_approves(task: str):
    check_env(gymnasium.make("embodied/BabaIsAI-v0", task=task, image=True).unwrapped, skip_render_check=True)


def test_the_records_plans_are_ours(balrog_data: Path):
    for listed in balrog_replay.manifest(balrog_data, "babaisai"):
        path = balrog_data / "records/babaisai" / listed["task"] / f"{listed['submission']}__{listed['run']}.json"
        record = json.loads(path.read_text())
        _, info = make("babaisai", record["task"]).reset(seed=record["seed"])
        assert info["plan"] == record["target_plan"]


def test_golden_transcripts():
    episodes = transcripts.golden("babaisai")
    assert len(episodes) == len(transcripts.EPISODES["babaisai"])
    for episode in episodes:
        assert transcripts.again("babaisai", episode) == episode


def test_another_process_plays_the_same():
    script = (
        "import json; from tests import transcripts as t; print(json.dumps([t.play('babaisai', **e) for e in"
        " t.EPISODES['babaisai']]))"
    )
    root = Path(__file__).parents[2]
    run = lambda seed: subprocess.run(  # noqa: E731
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
        env={**os.environ, "PYTHONHASHSEED": seed},
    )
    one, other = run("1"), run("2")
    assert one.stderr == other.stderr == ""
    assert json.loads(one.stdout) == json.loads(other.stdout) == transcripts.golden("babaisai")
