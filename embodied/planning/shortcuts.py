"""Rules that choose a path without looking at the scenario. What they score says how much of a benchmark needs no
understanding.
"""

from __future__ import annotations

from embodied.arrays import Floats
from embodied.planning.descriptors import NAMES

SHORTCUTS: dict[str, tuple[tuple[str, int], ...]] = {
    "shorter": (("Path length", -1),),
    "longer": (("Path length", 1),),
    "smoother": (("Smoothness", -1),),
    "less smooth": (("Smoothness", 1),),
    "fewer sharp turns, then smoother": (("Sharp turns", -1), ("Smoothness", -1)),
    "smaller maximum angle": (("Maximum angle", -1),),
    "more minimum clearance": (("Minimum clearance", 1),),
    "less minimum clearance": (("Minimum clearance", -1),),
    "more average clearance": (("Average clearance", 1),),
    "less average clearance": (("Average clearance", -1),),
}
"""Name -> descriptors in the order they are looked at, each with the direction that counts as better. The first path
where all are equal.
"""


def answers(descriptors: Floats) -> dict[str, int]:
    """What each shortcut answers.

    Args:
        descriptors: (2, 7) of both paths, in the order shown.

    Returns:
        Name -> 1 or 2, with `the first path` and `the second path` in front.
    """
    found = {"the first path": 1, "the second path": 2}
    for name, rule in SHORTCUTS.items():
        gaps = [sign * (descriptors[0, NAMES.index(d)] - descriptors[1, NAMES.index(d)]) for d, sign in rule]
        found[name] = 2 if next((gap for gap in gaps if gap), 0.0) < 0 else 1
    return found
