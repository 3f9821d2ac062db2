"""The statistics of a LeRobot dataset: minimum, maximum, mean, standard deviation and count of each feature, of an
episode and of all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_PICTURES = 100
"""Of an episode that are looked at, evenly spaced."""

Statistics = Mapping[str, Mapping[str, "NDArray[Any]"]]
"""Feature -> statistic -> array: (1,) of a number; (3, 1, 1) of pictures, in [0, 1]; a count is always (1,)."""


def sampled(number: int) -> list[int]:
    """Which of so many pictures are looked at."""
    return sorted({int(i) for i in np.linspace(0, number - 1, min(number, MOST_PICTURES)).round()})


def of_numbers(values: Sequence[float]) -> dict[str, NDArray[Any]]:
    """Statistics of a feature with one number a frame."""
    array = np.asarray(values, np.float64)
    found = {"min": array.min(), "max": array.max(), "mean": array.mean(), "std": array.std()}
    return {**{k: np.array([v]) for k, v in found.items()}, "count": np.array([len(array)])}


def of_pictures(pictures: Iterable[NDArray[np.uint8]]) -> dict[str, NDArray[Any]]:
    """Statistics of pictures of shape (H, W, 3), for each colour."""
    low, high = np.ones(3), np.zeros(3)
    total, squares, pixels, count = np.zeros(3), np.zeros(3), 0, 0
    for picture in pictures:
        flat = picture.reshape(-1, 3) / 255.0
        low, high = np.minimum(low, flat.min(0)), np.maximum(high, flat.max(0))
        total, squares = total + flat.sum(0), squares + (flat**2).sum(0)
        pixels, count = pixels + len(flat), count + 1
    mean = total / pixels
    std = np.sqrt(np.maximum(squares / pixels - mean**2, 0))
    found = {"min": low, "max": high, "mean": mean, "std": std}
    return {**{k: v.reshape(3, 1, 1) for k, v in found.items()}, "count": np.array([count])}


def of_all(episodes: Sequence[Statistics]) -> dict[str, dict[str, NDArray[Any]]]:
    """Statistics of several episodes together, each weighted by its count."""
    return {feature: _together([e[feature] for e in episodes]) for feature in episodes[0]}


def _together(parts: Sequence[Mapping[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
    counts = np.stack([p["count"] for p in parts]).astype(np.float64)
    means = np.stack([p["mean"] for p in parts])
    weights = counts.reshape(len(parts), *(1,) * (means.ndim - 1)) / counts.sum()
    mean = (means * weights).sum(0)
    variance = ((np.stack([p["std"] for p in parts]) ** 2 + (means - mean) ** 2) * weights).sum(0)
    return {
        "min": np.stack([p["min"] for p in parts]).min(0),
        "max": np.stack([p["max"] for p in parts]).max(0),
        "mean": mean,
        "std": np.sqrt(variance),
        "count": np.array([int(counts.sum())]),
    }
