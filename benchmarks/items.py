"""Labelled PathEval items a minute: maps, paths, descriptors, pairs and labels, on as many processes as there are
cores.

Target: 1,000 labelled items in under 5 minutes with the NumPy planner.

    python benchmarks/items.py [--maps 16] [--planner rrt]
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time

from embodied.planning.making import Recipe, make


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--maps", type=int, default=16)
    parser.add_argument("--planner", default="rrt")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["XDG_CACHE_HOME"] = cache  # nothing is taken from an earlier run
        before, began = sum(os.times()[:4]), time.monotonic()
        made = make(Recipe(seed=1, maps=args.maps, planner=args.planner))
        seconds, processor = time.monotonic() - began, sum(os.times()[:4]) - before
    counts, cores = made.counts, os.cpu_count() or 1
    print(f"{counts['maps']} maps, {counts['paths']} paths ({args.planner}), {counts['pairs']} pairs")
    print(f"{counts['questions']} questions (pair, scenario), {counts['labelled']} of them labelled")
    print(f"{seconds:.0f} s on {cores} cores, {processor:.0f} CPU s: {processor / counts['paths']:.2f} CPU s a path")
    per_minute = 60 * counts["labelled"] / (processor / cores)
    print(
        f"{per_minute:.0f} labelled items a minute with {cores} cores of its own; 1,000 in {60000 / per_minute:.0f} s"
    )
    print(f"load when it ended: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
