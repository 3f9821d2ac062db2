"""Every expert of the catalog advises from wherever play leads: as a corrector it has to, after whatever was played."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from msgspec import UNSET

from embodied.agents.random import draw
from embodied.agents.vocabulary import present
from embodied.catalog import ENTRIES
from embodied.envs import make
from embodied.envs.spaces import Choice
from embodied.seeding import derive, generator
from embodied.types import Observation

NOISE = 10
"""Random actions before the expert is asked."""
FEWER = {"patheval_loop": 3, "corner_case_drive": 2}
"""Of these, where ten are nearly all an episode has, or leave the road."""
SEEDS = 3
ONE_ANSWER = ("patheval", "codalm", "grounding3d")
"""An episode is one answer: a random one ends it."""
LIMITS = {"crafter": 300}
"""Steps, where an episode would be long."""
SLOW = {
    "babaisai": ("env/two_room-make_win", "env/two_room-break_stop-make_win", "env/two_room-make_wall_win"),
    "highway": ("merge", "roundabout", "intersection", "two-way", "u-turn", "lane-keeping", "racetrack"),
}
"""Tasks that the slow tests play, where not all: a level without a solution costs twenty seconds, and a crowded road
more.
"""
QUICK = {
    "minihack": ("MiniHack-Corridor-R3-v0",),
    "babyai": ("BabyAI-MixedTrainLocal-v0/pick_up_seq_go_to",),
    "textworld": (),  # tests/games/test_textworld_expert.py
    "babaisai": ("env/make_win", "env/two_room-goto_win"),
    "corner_case_drive": (),
    "patheval_loop": (),
    "highway": ("parking", "exit"),
}
"""Tasks that are tested every time; the first one where none are named. The slow tests play the others."""


def cases(quick: bool) -> list[tuple[str, str, str]]:
    """(environment, expert, task)."""
    found = []
    for name, entry in ENTRIES.ours.items():
        for expert in entry.experts:
            often = QUICK.get(name, entry.tasks[:1])
            rarely = [task for task in SLOW.get(name, entry.tasks) if task not in often]
            found += [(name, expert, task) for task in (often if quick else rarely)]
    return found


@dataclass(frozen=True)
class Played:
    """How an episode went."""

    ended: bool
    """Whether the random actions ended it."""
    success: bool
    progress: float
    reason: str


def advised(env: Any, observation: dict[str, Any]) -> str:
    """The advice, checked: it is an action that can be chosen."""
    advice: str = observation["expert"]
    assert advice and advice in env.action_space
    if "actions" in observation and isinstance(env.action_space, Choice):
        assert advice in observation["actions"]
    return advice


def play(env: Any, seed: int, noise: int) -> Played:
    """Random actions, then what the expert advises."""
    rng = generator(derive(seed, "experts"))
    observation, info = env.reset(seed=seed)
    over, step = False, 0
    while not over:
        action = advised(env, observation)
        if step < noise:
            seen = Observation(observation["text"], actions=observation.get("actions", UNSET))
            action = draw(rng, present(env.mission, seen), seen)
        observation, _, terminated, truncated, info = env.step(action)
        over, step = terminated or truncated, step + 1
    return Played(step <= noise, bool(info["success"]), info["progress"] or 0.0, info.get("end_reason", ""))


def check(name: str, expert: str, task: str) -> None:
    entry = ENTRIES.ours[name]
    limit = {"max_steps": LIMITS[name]} if name in LIMITS else {}
    env = make(name, task, expert=expert if len(entry.experts) > 1 else True, **limit)
    start = [play(env, seed, 0) for seed in range(SEEDS)]
    later = [play(env, seed, FEWER.get(name, NOISE)) for seed in range(SEEDS)]
    env.close()
    going = [episode for episode in later if not episode.ended]
    if name in ONE_ANSWER:
        assert not going
        assert sum(episode.progress for episode in start) > 0.8 * SEEDS
    elif name in ("textworld", "babyai"):
        assert all(episode.success for episode in (*start, *going))
    elif name == "crafter":
        assert sum(e.progress for e in going) >= 0.7 * sum(e.progress for e in start)
    elif name in ("minihack", "babaisai", "patheval_loop", "corner_case_drive"):
        assert sum(e.success for e in going) >= sum(e.success for e in start) - 1 - (SEEDS - len(going))
    elif name == "highway":  # a random driver has accidents, and a score that is lost stays lost
        lost = [e for e in going if e.reason in ("collision", "off the road")]
        assert sum(e.success for e in going) >= sum(e.success for e in start) - 1 - len(lost) - (SEEDS - len(going))


@pytest.mark.parametrize(("name", "expert", "task"), cases(quick=True))
def test_an_expert_goes_on_after_random_actions(name: str, expert: str, task: str):
    check(name, expert, task)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "expert", "task"), cases(quick=False))
def test_every_expert_goes_on_after_random_actions(name: str, expert: str, task: str):
    check(name, expert, task)


def test_an_answer_that_was_not_the_last_changes_no_advice():
    """Where an episode can be more than one answer: looking closer, and the first answer of a chain."""
    env = make("codalm", "region_perception", expert=True, image=True, zoom=2)
    before = env.reset(seed=3)[0]["expert"]
    for box in ("100, 80, 200, 150", "1, 80, 50, 50"):
        assert env.step(f"zoom({box})")[0]["expert"] == before
    assert env.step(before)[-1]["progress"] > 0.8
    env.close()
    env = make("grounding3d", "locate", expert=True, chain="box_first")
    first = env.reset(seed=3)[0]["expert"]
    observation, _, terminated, _, _ = env.step("I do not know.")
    assert not terminated and observation["expert"] != first
    assert env.step(observation["expert"])[-1]["success"]
    env.close()
