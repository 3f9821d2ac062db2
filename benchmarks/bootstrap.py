"""The interval until now, as the one to measure against: the stratified percentile bootstrap of a score."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from embodied.eval.statistics import LEVEL, RESAMPLES, Interval, Stratum, spread_of, student_quantile
from embodied.seeding import generator

CHUNK = 2_000_000
"""Random numbers held at once: bounds memory, not results."""


def resampled(stratum: Stratum, *path: str | int, resamples: int = RESAMPLES) -> np.ndarray:
    """Bootstrap means of one stratum, shape (resamples,).

    Draws N - 1 of the N values with replacement (Rao and Wu 1988): then the spread of the means is that of the unbiased
    variance s²/N. Drawing N, as for one large sample, gives (N-1)/N of it, which with three episodes a task is a third
    too little.

    Args:
        stratum: With at least two values.
        path: What the draws are for; with environment and task it seeds them.
    """
    rng = generator(0, "bootstrap", stratum.env, stratum.task, *path)
    n = len(stratum.values)
    means = np.empty(resamples)
    rows = max(1, CHUNK // n)
    for start in range(0, resamples, rows):
        size = min(rows, resamples - start)
        means[start : start + size] = stratum.values[rng.integers(n, size=(size, n - 1))].mean(axis=1)
    return means


def bootstrap_draws(strata: Sequence[Stratum], *path: str | int, resamples: int = RESAMPLES) -> np.ndarray:
    """Bootstrap draws of the score of `strata`, shape (resamples,); every stratum has at least two values."""
    draws = np.zeros(resamples)
    for s in strata:
        draws += s.weight * resampled(s, *path, resamples=resamples)
    return draws


def percentile_interval(draws: np.ndarray, freedom: float, level: float = LEVEL) -> Interval:
    """Percentile interval of bootstrap draws, widened for the few degrees of freedom of the variance.

    The tails are those a Student t quantile has on the normal scale (the expanded percentile interval of Hesterberg
    2015, section 3.3; his factor sqrt(n/(n-1)) is in the draws already, see `resampled`).

    Args:
        draws: (R,) float64.
        freedom: Degrees of freedom, from `spread_of`.
    """
    tail = NormalDist().cdf(-student_quantile((1 + level) / 2, freedom))
    low, high = np.quantile(draws, [tail, 1 - tail])
    return float(low), float(high)


def bootstrap_interval(strata: Sequence[Stratum], level: float = LEVEL, resamples: int = RESAMPLES) -> Interval | None:
    """Stratified percentile bootstrap interval of the score; None where there can be none (see `why_no_interval`)."""
    found = spread_of(strata)
    if found is None or found.error == 0:
        return None
    return percentile_interval(bootstrap_draws(strata, resamples=resamples), found.freedom, level)
