"""What a driven trajectory is worth in a scenario, as one number, and how far a policy stayed from the best.

PathEval compares two paths descriptor by descriptor and has no scalar; this one is ours:

    utility = mean over the descriptors that matter of  weight * (value - mean) / deviation

with weights -1 and 1 of the scenario, and mean and deviation of the descriptor over a fixed reference set
(`data/loop_reference.json`).
"""

from __future__ import annotations

import functools
import importlib.resources
import json

import numpy as np

from embodied.arrays import Floats
from embodied.planning.descriptors import NAMES, dense, shape
from embodied.planning.planners.space import Obstacles
from embodied.planning.scenarios import Scenario

TOLERANCE = 0.4
"""Before length and turns are measured, a driven line is smoothed; none of its points moves farther than this. So the
measures show how the robot went, not how its heading trembled."""


def measure(track: Floats, solid: Obstacles) -> Floats:
    """The seven descriptors of a driven trajectory, (7,) in the order of `NAMES`.

    Args:
        track: (n, 2) where the robot was.
        solid: What clearance is measured to.
    """
    values = dense(track, solid)
    values[3:] = np.round(shape(smooth(track)), 6)
    return values


def smooth(track: Floats, tolerance: float = TOLERANCE) -> Floats:
    """The corners of a line that stays within `tolerance` of all its places (Douglas and Peucker 1973), (m, 2)."""
    keep, open_ = {0, len(track) - 1}, [(0, len(track) - 1)]
    while open_:
        low, high = open_.pop()
        if high - low < 2:
            continue
        a, d = track[low], track[high] - track[low]
        off = track[low + 1 : high] - a
        along = np.clip((off * d).sum(axis=1) / max(float((d * d).sum()), 1e-12), 0, 1)
        gap = ((off - along[:, None] * d) ** 2).sum(axis=1)
        at = int(gap.argmax())
        if gap[at] > tolerance**2:
            middle = low + 1 + at
            keep.add(middle)
            open_ += [(low, middle), (middle, high)]
    return track[sorted(keep)]


@functools.cache
def reference() -> tuple[Floats, Floats]:
    """Mean and standard deviation of the descriptors over the reference set, each (7,)."""
    data = json.loads(
        importlib.resources.files(__package__).joinpath("data/loop_reference.json").read_text(encoding="utf-8")
    )
    return np.array([data["mean"][name] for name in NAMES]), np.array([data["deviation"][name] for name in NAMES])


def utility(values: Floats, scenario: Scenario) -> float:
    """What descriptors (7,) are worth in a scenario, in standard deviations of the reference set; 0 is as its mean."""
    mean, deviation = reference()
    weights = np.array(scenario.weights)
    return round(float((weights * (values - mean) / deviation).sum() / np.abs(weights).sum()), 6)


def regret(value: float, best: float, worst: float) -> float:
    """The share of the possible utility that was missed: (best - value) / (best - worst), in [0, 1]; 0 if all policies
    are worth the same.
    """
    best, worst = max(best, value), min(worst, value)
    return round((best - value) / (best - worst), 6) if best > worst else 0.0
