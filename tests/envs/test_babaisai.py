"""Baba Is AI: the rule engine on boards drawn by hand, the 40 tasks, the expert, the text, and what was mended."""

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
from embodied.envs.games.babaisai.engine import State, focus, step
from embodied.envs.games.babaisai.image import TILE, paint
from embodied.envs.games.babaisai.levels import TASKS, draw, size
from embodied.envs.games.babaisai.pieces import BITS, BORDER, DEFAULT, IS, NOUN, PIECES, PROPERTY, TOP
from embodied.envs.games.babaisai.rules import compile_rules, read
from embodied.envs.games.babaisai.search import estimate, solve
from embodied.envs.games.babaisai.text import describe, describe_as_balrog
from embodied.errors import UnknownName, UsageError
from tests import balrog_replay, transcripts

BLOCKS = {"IS": IS, **{word.upper(): piece for word, piece in {**NOUN, **PROPERTY}.items()}}
PUSH_YOU = ("env/two_room-make_you", 3)
"""A level in which Baba stands right above the `you` of "baba is you": `down` pushes it away."""


def board(drawing: str) -> State:
    """A state as drawn: `.` empty, `baba` an object, `BABA` a block, `ball+baba` a stack, the top last. The border is added."""
    rows = [line.split() for line in drawing.strip().splitlines()]
    width = len(rows[0]) + 2
    cells = [BORDER] * width
    for row in rows:
        cells += [BORDER, *(_cell(word) for word in row), BORDER]
    return State.of([*cells, *[BORDER] * width], width)


def _cell(words: str) -> int:
    cell = 0
    for word in words.split("+"):
        if word != ".":
            cell = cell << BITS | (BLOCKS.get(word) or DEFAULT[word])
    return cell


def drawn(state: State) -> str:
    """What `board` reads, of any state."""
    names = {piece: name for name, piece in {**BLOCKS, **DEFAULT}.items()}
    rows = []
    for start in range(state.width, len(state.cells) - state.width, state.width):
        stacks = [_stack(cell) for cell in state.cells[start + 1 : start + state.width - 1]]
        rows.append(" ".join("+".join(names[piece] for piece in stack) or "." for stack in stacks))
    return "\n".join(rows)


def _stack(cell: int) -> list[int]:
    pieces = []
    while cell:
        pieces.append(cell & TOP)
        cell >>= BITS
    return pieces[::-1]


def after(drawing: str, *actions: str, original: bool = False) -> tuple[str, str]:
    """The board after `actions`, and the outcome of the last."""
    state, outcome = board(drawing), ""
    for action in actions:
        assert outcome == ""
        state, outcome = step(state, action, original=original)
    return drawn(state), outcome


def same(left: str, right: str) -> bool:
    return left.split() == right.split()


# --------------------------------------------------------------------------- rules


def test_rules_are_read_across_and_down_in_the_order_of_their_is():
    state = board("""
        BABA IS  YOU  .
        .    .   KEY  .
        BALL IS  IS   .
        .    .   WIN  .
        DOOR IS  WALL .
    """)
    assert state.rules.listed == (("baba", "you"), ("key", "win"), ("door", "wall"))


@pytest.mark.parametrize(
    "row",
    ["BABA . IS YOU", "YOU IS BABA .", "IS BABA YOU .", "BABA IS IS YOU", "baba IS YOU .", "BABA IS baba .", "BABA IS+ball YOU ."],
)
def test_what_is_no_rule(row: str):
    assert board(row).rules.listed == ()


def test_a_block_uncovered_spells_again():
    start = """
        .        .  .
        BABA+KEY IS YOU
        key      .  baba
    """
    assert board(start).rules.listed == (("key", "you"),)
    state, outcome = step(board(start), "up")
    assert same(drawn(state), "KEY . .\nBABA IS YOU\nkey . baba")
    assert (state.rules.listed, outcome) == ((("baba", "you"),), "")


def test_properties_fall_on_every_color():
    rules = board("BALL IS STOP\nKEY IS WIN").rules
    assert _words(rules.win) == ["key", "key", "key"]
    assert _words(rules.solid) == ["border", "ball", "ball", "ball", *(PIECES[p].word for p in BLOCKS.values())]


