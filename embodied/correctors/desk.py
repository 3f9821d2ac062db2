"""desk: people at the correction desk, in the browser (`--console`). They speak through the channel of the episode.

This corrector itself stays silent. It stands in the record, so that nobody takes a run in which people could speak for
one that was played alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from embodied.types import Decision, Mission, Observation, Outcome, Step

if TYPE_CHECKING:
    import numpy as np

    from embodied.correctors import Kit

NAME = "desk"


class Desk:
    """Says nothing. The desk may ask for the expert's advice, where the environment has an expert."""

    hears_expert = True

    def __init__(self, kit: Kit):
        """Needs nothing."""

    def begin(self, mission: Mission, rng: np.random.Generator) -> None:
        """Nothing to do."""

    async def review(self, observation: Observation, decision: Decision) -> None:
        """Silence."""

    def recall(self, step: Step) -> None:
        """Nothing to do."""

    def end(self, outcome: Outcome) -> None:
        """Nothing to do."""
