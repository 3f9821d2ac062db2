"""Statistics of scores: strata, intervals, tests, power. NumPy only; arrays in, numbers out.

A score is a mean over strata: environments count equally, within an environment its tasks, within a task its seeds.
Everything here works on a list of `Stratum`, one a task, whose weights hold that structure. Values of a stratum are
independent of each other; episodes of the same seed are not, so they are averaged first (`by_seed`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from embodied.quantities import Interval
from embodied.seeding import generator

LEVEL = 0.95
POWER = 0.8
"""Cohen (1988): the usual chance of seeing a difference that is there."""
RESAMPLES = 10_000
_CHUNK = 2_000_000
"""Random numbers held at once: bounds memory, not results."""


@dataclass(frozen=True)
class Stratum:
    """The values of one task."""

    env: str
    task: str
    values: np.ndarray
    """(N,) float64, one independent value a seed, N at least 1."""
    weight: float
    """Share of the score: 1 / environments / tasks of the environment. Weights of all strata sum to 1."""


def stratify(values: Mapping[tuple[str, str], Sequence[float]]) -> list[Stratum]:
    """Strata from values by (environment, task). A task without a value is left out, and the
    others share its weight.
    """
    present = {key: np.asarray(v, dtype=float) for key, v in values.items() if len(v)}
    tasks: dict[str, int] = {}
    for env, _ in present:
        tasks[env] = tasks.get(env, 0) + 1
    return [Stratum(env, task, v, 1 / len(tasks) / tasks[env]) for (env, task), v in present.items()]


def by_seed(scored: Iterable[tuple[int, float]]) -> dict[int, float]:
    """Mean of each seed's values, in order of first appearance: repeats of one seed are one independent value."""
    seeds: dict[int, list[float]] = {}
    for seed, value in scored:
        seeds.setdefault(seed, []).append(value)
    return {seed: float(np.mean(v)) for seed, v in seeds.items()}


def mean(strata: Sequence[Stratum]) -> float | None:
    """The score; None without a value."""
    return known_mean(strata) if strata else None


def known_mean(strata: Sequence[Stratum]) -> float:
    """The score of at least one stratum."""
    return float(sum(s.weight * s.values.mean() for s in strata))


# --------------------------------------------------------------------------- standard errors, quantiles


@dataclass(frozen=True)
class Spread:
    """Standard error of a weighted mean, and the degrees of freedom of its estimate."""

    error: float
    freedom: float
    """Satterthwaite (1946)."""


def spread(parts: Iterable[tuple[float, float, int]]) -> Spread:
    """Standard error of a sum of independent means.

    Args:
        parts: Of each mean: its weight, the variance of its values (divisor N - 1), and N, at least 2.
    """
    terms = [(weight**2 * variance / n, n - 1) for weight, variance, n in parts]
    total = sum(t for t, _ in terms)
    below = sum(t**2 / freedom for t, freedom in terms)
    return Spread(math.sqrt(total), total**2 / below if below > 0 else float(sum(f for _, f in terms)))


def spread_of(strata: Sequence[Stratum]) -> Spread | None:
    """Standard error of the score of `strata`; None when a stratum has fewer than two values."""
    if not strata or any(len(s.values) < 2 for s in strata):
        return None
    return spread((s.weight, float(s.values.var(ddof=1)), len(s.values)) for s in strata)


def normal_quantile(p: float) -> float:
    """Quantile of the standard normal distribution, 0 < p < 1."""
    return NormalDist().inv_cdf(p)


def student_cdf(t: float, freedom: float) -> float:
    """P(T <= t) of Student's t distribution, by the continued fraction of the incomplete beta function (Lentz's method;
    DLMF 8.17.22).
    """
    tail = 0.5 * _beta_fraction(freedom / (freedom + t * t), freedom / 2, 0.5)
    return 1 - tail if t > 0 else tail


def _beta_fraction(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta_fraction(1 - x, b, a)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, 300):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / (1 + term * d)
            c = 1 + term / c
            fraction *= c * d
        if abs(c * d - 1) < 1e-14:
            break
    return front * fraction


@lru_cache(maxsize=4096)
def student_quantile(p: float, freedom: float) -> float:
    """Quantile of Student's t distribution, 0 < p < 1, by bisection to 1e-12 of its size."""
    if p < 0.5:
        return -student_quantile(1 - p, freedom)
    low, high = 0.0, 2.0
    while student_cdf(high, freedom) < p:
        low, high = high, 2 * high
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if student_cdf(middle, freedom) < p else (low, middle)
    return (low + high) / 2


# --------------------------------------------------------------------------- intervals


def student_interval(value: float | None, found: Spread | None) -> Interval | None:
    """Interval of a mean of values without bounds, by Student's t; None without a spread, or where nothing varies."""
    if value is None or found is None or found.error <= 0:
        return None
    half = student_quantile((1 + LEVEL) / 2, found.freedom) * found.error
    return value - half, value + half