def _words(pieces: int) -> list[str]:
    return [piece.word for p, piece in enumerate(PIECES) if pieces >> p & 1]


# --------------------------------------------------------------------------- motion

YOU = "BABA IS YOU . ."


def test_a_line_of_blocks_is_pushed_and_stops_at_the_border():
    drawing, _ = after(f"{YOU}\n. . . . .\nbaba KEY IS . .", "right")
    assert same(drawing, f"{YOU}\n. . . . .\n. baba KEY IS .")
    drawing, _ = after(f"{YOU}\n. . . . .\nbaba KEY IS . .", "right", "right", "right", "right")
    assert same(drawing, f"{YOU}\n. . . . .\n. . baba KEY IS")


def test_stop_blocks_and_its_absence_does_not():
    free = f"{YOU}\n. . . . .\nbaba wall . . ."
    drawing, _ = after(free, "right")
    assert same(drawing, f"{YOU}\n. . . . .\n. wall+baba . . .")
    stopped = f"{YOU}\nWALL IS STOP . .\nbaba wall . . ."
    assert same(after(stopped, "right")[0], stopped)
    pushing = f"{YOU}\nWALL IS STOP . .\nbaba KEY wall . ."
    assert same(after(pushing, "right")[0], pushing)


def test_a_block_goes_over_objects_that_are_not_stop():
    drawing, _ = after(f"{YOU}\n. . . . .\nbaba KEY ball . .", "right", "right")
    assert same(drawing, f"{YOU}\n. . . . .\n. . ball+baba KEY .")


def test_breaking_stop_opens_the_way():
    start = """
        BABA IS  YOU .
        .    .   .   .
        WALL IS  STOP .
        .    .   baba wall
    """
    assert same(after(start, "right")[0], start)
    drawing, _ = after(start, "up", "down", "right")
    assert same(drawing, "BABA IS YOU .\n. . STOP .\nWALL IS . .\n. . . wall+baba")


def test_making_a_rule_and_going_there_wins():
    start = """
        BABA IS   YOU .  .
        .    .    .   .  .
        baba BALL .   IS WIN
        .    .    .   .  ball
    """
    assert after(start, "down", "right", "right", "right", "right")[1] == ""
    assert after(start, "right", "down", "right", "right", "right")[1] == "won"


@pytest.mark.parametrize("original", [False, True])
def test_a_rule_made_this_turn_counts_from_the_next(original: bool):
    start = f"{YOU}\n. . . . .\nbaba ball+BALL . IS WIN"
    drawing, outcome = after(start, "right", original=original)
    assert same(drawing, f"{YOU}\n. . . . .\n. ball+baba BALL IS WIN") and outcome == ""
    assert after(start, "right", "left", "right", original=original)[1] == "won"


def test_losing_you_loses():
    start = ". BABA .\n. IS .\nbaba YOU .\n. . ."
    drawing, outcome = after(start, "right")
    assert same(drawing, ". BABA .\n. IS .\n. baba YOU\n. . .")
    assert outcome == "lost"
    assert after(start, "right", original=True)[1] == ""


def test_a_win_counts_even_where_you_is_lost_with_it():
    start = """
        . BABA     .    BALL
        . IS       .    IS
        . ball+YOU baba WIN
    """
    drawing, outcome = after(start, "left")
    assert same(drawing, ". BABA . BALL\n. IS . IS\nYOU ball+baba . WIN")
    assert outcome == "won"


def test_lose_loses_and_win_comes_first():
    assert after("BABA IS YOU\nBALL IS LOSE\nbaba ball .", "right")[1] == "lost"
    assert after("BABA IS YOU .\nBALL IS LOSE .\nBALL IS WIN .\nbaba ball . .", "right")[1] == "won"


def test_an_object_that_is_push_is_pushed():
    start = "BABA IS YOU .\nBALL IS PUSH .\nbaba ball . ."
    assert same(after(start, "right")[0], "BABA IS YOU .\nBALL IS PUSH .\n. baba ball .")
    assert same(after(start, *["right"] * 4)[0], "BABA IS YOU .\nBALL IS PUSH .\n. . baba ball")


