"""How many episodes it takes to show a difference: from runs at hand, or from a guess."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from embodied.errors import UsageError
from embodied.eval import statistics as st
from embodied.eval.results import Results, Value, progress

LADDER = (3, 5, 10, 20, 30, 50, 100, 200)
"""Episodes a task in the table of what can be shown."""


@dataclass(frozen=True)
class Power:
    """What it takes."""

    basis: str
    """What the variance is from, in words."""
    tasks: int
    needed: int | None
    """Episodes a task for the difference asked for; None when a million are not enough."""
    difference: float
    detectable: tuple[tuple[int, float], ...]
    """(episodes a task, the smallest difference they show)."""
    level: float
    power: float
    between: tuple[int | None, int | None] | None = None
    """95 % interval of `needed`, as the variance is estimated from few episodes; None for a guess. None in it: more than a million."""

    @property
    def episodes(self) -> int | None:
        """Episodes of each run, over all tasks."""
        return None if self.needed is None else self.needed * self.tasks


def from_pair(a: Results, b: Results, value: Value = progress) -> tuple[str, list[tuple[float, float]], list[int]]:
    """Variance of the differences by seed of two runs. Raises `UsageError` when no task has two seeds that both have scored."""
    in_a, in_b = a.by_task(value), b.by_task(value)
    both = {key: [in_a[key][s] - in_b[key][s] for s in in_a[key] if s in in_b[key]] for key in in_a if key in in_b}
    found = [s for s in st.stratify(both) if len(s.values) > 1]
    if not found:
        raise UsageError(f"{a.path} and {b.path} have no task with two common seeds: nothing says how their differences vary. Name one run only.")
    return f"the differences by seed of {a.path} and {b.path}", _parts(found), [len(s.values) for s in found]


def from_run(run: Results, correlation: float, value: Value = progress) -> tuple[str, list[tuple[float, float]], list[int]]:
    """Variance of the difference of two runs that vary as this one does. Raises `UsageError` when no task has two scored seeds.

    Args:
        correlation: Between the two runs' values of a seed, in [0, 1): 0 for unshared seeds, or to be on the safe side.
    """
    found = [s for s in run.strata(value=value) if len(s.values) > 1]
    if not found:
        raise UsageError(f"{run.path} has no task with two scored episodes: nothing says how its scores vary. Name --sd instead of a run.")
    basis = f"the scores of {run.path}, for two runs like it whose seeds correlate by {correlation:g}"
    return basis, [(weight, 2 * (1 - correlation) * variance) for weight, variance in _parts(found)], [len(s.values) for s in found]


def from_guess(sd: float, tasks: int, correlation: float) -> tuple[str, list[tuple[float, float]], list[int]]:
    """Variance of the difference of two runs of one environment whose scores have the standard deviation `sd` within a task."""
    basis = f"a standard deviation of {sd:g} in each of {tasks} tasks, and seeds that correlate by {correlation:g}"
    return basis, [(1 / tasks, 2 * (1 - correlation) * sd**2)] * tasks, []


def power(basis: str, parts: Sequence[tuple[float, float]], seen: Sequence[int], difference: float, level: float = st.LEVEL, chance: float = st.POWER) -> Power:
    """What it takes to show `difference`, in (0, 1], with probability `chance` at `level`. Raises `UsageError` when nothing varies.

    Args:
        seen: Episodes of each task that the variances are from; empty for a guess.
    """
    if all(variance == 0 for _, variance in parts):
        raise UsageError(f"Nothing varies in {basis}: it says nothing about how many episodes it takes. Name --sd instead, for instance 0.4.")
    shown = tuple((n, st.detectable(st.spread((w, v, n) for w, v in parts), level, chance)) for n in LADDER)
    between = _between(parts, seen, difference, level, chance) if seen else None
    return Power(basis, len(parts), st.episodes_needed(parts, difference, level, chance), difference, shown, level, chance, between)


def _between(parts: Sequence[tuple[float, float]], seen: Sequence[int], difference: float, level: float, chance: float) -> tuple[int | None, int | None]:
    """95 % interval of the episodes needed: the variance of a score from a pilot spreads like chi squared over its degrees of freedom."""
    freedom = st.spread((w, v, n) for (w, v), n in zip(parts, seen, strict=True)).freedom
    part, z = 2 / (9 * freedom), st.normal_quantile((1 + st.LEVEL) / 2)
    # Wilson and Hilferty (1931): the cube root of chi squared over its degrees of freedom is nearly normal.
    shares = (max(0.02, 1 - part + sign * z * part**0.5) ** 3 for sign in (1, -1))
    low, high = (st.episodes_needed([(w, v / share) for w, v in parts], difference, level, chance) for share in shares)
    return low, high


def _parts(strata: Sequence[st.Stratum]) -> list[tuple[float, float]]:
    """Weight and variance of each task; the weights of tasks that are left out go to the others."""
    total = sum(s.weight for s in strata)
    return [(s.weight / total, float(s.values.var(ddof=1))) for s in strata]
