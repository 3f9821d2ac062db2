"""Every environment of the suite, every task, keeps every rule of the contract; and plays at random to a healthy end."""

from __future__ import annotations

from functools import partial

import pytest

from embodied.envs import ENTRIES, make
from embodied.envs.check import check

TASKS = [(e.name, task) for e in ENTRIES.values() for task in e.tasks]


def test_there_are_58_tasks():
    assert len(TASKS) == 58


@pytest.mark.parametrize(("name", "task"), TASKS, ids=[f"{name}-{task}" for name, task in TASKS])
def test_every_task_keeps_the_contract(name: str, task: str):
    report = check(partial(make, name, task), steps=8)
    assert report.ok, report


@pytest.mark.parametrize("name", ENTRIES)
def test_the_original_rules_keep_it_too(name: str):
    report = check(partial(make, name, rules="balrog"), steps=8)
    assert report.ok, report
