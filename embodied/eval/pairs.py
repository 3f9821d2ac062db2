"""The test of a paired comparison: exact, and as powerful as possible.

Pairs that succeed or fail and weigh alike are counted: A alone succeeded, B alone did. Given how many pairs differ, the
sign test wastes most of its 5 % where few do. So the number of pairs that differ is not held fixed: the p value is the
largest over all rates of differing that the data allow (Suissa and Shuster 1991; Berger and Boos 1994 for the allowed
rates). Everything else is a sign-flip permutation test.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from embodied.eval.statistics import RESAMPLES, Stratum, paired_permutation

MOST_PAIRS = 2_000
"""With more, the permutation test is keen enough, and quicker."""
OUTSIDE = 0.001
"""Chance that the rate of differing lies outside those that are tried; it is added to the p value."""
_RATES = 400


def paired_p(strata: Sequence[Stratum], resamples: int = RESAMPLES) -> float:
    """Two-sided p value that no agent is better, for strata of differences A - B by seed."""
    values = np.concatenate([s.values for s in strata])
    parts = np.array([s.weight / len(s.values) for s in strata])
    if len(values) <= MOST_PAIRS and np.isin(values, (-1, 0, 1)).all() and np.allclose(parts, parts[0], rtol=1e-9):
        return mcnemar(int((values > 0).sum()), int((values < 0).sum()), len(values))
    return paired_permutation(strata, resamples)


def better_p(strata: Sequence[Stratum], resamples: int = RESAMPLES) -> float:
    """One-sided p value that A is not better than B, for strata of differences A - B by seed: the same tests."""
    values = np.concatenate([s.values for s in strata])
    parts = np.array([s.weight / len(s.values) for s in strata])
    if len(values) <= MOST_PAIRS and np.isin(values, (-1, 0, 1)).all() and np.allclose(parts, parts[0], rtol=1e-9):
        a, b = int((values > 0).sum()), int((values < 0).sum())
        return 1.0 if a <= b else lopsided_p((a - b) ** 2 / (a + b), a + b, len(values), sides=1)
    return paired_permutation(strata, resamples, sides=1)


@lru_cache(maxsize=4096)
def mcnemar(a: int, b: int, n: int) -> float:
    """Two-sided p value of the exact unconditional test: `a` of `n` pairs only A succeeded in, `b` only B."""
    return 1.0 if a == b else lopsided_p((a - b) ** 2 / (a + b), a + b, n)


def lopsided_p(seen: float, differ: int, n: int, sides: int = 2) -> float:
    """p value of `mcnemar` for a statistic (a - b)² / (a + b) of `seen`, any number above 0, where `differ` of `n`
    pairs differ. One-sided: of a being the larger one.
    """
    # Of m pairs that differ, the chance that they are as lopsided as those seen: k of m with (2k - m)² / m >= seen.
    lopsided = np.zeros(n + 1)
    for differing in range(1, n + 1):
        halves = _log_choose(differing) - differing * math.log(2)
        k = np.arange(differing + 1)
        as_seen = (2 * k - differing) ** 2 >= seen * differing - 1e-9
        lopsided[differing] = np.exp(halves[as_seen & ((sides == 2) | (2 * k > differing))]).sum()
    rates = _allowed(differ, n)
    m = np.arange(n + 1)
    logs = _log_choose(n) + m * np.log(rates)[:, None] + (n - m) * np.log1p(-rates)[:, None]
    return min(1.0, float((np.exp(logs) @ lopsided).max()) + OUTSIDE)


def _log_choose(n: int) -> np.ndarray:
    """Natural logarithms of the binomial coefficients of n, shape (n + 1,)."""
    factorials: np.ndarray = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    logs: np.ndarray = factorials[n] - factorials - factorials[::-1]
    return logs


def _allowed(differ: int, n: int) -> np.ndarray:
    """Rates of differing within their exact interval (Clopper and Pearson 1934) at `OUTSIDE`."""
    rates = np.linspace(0, 1, 2 * _RATES + 1)[1:-1]
    m = np.arange(n + 1)
    chances = np.exp(_log_choose(n) + m * np.log(rates)[:, None] + (n - m) * np.log1p(-rates)[:, None])
    inside = (chances[:, differ:].sum(1) > OUTSIDE / 2) & (chances[:, : differ + 1].sum(1) > OUTSIDE / 2)
    return rates[inside] if inside.any() else np.array([np.clip(differ / n, 1e-6, 1 - 1e-6)])
