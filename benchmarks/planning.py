"""CPU seconds of a map, of a path by each planner, of descriptors, and of the closed loop's proposals and search;
medians over the four families.

python benchmarks/planning.py [--maps 2] [--paths 3]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from embodied.errors import MissingExtra
from embodied.planning import world as w
from embodied.planning.descriptors import denses
from embodied.planning.maps import generate
from embodied.planning.planners import PLANNERS, plan
from embodied.planning.policies import Search
from embodied.planning.portfolio import PLANNERS as PORTFOLIO
from embodied.planning.scenarios import SCENARIOS

SIZES = {"maze": 14, "rings": 8, "waves": 8, "random": 16}


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of `work`, and what it returns."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--maps", type=int, default=2, help="of each family")
    parser.add_argument("--paths", type=int, default=3, help="of each planner on each map")
    args = parser.parse_args()
    spent: dict[str, list[float]] = {}
    failed: dict[str, int] = {}

    def note(what: str, seconds: float) -> None:
        spent.setdefault(what, []).append(seconds)

    for family, parameter in SIZES.items():
        for seed in range(args.maps):
            seconds, field = timed(
                lambda family=family, parameter=parameter, seed=seed: generate(family, parameter, seed)
            )
            note("map", seconds)
            note("distances made ready", timed(lambda field=field: field.obstacles)[0])
            for planner in PLANNERS:
                for index in range(args.paths):
                    rng = np.random.default_rng(index)
                    try:
                        seconds, path = timed(
                            lambda field=field, planner=planner, rng=rng: plan(
                                field, planner, round(float(rng.uniform(0.5, 1.5)), 2), rng
                            )
                        )
                    except MissingExtra:
                        break
                    note(f"path, {planner}", seconds)
                    if path is None:
                        failed[planner] = failed.get(planner, 0) + 1
                    else:
                        note(
                            "descriptors of a path",
                            timed(lambda path=path, field=field: denses([path], field.obstacles))[0],
                        )
    for seed in range(4):
        seconds, (world, _) = timed(
            lambda seed=seed: w.draw(seed, hidden=3, moving=1, planners=PORTFOLIO, count=3, horizon=40.0)
        )
        note("loop: world", seconds)
        note("loop: three proposals", timed(lambda world=world: w.proposals(world, w.first(world)))[0])
        search = Search(world, SCENARIOS[seed], 12)
        note("loop: best and worst policy", timed(lambda search=search, world=world: search.best(w.first(world)))[0])
    for what, values in spent.items():
        print(f"{what:28} {statistics.median(values):8.4f} s  (n = {len(values)}, greatest {max(values):.3f} s)")
    print("no path found:", ", ".join(f"{name} {count}" for name, count in failed.items()) or "never")
    print(f"load when it ended: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
