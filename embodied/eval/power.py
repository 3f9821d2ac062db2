"""How many episodes are needed to show a difference: from existing runs, or from a guess.

The number is simulated with the test that `embodied compare` uses for runs that share seeds (see
`embodied.eval.simulation`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from embodied.errors import UsageError
from embodied.eval import statistics as st
from embodied.eval.results import Results, Value, progress
from embodied.eval.simulation import Coin, Graded, Guess, SimulatedTask, Weighted, simulated_need

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
    """(episodes a task, the smallest difference they show), by Student's formula."""
    level: float
    power: float
    between: tuple[int | None, int | None] | None = None
    """95 % interval of `needed`, because few episodes say little about how scores vary; None for a guess. None in it:
    more than a million.
    """

    @property
    def episodes(self) -> int | None:
        """Episodes of each run, over all tasks."""
        return None if self.needed is None else self.needed * self.tasks


@dataclass(frozen=True)
class Pilot:
    """What is known of how scores vary."""

    basis: str
    """What it is from, in words."""
    tasks: Weighted
    seen: tuple[int, ...]
    """Episodes of each task; empty for a guess."""


def from_pair(a: Results, b: Results, value: Value = progress) -> Pilot:
    """The differences by seed of two runs. Raises `UsageError` when no task has two seeds that both have scored."""
    in_a, in_b = a.by_task(value), b.by_task(value)
    both = {key: [in_a[key][s] - in_b[key][s] for s in in_a[key] if s in in_b[key]] for key in in_a if key in in_b}
    found = [s for s in st.stratify(both) if len(s.values) > 1]
    if not found:
        raise UsageError(
            f"{a.path} and {b.path} have no task with two common seeds, so it is unknown how their differences vary."
            " Name one run only."
        )
    return _pilot(f"the differences by seed of {a.path} and {b.path}", found, 0.0, pairs=True)


def from_run(run: Results, correlation: float, value: Value = progress) -> Pilot:
    """The scores of one run, as a pilot for two runs that vary as it does. Raises `UsageError` when no task has two
    scored seeds.

    Args:
        correlation: Between the two runs' values of a seed, in [0, 1): 0 to be on the safe side.
    """
    found = [s for s in run.strata(value=value) if len(s.values) > 1]
    if not found:
        raise UsageError(
            f"{run.path} has no task with two scored episodes, so it is unknown how its scores vary. Name --sd instead"
            " of a run."
        )
    return _pilot(
        f"the scores of {run.path}, for two runs like it whose seeds correlate by {correlation:g}",
        found,
        correlation,
        pairs=False,
    )


def from_guess(sd: float, tasks: int, correlation: float) -> Pilot:
    """Two runs of one environment whose scores have the standard deviation `sd` within a task, and
    are spread normally.
    """
    basis = f"a standard deviation of {sd:g} in each of {tasks} tasks, and seeds that correlate by {correlation:g}"
    return Pilot(basis, [(1 / tasks, Guess(sd, correlation))] * tasks, ())


def power(pilot: Pilot, difference: float, level: float = st.LEVEL, chance: float = st.POWER) -> Power:
    """How many episodes are needed to show `difference`, in (0, 1], with probability `chance` at `level`. Raises
    `UsageError` when nothing varies.
    """
    parts = [(weight, task.variance(difference)) for weight, task in pilot.tasks]
    if not any(_varies(task) for _, task in pilot.tasks):
        raise UsageError(
            f"Nothing varies in {pilot.basis}, so it does not show how many episodes are needed. Name --sd instead, for"
            " instance 0.4."
        )
    shown = tuple((n, st.detectable(st.spread((w, v, n) for w, v in parts), level, chance)) for n in LADDER)
    needed = simulated_need(pilot.tasks, difference, level, chance)
    between = need_interval(pilot, needed, difference, level, chance) if pilot.seen else None
    return Power(pilot.basis, len(parts), needed, difference, shown, level, chance, between)


def need_interval(
    pilot: Pilot, needed: int | None, difference: float, level: float, chance: float
) -> tuple[int | None, int | None]:
    """95 % interval of the episodes needed.

    Each task has an interval of its variance: Wilson's of a rate where episodes succeed or fail, else chi squared's.
    Their squared distances add (MOVER; Graybill and Wang 1980). The formula's numbers for the ends are corrected by
    what the simulation corrected in the middle.
    """
    middle, below, above = 0.0, 0.0, 0.0
    for (weight, task), n in zip(pilot.tasks, pilot.seen, strict=True):
        own = task.variance(difference)
        low, high = _limits(task, n, difference)
        middle, below, above = (
            middle + weight**2 * own,
            below + (weight**2 * (own - low)) ** 2,
            above + (weight**2 * (high - own)) ** 2,
        )
    parts = [(weight, task.variance(difference)) for weight, task in pilot.tasks]
    guess = st.episodes_needed(parts, difference, level, chance)
    correction = 1.0 if guess is None or needed is None else needed / guess
    ends = []
    for variance, whole in ((middle - math.sqrt(below), math.floor), (middle + math.sqrt(above), math.ceil)):
        share = max(0.0, variance) / middle
        found = st.episodes_needed([(w, share * v) for w, v in parts], difference, level, chance)
        ends.append(None if found is None else max(2, whole(correction * found)))
    return ends[0], ends[1]


def _limits(task: SimulatedTask, n: int, difference: float) -> tuple[float, float]:
    """95 % interval of the variance of a pair's difference, from `n` values of a task."""
    own = task.variance(difference)
    if isinstance(task, Coin):
        low, high = st.wilson(task.rate * n, n) or (0.0, 1.0)
        rates = [low, high] if task.pairs or not low < 0.5 < high else [low, 0.5, high]
        found = [Coin(rate, task.correlation, task.pairs).variance(difference) for rate in rates]
        return min(own, *found), max(own, *found)
    part, z = 2 / (9 * (n - 1)), st.normal_quantile((1 + st.LEVEL) / 2)
    # Wilson and Hilferty (1931): the cube root of chi squared over its degrees of freedom is nearly normal.
    few, many = (max(0.02, 1 - part + sign * z * part**0.5) ** 3 for sign in (-1, 1))
    return own / many, own / few


def _varies(task: SimulatedTask) -> bool:
    if isinstance(task, Coin):
        return task.rate > 0 and (task.pairs or task.rate < 1)
    return task.variance(0.0) > 0


def _pilot(basis: str, strata: Sequence[st.Stratum], correlation: float, pairs: bool) -> Pilot:
    """The weights of tasks that are left out go to the others."""
    total, tasks = sum(s.weight for s in strata), []
    for s in strata:
        coin = np.isin(s.values, (-1, 0, 1)).all()
        task = (
            Coin(float(np.mean(np.abs(s.values))), correlation, pairs)
            if coin
            else Graded(tuple(s.values.tolist()), correlation, pairs)
        )
        tasks.append((s.weight / total, task))
    return Pilot(basis, tasks, tuple(len(s.values) for s in strata))
