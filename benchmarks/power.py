"""What `embodied power` delivers where it promises 80 %, and how often its range covers: `python benchmarks/power.py`.

Writes `benchmarks/power.json`. Runs are drawn here, from their own models of agents, and compared by the test of
`embodied compare`; nothing of them is known to `embodied.eval.simulation` but a pilot.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np

from embodied.eval import statistics as st
from embodied.eval.pairs import paired_p
from embodied.eval.power import Pilot, _pilot, need_interval
from embodied.eval.simulation import simulated_need
from embodied.seeding import generator

COMPARISONS = 2_000
PILOTS = 500
SIGNS = 2_000
"""Sign patterns of a permutation test."""
LARGE = 40_000
"""Episodes of a pilot that leaves nothing open."""

Draw = Callable[[int, float, np.random.Generator], tuple[np.ndarray, np.ndarray]]
"""(episodes, difference, generator) -> scores of A and of B by seed."""


def coins(rate: float, correlation: float) -> Draw:
    """Successes of two agents around `rate`; a seed decides for both by a shared table of four outcomes."""

    def draw(n: int, difference: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        a, b = rate + difference / 2, rate - difference / 2
        both = a * b + correlation * (a * (1 - a) * b * (1 - b)) ** 0.5
        outcome = rng.choice(4, size=n, p=[both, a - both, b - both, 1 - a - b + both])
        return (outcome <= 1).astype(float), ((outcome == 0) | (outcome == 2)).astype(float)

    return draw


def graded(kind: str, correlation: float) -> Draw:
    """Progress in [0, 1]; on a share `correlation` of the seeds both would do the same. A then gains a share of what is
    left to 1.
    """

    def own(n: int, rng: np.random.Generator) -> np.ndarray:
        return rng.beta(1, 4, n) if kind == "Beta(1, 4)" else rng.random(n) * (rng.random(n) < 0.3)

    def draw(n: int, difference: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        b, other = own(n, rng), own(n, rng)
        a = np.where(rng.random(n) < correlation, b, other)
        mean = 0.2 if kind == "Beta(1, 4)" else 0.15
        return 1 - (1 - a) * (1 - difference / (1 - mean)), b

    return draw


def designs() -> dict[str, tuple[list[Draw], float, float]]:
    """Tasks, difference, correlation."""
    found = {}
    for rate, difference in ((0.1, 0.1), (0.5, 0.2), (0.9, 0.1)):
        for r in (0.0, 0.5):
            found[f"success, 1 task at {rate}, correlation {r}"] = ([coins(rate, r)], difference, r)
    for kind in ("Beta(1, 4)", "0 seven times in ten, else uniform"):
        for r in (0.0, 0.5):
            found[f"progress, 1 task, {kind}, correlation {r}"] = ([graded(kind, r)], 0.1, r)
    return found


def pilot(
    tasks: list[Draw], n: int, two: bool, difference: float, correlation: float, rng: np.random.Generator
) -> Pilot:
    """Of one run of an agent between A and B, or of both runs."""
    values = {}
    for i, draw in enumerate(tasks):
        a, b = draw(n, difference if two else 0.0, rng)
        values["env", str(i)] = a - b if two else b
    return _pilot("a pilot", st.stratify(values), correlation, two)


def delivered(tasks: list[Draw], n: int, difference: float, rng: np.random.Generator) -> float:
    seen = 0
    for _ in range(COMPARISONS):
        scores = {("env", str(i)): np.subtract(*draw(n, difference, rng)) for i, draw in enumerate(tasks)}
        seen += paired_p(st.stratify(scores), SIGNS) <= 0.05
    return seen / COMPARISONS


def formula(found: Pilot, difference: float) -> int:
    return st.episodes_needed([(w, task.variance(difference)) for w, task in found.tasks], difference)


def coverage(
    tasks: list[Draw], n: int, two: bool, difference: float, correlation: float, truth: int, correction: float, rng
) -> dict[str, float]:
    """How often the range from pilots of `n` episodes holds the number that is enough. Pilots in which nothing varies
    get no answer.
    """

    @cache
    def ends(key: tuple) -> tuple[int | None, int | None]:
        # what the simulation corrects hardly depends on the pilot
        needed = round(correction * formula(found, difference))
        return need_interval(found, needed, difference, st.LEVEL, st.POWER)

    held, low_sum, high_sum, answered = 0, [], [], 0
    for _ in range(PILOTS):
        found = pilot(tasks, n, two, difference, correlation, rng)
        if all(task.variance(0.0) == 0 for _, task in found.tasks):
            continue
        low, high = ends(tuple(found.tasks))
        answered += 1
        held += (low or 10**6) <= truth <= (high or 10**6)
        low_sum.append((low or 10**6) / truth)
        high_sum.append((high or 10**6) / truth)
    medians = [round(float(np.median(x)), 2) for x in (low_sum, high_sum)]
    return {
        "covers": round(held / answered, 4),
        "without an answer": round(1 - answered / PILOTS, 4),
        "median range": medians,
    }


def measure(name: str, two: bool) -> tuple[str, dict]:
    """One row of the table."""
    tasks, difference, correlation = designs()[name]
    rng = generator(80, "benchmark", name, int(two))
    large = pilot(tasks, LARGE, two, difference, correlation, rng)
    needed = simulated_need(large.tasks, difference)
    row = {"difference": difference, "formula": formula(large, difference), "needed": needed}
    row["delivered"] = delivered(tasks, needed, difference, rng)
    for n in (10, 25):
        row[f"pilot of {n}"] = coverage(tasks, n, two, difference, correlation, needed, needed / row["formula"], rng)
    row_name = f"{name}; pilot: {'two runs' if two else 'one run'}"
    print(row_name, row, flush=True)
    return row_name, row


def main() -> None:
    names = [(name, two) for name in designs() for two in (False, True)]
    with ProcessPoolExecutor(2) as pool:
        rows = dict(pool.map(measure, *zip(*names, strict=True)))
    body = {"comparisons": COMPARISONS, "pilots": PILOTS, "designs": rows}
    Path(__file__).with_suffix(".json").write_text(json.dumps(body, indent=1) + "\n")


if __name__ == "__main__":
    main()
