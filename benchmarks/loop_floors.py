"""What rules that look at nothing but the list of offered actions earn in PathEvalLoop-v1, and rules of length.

    python benchmarks/loop_floors.py [--episodes 100]      # writes embodied/planning/data/loop_floors.json

The episodes are those of `embodied eval --env patheval_loop`. Every rule plays all of them, so the rows are paired.
Everything is a function of the seeds.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from embodied.arrays import Floats
from embodied.config import RunConfig
from embodied.planning.loop import LIMIT
from embodied.planning.policies import WAIT, Search, shortest
from embodied.planning.portfolio import PLANNERS
from embodied.planning.scenarios import SCENARIOS
from embodied.planning.utility import regret
from embodied.planning.world import draw, drive, first, wait
from embodied.seeding import generator
from embodied.splits import first_seed

DATA = Path(__file__).parents[1] / "embodied/planning/data/loop_floors.json"
PATHS = 3
"""Paths proposed at each decision, at most: the default."""
Offers = list[tuple[str, Floats]]
Rule = Callable[[Offers, np.random.Generator], int]
"""The paths offered, and a stream of chance -> the number of a path, from 0, or `WAIT` for `replan`."""


def place(number: int) -> Rule:
    """Always the same path; where it is not offered, `replan` is executed."""
    return lambda offers, rng: number if number < len(offers) else WAIT


def chance(offers: Offers, rng: np.random.Generator) -> int:
    """One of the actions offered, `replan` among them."""
    drawn = int(rng.integers(len(offers) + 1))
    return drawn if drawn < len(offers) else WAIT


def chance_path(offers: Offers, rng: np.random.Generator) -> int:
    """One of the paths offered."""
    return int(rng.integers(len(offers))) if offers else WAIT


def longest(offers: Offers, rng: np.random.Generator) -> int:
    """The longest of the paths offered."""
    lengths = [np.sqrt((np.diff(path, axis=0) ** 2).sum(axis=1)).sum() for _, path in offers]
    return int(np.argmax(lengths)) if offers else WAIT


RULES: dict[str, Rule] = {
    "random, of what is offered": chance,
    "random, of the paths offered": chance_path,
    "always `path 1`, the first offered": place(0),
    "always `path 2`": place(1),
    "always `path 3`": place(2),
    "always `replan`, the last offered": lambda offers, rng: WAIT,
    "the last path offered": lambda offers, rng: len(offers) - 1 if offers else WAIT,
    "`replan` until all three paths are offered": lambda offers, rng: 0 if len(offers) == PATHS else WAIT,
    "the shortest path offered": lambda offers, rng: shortest(offers) if offers else WAIT,
    "the longest path offered": longest,
}
LENGTHS = ("the shortest path offered", "the longest path offered")


def played(seed: int) -> tuple[str, dict[str, tuple[float, bool]], list[int]]:
    """An episode under every rule: the scenario; progress and arrival by rule; how many paths were offered at each
    decision of random.
    """
    scenario = SCENARIOS[seed % len(SCENARIOS)]
    world, _ = draw(seed, hidden=3, moving=1, planners=tuple(PLANNERS), count=PATHS, horizon=40.0)
    search = Search(world, scenario, LIMIT)
    start = first(world)
    best, worst = search.best(start), search.worst(start)
    found: dict[str, tuple[float, bool]] = {}
    offered: list[int] = []
    for name, rule in RULES.items():
        state, rng = start, generator(seed, "loop_floors", name)
        while not state.end and state.step < LIMIT:
            offers = search.offers(state)
            if rule is chance:
                offered.append(len(offers))
            chosen = rule(offers, rng)
            state = wait(world, state) if chosen == WAIT else drive(world, state, offers[chosen][1])
        progress = 0.0
        if state.end == "goal":
            value = search.value(state.track)
            high, low = (policy.value if policy else value for policy in (best, worst))
            progress = 1.0 - regret(value, high, low)
        found[name] = progress, state.end == "goal"
    return scenario.name, found, offered


def mean_and_error(values: Sequence[float]) -> dict[str, float]:
    """Mean and its standard error, rounded to four decimals."""
    array = np.asarray(values, dtype=np.float64)
    return {
        "mean": round(float(array.mean()), 4),
        "standard_error": round(float(array.std(ddof=1) / len(array) ** 0.5), 4),
    }


def measured(episodes: int) -> dict[str, Any]:
    """The rows, and the shares of decisions with fewer paths than three."""
    begin = first_seed("test", RunConfig().seed, "patheval_loop", "drive")
    begun = time.process_time()
    plays = []
    for seed in range(begin, begin + episodes):
        plays.append(played(seed))
        print(f"{len(plays)} of {episodes}", flush=True)
    rows = {
        name: {
            "progress": mean_and_error([found[name][0] for _, found, _ in plays]),
            "arrived": sum(found[name][1] for _, found, _ in plays),
        }
        for name in RULES
    }
    better = {  # chosen after the fact, from the same episodes
        scenario: max(LENGTHS, key=lambda name: sum(found[name][0] for s, found, _ in plays if s == scenario))
        for scenario in {s for s, _, _ in plays}
    }
    hindsight = [found[better[scenario]] for scenario, found, _ in plays]
    rows["the shortest or the longest, as it is better in the scenario"] = {
        "progress": mean_and_error([progress for progress, _ in hindsight]),
        "arrived": sum(arrived for _, arrived in hindsight),
    }
    offered = [number for _, _, numbers in plays for number in numbers]
    return {
        "environment": "embodied/PathEvalLoop-v1",
        "command": f"python benchmarks/loop_floors.py --episodes {episodes}",
        "episodes": episodes,
        "first_seed": begin,
        "decisions_with_fewer_paths": round(sum(number < PATHS for number in offered) / len(offered), 4),
        "rules": rows,
        "cpu_seconds": round(time.process_time() - begun),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=100)
    parser.add_argument("--out", type=Path, default=DATA)
    options = parser.parse_args()
    found = measured(options.episodes)
    options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
