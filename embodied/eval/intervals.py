"""Intervals of scores and of their differences: closed forms for means of values in [0, 1] over few tasks of few
episodes.

Resampling cannot show what did not happen by chance: a task with constant results would add no uncertainty.
So three steps, none of which draws a random number:

1. Within an environment (Wilson's idea, for several tasks): the variance of a task's values is its own, shrunk a little
towards what the environment's mean allows (`PRIOR`). The interval holds all means from which the observed one is not
too far away; the variance changes with the mean.
2. Over environments: squares of the distances add (MOVER; Zou and Donner 2008), below and above the score separately.
3. For a difference of two scores: the same, with the correlation of what is paired (Newcombe 1998, method 10).

`benchmarks/coverage.py` simulates how often they cover; docs/statistics.md has its table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from embodied.eval.statistics import LEVEL, Interval, Stratum, known_mean, student_quantile, why_no_interval, wilson

PRIOR = 8.0
"""Values' worth of belief, over all tasks of an environment together, that its tasks are alike; a single task has no
other to be like.
"""
SKEW, SKEW_EPISODES, CURVE = 0.9, 1.25, 0.75
"""How far the variance follows the mean: SKEW n / (n + SKEW_EPISODES) of the slope a coin has, CURVE of its curvature.
Wilson's interval has 1 of both and is wider near 0 and 1; Cai (2005) derives 0.75 for the slope of one large sample.
The three numbers, PRIOR and CENTRE were chosen by simulation of the designs in docs/statistics.md and of 111 others."""
CENTRE = 0.2
"""Successes and failures that are added to the pooled mean before its variance is taken."""
COINS = 0.1
"""A little belief that values are 0 or 1, so that an environment with only one value does not count as certain.
"""
TOGETHER = 4.0
"""Episodes' worth of belief that two runs are independent. Without it, two equal runs would have a difference without
uncertainty.
"""


def interval(strata: Sequence[Stratum], level: float = LEVEL) -> Interval | None:
    """Interval of the score of `strata`, cut to [0, 1]; None where there can be none (see `why_no_interval`).

    Args:
        strata: With values in [0, 1].
    """
    if why_no_interval(strata):
        return None
    score, below, above = known_mean(strata), 0.0, 0.0
    for tasks in _environments(strata):
        share = sum(s.weight for s in tasks)
        centre = sum(s.weight * float(s.values.mean()) for s in tasks) / share
        low, high = _environment(tasks, share, level)
        if len(strata) == 1 and (alone := _coin(tasks[0], level)):
            low, high = min(low, alone[0]), max(high, alone[1])
        below += (share * (centre - low)) ** 2
        above += (share * (high - centre)) ** 2
    return max(0.0, score - math.sqrt(below)), min(1.0, score + math.sqrt(above))


def difference_interval(
    a: Sequence[Stratum], b: Sequence[Stratum], paired: bool, level: float = LEVEL
) -> Interval | None:
    """Interval of the score of `a` minus that of `b`, in [-1, 1]; None where one of them has no interval.

    Args:
        a: Of one run.
        b: Of the other: the same tasks in the same order.
        paired: Whether the values of a task are of the same seeds in the same order.
    """
    of_a, of_b = interval(a, level), interval(b, level)
    if of_a is None or of_b is None:
        return None
    x, y = known_mean(a), known_mean(b)
    together = correlation(a, b) if paired else 0.0
    below = _together(x - of_a[0], of_b[1] - y, together)
    above = _together(of_a[1] - x, y - of_b[0], together)
    return max(-1.0, x - y - below), min(1.0, x - y + above)


def correlation(a: Sequence[Stratum], b: Sequence[Stratum]) -> float:
    """Correlation of two paired scores in (-1, 1), a little closer to 0 than measured if values are 0 and 1; 0 where
    one is constant.
    """
    shared = var_a = var_b = 0.0
    for x, y in zip(a, b, strict=True):
        u, v, weight = (
            x.values - x.values.mean(),
            y.values - y.values.mean(),
            x.weight**2 / len(x.values) / (len(x.values) - 1),
        )
        shared, var_a, var_b = (
            shared + weight * float(u @ v),
            var_a + weight * float(u @ u),
            var_b + weight * float(v @ v),
        )
    if var_a <= 0 or var_b <= 0:
        return 0.0
    n = sum(len(s.values) for s in a)
    held = TOGETHER * max(_coins(list(a)), _coins(list(b)))
    return shared / math.sqrt(var_a * var_b) * n / (n + held)


def _together(one: float, other: float, correlated: float) -> float:
    return math.sqrt(max(0.0, one**2 + other**2 - 2 * correlated * one * other))


def _environments(strata: Sequence[Stratum]) -> list[list[Stratum]]:
    found: dict[str, list[Stratum]] = {}
    for s in strata:
        found.setdefault(s.env, []).append(s)
    return list(found.values())


def _coins(tasks: Sequence[Stratum]) -> float:
    """How far values are like coins, in (0, 1]: 1 where all are 0 or 1, near 0 where they stay
    close to a mean between.
    """
    around = sum(float(((s.values - s.values.mean()) ** 2).sum()) for s in tasks)
    between = sum(float((s.values * (1 - s.values)).sum()) for s in tasks)
    return min(1.0, (around + COINS) / (around + max(0.0, between) + COINS))


def _coin(task: Stratum, level: float) -> Interval | None:
    """Wilson's interval of a task's values where all are 0 or 1: with two or three of them, the other one alone covers
    too little. Among other environments it is not needed: the suite's total covers without it, and would be a quarter
    wider with it.
    """
    ones = int(task.values.sum())
    return wilson(ones, len(task.values), level) if set(task.values.tolist()) <= {0.0, 1.0} else None


def _environment(tasks: Sequence[Stratum], share: float, level: float) -> Interval:
    """Interval of one environment's score, not cut: all means `m` with (m - score)² <= t² (V + slope (m - score) -
    curve (m - score)²).
    """
    n = np.array([len(s.values) for s in tasks], dtype=float)
    part = np.array([s.weight / share for s in tasks])
    means = np.array([s.values.mean() for s in tasks])
    own = np.array([s.values.var(ddof=1) for s in tasks])
    score, k, total = float(part @ means), len(tasks), float(n.sum())
    coins = _coins(tasks)
    pooled = (total * score + 2 * CENTRE) / (total + 4 * CENTRE)
    belief = PRIOR * (1 - 1 / k) / k
    variance = ((n - 1) * own + belief * coins * pooled * (1 - pooled)) / (n - 1 + belief)
    variance = np.maximum(variance, 1e-12)  # only the slope counts then
    terms = part**2 * variance / n
    whole = float(terms.sum())
    coin_slope = SKEW * coins * (1 - 2 * pooled) * n / (n + SKEW_EPISODES)
    slope = float((part**3 * variance / n**2 * coin_slope).sum()) / whole
    curve = CURVE * coins * float((part**2 / n).sum())
    # The variance of a coin follows from its mean; of other values it is estimated with Satterthwaite's degrees of
    # freedom.
    estimated = whole**2 / float((terms**2 / (n - 1 + belief)).sum())
    t2 = student_quantile((1 + level) / 2, 1 / (coins / (2 * total) + (1 - coins) / estimated)) ** 2
    middle, room = t2 * slope / 2, 1 + t2 * curve
    half = math.sqrt(middle**2 + room * t2 * whole)
    return score + (middle - half) / room, score + (middle + half) / room
