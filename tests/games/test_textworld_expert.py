"""TextWorld's expert: it finds a way from wherever play has led, and nobody sees the difference."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from embodied.envs import entry, make
from embodied.games.textworld import games
from embodied.games.textworld.logic import logic
from embodied.games.textworld.planning import plan

COIN, COOKING, TREASURE = "coin_collector", "the_cooking_game", "treasure_hunter"
TASKS = entry("textworld").tasks
JUNK = (
    "look",
    "inventory",
    "north",
    "e",
    "xyzzy",
    "take it",
    "again",
    "drop all",
    "take all",
    "",
    "oops",
    "enter door",
)


def rules(name: str):
    return logic(games._shipped_json(name))


def wander(env, rng: random.Random) -> str:
    """A command at random: one that changes something without losing, or one of `JUNK`."""
    now = env._adviser._now
    found = [a for a in now.logic.actions if now.state & a.needs == a.needs]
    safe = {a.command for a in found if not now.logic.lost(now.logic.after(now.state, a))}
    return rng.choice([*sorted(safe), *JUNK])


def detour(env, plain, seed: int, noise: int) -> dict:
    """Plays random commands, then the advice; both environments must show the same. Returns the last info."""
    rng = random.Random(seed)
    observation, info = env.reset(seed=seed)
    plain.reset(seed=seed)
    over, step = False, 0
    while not over:
        command = wander(env, rng) if step < noise else observation["expert"]
        assert command or step < noise
        observation, *rest = env.step(command)
        seen, *others = plain.step(command)
        assert ({**seen, "expert": observation["expert"]}, others) == (observation, rest)
        _, terminated, truncated, info = rest
        now = env._adviser._now
        assert (now.state & now.logic.goal).bit_count() == info["metrics"]["score"], "it knows what was done"
        over, step = terminated or truncated, step + 1
    return info


@pytest.mark.parametrize("task", TASKS)
def test_it_wins_after_ten_random_commands(task: str):
    env, plain = make("textworld", task, expert=True), make("textworld", task)
    assert [detour(env, plain, seed, 10)["end_reason"] for seed in range(3)] == ["won"] * 3
    env.close()
    plain.close()


@pytest.mark.slow
@pytest.mark.parametrize("noise", [10, 30])
@pytest.mark.parametrize("task", TASKS)
def test_it_wins_every_game_after_random_commands(task: str, noise: int):
    env, plain = make("textworld", task, expert=True), make("textworld", task)
    wins = [detour(env, plain, seed, noise)["end_reason"] == "won" for seed in range(10)]
    assert sum(wins) >= (10 if noise == 10 else 9)
    env.close()
    plain.close()


def test_the_walkthrough_is_what_one_hears_who_follows_it():
    env = make("textworld", COOKING, expert=True)
    observation, _ = env.reset(seed=0)
    walkthrough = env._game.facts.walkthrough
    heard = []
    for _ in walkthrough:
        heard.append(observation["expert"])
        observation, *_ = env.step(observation["expert"])
    env.close()
    assert tuple(heard) == walkthrough


def test_a_plan_is_never_longer_than_the_walkthrough():
    for name in (f"{COOKING}-4", f"{TREASURE}-4", f"{COIN}-4"):
        found = rules(name)
        shortest, walkthrough = plan(found, found.start), games._shipped_facts(name)[0].walkthrough
        state = found.start
        for command in shortest:
            state = found.after(state, found.commanded(state, command))
        assert found.won(state) and not found.lost(state)
        assert len(shortest) <= len(walkthrough)


def test_where_nothing_wins_there_is_no_plan():
    found = rules(f"{TREASURE}-0")
    lost = next(mask for quest in found.quests for mask in quest.loses)
    assert plan(found, found.start | lost) is None
    without = [action for action in found.actions if not action.rule.startswith("take")]
    assert plan(type(found)(found.start, tuple(without), found.quests, found.goal), found.start) is None


def test_other_words_for_the_advice_are_understood():
    env = make("textworld", COIN, expert=True)
    observation, _ = env.reset(seed=0)
    first, second = env._game.facts.walkthrough[:2]
    assert observation["expert"] == first
    assert env.step(first.removeprefix("go ")[0])[0]["expert"] == second
    env.close()


def test_a_broken_game_gets_no_advice():
    """After five commands of this kind, Inform answers every command with a run-time problem."""
    env = make("textworld", COIN, expert=True)
    observation, _ = env.reset(seed=1)
    for _ in range(5):
        assert observation["expert"]
        observation, *_ = env.step("drop all")
    assert "Run-time problem" in observation["text"] and observation["expert"] == ""
    assert "Run-time problem" in env.step("go west")[0]["text"]
    assert env.reset(seed=1)[0]["expert"]
    env.close()


@pytest.mark.parametrize("rules_", ["embodied", "balrog"])
def test_published_games_have_an_expert_too(balrog_data: Path, rules_: str):
    """Under BALROG's rules, `undo` reaches the game: the expert goes back with it."""
    env = make("textworld", COIN, rules=rules_, expert=True)
    game = str(balrog_data / "games" / "level_220_seed_1171.ulx")
    observation, _ = env.reset(seed=0, options={"game": game})
    for command in ("north", "south", "east", "west", "undo", "look. inventory", "undo"):
        observation, *_ = env.step(command)
    over, info = False, {}
    while not over:
        observation, _, terminated, truncated, info = env.step(observation["expert"])
        over = terminated or truncated
    env.close()
    assert info["end_reason"] == "won" and len(env._actions) < 35