def test_waiting_changes_nothing():
    state = board(f"{YOU}\nBALL IS KEY . .\nbaba ball . . .")
    assert step(state, "idle") == (state, "")


def test_a_state_is_never_changed():
    state = board(f"{YOU}\n. . . . .\nbaba KEY . . .")
    cells = state.cells
    step(state, "right")
    assert state.cells is cells and drawn(state) == drawn(board(drawn(state)))


# --------------------------------------------------------------------------- several YOU, and X is Y: mended

BOTH = "BABA IS YOU .\nKEY IS YOU .\nBALL IS WIN ."


def test_any_you_wins():
    start = f"{BOTH}\nbaba ball . .\nkey . . ."
    assert after(start, "right")[1] == "won"
    assert after(start, "right", original=True)[1] == ""
    last = f"{BOTH}\nkey . . .\nbaba ball . ."
    assert after(last, "right")[1] == after(last, "right", original=True)[1] == "won"


def test_you_that_is_win_wins_by_any_step():
    start = "BABA IS YOU .\nBABA IS WIN .\n. baba . ."
    assert after(start, "down")[1] == "won"
    assert after(start, "right")[1] == "won"
    assert after(start, "right", original=True)[1] == ""
    assert after(start, "down", original=True)[1] == "won"


def test_the_foremost_you_goes_first():
    start = f"{BOTH}\nbaba key . ."
    assert same(after(start, "right")[0], f"{BOTH}\n. baba key .")
    assert same(after(start, "right", original=True)[0], f"{BOTH}\n. key+baba . .")
    assert same(after(f"{BOTH}\n. . baba key", "left")[0], f"{BOTH}\n. baba key .")
    down = f"{BOTH}\nbaba . . .\nkey . . .\n. . . ."
    assert same(after(down, "down")[0], f"{BOTH}\n. . . .\nbaba . . .\nkey . . .")


def test_x_is_y_turns_x_into_y():
    rules = "BABA IS YOU .\nBALL IS KEY ."
    start = f"{rules}\n. . . .\nbaba . ball ball"
    assert same(after(start, "up")[0], f"{rules}\nbaba . . .\n. . key key")
    assert same(after(start, "up", original=True)[0], f"{rules}\nbaba . . .\n. . ball+key ball+key")


def test_you_can_turn_into_something_else():
    start = "BABA IS YOU .\nKEY IS YOU .\nBABA IS KEY .\n. . . .\n. . . baba"
    drawing, outcome = after(start, "up")
    assert same(drawing, "BABA IS YOU .\nKEY IS YOU .\nBABA IS KEY .\n. . . key\n. . . .") and outcome == ""
    assert after("BABA IS YOU\nBABA IS KEY\n. . baba\n. . .", "down")[1] == "lost"


def test_x_is_x_turns_nothing():
    start = "BABA IS YOU .\nBALL IS BALL .\nbaba . ball ."
    assert same(after(start, "right", original=True)[0], "BABA IS YOU .\nBALL IS BALL .\n. baba ball .")


# --------------------------------------------------------------------------- text


def test_the_text_of_one_you_is_balrogs_with_its_plurals_mended():
    state = board("BABA IS YOU .\n. . . key\n. . baba .\nball . . .")
    assert describe(state) == (
        "Active rules:\nbaba is you\n\nObjects on the map:\n"
        "rule `baba` 2 steps to the left and 2 steps up\nrule `is` 1 step to the left and 2 steps up\nrule `you` 2 steps up\n"
        "key 1 step to the right and 1 step up\nball 2 steps to the left and 1 step down"
    )
    assert describe_as_balrog(state) == describe(state).replace("2 steps to the left", "2 step to the left").replace("2 steps up", "2 step up")


