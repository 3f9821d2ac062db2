"""Makes the PathEval sets that the package ships: embodied/planning/data/{test,dev}.json.xz.

    nice python scripts/make_patheval_sets.py            # both; about 20 CPU minutes
    nice python scripts/make_patheval_sets.py --check    # makes them anew and compares

The sets depend on the maps, the planner `rrt` and the recipes below. Maps that were worked through once are taken from
the cache (`$XDG_CACHE_HOME/embodied/patheval`); to make all anew, point it to an empty folder.
"""

from __future__ import annotations

import argparse
import json
import lzma
import sys
import time
from pathlib import Path

import embodied.planning as package
from embodied.planning.items import check
from embodied.planning.making import Recipe, make

DATA = Path(package.__file__).parent / "data"
RECIPES = (Recipe(split="test", maps=240, each=70), Recipe(split="dev", maps=80, each=20))
"""70 a scenario is the size of PathEval's test set."""


def main() -> int:
    """The command line. Returns 1 when a set is not the one that is there."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, compare with what is there")
    args = parser.parse_args()
    differ = 0
    DATA.mkdir(exist_ok=True)
    for recipe in RECIPES:
        began = time.monotonic()
        made = make(recipe)
        for item in made.items:
            check(item)
        path = DATA / f"{recipe.split}.json.xz"
        verdict = "made"
        if args.check:
            same = json.loads(lzma.decompress(path.read_bytes()))["digest"] == made.digest
            differ += not same
            verdict = "the same" if same else "DIFFERENT"
        else:
            data = json.dumps({**made.to_json(), "digest": made.digest}, separators=(",", ":")).encode()
            path.write_bytes(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))
        print(
            f"{path.name}: {verdict}, digest {made.digest[:16]}, {dict(made.counts)}, {path.stat().st_size} bytes,"
            f" {time.monotonic() - began:.0f} s",
            flush=True,
        )
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
