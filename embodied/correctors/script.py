"""script: repeats the corrections that were recorded in another run, in the same steps of the same episodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from embodied.errors import UsageError
from embodied.store.run import Run
from embodied.types import Correction, Decision, EpisodeSpec, Mission, Observation, Outcome, Step

if TYPE_CHECKING:
    import numpy as np

    from embodied.correctors import Kit


class Script:
    """Says in each step what was said in that step of the recorded episode with the same environment, task and seed.
    It does not look at the decision.
    """

    def __init__(self, kit: Kit):
        assert kit.config.run is not None  # `check` saw to it
        self._said = {} if kit.spec is None else _recorded(Run(kit.config.run), kit.spec)
        self._step = 0

    def begin(self, mission: Mission, rng: np.random.Generator) -> None:
        """Nothing to do: nothing is drawn."""

    async def review(self, observation: Observation, decision: Decision) -> Correction | None:
        self._step = observation.step
        said = self._said.get(observation.step)
        return said and Correction(text=said.text, how="script", by=said.by, lasts=said.lasts)

    async def clarify(self, question: str, options: tuple[str, ...]) -> str | None:
        """What the recorded correction was resolved to."""
        return self._said[self._step].resolved

    def recall(self, step: Step) -> None:
        """Nothing to do: what it says is known by the number of the step."""

    def end(self, outcome: Outcome) -> None:
        """Nothing to do."""


def _recorded(run: Run, spec: EpisodeSpec) -> dict[int, Correction]:
    """The corrections of the episode of `run` that is like `spec`, by the step in which they were spoken: what each was
    then.
    """
    like = [s for s in run.record.planned if (s.task.env, s.task.task, s.seed) == _place(spec)]
    if not like:
        raise UsageError(
            f"corrector.run: {run.root} has no episode of {spec.task.env} {spec.task.task} with the seed {spec.seed}."
            " Play the episodes of that run: the same environment, task, seed, split and number of episodes."
        )
    return {
        step.index: event
        for step in run.steps(like[0].id)
        for event in step.events
        if isinstance(event, Correction) and event.applied == step.index
    }


def _place(spec: EpisodeSpec) -> tuple[str, str, int]:
    return spec.task.env, spec.task.task, spec.seed
