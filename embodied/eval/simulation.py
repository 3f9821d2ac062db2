"""How often the paired test of `embodied compare` shows a true difference, found by simulated comparisons.

A task of a planned comparison is a `Coin` (episodes succeed or fail) or a `Graded` (progress of any kind). Both draw
what a pair of episodes would come to if agent A were better by the difference asked for. The test is
`embodied.eval.pairs.paired_p`, for thousands of comparisons at once: its critical values are looked up instead of a p
value for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from embodied.eval import statistics as st
from embodied.eval.pairs import MOST_PAIRS, OUTSIDE, lopsided_p
from embodied.seeding import generator

COMPARISONS = 4_000
"""Simulated at each number of episodes: the standard error of a power near 0.8 is 0.006."""
_EXACT = 200
"""With more pairs, critical values are those of the normal distribution, to which both tests tend."""
_SIGNS = 4_000
_CURVE = (0.7, 0.8, 0.88, 0.95, 1.02, 1.1, 1.2, 1.35)
"""Numbers of episodes that are simulated, in multiples of the first guess."""
_SHIFTS = 30


@dataclass(frozen=True)
class Coin:
    """Episodes succeed or fail."""

    rate: float
    """Chance of success of the pilot's agent; for `pairs` the chance that the two agents of the pilot differ on a seed.
    """
    correlation: float = 0.0
    pairs: bool = False

    def chances(self, difference: float) -> tuple[float, float]:
        """Chance that only A succeeds, and that only B does. The rates of both lie around the pilot's, moved where they
        would leave [0, 1].
        """
        if self.pairs:
            differ = min(1.0, max(self.rate, difference))
            return (differ + difference) / 2, (differ - difference) / 2
        middle = min(1 - difference / 2, max(difference / 2, self.rate))
        a, b = middle + difference / 2, middle - difference / 2
        both = min(b, a * b + self.correlation * max(0.0, a * (1 - a) * b * (1 - b)) ** 0.5)
        return a - both, max(0.0, b - both)

    def variance(self, difference: float) -> float:
        return sum(self.chances(difference)) - difference**2

    def draw(self, difference: float, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
        win, lose = self.chances(difference)
        drawn = rng.random(shape)
        return (drawn < win).astype(float) - (drawn >= 1 - lose)


@dataclass(frozen=True)
class Graded:
    """Progress of any kind."""

    values: tuple[float, ...]
    """Of the pilot: one run's, or `pairs`: the differences of two runs."""
    correlation: float = 0.0
    pairs: bool = False

    def variance(self, difference: float) -> float:
        own = float(np.var(self.values, ddof=1))
        return own if self.pairs else 2 * (1 - self.correlation) * own

    def draw(self, difference: float, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
        values, n = np.array(self.values), len(self.values)
        first = rng.integers(n, size=shape)
        drawn: np.ndarray
        if self.pairs:
            drawn = (values[first] - values.mean()) * (n / (n - 1)) ** 0.5 + difference
            return drawn
        # never the same episode: so the variance is the unbiased one
        second = (first + rng.integers(1, n, size=shape)) % n
        drawn = (1 - self.correlation) ** 0.5 * (values[first] - values[second]) + difference
        return drawn


@dataclass(frozen=True)
class Guess:
    """Scores of which only the spread is known: their differences are drawn from a normal distribution."""

    sd: float
    correlation: float = 0.0

    def variance(self, difference: float) -> float:
        return 2 * (1 - self.correlation) * self.sd**2

    def draw(self, difference: float, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
        return rng.normal(difference, self.variance(difference) ** 0.5, shape)


SimulatedTask = Coin | Graded | Guess
"""What a pair of episodes of one task comes to. `variance` is that of a pair's difference if the mean difference is
`difference`; `draw` makes differences of pairs, of the shape asked for.
"""
Weighted = Sequence[tuple[float, SimulatedTask]]
"""Weight and task; weights sum to 1."""


def simulated_power(
    tasks: Weighted, n: int, difference: float, level: float = st.LEVEL, comparisons: int = COMPARISONS
) -> float:
    """Share of simulated comparisons with `n` pairs in each task that show `difference` at `level`."""
    rng = generator(0, "power", n, len(tasks))
    total = n * len(tasks)
    even = all(abs(weight - tasks[0][0]) < 1e-9 for weight, _ in tasks)
    coins = [task for _, task in tasks if isinstance(task, Coin)]
    if even and len(coins) == len(tasks):
        counts = np.zeros((2, comparisons), dtype=int)
        for coin in coins:
            win, lose = coin.chances(difference)
            wins = rng.binomial(n, win, comparisons)
            counts += (wins, rng.binomial(n - wins, min(1.0, lose / (1 - win)) if win < 1 else 0.0))
        if total <= MOST_PAIRS:
            return _counted(counts[0], counts[1], total, level)
        return _normal(counts[0] - counts[1], counts.sum(0), level)
    sums, squares, terms = np.zeros(comparisons), np.zeros(comparisons), []
    for weight, task in tasks:
        drawn = weight / n * task.draw(difference, (comparisons, n), rng)
        sums, squares = sums + drawn.sum(1), squares + (drawn**2).sum(1)
        if total <= _EXACT:
            terms.append(drawn)
    return _flipped(np.concatenate(terms, 1), level, rng) if terms else _normal(sums, squares, level)


def _normal(sums: np.ndarray, squares: np.ndarray, level: float) -> float:
    """Of the permutation test with many pairs."""
    return float(np.mean((sums**2 >= st.normal_quantile((1 + level) / 2) ** 2 * squares) & (squares > 0)))


def _flipped(terms: np.ndarray, level: float, rng: np.random.Generator) -> float:
    """Of the permutation test: terms of shape (comparisons, pairs). All sign patterns where they are few, else the same
    random ones for all.
    """
    pairs = terms.shape[1]
    every = 2**pairs <= _SIGNS
    ups = (np.arange(2**pairs)[:, None] >> np.arange(pairs)) & 1 if every else rng.integers(2, size=(_SIGNS, pairs))
    signs = 2.0 * ups - 1
    seen, slack = np.abs(terms.sum(1)), 1e-9 * np.abs(terms).sum(1)
    hits = np.zeros(len(terms))
    for start in range(0, len(signs), 500):
        hits += (np.abs(terms @ signs[start : start + 500].T) >= (seen - slack)[:, None]).sum(1)
    return float(np.mean(hits <= (1 - level) * len(signs) + 1e-9))


def _counted(a: np.ndarray, b: np.ndarray, n: int, level: float) -> float:
    """Of McNemar's exact unconditional test: `a` and `b` are how many of `n` pairs only A and only B succeeded in, a
    comparison each.
    """
    differ, alpha = a + b, 1 - level
    with np.errstate(invalid="ignore"):
        seen = np.where(differ > 0, (a - b) ** 2 / np.maximum(differ, 1), 0.0)
    limit = st.normal_quantile(1 - max(alpha - OUTSIDE, 1e-6) / 2) ** 2
    if n > _EXACT:
        return float(np.mean(seen >= limit))
    at = np.unique(differ[differ > 0])
    if len(at) > 9:
        at = np.unique(at[np.linspace(0, len(at) - 1, 9).astype(int)])
    critical = [_critical(int(m), n, alpha, limit) for m in at]
    return float(np.mean(seen >= np.interp(differ, at, critical) - 1e-9)) if len(at) else 0.0


def _critical(differ: int, n: int, alpha: float, limit: float) -> float:
    """The smallest statistic that is significant where `differ` of `n` pairs differ, to 0.02."""
    low, high = 0.5 * limit, 2.0 * limit
    while high - low > 0.02:
        middle = (low + high) / 2
        low, high = (low, middle) if lopsided_p(middle, differ, n) <= alpha else (middle, high)
    return high


# --------------------------------------------------------------------------- the number that is enough


def simulated_need(tasks: Weighted, difference: float, level: float = st.LEVEL, power: float = st.POWER) -> int | None:
    """Pairs in each task that show `difference` with probability `power`; None when a million are not enough.

    Student's formula gives the first guess. Around it the power is simulated, smoothed to be monotone, and the number
    bisected. With more pairs than McNemar's test is used for, the formula is exact enough and stands.
    """
    guess = st.episodes_needed(
        [(weight, task.variance(difference)) for weight, task in tasks], difference, level, power
    )
    if guess is None or guess * len(tasks) > MOST_PAIRS:
        return guess
    curve: dict[int, float] = {}
    for _ in range(_SHIFTS):
        for n in sorted({max(2, round(guess * factor)) for factor in _CURVE} - curve.keys()):
            curve[n] = simulated_power(tasks, n, difference, level)
        numbers = sorted(curve)
        smooth = _monotone([curve[n] for n in numbers])
        if smooth[-1] < power:
            guess = max(numbers[-1], round(1.3 * guess))
        elif smooth[0] >= power and numbers[0] > 2:
            guess = max(2, round(0.7 * guess))
        else:
            break
    low, high = numbers[0] - 1, numbers[-1]
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if np.interp(middle, numbers, smooth) >= power else (middle, high)
    return high


def _monotone(values: Sequence[float]) -> list[float]:
    """The nearest non-decreasing sequence, by pooling adjacent violators (Ayer et al. 1955)."""
    blocks: list[tuple[float, int]] = []
    for value in values:
        mean, size = value, 1
        while blocks and blocks[-1][0] >= mean:
            before, many = blocks.pop()
            mean, size = (mean * size + before * many) / (size + many), size + many
        blocks.append((mean, size))
    return [mean for mean, size in blocks for _ in range(size)]