def why_no_interval(strata: Sequence[Stratum]) -> str:
    """Why a score has no interval, in words; empty when it has one.

    Tasks that are constant at 0 or 1 do not hinder one: the interval counts how often a coin would come out so. If a
    score never varied at a value between 0 and 1, it is unknown how it varies.
    """
    if not strata:
        return "nothing is scored"
    single = [f"{s.env} {s.task}".strip() for s in strata if len(s.values) < 2]
    if single:
        more = f" and {len(single) - 1} more" if len(single) > 1 else ""
        return f"one episode only in {single[0]}{more}"
    varied = any(s.values.min() < s.values.max() for s in strata)
    coins = all(np.isin(s.values, (0, 1)).all() for s in strata)
    return "" if varied or coins else "every episode of a task has the same score"


def wilson(successes: float, n: int, level: float = LEVEL) -> Interval | None:
    """Wilson's score interval of a share (Wilson 1927); None without a trial. Pooled over tasks it is a little wider
    than necessary.
    """
    if n == 0:
        return None
    z = normal_quantile((1 + level) / 2)
    share, room = successes / n, z * z / n
    middle = (share + room / 2) / (1 + room)
    half = z * math.sqrt(share * (1 - share) / n + room / (4 * n)) / (1 + room)
    return max(0.0, middle - half), min(1.0, middle + half)


# --------------------------------------------------------------------------- tests


def paired_permutation(strata: Sequence[Stratum], resamples: int = RESAMPLES, sides: int = 2) -> float:
    """p value of the paired permutation test, for strata of differences A - B by seed: two-sided, or one-sided, of A
    being better.

    If both agents were equally good, the sign of every difference would be random. All sign patterns are tried
    when they are at most `resamples`, else so many random ones, and the observed one is counted among them (Phipson and
    Smyth 2010).
    """
    terms = np.concatenate([s.weight / len(s.values) * s.values for s in strata])
    size = np.abs if sides == 2 else np.positive
    observed = size(terms.sum())
    terms = terms[terms != 0]
    slack = 1e-9 * np.abs(terms).sum()  # equal sums in another order of addition are equal
    if 2 ** len(terms) <= resamples:
        patterns = (np.arange(2 ** len(terms))[:, None] >> np.arange(len(terms))) & 1
        return float(np.mean(size((2 * patterns - 1) @ terms) >= observed - slack))
    rng = generator(0, "paired permutation", len(terms))
    hits, rows = 1, max(1, _CHUNK // len(terms))
    for start in range(0, resamples, rows):
        signs = 2.0 * rng.integers(2, size=(min(rows, resamples - start), len(terms)), dtype=np.int8) - 1
        hits += int(np.sum(size(signs @ terms) >= observed - slack))
    return hits / (resamples + 1)


def unpaired_permutation(a: Sequence[Stratum], b: Sequence[Stratum], resamples: int = RESAMPLES) -> float:
    """Two-sided p value of the permutation test that exchanges the agents' episodes within each task; the same tasks in
    the same order in both.
    """
    differences = np.zeros(resamples + 1)  # the last one is the observed one
    for x, y in zip(a, b, strict=True):
        both, n = np.concatenate([x.values, y.values]), len(x.values)
        rng = generator(0, "permutation", x.env, x.task, len(both))
        rows = max(1, _CHUNK // len(both))
        for start in range(0, resamples, rows):
            size = min(rows, resamples - start)
            shuffled = rng.permuted(np.broadcast_to(both, (size, len(both))), axis=1)
            differences[start : start + size] += x.weight * (
                shuffled[:, :n].mean(axis=1) - shuffled[:, n:].mean(axis=1)
            )
        differences[-1] += x.weight * (x.values.mean() - y.values.mean())
    return float(np.mean(np.abs(differences) >= abs(differences[-1]) - 1e-9))


def holm(p: Sequence[float]) -> list[float]:
    """Holm's (1979) step-down correction: p values that hold jointly for all comparisons, in the order given."""
    order = np.argsort(np.asarray(p), kind="stable")
    adjusted = [0.0] * len(p)
    worst = 0.0
    for rank, i in enumerate(order):
        worst = max(worst, min(1.0, (len(p) - rank) * p[i]))
        adjusted[i] = worst
    return adjusted


# --------------------------------------------------------------------------- power


def detectable(found: Spread, level: float = LEVEL, power: float = POWER) -> float:
    """The smallest true difference that a two-sided test at `level` sees with probability `power`."""
    freedom = round(found.freedom, 6)  # the same sum in another order is looked up, not computed again
    return (student_quantile((1 + level) / 2, freedom) + student_quantile(power, freedom)) * found.error


def episodes_needed(
    parts: Sequence[tuple[float, float]],
    difference: float,
    level: float = LEVEL,
    power: float = POWER,
    most: int = 1_000_000,
) -> int | None:
    """Episodes a task (at least 2) after which `difference` is detectable; None when `most` are not enough.

    Args:
        parts: Weight of each task, and the variance of its values (for a paired comparison: of the differences by
            seed).
        difference: Above 0, in the unit of the values.
    """

    def enough(n: int) -> bool:
        return detectable(spread((weight, variance, n) for weight, variance in parts), level, power) <= difference

    if not enough(most):
        return None
    low, high = 1, 2
    while not enough(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high