def test_further_you_objects_are_named():
    state = board("BABA IS YOU\nKEY IS YOU\nkey . baba\n. . .")
    told = describe(state).split("\n\n")[1]
    assert told.startswith("You control 2 objects at once. Positions are told from the first of them, the key.\nObjects on the map:\n")
    assert told.endswith("\nbaba 2 steps to the right (you)")
    original = describe_as_balrog(state)
    assert "baba 2" not in original and "\n\n\n" not in original
    assert original.endswith("rule `you` 2 steps to the right and 1 step up\n")  # the empty line is the key itself


def test_you_that_is_not_baba_is_named():
    told = describe(board("KEY IS YOU\nkey . baba\n. . .")).split("\n\n")[1]
    assert told.startswith("You control the key. Positions are told from it.\nObjects on the map:\n")
    assert told.endswith("\nbaba 2 steps to the right")


def test_rules_of_objects_are_listed():
    state = board("BABA IS YOU\nBALL IS KEY\nbaba . .")
    assert describe(state).startswith("Active rules:\nbaba is you\nball is key\n\n")
    assert describe_as_balrog(state).startswith("Active rules:\nbaba is you\n\n")


def test_all_you_objects_count_not_only_those_of_the_last_rule():
    state = board("BABA IS YOU\nKEY IS YOU\n. . baba")
    assert focus(state) is not None and focus(state, original=True) is None


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
        count = sum(len(_stack(cell)) for cell in state.cells)
        for original in (False, True):
            now, outcome = state, ""
            for action in rng.choice(["up", "right", "down", "left"], size=80):
                now, outcome = step(now, str(action), original=original)
                assert now.rules == read(now.cells, now.width)
                if outcome:
                    break
                assert now.rules.turns or sum(len(_stack(cell)) for cell in now.cells) == count


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
        assert (terminated, truncated, info["success"], info["progress"], info["end_reason"]) == (True, False, True, 1.0, "won")
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
    assert estimate(board(f"{YOU}\n. . . . .\nbaba BALL . IS WIN\nball . . . .")) == 2  # a push, and all but 3 of 4 steps


# --------------------------------------------------------------------------- the environment


def test_losing_you_ends_the_episode():
    env = make("babaisai", PUSH_YOU[0])
    before, _ = env.reset(seed=PUSH_YOU[1])
    assert "baba is you" in before["text"]
    observation, reward, terminated, truncated, info = env.step("down")
    assert observation["text"].endswith("\n\nNothing on the map is `you` any more: the game is lost.")
    assert "baba is you" not in observation["text"]
    assert (reward, terminated, truncated, info["success"], info["progress"], info["end_reason"]) == (0.0, True, False, False, 0.0, "lost")
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
    assert "Objects on the map:\ndefaultdict(<function BabaIsAIWrapper.textworld_process_obsv.<locals>.<lambda> at 0x...>, {'text': " in text
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
        env._state = board(". BABA . BALL\n. IS . IS\n. ball+YOU baba WIN")
        _, reward, terminated, _, info = env.step("left")
        assert (reward > 0, terminated, info["progress"], info["success"]) == (True, True, progress, progress == 1)


def test_the_step_limit_ends_and_measures():
    env = make("babaisai", max_steps=3)
    env.reset(seed=0)
    for _ in range(3):
        _, reward, terminated, truncated, info = env.step("idle")
    assert (reward, terminated, truncated, info["success"], info["end_reason"]) == (0.0, False, True, False, "step limit")
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
    picture = paint(board(f"{YOU}\nbaba . . . ball"))
    ball = DEFAULT["ball"]
    np.testing.assert_array_equal(picture[2 * TILE : 3 * TILE, 5 * TILE : 6 * TILE], strip[:, ball * TILE : (ball + 1) * TILE])


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
    script = "import json; from tests import transcripts as t; print(json.dumps([t.play('babaisai', **e) for e in t.EPISODES['babaisai']]))"
    root = Path(__file__).parents[2]
    run = lambda seed: subprocess.run(  # noqa: E731
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=root, env={**os.environ, "PYTHONHASHSEED": seed}
    )
    one, other = run("1"), run("2")
    assert one.stderr == other.stderr == ""
    assert json.loads(one.stdout) == json.loads(other.stdout) == transcripts.golden("babaisai")
