"""Pairs of paths: which to compare, and which of the two suits a scenario.

The rule (PathEval, section 3.5, and the code of its pair builder): a descriptor that matters votes for the path with
the better value, unless the two values differ by less than its threshold, when it abstains. A pair is labelled when at
least one descriptor votes and all votes agree; else it is unresolved.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from embodied.arrays import Floats
from embodied.planning.descriptors import DIGITS, THRESHOLDS


def margins(first: Floats, second: Floats) -> Floats:
    """How much more `first` has of each descriptor than `second`, in thresholds: (..., 7) of (..., 7). A difference of
    1 and more counts.
    """
    gaps: Floats = np.round(np.asarray(first) - np.asarray(second), DIGITS) / THRESHOLDS
    return gaps


def votes(first: Floats, second: Floats, weights: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """What each descriptor says.

    Args:
        first: (..., 7) descriptors of the one path.
        second: (..., 7) of the other.
        weights: (s, 7) or (7,) in {-1, 0, 1}.

    Returns:
        (..., s, 7) or (..., 7) int8: 1 for the first path, -1 for the second, 0 for neither.
    """
    gap = margins(first, second)
    sign = np.where(np.abs(gap) >= 1, np.sign(gap), 0).astype(np.int8)
    signs = np.asarray(weights, dtype=np.int8)
    return sign[..., None, :] * signs if signs.ndim == 2 else sign * signs


def decide(cast: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """The path that votes (..., 7) are for: (...) int8, 1 the first, 2 the second, 0 unresolved: no vote, or votes that
    disagree.
    """
    first, second = np.asarray((cast > 0).any(axis=-1)), np.asarray((cast < 0).any(axis=-1))
    return (first & ~second).astype(np.int8) + np.int8(2) * (second & ~first).astype(np.int8)


def labels(first: Floats, second: Floats, weights: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """`decide` of the `votes`: which of two paths suits each scenario, 1, 2 or 0."""
    return decide(votes(first, second, weights))


def farthest(descriptors: Floats, count: int) -> list[tuple[int, int]]:
    """Pairs of the paths of one map that differ most.

    Descriptors are scaled to [0, 1] over the map's paths; then the two farthest paths are taken, and again among those
    left (PathEval's pair builder).

    Args:
        descriptors: (n, 7) of the paths of one map.
        count: How many pairs at most; no path is in two.

    Returns:
        Pairs (i, j), i < j, farthest first. Equally far pairs in order of their numbers.
    """
    low, span = descriptors.min(axis=0), np.ptp(descriptors, axis=0)
    scaled = (descriptors - low) / np.where(span > 0, span, 1)
    distance = np.round(np.sqrt(((scaled[:, None] - scaled[None]) ** 2).sum(axis=-1)), DIGITS)
    one, other = np.triu_indices(len(descriptors), k=1)
    free = np.ones(len(descriptors), dtype=bool)
    chosen: list[tuple[int, int]] = []
    for at in np.argsort(-distance[one, other], kind="stable"):
        if len(chosen) == count:
            break
        if free[one[at]] and free[other[at]]:
            free[[one[at], other[at]]] = False
            chosen.append((int(one[at]), int(other[at])))
    return chosen
