"""A small set of items without a planner: paths scribbled across generated maps, walls or not. Labels need no free
path.
"""

from __future__ import annotations

import numpy as np

from embodied.planning.descriptors import denses, papers
from embodied.planning.items import ItemSet, Pair, drawn
from embodied.planning.making import Recipe, keys, select
from embodied.planning.pairs import farthest
from embodied.planning.planners.space import GOAL, START


def scribbled(split: str = "dev", maps: int = 4, each: int | None = None) -> ItemSet:
    """All labelled items of some pairs on maps of every family."""
    recipe, pairs, rng = Recipe(split=split, maps=maps, each=each), [], np.random.default_rng(0)
    for key in keys(recipe):
        paths = [
            np.vstack([START, rng.uniform(-40, 40, (int(rng.integers(2, 9)), 2)).round(4), GOAL]) for _ in range(8)
        ]
        paper, dense = papers(paths, drawn(key).obstacles), denses(paths, drawn(key).obstacles)
        for rank, (i, j) in enumerate(farthest(paper, 3)):
            pairs.append(
                Pair(paper[[i, j]], dense[[i, j]], key, (paths[i], paths[j]), (0.5, 1.0), f"{key.name}-{rank}")
            )
    return select(recipe, pairs, {"maps": maps})
