"""The number of `embodied power` delivers what it promises, and its test is the one of `embodied compare`."""

from __future__ import annotations

import math

import numpy as np
import pytest

from embodied.eval import power as powers
from embodied.eval import statistics as st
from embodied.eval.pairs import mcnemar, paired_p
from embodied.eval.simulation import Coin, Graded, _monotone, simulated_need, simulated_power


def strata(values: np.ndarray) -> list[st.Stratum]:
    return st.stratify({("env", str(i)): row for i, row in enumerate(values)})


@pytest.mark.parametrize(
    ("rate", "difference", "correlation"),
    [
        (0.1, 0.2, 0.0),
        (0.5, 0.25, 0.5),
        pytest.param(0.5, 0.25, 0.0, marks=pytest.mark.slow),
        pytest.param(0.9, 0.15, 0.0, marks=pytest.mark.slow),
    ],
)
def test_successes_are_shown_as_often_as_promised(rate, difference, correlation):
    """The standard error of 1,000 comparisons is 0.013."""
    coin = Coin(rate, correlation)
    n = simulated_need([(1.0, coin)], difference)
    win, lose = coin.chances(difference)
    assert win - lose == pytest.approx(difference)
    outcomes = np.random.default_rng(6).multinomial(n, [win, lose, max(0.0, 1 - win - lose)], 1_000)
    shown = np.mean([mcnemar(int(a), int(b), n) <= 0.05 for a, b, _ in outcomes])
    assert 0.76 <= shown <= 0.86


@pytest.mark.parametrize("correlation", [0.0, 0.5])
@pytest.mark.slow
def test_progress_is_shown_as_often_as_promised(correlation):
    rng = np.random.default_rng(7)
    task = Graded(tuple(rng.beta(1, 4, 2_000)), correlation)
    n = simulated_need([(0.5, task)] * 2, 0.12)
    shared = rng.random((400, 2, n)) < correlation
    b, other = rng.beta(1, 4, (400, 2, n)), rng.beta(1, 4, (400, 2, n))
    a = np.where(shared, b, other) + 0.12
    shown = np.mean([st.paired_permutation(strata(x), resamples=1_000) <= 0.05 for x in a - b])
    assert 0.74 <= shown <= 0.86


def test_the_simulated_test_is_the_one_of_compare():
    """McNemar's, and the permutation test with every sign pattern (10 pairs), with random ones (40) and with its limit
    (240).
    """
    rng = np.random.default_rng(8)
    for task, n in (
        (Coin(0.5), 30),
        (Graded((0.1, 0.2, 0.9, 0.4, 0.45)), 5),
        (Graded((0.1, 0.2, 0.9, 0.4, 0.45)), 20),
        (Coin(0.5, 0.5), 120),
    ):
        difference = 1.5 * task.variance(0.2) ** 0.5 / n**0.5
        weights = (0.5, 0.5) if n < 120 else (0.4, 0.6)
        found = simulated_power([(w, task) for w in weights], n, difference)
        draws = [
            [st.Stratum("env", str(i), task.draw(difference, (1, n), rng)[0], w) for i, w in enumerate(weights)]
            for _ in range(400)
        ]
        shown = np.mean([paired_p(draw, 1_000) <= 0.05 for draw in draws])
        assert found == pytest.approx(shown, abs=0.09), (task, n)


@pytest.mark.slow
def test_the_number_is_the_same_every_time_and_falls_with_the_difference():
    tasks = [(0.5, Coin(0.3)), (0.5, Coin(0.6))]
    needed = [simulated_need(tasks, difference) for difference in (0.4, 0.3, 0.2, 0.1, 0.02)]
    assert needed == sorted(needed) and needed[0] > 3
    assert simulated_need(tasks, 0.3) == needed[1]
    assert simulated_need(tasks, 1e-6) is None
    assert simulated_need(tasks, 1.0) <= 6


def test_monotone():
    assert _monotone([0.1, 0.3, 0.2, 0.5]) == [0.1, 0.25, 0.25, 0.5]


def test_chances_stay_chances():
    for rate in (0.0, 0.02, 0.5, 1.0):
        for difference in (0.01, 0.5, 1.0):
            for pairs in (False, True):
                win, lose = Coin(rate, 0.0 if pairs else 0.6, pairs).chances(difference)
                assert win - lose == pytest.approx(difference) and lose >= -1e-12 and win + lose <= 1 + 1e-12


@pytest.mark.slow
def test_the_range_covers_with_pilots_of_25():
    """One run of a single task with three successes in ten; see benchmarks/power.py for more."""
    truth, rng, held = simulated_need([(1.0, Coin(0.3))], 0.25), np.random.default_rng(9), 0
    counts = rng.multinomial(200, [math.comb(25, k) * 0.3**k * 0.7 ** (25 - k) for k in range(26)])
    for successes, times in enumerate(counts):
        if times:
            coin = Coin(successes / 25)
            guess = st.episodes_needed([(1.0, coin.variance(0.25))], 0.25)
            low, high = powers.need_interval(
                powers.Pilot("a pilot", [(1.0, coin)], (25,)), guess, 0.25, st.LEVEL, st.POWER
            )
            held += times * (low <= truth <= high)
    assert held >= 180
