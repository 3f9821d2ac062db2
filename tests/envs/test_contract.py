"""Every environment of the suite, every task, keeps every rule of the contract; and plays at
random to a healthy end.
"""

from __future__ import annotations

from functools import partial

import pytest

from embodied.envs import ENTRIES, make
from embodied.envs.check import check

TASKS = [(e.name, task) for e in ENTRIES.values() for task in e.tasks]
SHORT = {"patheval_loop": 10, "corner_case_drive": 30, "highway": 30}
"""Random steps in environments where a step plans or simulates much."""
HEAVY = {("highway", "highway"), ("highway", "intersection"), ("patheval_loop", "drive")}
EACH = pytest.mark.parametrize(
    ("name", "task"),
    [pytest.param(*each, id="-".join(each), marks=[pytest.mark.slow] if each in HEAVY else []) for each in TASKS],
)
GAMES = [e.name for e in ENTRIES.values() if e.extra == "games"]


def test_balrog_has_58_tasks():
    assert sum(name in GAMES for name, _ in TASKS) == 58


@EACH
def test_every_task_keeps_the_contract(name: str, task: str):
    report = check(partial(make, name, task), steps=3 if name in SHORT else 8)
    assert report.ok, report


@pytest.mark.parametrize("name", GAMES)
def test_the_original_rules_keep_it_too(name: str):
    report = check(partial(make, name, rules="balrog"), steps=8)
    assert report.ok, report


@EACH
def test_random_play_stays_in_the_spaces(name: str, task: str):
    env = make(name, task)
    env.action_space.seed(7)
    observation, info = env.reset(seed=7)
    for _ in range(SHORT.get(name, 100)):
        assert observation in env.observation_space
        assert 0 <= info["progress"] <= 1
        observation, _, terminated, truncated, info = env.step(env.action_space.sample())
        if terminated or truncated:
            observation, info = env.reset()
    env.close()
