"""Bradley-Terry: strengths of agents from votes between two of them (Bradley and Terry 1952)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from embodied.eval.statistics import LEVEL, Interval, normal_quantile

PRIOR = 0.5
"""Every player starts with so many votes won and lost against an average one. This keeps a player who always wins
finite, and real votes soon outweigh it.
"""


@dataclass(frozen=True)
class Strength:
    """One player's standing."""

    name: str
    strength: float
    """Log odds against the average player: P(i beats j) = 1 / (1 + exp(strength_j - strength_i)). Strengths sum to 0.
    """
    interval: Interval
    """From the curvature of the likelihood."""
    wins: float
    """A tie is half a win."""
    votes: int


def bradley_terry(votes: Sequence[tuple[str, str, float]], level: float = LEVEL) -> list[Strength]:
    """Fits strengths to votes, strongest first.

    Args:
        votes: (first, second, share of the first): 1 the first was better, 0 the second was, 0.5 a tie.
    """
    names = sorted({name for a, b, _ in votes for name in (a, b)})
    if not names:
        return []
    index = {name: i for i, name in enumerate(names)}
    wins = np.zeros((len(names), len(names)))
    for a, b, share in votes:
        wins[index[a], index[b]] += share
        wins[index[b], index[a]] += 1 - share
    strengths, covariance = _fit(wins)
    half = normal_quantile((1 + level) / 2) * np.sqrt(np.diag(covariance))
    played = wins + wins.T
    table = [
        Strength(name, float(s), (float(s - h), float(s + h)), float(w), int(v))
        for name, s, h, w, v in zip(names, strengths, half, wins.sum(1), played.sum(1), strict=True)
    ]
    return sorted(table, key=lambda s: -s.strength)


def _fit(wins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Newton's method on the concave log likelihood; returns strengths that sum to 0, and their covariance. `wins`: (K,
    K), i over j.
    """
    k = len(wins)
    played = wins + wins.T
    theta = np.zeros(k)
    for _ in range(100):
        p = 1 / (1 + np.exp(theta[None] - theta[:, None]))
        own = 1 / (1 + np.exp(-theta))
        gradient = (wins - played * p).sum(1) + PRIOR * (1 - 2 * own)
        curve = played * p * (1 - p)
        hessian = np.diag(curve.sum(1) + 2 * PRIOR * own * (1 - own)) - curve
        step = np.linalg.solve(hessian, gradient)
        theta = theta + step * min(1.0, 2.0 / max(1e-12, np.abs(step).max()))
        if np.abs(step).max() < 1e-10:
            break
    centre = np.eye(k) - 1 / k
    return theta - theta.mean(), centre @ np.linalg.inv(hessian) @ centre
