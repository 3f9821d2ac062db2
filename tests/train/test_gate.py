"""The gate: what it lets through, what it keeps out, and how often it is wrong."""

from __future__ import annotations

import numpy as np
import pytest

from embodied.eval.pairs import better_p, paired_p
from embodied.eval.results import read
from embodied.eval.statistics import Stratum
from embodied.train.gate import LEVEL, MOST, episodes_for, false_promotion, judge
from tests.eval.runs import make_run

TASK, OTHER = ("a", "x"), ("a", "y")


def verdict(tmp_path, parent, child):
    return judge(read(make_run(tmp_path / "parent", parent)), read(make_run(tmp_path / "child", child)))


def test_a_better_child_is_promoted(tmp_path):
    found = verdict(tmp_path, {TASK: [0] * 20 + [1] * 10}, {TASK: [1] * 20 + [1] * 10})
    assert found.decided == "promoted" and found.p < 0.002 and found.coverage == 1
    assert found.child - found.parent == pytest.approx(2 / 3) and found.interval[0] > 0.3


def test_a_child_that_may_be_lucky_is_not(tmp_path):
    found = verdict(tmp_path, {TASK: [0, 0, 0] + [1] * 27}, {TASK: [1, 1, 0] + [1] * 27})
    assert found.decided == "kept" and found.p > LEVEL and "not shown" in found.why


def test_a_gain_does_not_pay_for_a_loss(tmp_path):
    """Much better at one task and shown to be worse at another: the parent stays, and the task is named."""
    found = verdict(
        tmp_path,
        {TASK: [0] * 40, OTHER: [1] * 15 + [0] * 25},
        {TASK: [1] * 40, OTHER: [0] * 15 + [0] * 25},
    )
    assert found.p < 0.01 and found.decided == "kept" and "worse at y" in found.why
    assert {t.task: t.worse <= LEVEL for t in found.tasks} == {"x": False, "y": True}


def test_failures_of_a_server_decide_nothing(tmp_path):
    found = verdict(tmp_path, {TASK: [0] * 20}, {TASK: [1] * 15 + [None] * 5})
    assert found.decided == "undecided" and found.coverage == 0.75 and "15 of 20" in found.why


@pytest.mark.parametrize("values", [(1.0, -1.0, 0.0), (0.5, -0.25, 0.0)], ids=["coins", "graded"])
def test_false_promotions_stay_below_the_level(values):
    """Differences that are as likely for as against: at most 5 % of gates let such a child through."""
    rng = np.random.default_rng(1)
    up, down, same = values
    wrong = 0
    for _ in range(400):
        signs = rng.choice([up, -up, down, -down, same], size=24, p=[0.15, 0.15, 0.15, 0.15, 0.4])
        wrong += better_p([Stratum("a", "x", signs, 1.0)], resamples=500) <= LEVEL
    assert wrong <= 400 * LEVEL + 2.6 * np.sqrt(400 * LEVEL * (1 - LEVEL))


def test_one_side_against_two():
    better = [Stratum("a", "x", np.array([1.0] * 9 + [-1.0] * 2 + [0.0] * 20), 1.0)]
    worse = [Stratum("a", "x", -better[0].values, 1.0)]
    assert paired_p(better) / 2.2 < better_p(better) < paired_p(better) and better_p(worse) > 0.9


def test_how_many_dev_episodes(tmp_path):
    rng = np.random.default_rng(0)
    coin = episodes_for(read(make_run(tmp_path / "coin", {TASK: list(rng.integers(0, 2, 40))})))
    sure = episodes_for(read(make_run(tmp_path / "sure", {TASK: [1] * 40})))
    several = episodes_for(read(make_run(tmp_path / "several", {("a", f"t{i}"): [0, 1] * 10 for i in range(5)})))
    assert 100 < coin <= MOST and 100 < sure <= MOST and several < coin / 3
    assert false_promotion(3) == pytest.approx(0.15) and false_promotion(30) == 1
