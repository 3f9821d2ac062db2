"""Rank ranges: which ranks an entry could have, given how uncertain all scores are.

Every two entries are tested against each other, and all tests are corrected together (Holm). An entry's best possible
rank is one more than the number of entries shown to be better, its worst the number of entries not shown to be worse:
with 95 % confidence all true ranks lie in their ranges at once (Mogstad, Romano, Shaikh and Wilhelm 2024, "Inference
for Ranks").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

from embodied.eval.statistics import LEVEL, Spread, Stratum, holm, spread, student_cdf


@dataclass(frozen=True)
class Standing:
    """What is known of one entry's score."""

    score: float
    """0 where there is none: such an entry is not ranked."""
    error: Spread | None
    """None if it is unknown how certain the score is: the entry then never differs significantly from another."""
    strata: dict[tuple[str, str], Stratum] = field(default_factory=dict)
    seeds: dict[tuple[str, str], dict[int, float]] = field(default_factory=dict)
    """Value of each seed by task."""


def rank_ranges(entries: Sequence[Standing], level: float = LEVEL) -> list[tuple[int, int]]:
    """(best, worst) rank of each entry, from 1."""
    pairs = list(combinations(range(len(entries)), 2))
    p = holm([difference_p(entries[i], entries[j]) for i, j in pairs])
    better, worse = [0] * len(entries), [0] * len(entries)
    for (i, j), value in zip(pairs, p, strict=True):
        if value <= 1 - level:
            high, low = (i, j) if entries[i].score > entries[j].score else (j, i)
            better[low] += 1
            worse[high] += 1
    return [(1 + b, len(entries) - w) for b, w in zip(better, worse, strict=True)]


def difference_p(a: Standing, b: Standing) -> float:
    """Two-sided p value of a t test of the difference of two scores; paired by seed where every task has two common
    seeds or more.
    """
    found = _paired(a, b) or _apart(a, b)
    if found is None or found[1].error == 0:
        return 1.0
    difference, s = found
    return 2 * student_cdf(-abs(difference) / s.error, s.freedom)


def _paired(a: Standing, b: Standing) -> tuple[float, Spread] | None:
    if not a.seeds or a.seeds.keys() != b.seeds.keys():
        return None
    difference, parts = 0.0, []
    for key, mine in a.seeds.items():
        theirs = b.seeds[key]
        gaps = [mine[s] - theirs[s] for s in mine if s in theirs]
        n = len(gaps)
        if n < 2:
            return None
        middle = sum(gaps) / n
        weight = a.strata[key].weight
        difference += weight * middle
        parts.append((weight, sum((g - middle) ** 2 for g in gaps) / (n - 1), n))
    found = spread(parts)
    return (difference, found) if found.error > 0 else None


def _apart(a: Standing, b: Standing) -> tuple[float, Spread] | None:
    if a.error is None or b.error is None:
        return None
    x, y = a.error.error**2, b.error.error**2
    below = x**2 / a.error.freedom + y**2 / b.error.freedom
    return a.score - b.score, Spread((x + y) ** 0.5, (x + y) ** 2 / below if below > 0 else 1.0)
