"""A calibrated threshold: which actions are in the set of a step (split conformal prediction).

The score of an action is 1 minus its share of the model's probability. The score of a step is the least one of the
right actions, so a set with one right action covers the step. For the level `episode` the score of an episode is the
largest of its steps: episodes of one plan are exchangeable, steps of an episode are not. After Ren et al., "Robots That
Ask For Help" (KnowNo, arXiv 2307.01928, section 3.3); asking in place of answering follows conformal abstention
(arXiv 2502.06884).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import msgspec

from embodied.agents.vocabulary import fold
from embodied.errors import StoreError, UsageError
from embodied.store.checks import read_plain
from embodied.types import Decision

PART = "asking"
"""The part of an agent's version that holds a calibration."""
LEVELS = ("episode", "step")
SCORE = "1-share"
_LONGEST = 1 << 16
_TINY = 1e-9
"""Keeps sums of floating point numbers from missing a whole number."""


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of the part."""

    threshold: float
    """An action is in the set if its score is at most this; in [0, 1]."""
    risk: float
    """How often a set may lack every right action: of episodes, or of steps."""
    level: str
    """episode: the promise is about all steps of an episode. step: about one step of an episode, drawn at random."""
    episodes: int
    rate: float
    """The share of steps in which the agent asked, in the calibration episodes. The control `random` asks as often."""
    split: str
    runs: str
    """SHA-256 of the recorded steps."""
    agent: str
    """Hash of the version that played them."""
    samples: int = 1
    score: str = SCORE


def needed(risk: float) -> int:
    """The fewest episodes from which a threshold for `risk` can be told: the least n with n >= 1 / risk - 1."""
    return math.ceil(1 / risk - 1 - _TINY)


def threshold(scores: Sequence[float], risk: float) -> float:
    """The ceil((n + 1) (1 - risk))-th smallest of `scores`.

    Raises:
        UsageError: `risk` is not a share between 0 and 1, or there are fewer scores than it needs.
    """
    if not 0 < risk < 1:
        raise UsageError(f"A risk is a share above 0 and below 1, not {risk}.")
    if len(scores) < needed(risk):
        raise UsageError(
            f"A risk of {risk:g} needs at least {needed(risk)} calibration episodes, and there are {len(scores)}: play"
            " more, or allow more risk."
        )
    rank = math.ceil((len(scores) + 1) * (1 - risk) - _TINY)
    return sorted(scores)[rank - 1]


def shares(decision: Decision) -> dict[str, float] | None:
    """Action -> its share of the probability that the model gave to the actions; None where the model gave none.
    Actions that the record does not name have a share of 0.
    """
    weighed = decision.calls[-1].reply.weighed if decision.calls else msgspec.UNSET
    if isinstance(weighed, msgspec.UnsetType) or not weighed:
        return None
    most = max(weighed.values())
    if not math.isfinite(most):
        return None
    parts = {action: math.exp(value - most) for action, value in weighed.items()}
    total = sum(parts.values())
    return {action: part / total for action, part in parts.items()}


def score(found: Mapping[str, float], right: Collection[str]) -> float:
    """The score of a step: the least of its right actions.

    Args:
        found: From `shares`.
        right: The right actions; at least one.
    """
    folded = {fold(action): share for action, share in found.items()}
    return min(1 - folded.get(fold(action), 0.0) for action in right)


def chosen(found: Mapping[str, float], limit: float, actions: Collection[str] = ()) -> list[str]:
    """The set of a step, the likeliest action first.

    Args:
        found: From `shares`.
        limit: The threshold.
        actions: All that can be chosen in the step. With a threshold of 1 they are all in the set.
    """
    kept = [action for action, share in sorted(found.items(), key=lambda pair: -pair[1]) if 1 - share <= limit + _TINY]
    if limit < 1 - _TINY:
        return kept
    known = {fold(action) for action in found}
    return [*kept, *(action for action in actions if fold(action) not in known)]


def load(place: Path) -> Calibration:
    """Reads the part of a version.

    Raises:
        StoreError: It is missing, damaged, or says what makes no sense.
    """
    data = read_plain(place, _LONGEST)
    try:
        if data is None:
            raise ValueError("it is missing")
        found = msgspec.json.decode(data, type=Calibration)
        shares_ = (found.threshold, found.risk, found.rate)
        if not all(0 <= value <= 1 for value in shares_) or found.level not in LEVELS or found.score != SCORE:
            raise ValueError("a value makes no sense")
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{place} is not a calibration: {error}. `embodied calibrate` makes one.") from error
    return found
