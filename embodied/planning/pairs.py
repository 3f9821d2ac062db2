"""Pairs of paths: which to compare, and which of the two suits a scenario.

The rule (PathEval, section 3.5, and the code of its pair builder): a descriptor that matters votes for the path with
the better value, unless the two values differ by less than its threshold, when it abstains. A pair is labelled when at
least one descriptor votes and all votes agree; else it is unresolved.
"""

from __future__ import annotations

import numpy as np

from embodied.planning.descriptors import DIGITS, THRESHOLDS


def margins(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """How much more `first` has of each descriptor than `second`, in thresholds: (..., 7) of (..., 7). A difference of
    1 and more counts.
    """
    return np.round(np.asarray(first) - np.asarray(second), DIGITS) / THRESHOLDS


def votes(first: np.ndarray, second: np.ndarray, weights: np.ndarray) -> np.ndarray:
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
    weights = np.asarray(weights, dtype=np.int8)
    return sign[..., None, :] * weights if weights.ndim == 2 else sign * weights


def decide(cast: np.ndarray) -> np.ndarray:
    """The path that votes (..., 7) are for: (...) int8, 1 the first, 2 the second, 0 unresolved: no vote at all, or one
    against another.
    """
    first, second = (cast > 0).any(axis=-1), (cast < 0).any(axis=-1)
    return (first & ~second).astype(np.int8) + 2 * (second & ~first).astype(np.int8)


def labels(first: np.ndarray, second: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """`decide` of the `votes`: which of two paths suits each scenario, 1, 2 or 0."""
    return decide(votes(first, second, weights))


def farthest(descriptors: np.ndarray, count: int) -> list[tuple[int, int]]:
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
    free, chosen = np.ones(len(descriptors), dtype=bool), []
    for at in np.argsort(-distance[one, other], kind="stable"):
        if len(chosen) == count:
            break
        if free[one[at]] and free[other[at]]:
            free[[one[at], other[at]]] = False
            chosen.append((int(one[at]), int(other[at])))
    return chosen
